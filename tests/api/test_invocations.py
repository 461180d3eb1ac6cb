"""Plant systems call models: four forms, one meaning; whatever else comes is refused in a sentence."""

from __future__ import annotations

import io
from importlib.metadata import version
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.invocations import read_invocation
from policies.errors import Malformed
from policies.roles import Role
from tests.api.doors import Doors, let_tokens_be_forgotten, rows_of
from tests.api.listening import listening
from tests.governance.factories import OFFICER, SENSORS, rows

URL = "/v1/models/gas-leak/invocations"
FRAME = rows(4, seed=9)[list(SENSORS)]
VALUES = FRAME.to_numpy().tolist()


def invoke(doors: Doors, body: Any = None, *, url: str = URL, **options: Any) -> Any:
    """Call as the plant."""
    if body is not None:
        options["json"] = body
    return doors.ask("post", url, Role.SERVICE, **options)


class TestForms:
    @pytest.mark.parametrize(
        "body",
        [
            {"dataframe_split": {"columns": list(SENSORS), "data": VALUES}},
            {"dataframe_split": {"columns": list(SENSORS[::-1]), "data": [row[::-1] for row in VALUES]}},
            {"dataframe_split": {"columns": list(SENSORS), "data": VALUES, "index": [0, 1, 2, 3]}},
            {"dataframe_records": FRAME.to_dict("records")},
            {"instances": VALUES},
            {"instances": FRAME.to_dict("records")},
            {"inputs": {name: FRAME[name].tolist() for name in SENSORS}},
            {"inputs": VALUES},
        ],
        ids=["split", "turned", "indexed", "records", "instances", "named instances", "named inputs", "inputs"],
    )
    def test_say_the_same(self, doors: Doors, body: dict[str, Any]) -> None:
        answer = invoke(doors, body)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        predictor = doors.house.service.models.predictor(doors.house.service.telling.record_of("gas-leak"))
        assert said["predictions"] == predictor.scores(FRAME.to_numpy()).tolist()
        assert all(said["decision_ids"])
        assert said["problems"] == []

    def test_every_id_leads_to_its_trace(self, doors: Doors) -> None:
        said = invoke(doors, rows_of(3)).json()
        for id, score in zip(said["decision_ids"], said["predictions"], strict=True):
            assert doors.ask("get", f"/v1/decisions/{id}", Role.DSO).json()["score"] == score

    def test_contributions_come_when_asked_for_and_add_up(self, doors: Doors) -> None:
        said = invoke(doors, {**rows_of(3), "params": {"contributions": True}}).json()
        for score, why in zip(said["predictions"], said["contributions"], strict=True):
            margin = why["base"] + sum(why["values"])
            assert score == pytest.approx(1 / (1 + np.exp(-margin)), abs=1e-6)

    def test_null_is_a_missing_reading(self, doors: Doors) -> None:
        assert invoke(doors, {"instances": [[None, 100.0]]}).json()["predictions"][0] is not None

    def test_subjects_are_found_again(self, doors: Doors) -> None:
        invoke(doors, {**rows_of(1), "subjects": ["w-9"]})
        pseudonym = doors.house.service.serving.pseudonym_of("w-9")
        found = doors.ask("get", "/v1/decisions", Role.DSO, params={"subject": pseudonym}).json()["decisions"]
        assert len(found) == 1

    def test_no_rows_are_no_answers(self, doors: Doors) -> None:
        answer = invoke(doors, {"dataframe_split": {"columns": list(SENSORS), "data": []}})
        assert (answer.status_code, answer.json()["predictions"]) == (200, [])


DEEP = "[" * 100_000 + "]" * 100_000
BAD: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"{",
    "text": b'"abc"',
    "a list": b"[1, 2]",
    "null": b"null",
    "none of the forms": b"{}",
    "two forms": b'{"instances": [[1, 2]], "inputs": [[1, 2]]}',
    "NaN": b'{"instances": [[NaN, 1]]}',
    "Infinity": b'{"instances": [[Infinity, 1]]}',
    "beyond a double": b'{"instances": [[1e999, 1]]}',
    "beyond a double, split": b'{"dataframe_split": {"columns": ["temperature", "pressure"], "data": [[1e999, 1]]}}',
    "a huge integer": b'{"instances": [[' + b"9" * 400 + b", 1]]}",
    "deep": f'{{"instances": {DEEP}}}'.encode(),
    "a number as text": b'{"instances": [["1.5", "2"]]}',
    "a number as text, split": b'{"dataframe_split": {"columns": ["temperature", "pressure"], "data": [["1.5", "2"]]}}',
    "digits": b'{"instances": "123"}',
    "true": b'{"instances": [[true, 1]]}',
    "true, split": b'{"dataframe_split": {"columns": ["temperature", "pressure"], "data": [[true, 1]]}}',
    "ragged": b'{"instances": [[1, 2], [1]]}',
    "ragged, split": b'{"dataframe_split": {"columns": ["temperature", "pressure"], "data": [[1, 2], [1]]}}',
    "too wide": b'{"instances": [[1, 2, 3]]}',
    "scalar": b'{"instances": 5}',
    "no columns": b'{"dataframe_split": {"data": [[1, 2]]}}',
    "no data": b'{"dataframe_split": {"columns": ["temperature", "pressure"]}}',
    "columns twice": b'{"dataframe_split": {"columns": ["pressure", "pressure"], "data": [[1, 2]]}}',
    "an unknown column": b'{"dataframe_records": [{"temperature": 1, "pressure": 2, "salary": 3}]}',
    "a missing column": b'{"dataframe_records": [{"temperature": 1}]}',
    "records that are lists": b'{"dataframe_records": [[1, 2]]}',
    "an object in a cell": b'{"dataframe_records": [{"temperature": {"a": 1}, "pressure": 2}]}',
    "a list in a cell": b'{"inputs": {"temperature": [[1, 2]], "pressure": [3]}}',
    "columns of several lengths": b'{"inputs": {"temperature": [1, 2], "pressure": [3]}}',
    "params": b'{"instances": [[1, 2]], "params": [1]}',
    "subjects": b'{"instances": [[1, 2]], "subjects": "w-1"}',
    "too many subjects": b'{"instances": [[1, 2]], "subjects": ["a", "b"]}',
    "subjects that are lists": b'{"instances": [[1, 2]], "subjects": [["a"]]}',
    "not UTF-8": b'{"instances": [[1, 2]], "subjects": ["\xff"]}',
    "a lone surrogate": b'{"instances": [[1, 2]], "subjects": ["\\ud800"]}',
}


class TestBadInput:
    @pytest.mark.parametrize("name", BAD)
    def test_is_422_with_sentences_in_both_languages(self, doors: Doors, name: str) -> None:
        before = doors.house.service.log.search(kind="decision", limit=1).entries[0].id
        answer = invoke(doors, content=BAD[name], headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert document["status"] == 422
        assert all(fault["en"] and fault["zh"] for fault in document["faults"])
        assert doors.house.service.log.search(kind="decision", limit=1).entries[0].id == before

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["columns", "data", *SENSORS, "a"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "subjects", "params"]),
    )
    def test_whatever_comes_is_answered_or_refused(self, doors: Doors, value: Any, form: str) -> None:
        body = {form: value} if form not in ("subjects", "params") else {"instances": VALUES, form: value}
        answer = invoke(doors, body)
        assert answer.status_code in (200, 422), answer.text

    def test_speaks_chinese_to_who_asks_for_it(self, doors: Doors) -> None:
        answer = invoke(doors, content=b"{}", headers={"Accept-Language": "zh-CN"})
        assert answer.json()["detail"].startswith("JSON 对象中应恰有")

    def test_a_form_is_read_without_a_server_too(self) -> None:
        with pytest.raises(Malformed, match="expected one of dataframe_split"):
            read_invocation({})


class TestBody:
    def test_announced_too_large_is_refused_unread(self, doors: Doors) -> None:
        answer = invoke(doors, content=b"{}", headers={"Content-Length": str(65 * 2**20)})
        assert answer.status_code == 413

    @pytest.mark.parametrize("url", [URL, "/v1/models/gas-leak/suspend"])
    def test_too_large_without_a_length_is_cut_off(self, doors: Doors, url: str) -> None:
        def endless() -> Any:
            for _ in range(66):
                yield b" " * 2**20

        role = Role.SERVICE if url == URL else Role.DSO
        answer = doors.ask("post", url, role, content=endless())
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"

    def test_many_parts_are_one_body(self, doors: Doors) -> None:
        def parts() -> Any:
            for byte in b'{"instances": [[20.0, 100.0]]}':
                yield bytes([byte])

        assert invoke(doors, content=parts()).status_code == 200


class TestBug:
    def test_of_ours_is_one_500_and_no_secret(self, own_doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(own_doors.house.service.serving._inference, "decide", broken)
        answer = invoke(own_doors, {"dataframe_split": {"columns": list(SENSORS), "data": VALUES}})
        assert answer.status_code == 500
        assert answer.json()["title"] == "internal error"
        assert "secret" not in answer.text


class TestRefusals:
    def test_a_vetoed_model_names_its_fallback(self, own_doors: Doors) -> None:
        house = own_doors.house
        house.veto(house.service.telling.record_of("gas-leak"), OFFICER)
        answer = invoke(own_doors, rows_of())
        assert answer.status_code == 403
        assert (answer.json()["fallback"], answer.json()["reason"]) == ("manual_control", "vetoed")

    def test_an_unknown_model_names_its_fallback(self, doors: Doors) -> None:
        answer = invoke(doors, rows_of(), url="/v1/models/none/invocations")
        assert (answer.status_code, answer.json()["fallback"]) == (404, "manual_control")

    @pytest.mark.parametrize("form", ["split", "instances"])
    def test_another_purpose_than_the_tokens_is_refused(self, doors: Doors, form: str) -> None:
        body = rows_of() if form == "split" else {"instances": VALUES}
        answer = invoke(doors, body, headers={"X-Mingjing-Purpose": "reward"})
        assert answer.status_code == 403
        assert "bound to the purpose 'risk_intervention', found 'reward'" in answer.json()["detail"]

    def test_a_row_refused_is_null_beside_answers(self, own_doors: Doors) -> None:
        house = own_doors.house
        permit = house.service.permits.permits()[0]
        scores = [decision.verdict for decision in house.decide(X=rows(20, seed=9)[list(SENSORS)]).decisions]
        house.clock.now = permit.until
        people = own_doors.house.service.people
        made = people.add("late-plant", Role.SERVICE)
        own_doors.tokens[Role.SERVICE, "everywhere"] = made.token
        said = invoke(own_doors, rows_of(20))
        assert said.status_code == 200
        answer = said.json()
        assert [score is not None for score in answer["predictions"]] == scores
        assert {problem["fallback"] for problem in answer["problems"]} == {"manual_control"}
        assert [problem["row"] for problem in answer["problems"]] == [i for i, alarm in enumerate(scores) if not alarm]

    def test_422_when_no_row_could_be_answered(self, own_doors: Doors) -> None:
        house = own_doors.house
        verdicts = [d.verdict for d in house.decide(X=rows(20, seed=9)[list(SENSORS)]).decisions]
        quiet = rows(20, seed=9)[list(SENSORS)].to_numpy()[[not verdict for verdict in verdicts]].tolist()
        house.clock.now = house.service.permits.permits()[0].until
        own_doors.tokens[Role.SERVICE, "everywhere"] = house.service.people.add("late-plant", Role.SERVICE).token
        assert invoke(own_doors, {"instances": quiet}).status_code == 422


class TestTokens:
    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "Bearer mj_wrong", "Basic abc", "Bearer \x7f", "bearer  "]
    )
    def test_missing_or_wrong_is_401(self, doors: Doors, header: str) -> None:
        answer = doors.client.post(URL, json=rows_of(), headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.json()["faults"][0]["en"] == "sign in first: the token or password is missing, wrong or expired"
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("form", ["split", "instances"])
    def test_disabled_is_401_within_a_second(self, own_doors: Doors, form: str) -> None:
        body = rows_of() if form == "split" else {"instances": VALUES}
        assert invoke(own_doors, body).status_code == 200
        own_doors.house.service.people.disable("service-everywhere")
        let_tokens_be_forgotten()
        assert invoke(own_doors, body).status_code == 401

    def test_expired_is_401(self, own_doors: Doors) -> None:
        own_doors.house.clock.go(days=91)
        assert invoke(own_doors, rows_of()).status_code == 401


CSV_ROWS = "temperature,pressure\n" + "\n".join(f"{a},{b}" for a, b in VALUES) + "\n"
CSV_TYPE = {"Content-Type": "text/csv"}


def parquet(frame: pd.DataFrame) -> bytes:
    """A table as a Parquet file."""
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


class TestOtherTypes:
    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("text/csv", CSV_ROWS.encode()),
            ("text/csv; charset=utf-8", CSV_ROWS.encode()),
            ("text/csv", b"\xef\xbb\xbf" + CSV_ROWS.replace("\n", "\r\n").encode()),
            ("text/csv", FRAME.to_csv().encode()),
            ("application/vnd.apache.parquet", parquet(FRAME)),
            ("application/json", orjson.dumps({"instances": VALUES})),
            ("application/x-www-form-urlencoded", orjson.dumps({"instances": VALUES})),
        ],
        ids=["csv", "charset", "windows", "with its index", "parquet", "json", "what curl says"],
    )
    def test_say_the_same(self, doors: Doors, kind: str, body: bytes) -> None:
        answer = invoke(doors, content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"] == invoke(doors, {"instances": VALUES}).json()["predictions"]

    def test_an_empty_cell_is_a_missing_reading(self, doors: Doors) -> None:
        answer = invoke(doors, content=b"temperature,pressure\n,100\n", headers=CSV_TYPE)
        assert answer.json()["predictions"] == invoke(doors, {"instances": [[None, 100]]}).json()["predictions"]

    def test_a_header_alone_asks_nothing(self, doors: Doors) -> None:
        answer = invoke(doors, content=b"temperature,pressure\n", headers=CSV_TYPE)
        assert (answer.status_code, answer.json()["predictions"]) == (200, [])

    @pytest.mark.parametrize("form", ["split", "instances", "csv"])
    def test_the_address_may_ask_for_contributions(self, doors: Doors, form: str) -> None:
        url = f"{URL}?contributions=true"
        if form == "csv":
            answer = invoke(doors, url=url, content=CSV_ROWS.encode(), headers=CSV_TYPE)
        else:
            answer = invoke(doors, rows_of() if form == "split" else {"instances": VALUES}, url=url)
        assert all(len(why["values"]) == 2 for why in answer.json()["contributions"])

    def test_the_subject_column_names_the_persons(self, doors: Doors) -> None:
        body = b"temperature,pressure,worker_id\n20,100,csv-1\n"
        assert invoke(doors, content=body, headers=CSV_TYPE).status_code == 200
        pseudonym = doors.house.service.serving.pseudonym_of("csv-1")
        found = doors.ask("get", "/v1/decisions", Role.DSO, params={"subject": pseudonym}).json()["decisions"]
        assert len(found) == 1

    @pytest.mark.parametrize(
        ("kind", "body", "status", "sentence"),
        [
            ("text/csv", b"", 422, "the CSV is empty; expected a header"),
            ("text/csv", b"temperature,pressure\n1\n", 422, "row 0 of the CSV has 1 cells, its header has 2"),
            ("text/csv", b"temperature,pressure\n1,2\n1,2,3\n", 422, "row 1 of the CSV has 3 cells, its header has 2"),
            ("text/csv", b'temperature,pressure\n"1,2\n', 422, "the CSV cannot be read: unexpected end of data"),
            ("text/csv", b"temperature,pressure\n1,high\n", 422, "'pressure' holds 'high'; expected a number"),
            ("text/csv", b"temperature,pressure\n1,1_000\n", 422, "'pressure' holds '1_000'; expected a number"),
            ("text/csv", b"temperature,pressure\n1,inf\n", 422, "'pressure' is infinite in 1 rows"),
            ("text/csv", b"temperature,temperature\n1,2\n", 422, "column 'temperature' appears 2 times"),
            ("text/csv", b"temperature,pressure\n1,\xff\n", 422, "the CSV is not UTF-8 (byte 23)"),
            ("text/csv; charset=gbk", b"temperature,pressure\n1,2\n", 415, "only UTF-8 is read, found charset gbk"),
            ("application/vnd.apache.parquet", b"PAR1", 422, "the Parquet cannot be read"),
            ("application/vnd.apache.parquet", parquet(FRAME)[:-9], 422, "the Parquet cannot be read"),
            ("application/vnd.apache.parquet", parquet(FRAME.assign(pressure="x")), 422, "'pressure' holds 'x'"),
            ("image/png", b"\x89PNG", 415, "a body of type image/png is not read"),
        ],
    )
    def test_what_cannot_be_read_is_refused(
        self, doors: Doors, kind: str, body: bytes, status: int, sentence: str
    ) -> None:
        answer = invoke(doors, content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, answer.text
        assert sentence in answer.json()["detail"]

    def test_a_small_parquet_that_unfolds_is_refused_before_it_does(self, doors: Doors) -> None:
        body = parquet(pd.DataFrame({"temperature": np.zeros(40_000_000, np.int8)}))
        assert len(body) < 1_000_000
        answer = invoke(doors, content=body, headers={"Content-Type": "application/vnd.apache.parquet"})
        assert answer.status_code == 422
        assert "the Parquet unfolds to 320,000,000 bytes" in answer.json()["detail"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # MLflow warns about its own type hints when it is imported
class TestMlflow:
    """What MLflow's own clients see."""

    @pytest.mark.parametrize("form", ["split", "instances"])
    def test_unknown_params_are_refused_where_mlflow_drops_them(self, doors: Doors, form: str) -> None:
        body = {**(rows_of() if form == "split" else {"instances": VALUES}), "params": {"threshold": 0.1}}
        answer = invoke(doors, body)
        assert answer.status_code == 422
        assert answer.json()["detail"] == "params threshold are not known; known: contributions"

    @pytest.mark.parametrize("body", [{"instances": [["x"]]}, {**rows_of(), "subjects": ["too", "many", "of them"]}])
    def test_errors_carry_their_fields(self, doors: Doors, body: Any) -> None:
        document = invoke(doors, body).json()
        assert document["error_code"] == "INVALID_PARAMETER_VALUE"
        assert document["message"] == document["detail"]

    def test_the_deployments_client_predicts(self, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        from mlflow.deployments import get_deploy_client
        from mlflow.exceptions import MlflowException

        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", doors.tokens[Role.SERVICE, "everywhere"])
        with listening(doors.client.app) as port:
            client = get_deploy_client(f"http://127.0.0.1:{port}")
            said = client.predict(endpoint="gas-leak", inputs=rows_of(3))
            assert said["predictions"] == invoke(doors, rows_of(3)).json()["predictions"]
            assert len(said["decision_ids"]) == 3
            with pytest.raises((MlflowException, OSError), match="column 'temperature' is missing"):
                client.predict(endpoint="gas-leak", inputs={"dataframe_records": [{"pressure": 1}]})

    def test_the_scoring_client_pings_and_invokes(self, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        import requests
        from mlflow.pyfunc.scoring_server.client import ScoringServerClient

        monkeypatch.setattr(requests, "post", _with(doors.tokens[Role.SERVICE, "everywhere"], requests.post))
        with listening(doors.client.app) as port:
            client = ScoringServerClient("127.0.0.1", f"{port}/v1/models/gas-leak")
            client.ping()
            assert client.get_version() == version("mingjing")
            assert client.invoke(FRAME).get_predictions()[0].tolist() == pytest.approx(
                invoke(doors, {"instances": VALUES}).json()["predictions"]
            )


def _with(token: str, post: Any) -> Any:
    """This client knows no token; a proxy in front of it would add one."""
    return lambda *words, headers, **more: post(*words, headers={**headers, "Authorization": f"Bearer {token}"}, **more)
