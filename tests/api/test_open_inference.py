"""Clients of the Open Inference Protocol: tensors in, tensors out, as JSON and binary, and with a real client."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from api.open_inference import BEYOND, answer_inference, read_inference
from audit.decided import RowProblem, decided_of
from policies.declaration import Protective
from policies.errors import Malformed, Sentence
from policies.roles import Role
from tests.api.doors import Doors
from tests.api.listening import listening
from tests.governance.factories import PLANT, SENSORS, rows

MODEL = "/v2/models/gas-leak"
FRAME = rows(5, seed=9)[list(SENSORS)]
MATRIX = FRAME.to_numpy()


def tensor(name: str = "x", data: Any = None, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """One input tensor of the protocol."""
    data = MATRIX.tolist() if data is None else data
    return {"name": name, "shape": shape or list(np.shape(data)), "datatype": "FP64", "data": data} | more


def infer(doors: Doors, *inputs: dict[str, Any], url: str = f"{MODEL}/infer", **more: Any) -> Any:
    """Ask as the plant."""
    return doors.ask("post", url, Role.SERVICE, json={"inputs": list(inputs), **more})


def said(answer: Any) -> dict[str, Any]:
    """The outputs of an answer by name."""
    assert answer.status_code == 200, answer.text
    return {output["name"]: output for output in answer.json()["outputs"]}


def scores(doors: Doors) -> list[float]:
    """What the model itself says of the rows."""
    predictor = doors.house.service.models.predictor(doors.house.service.telling.record_of("gas-leak"))
    return predictor.scores(MATRIX).tolist()


class TestJson:
    @pytest.mark.parametrize(
        "inputs",
        [
            [tensor()],
            [tensor(data=MATRIX.reshape(-1).tolist(), shape=[5, 2])],
            [tensor("pressure", MATRIX[:, 1].tolist()), tensor("temperature", MATRIX[:, 0].tolist())],
            [tensor(name, MATRIX[:, [place]].tolist()) for place, name in enumerate(SENSORS)],
        ],
        ids=["one tensor", "flat", "by name", "columns"],
    )
    def test_forms_say_the_same(self, doors: Doors, inputs: list[dict[str, Any]]) -> None:
        outputs = said(infer(doors, *inputs))
        assert outputs["predict"]["data"] == scores(doors)
        assert outputs["predict"]["shape"] == [5]

    def test_every_id_leads_to_its_trace(self, doors: Doors) -> None:
        outputs = said(infer(doors, tensor()))
        for id, score in zip(outputs["decision_id"]["data"], outputs["predict"]["data"], strict=True):
            assert doors.ask("get", f"/v1/decisions/{id}", Role.DSO).json()["score"] == score

    def test_contributions_come_when_asked_for_and_add_up(self, doors: Doors) -> None:
        wanted = [{"name": "contributions"}, {"name": "base"}, {"name": "predict"}]
        outputs = said(infer(doors, tensor(), outputs=wanted))
        assert list(outputs) == ["contributions", "base", "predict"]
        assert outputs["contributions"]["shape"] == [5, 2]
        margins = np.reshape(outputs["contributions"]["data"], (5, 2)).sum(axis=1) + outputs["base"]["data"]
        assert 1 / (1 + np.exp(-margins)) == pytest.approx(outputs["predict"]["data"], abs=1e-6)

    def test_id_and_version_come_back(self, doors: Doors) -> None:
        answer = infer(doors, tensor(), id="42", url=f"{MODEL}/versions/1/infer").json()
        assert (answer["id"], answer["model_name"], answer["model_version"]) == ("42", "gas-leak", "1")

    def test_null_is_a_missing_reading(self, doors: Doors) -> None:
        assert said(infer(doors, tensor(data=[None, 100.0], shape=[1, 2])))["predict"]["data"][0] < 1

    @pytest.mark.parametrize("datatype", ["BYTES", "INT64"])
    def test_subjects_are_found_again(self, doors: Doors, datatype: str) -> None:
        ids: list[Any] = [f"v2-{n}" for n in range(5)] if datatype == "BYTES" else [900 + n for n in range(5)]
        columns = [tensor(name, MATRIX[:, place].tolist()) for place, name in enumerate(SENSORS)]
        answer = infer(doors, *columns, tensor("subjects", ids, [5], datatype=datatype))
        assert answer.status_code == 200, answer.text
        pseudonym = doors.house.service.serving.pseudonym_of(ids[3])
        found = doors.ask("get", "/v1/decisions", Role.DSO, params={"subject": pseudonym}).json()["decisions"]
        assert len(found) == 1


BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "this is no inference request"),
    "no inputs": (b"{}", "this is no inference request"),
    "none": ({"inputs": []}, "'inputs' is empty"),
    "NaN": (b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [NaN, 1]}]}', "no inference"),
    "deep": (b'{"inputs": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "this is no inference request"),
    "nested deeper than its shape": ({"inputs": [tensor(data=[[[1.0], [2.0]]], shape=[1, 2])]}, "a number or null"),
    "a number as text": ({"inputs": [tensor(data=["1", "2"], shape=[1, 2])]}, "a number or null is expected"),
    "true": ({"inputs": [tensor(data=[True, 2], shape=[1, 2])]}, "a number or null is expected, found True"),
    "too few": ({"inputs": [tensor(data=[1.0], shape=[1, 2])]}, "it holds 1 values, its shape says 2"),
    "too many": ({"inputs": [tensor(data=[1.0, 2.0, 3.0], shape=[1, 2])]}, "it holds 3 values, its shape says 2"),
    "a huge shape": ({"inputs": [tensor(data=[1.0], shape=[2**62, 2**62])]}, "it holds 1 values"),
    "a negative shape": ({"inputs": [tensor(data=[1.0], shape=[-1, 2])]}, "its shape is"),
    "no shape": ({"inputs": [tensor(data=[1.0], shape=[1, 1, 1])]}, "its shape is"),
    "BOOL": ({"inputs": [tensor(data=[1, 2], shape=[1, 2], datatype="BOOL")]}, "its datatype is BOOL"),
    "a datatype nobody knows": ({"inputs": [tensor(datatype="FP8")]}, "its datatype is FP8"),
    "the same twice": ({"inputs": [tensor(), tensor()]}, "it is there twice"),
    "several lengths": (
        {"inputs": [tensor("temperature", [1.0], [1]), tensor("pressure", [1.0, 2.0], [2])]},
        "expected one tensor",
    ),
    "two wide ones": ({"inputs": [tensor("a"), tensor("b")]}, "expected one tensor [rows, features]"),
    "too wide": ({"inputs": [tensor(data=[1.0, 2.0, 3.0], shape=[1, 3])]}, "expected rows of 2 features"),
    "an unknown feature": ({"inputs": [tensor("salary", [1.0], [1])]}, "column 'salary' is unknown"),
    "no such output": ({"inputs": [tensor()], "outputs": [{"name": "why"}]}, "there is no output 'why'"),
    "numbers as BYTES": ({"inputs": [tensor(data=[1, 2], shape=[1, 2], datatype="BYTES")]}, "a text or null"),
}


class TestBadInput:
    @pytest.mark.parametrize("name", BAD)
    def test_is_refused_in_both_dialects(self, doors: Doors, name: str) -> None:
        body, sentence = BAD[name]
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = doors.ask("post", f"{MODEL}/infer", Role.SERVICE, content=raw)
        assert answer.status_code == 422, answer.text
        document = answer.json()
        assert sentence in document["error"]
        assert document["error"] == document["detail"]
        assert all(fault["en"] and fault["zh"] for fault in document["faults"])

    def test_every_wrong_tensor_is_named_at_once(self, doors: Doors) -> None:
        answer = infer(doors, tensor("a", ["x"], [1]), tensor("b", [1.0], [2]))
        assert [fault["en"].split(":")[0] for fault in answer.json()["faults"]] == ["input 'a'", "input 'b'"]

    def test_compressed_bodies_are_refused_unread(self, doors: Doors) -> None:
        answer = doors.ask("post", f"{MODEL}/infer", Role.SERVICE, content=b"x", headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 415

    def test_another_version_than_the_permitted_one_is_absent(self, doors: Doors) -> None:
        answer = infer(doors, tensor(), url=f"{MODEL}/versions/7/infer")
        assert answer.status_code == 404
        assert "version '7' is not the one that may run" in answer.json()["error"]


def binary(*parts: tuple[dict[str, Any], bytes]) -> tuple[bytes, str]:
    """A request whose tensors follow its JSON as bytes."""
    inputs = []
    for said, raw in parts:
        given = {name: value for name, value in said.items() if name != "data"}
        inputs.append({"parameters": {"binary_data_size": len(raw)}, **given})
    head = json.dumps({"inputs": inputs}).encode()
    return head + b"".join(raw for _, raw in parts), str(len(head))


class TestBinary:
    @pytest.mark.parametrize(
        ("datatype", "dtype"), [("FP64", "<f8"), ("FP32", "<f4"), ("INT32", "<i4"), ("FP16", "<f2")]
    )
    def test_numbers_are_read(self, datatype: str, dtype: str) -> None:
        whole = np.array([[1, 2], [3, 4]])
        body, length = binary((tensor(data=whole.tolist(), datatype=datatype), whole.astype(dtype).tobytes()))
        asked = read_inference(body, length)
        assert asked.rows.matrix.tolist() == whole.tolist()

    def test_texts_are_read(self) -> None:
        raw = b"".join(struct.pack("<I", len(text)) + text for text in (b"w-1", "张".encode()))
        columns = (tensor("a", [1.0, 2.0]), np.array([1.0, 2.0]).tobytes())
        body, length = binary(columns, (tensor("subjects", ["", ""], [2], datatype="BYTES"), raw))
        assert read_inference(body, length).subjects == ["w-1", "张"]

    @pytest.mark.parametrize(
        ("parts", "length", "sentence"),
        [
            ([(tensor(data=[[1.0, 2.0]]), b"\0" * 15)], None, "it holds 15 bytes, its shape says 16"),
            (
                [(tensor(data=[[1.0, 2.0]]) | {"parameters": {"binary_data_size": 99}}, b"\0" * 16)],
                None,
                "16 bytes are",
            ),
            ([(tensor(data=[[1.0, 2.0]]) | {"parameters": {"binary_data_size": 8}}, b"\0" * 16)], None, "it holds 8"),
            ([(tensor(data=[["a"]], datatype="BYTES"), b"\5\0\0\0abc")], None, "a text is cut off"),
            ([(tensor(data=[["a"]], datatype="BYTES"), b"\1\0\0\0\xff")], None, "can't decode byte 0xff"),
            ([(tensor(data=[[1.0, 2.0]]), b"\0" * 16)], "99999", "Inference-Header-Content-Length is '99999'"),
            ([(tensor(data=[[1.0, 2.0]]), b"\0" * 16)], "-1", "Inference-Header-Content-Length is '-1'"),
        ],
        ids=["short", "beyond", "left over", "cut text", "not UTF-8", "long header", "negative header"],
    )
    def test_what_does_not_fit_is_refused(self, parts: Any, length: str | None, sentence: str) -> None:
        body, whole = binary(*parts)
        with pytest.raises(Malformed) as refused:
            read_inference(body, length or whole)
        assert sentence in refused.value.says.en

    def test_bytes_after_the_last_tensor_are_refused(self) -> None:
        body, length = binary((tensor(data=[[1.0, 2.0]]), b"\0" * 16))
        with pytest.raises(Malformed, match="3 bytes follow the last tensor"):
            read_inference(body + b"abc", length)


class TestRefusedRows:
    @pytest.mark.parametrize("side", Protective)
    def test_compare_as_alarms(self, doors: Doors, side: Protective) -> None:
        """A client that only compares with a threshold must not read a refusal as harmless."""
        import dataclasses

        served = dataclasses.replace(doors.house.service.serving.served("gas-leak", PLANT), protective=side)
        refused = decided_of([None], [RowProblem(row=0, says=Sentence(en="why", zh="为何"))])
        wanted = [{"name": "predict"}, {"name": "verdict"}, {"name": "decision_id"}]
        asked = read_inference(json.dumps({"inputs": [tensor()], "outputs": wanted}).encode(), None)
        answer = json.loads(answer_inference(asked, refused, served)[0])
        predict, verdict, id = (output["data"] for output in answer["outputs"])
        assert (predict[0] >= 0.5) is (side is Protective.AT_OR_ABOVE)
        assert abs(predict[0]) == BEYOND
        assert (verdict, id) == ([True], [""])
        assert answer["problems"] == [{"row": 0, "says": {"en": "why", "zh": "为何"}, "fallback": "manual_control"}]


class TestTritonClient:
    def test_finds_server_and_model_and_infers_in_binary_and_json(self, doors: Doors) -> None:
        http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
        utils = pytest.importorskip("tritonclient.utils")
        # The client writes into the headers it is given, so each call gets its own.
        headers = {"Authorization": f"Bearer {doors.tokens[Role.SERVICE, 'everywhere']}"}
        with listening(doors.client.app) as port:
            client = http.InferenceServerClient(f"127.0.0.1:{port}")
            assert client.is_server_live()
            assert client.is_server_ready()
            assert client.is_model_ready("gas-leak", headers=headers)
            assert not client.is_model_ready("gas-leek", headers=headers)
            found = client.get_model_metadata("gas-leak", headers=headers)
            assert [tensor["name"] for tensor in found["inputs"]] == list(SENSORS)
            for in_binary in (True, False):
                given = http.InferInput("x", [5, 2], "FP64")
                given.set_data_from_numpy(MATRIX.copy(), binary_data=in_binary)
                names = ("predict", "contributions", "decision_id", "verdict")
                wanted = [http.InferRequestedOutput(name, binary_data=in_binary) for name in names]
                result = client.infer("gas-leak", [given], outputs=wanted, headers=dict(headers), request_id="7")
                assert result.as_numpy("predict").tolist() == scores(doors)
                assert result.as_numpy("contributions").shape == (5, 2)
                ids = [id.decode() if in_binary else id for id in result.as_numpy("decision_id").tolist()]
                assert all(doors.house.service.log.entry(id).kind == "decision" for id in ids)
                assert result.get_response()["id"] == "7"
            with pytest.raises(utils.InferenceServerException) as refused:
                client.infer("gas-leek", [given], headers=dict(headers))
            assert "there is no model of this name here" in str(refused.value)
            client.close()
