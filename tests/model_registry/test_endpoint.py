"""An endpoint is believed only where it keeps its word; every way to break it has one clear sentence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.deidentify import IdentifierPresent
from model_registry.endpoint import EndpointAway, EndpointRefused, Reach, endpoint_scores
from policies.declaration import Declaration, EndpointPart, Flavour, Protocol
from policies.rulebook import read_rulebook
from tests.audit.checks.factories import a_declaration
from tests.model_registry.endpoint_server import (
    Answer,
    Handler,
    dripping,
    hanging,
    honest,
    rows_in,
    scored,
    serving,
    told,
)

RULES = read_rulebook().deidentification
FRAME = pd.DataFrame(
    {
        "pressure": [80.0, 100.0, np.nan, 120.0] * 5,
        "place": ["A", "B", None, "塔"] * 5,
        "harmed": [0, 1, 0, 1] * 5,
        "worker": [f"w{i}" for i in range(20)],
    }
)


def declared(url: str, **changes: Any) -> Declaration:
    part = EndpointPart(
        url=url, protocol=Protocol.MLFLOW, columns=(), answer=None, timeout_seconds=10.0, rows_per_call=8
    )
    said = a_declaration(flavour=Flavour.ENDPOINT, artifact=None, training=None, subject="worker")
    return replace(said, endpoint=replace(part, **changes))


def asked_of(behaves: Answer, reach: Reach | None = None, **changes: Any) -> Any:
    with serving(behaves) as server:
        scores = endpoint_scores(declared(server.url, **changes), FRAME, RULES, reach or Reach())
        return scores, server.asked


def refused(answer: Answer, **changes: Any) -> str:
    with serving(answer) as server:
        with pytest.raises((EndpointRefused, EndpointAway)) as said:
            endpoint_scores(declared(server.url, **changes), FRAME, RULES)
        port = server.url.split(":")[2].split("/")[0]
        assert len(said.value.faults) == 1
        assert any("一" <= letter <= "鿿" for letter in said.value.faults[0].zh)
        return said.value.faults[0].en.replace(f"127.0.0.1:{port}", "HOST")


class TestAsked:
    def test_gives_one_score_for_each_row_in_order(self) -> None:
        scores, asked = asked_of(honest)
        assert np.allclose(scores, ([1 / 6, 0.5, 1.0, 5 / 6] * 5))
        assert [len(rows_in(one["body"])) for one in asked] == [8, 8, 4, 20]

    def test_is_sent_neither_label_nor_subject_and_null_for_missing(self) -> None:
        _, asked = asked_of(honest)
        first = rows_in(asked[0]["body"])
        assert set(first[0]) == {"pressure", "place"}
        assert first[2] == {"pressure": None, "place": None}
        assert first[3]["place"] == "塔"

    def test_is_sent_the_columns_named_in_their_order(self) -> None:
        _, asked = asked_of(honest, columns=("place", "pressure"))
        assert asked[0]["body"]["dataframe_split"]["columns"] == ["place", "pressure"]

    def test_speaks_the_open_inference_protocol(self) -> None:
        def answer(handler: Handler, asked: dict[str, Any]) -> None:
            pressure = next(one for one in asked["inputs"] if one["name"] == "pressure")
            assert pressure["datatype"] == "FP64"
            assert pressure["shape"] == [len(pressure["data"]), 1]
            assert next(one for one in asked["inputs"] if one["name"] == "place")["datatype"] == "BYTES"
            data = [0.0 if value is None else value / 200 for value in pressure["data"]]
            outputs = [
                {"name": "label", "shape": [len(data)], "datatype": "INT64", "data": [0] * len(data)},
                {"name": "score", "shape": [len(data)], "datatype": "FP64", "data": data},
            ]
            handler.send(json.dumps({"outputs": outputs}).encode())

        scores, _ = asked_of(answer, protocol=Protocol.OIP, answer="score")
        assert scores[:4].tolist() == [0.4, 0.5, 0.0, 0.6]

    @pytest.mark.parametrize(
        ("shape", "wanted"),
        [
            (lambda s: {"predictions": [[v] for v in s]}, None),
            (lambda s: {"predictions": [[1 - v, v] for v in s]}, None),
            (lambda s: {"predictions": [{"score": v} for v in s]}, None),
            (lambda s: {"predictions": [{"label": 1, "risk": v} for v in s]}, "risk"),
            (lambda s: {"predictions": {"label": [1] * len(s), "risk": list(s)}}, "risk"),
            (lambda s: list(s), None),
        ],
    )
    def test_reads_the_forms_an_answer_may_have(self, shape: Callable[[Any], Any], wanted: str | None) -> None:
        def answer(handler: Handler, asked: dict[str, Any]) -> None:
            handler.send(json.dumps(shape(scored(asked))).encode())

        scores, _ = asked_of(answer, answer=wanted)
        assert np.allclose(scores[:2], [1 / 6, 0.5])

    def test_the_token_goes_to_named_hosts_only(self) -> None:
        with serving(honest) as server:
            host = server.url.split("/")[2]
            for named, sent in ((frozenset({host}), "Bearer secret"), (frozenset({"elsewhere"}), None)):
                endpoint_scores(declared(server.url), FRAME, RULES, Reach(named=named, token="secret"))
                assert server.asked[-1]["headers"].get("Authorization") == sent


class TestRefusals:
    def test_hangs(self) -> None:
        assert refused(hanging, timeout_seconds=0.3) == (
            "HOST did not answer within 0.3 s; look whether it hangs, or ask for fewer rows at a time "
            "(endpoint.rows_per_call, endpoint.timeout_seconds)"
        )

    def test_drips(self) -> None:
        assert refused(dripping, timeout_seconds=0.3).startswith("HOST did not answer within 0.3 s")

    def test_is_not_there(self) -> None:
        with serving(honest) as server:
            url = server.url
        with pytest.raises(EndpointAway, match="cannot be reached: Connection refused; start it and check again"):
            endpoint_scores(declared(url), FRAME, RULES)

    def test_hangs_up(self) -> None:
        def answer(handler: Handler, asked: dict[str, Any]) -> None:
            handler.close_connection = True

        assert "HOST cannot be reached" in refused(answer)

    def test_answers_html(self) -> None:
        page = b"<!doctype html><title>Sign in</title>"
        said = "HOST answered with HTML (status 200) where JSON was expected; is the address that of a page to sign in?"
        assert refused(lambda handler, _: handler.send(page, kind="text/html; charset=utf-8")) == said
        assert refused(lambda handler, _: handler.send(page)) == said

    def test_redirects(self) -> None:
        def answer(handler: Handler, asked: dict[str, Any]) -> None:
            handler.send(b"", 307, Location="http://elsewhere.example/steal")

        assert refused(answer) == (
            "HOST answered with a redirect to 'http://elsewhere.example/steal', which is not followed; "
            "name the final address"
        )

    def test_fails(self) -> None:
        said = refused(lambda handler, _: handler.send(b'{"error": "out of memory"}', 500))
        assert said == 'HOST failed with status 500: \'{"error": "out of memory"}\'; mend it and check again'

    def test_refuses(self) -> None:
        assert (
            refused(lambda handler, _: handler.send(b"no\x1b[31m", 401)) == "HOST answered with status 401: 'no [31m'"
        )

    def test_answers_no_json(self) -> None:
        said = refused(lambda handler, _: handler.send(b"0.1 0.2"))
        assert said == "HOST answered with something that is not JSON: '0.1 0.2'"

    def test_is_nested_without_end(self) -> None:
        assert "is not JSON" in refused(lambda handler, _: handler.send(b"[" * 100_000))

    @pytest.mark.parametrize("answer", [{"result": [1]}, {"predictions": 0.5}, {"predictions": "many"}])
    def test_answers_something_else(self, answer: dict[str, Any]) -> None:
        assert "HOST answered with no list of scores it could be asked for" in refused(told(**answer))

    @pytest.mark.parametrize("n", [0, 7, 9])
    def test_gives_another_number_of_scores(self, n: int) -> None:
        said = refused(told(predictions=[0.5] * n))
        assert said == f"HOST answered with {n} scores for 8 rows; every row needs one, in the order sent"

    @pytest.mark.parametrize(
        ("value", "shown"),
        [(None, "None"), ("high", "'high'"), (float("nan"), "nan"), (float("inf"), "inf"), (True, "True"), ([], "[]")],
    )
    def test_gives_what_is_no_number(self, value: Any, shown: str) -> None:
        said = refused(told(predictions=[0.5, value, *[0.5] * 6]))
        assert said == f"HOST answered with {shown} as the score of data row 2; expected a finite number"

    def test_lies_differently_each_time(self) -> None:
        drift = itertools.count()

        def answer(handler: Handler, asked: dict[str, Any]) -> None:
            handler.send(json.dumps({"predictions": [next(drift) / 1000 for _ in rows_in(asked)]}).encode())

        said = refused(answer)
        assert said == (
            "HOST gave data row 1 a score of 0 and, asked again, 0.02; "
            "a model that answers anew each time cannot be judged"
        )

    def test_answers_too_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model_registry.endpoint.LARGEST_ANSWER", 1000)
        assert "HOST answered with more than 1,000 bytes" in refused(told(predictions=[0.5] * 8, more="x" * 2000))

    def test_names_a_column_that_is_not_there(self) -> None:
        with pytest.raises(
            EndpointRefused, match=r"endpoint\.columns names 'flow', which the evaluation data do not hold"
        ):
            endpoint_scores(declared("http://127.0.0.1:9/", columns=("flow",)), FRAME, RULES)

    def test_would_be_sent_a_name(self) -> None:
        with pytest.raises(IdentifierPresent):
            endpoint_scores(declared("http://127.0.0.1:9/"), FRAME.assign(姓名="某"), RULES)

    def test_is_not_one_this_service_may_call(self) -> None:
        with serving(honest) as server:
            with pytest.raises(
                EndpointRefused, match="the operator names the endpoints it may call in MINGJING_ENDPOINT"
            ):
                endpoint_scores(
                    declared(server.url), FRAME, RULES, Reach(anywhere=False, named=frozenset({"10.0.0.1"}))
                )
            assert server.asked == []
