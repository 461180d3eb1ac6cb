"""Fields and one address become the declaration that says the same, or every fault is said at once."""

from __future__ import annotations

from typing import Any

import pytest

from model_registry.by_address import declaration_by_address
from policies.declaration import read_declaration
from policies.errors import Malformed, field_of


def said(uri: object = "models:/gas-leak/3", **changes: Any) -> dict[str, Any]:
    """A whole submission by address."""
    document: dict[str, Any] = {
        "uri": uri,
        "model": {"name": "gas-leak", "flavour": "xgboost"},
        "use": {"purpose": "risk_intervention"},
        "data": {"evaluation": "evaluation.csv", "training": "data/training.csv", "label": "harmed"},
    }
    return {**document, **changes}


class TestDeclarationByAddress:
    @pytest.mark.parametrize(
        ("uri", "beside"),
        [
            ("models:/gas-leak/3", "models:/gas-leak/3"),
            ("models:/gas-leak@champion", "models:/gas-leak@champion"),
            ("runs:/0123abc/deep/model", "runs:/0123abc"),
        ],
    )
    def test_names_model_and_data_by_address(self, uri: str, beside: str) -> None:
        declared = read_declaration(declaration_by_address(said(uri)))
        assert declared.model.artifact == uri
        assert declared.data.evaluation == f"{beside}/evaluation.csv"
        assert declared.data.training == f"{beside}/data/training.csv"

    def test_keeps_an_address_of_another_run(self) -> None:
        data = {"evaluation": "runs:/fedcba/rows.csv", "label": "harmed"}
        assert read_declaration(declaration_by_address(said(data=data))).data.evaluation == "runs:/fedcba/rows.csv"

    def test_says_everything_at_once(self) -> None:
        wrong = said(
            "https://10.0.0.1/model",
            model={"name": "no name!", "artifact": "model.ubj", "flavour": "pickle"},
            data={"evaluation": "../secret.csv", "training": "models:/gas-leak/Production"},
            extra={},
        )
        with pytest.raises(Malformed) as refused:
            declaration_by_address(wrong)
        found = {field_of(fault) for fault in refused.value.faults}
        assert found == {
            "uri",
            "model.artifact",
            "data.evaluation",
            "data.training",
            "extra",
            "model.name",
            "model.flavour",
            "data.label",
        }

    @pytest.mark.parametrize(
        "uri", [None, 3, ["models:/a/1"], "", "s3://bucket/x", "models:/a/Production", "model.ubj"]
    )
    def test_refuses_what_is_no_address_of_a_model(self, uri: object) -> None:
        with pytest.raises(Malformed) as refused:
            declaration_by_address(said(uri))
        assert [field_of(fault) for fault in refused.value.faults] == ["uri"]

    @pytest.mark.parametrize(
        "name",
        ["/etc/passwd", "a/../../b.csv", "..", "a//b.csv", "a\\b.csv", "%2e%2e/b.csv", "a.csv?x=1", "a#b", "a\nb.csv"],
    )
    def test_refuses_names_that_could_lead_elsewhere(self, name: str) -> None:
        with pytest.raises(Malformed) as refused:
            declaration_by_address(said(data={"evaluation": name, "label": "harmed"}))
        assert [field_of(fault) for fault in refused.value.faults] == ["data.evaluation"]

    @pytest.mark.parametrize("part", ["model", "use", "data"])
    def test_tables_that_are_none(self, part: str) -> None:
        with pytest.raises(Malformed) as refused:
            declaration_by_address(said(**{part: "text"}))
        assert any(part in field_of(fault) for fault in refused.value.faults)
