"""Addresses of artifacts in a registry."""

from __future__ import annotations

import pytest

from model_registry.addresses import (
    FileAddress,
    ModelAddress,
    RunAddress,
    read_address,
    read_any_address,
    read_file_address,
)
from policies.errors import Malformed


class TestReadAddress:
    """Three forms, nothing else."""

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("models:/gas-leak/3", ModelAddress(name="gas-leak", version="3", alias=None)),
            ("models:/燃气 泄漏/12", ModelAddress(name="燃气 泄漏", version="12", alias=None)),
            ("models:/gas-leak@champion", ModelAddress(name="gas-leak", version=None, alias="champion")),
            ("runs:/0123abc/model", RunAddress(run="0123abc", path="model")),
            ("runs:/0123abc/a/b.ubj", RunAddress(run="0123abc", path="a/b.ubj")),
        ],
    )
    def test_read(self, text: str, address: ModelAddress | RunAddress) -> None:
        assert read_address(text) == address

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "model.ubj",
            "models:/",
            "models:/gas-leak",
            "models:/gas-leak/latest",
            "models:/gas-leak/Production",
            "models:/gas-leak/3/more",
            "models:/m-0123456789",
            "runs:/0123abc",
            "runs:/0123abc/",
            "runs:/0123abc/../other",
            "runs:/../x/y",
            "runs:/a/b\\c",
            "runs:/a/%2e%2e/b",
            "s3://bucket/model",
            "file:///etc/passwd",
            "MODELS:/a/1",
        ],
    )
    def test_no_address(self, text: str) -> None:
        with pytest.raises(Malformed) as refusal:
            read_address(text)
        assert refusal.value.says.en == (
            f"{text!r} is no artifact address; expected models:/name/3, models:/name@alias or runs:/id/path"
        )


class TestReadFileAddress:
    """Files beside models, never leading out of where they are looked for."""

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("runs:/0123abc/a/b.csv", RunAddress(run="0123abc", path="a/b.csv")),
            (
                "models:/gas-leak/3/rows.csv",
                FileAddress(model=ModelAddress(name="gas-leak", version="3", alias=None), path="rows.csv"),
            ),
            (
                "models:/gas-leak@champion/a/b.csv",
                FileAddress(model=ModelAddress(name="gas-leak", version=None, alias="champion"), path="a/b.csv"),
            ),
        ],
    )
    def test_read(self, text: str, address: FileAddress | RunAddress) -> None:
        assert read_file_address(text) == read_any_address(text) == address

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "rows.csv",
            "models:/gas-leak/3",
            "models:/gas-leak/3/",
            "models:/gas-leak/3/../4/rows.csv",
            "models:/gas-leak/3/%2e%2e/rows.csv",
            "models:/gas-leak/Production/rows.csv",
            "models://host/gas-leak/3/rows.csv",
            "runs:/a/%2e%2e/b.csv",
            "runs:/a/b.csv?x=1",
            "runs:/a/b\ncsv",
            "runs://host/a/b.csv",
            "http://127.0.0.1/rows.csv",
            "file:///etc/passwd",
            f"runs:/a/{'x' * 501}",
        ],
    )
    def test_no_address(self, text: str) -> None:
        with pytest.raises(Malformed, match="is no address of a file; expected runs:/id/path"):
            read_file_address(text)
