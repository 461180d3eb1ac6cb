"""Invocations answered on their connection: the same answers as on the ordinary road, whatever the caller does."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api import hot_path
from api.hot_path import LOOK_SECONDS, HotPath
from api.lean_calls import Asked, Call
from api.lean_protocol import LARGEST, LeanProtocol
from api.patience import Patience
from governance.micro_batches import Overloaded, Request
from policies.roles import Role
from tests.api.doors import Doors, rows_of
from tests.api.listening import listening
from tests.governance.factories import SENSORS

PATH = "/v1/models/gas-leak/invocations"
TENSORS = "/v2/models/gas-leak/infer"
PATIENT = 60.0


class Caller:
    """One connection, spoken to in bytes."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENT)
        self._file = self._socket.makefile("rb")
        self._token = token

    def request(self, body: Any, path: str = PATH, *headers: str) -> bytes:
        """Return a request as it is sent."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {self._token}", *headers]
        return "\r\n".join([*lines, f"Content-Length: {len(sent)}", "", ""]).encode() + sent

    def send(self, sent: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(sent)

    def end(self) -> None:
        """Say that nothing more comes, and go on listening."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and document of the next answer."""
        status, headers, body = self.whole()
        return status, headers, json.loads(body)

    def whole(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers, self._file.read(int(headers["content-length"]))

    def is_over(self) -> bool:
        """Whether the server closed the connection."""
        return self._file.read(1) == b""

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


@pytest.fixture(scope="module")
def port(doors: Doors) -> Iterator[int]:
    """A server that speaks our own protocol."""
    with listening(doors.client.app, LeanProtocol) as made:
        yield made


@pytest.fixture
def caller(doors: Doors, port: int) -> Iterator[Caller]:
    """A caller whose token is known already."""
    made = Caller(port, doors.tokens[Role.SERVICE, "everywhere"])
    made.send(made.request(rows_of(1)))
    assert made.answer()[0] == 200
    yield made
    made.close()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the lean road took each call that was offered to it."""
    found: list[bool] = []
    take = HotPath.take

    def noted(road: HotPath, *words: Any) -> bool:
        found.append(take(road, *words))
        return found[-1]

    monkeypatch.setattr(HotPath, "take", noted)
    monkeypatch.setattr(hot_path, "TOKEN_REMEMBERED", 600.0)  # a busy machine takes longer than a second in between
    return found


def without_ids(document: Any) -> Any:
    """What two decisions about the same rows share."""
    kept = {name: value for name, value in document.items() if name != "decision_ids"}
    if "outputs" in kept:
        kept["outputs"] = [output for output in kept["outputs"] if output["name"] != "decision_id"]
    return kept


def calls_in_memory() -> int:
    """How many objects of calls, answered or not, are still there."""
    return sum(isinstance(kept, Request | Call | Asked) for kept in gc.get_objects())


def tensor(data: Any, name: str = "x") -> dict[str, Any]:
    """One input tensor of the Open Inference Protocol."""
    return {"name": name, "shape": list(np.shape(data)), "datatype": "FP64", "data": data}


def asked_behind(doors: Doors, path: str, **options: Any) -> Any:
    """Ask on the ordinary road, past the lean one."""
    client = TestClient(doors.client.app.behind, raise_server_exceptions=False)
    token = doors.tokens[Role.SERVICE, "everywhere"]
    headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
    return client.post(path, headers=headers, **options)


class TestAnswers:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (PATH, rows_of(1)),
            (PATH, rows_of(3)),
            (f"{PATH}?contributions=true", rows_of(2)),
            (PATH, rows_of(2) | {"params": {"contributions": True}}),
            (PATH, rows_of(2) | {"subjects": ["w-1", None]}),
            (PATH, rows_of(2) | {"subjects": ["w-1"]}),
            (PATH, rows_of(1, humidity=3.0)),
            ("/v1/models/none/invocations", rows_of(1)),
            (PATH, {"inputs": [[20.0, 100.0], [21.0, None]]}),
            (PATH, {"inputs": [[20.0, 100.0, 3.0]]}),
            (PATH, {"inputs": {"pressure": [100.0, 101.0], "temperature": [20.0, 21.0]}}),
            (PATH, {"instances": [[20.0, 100.0]], "subjects": ["w-1"]}),
            (PATH, {"instances": [{"pressure": 100.0, "temperature": 20.0}]}),
            (PATH, {"dataframe_records": [{"temperature": 20.0, "pressure": 100.0}]}),
            ("/endpoints/gas-leak/invocations", {"inputs": [[20.0, 100.0]]}),
            (TENSORS, {"inputs": [tensor([[20.0, 100.0], [21.0, 99.0]])]}),
            (TENSORS, {"id": "7", "inputs": [tensor([20.0], "temperature"), tensor([100.0], "pressure")]}),
            (TENSORS, {"inputs": [tensor([[20.0, 100.0]])], "outputs": [{"name": "contributions"}, {"name": "base"}]}),
            ("/v2/models/none/infer", {"inputs": [tensor([[20.0, 100.0]])]}),
        ],
        ids=[
            *("row", "rows", "query", "params", "subjects", "a subject too few", "a column too many", "no model"),
            *("inputs", "inputs too wide", "named inputs", "instances", "named instances", "records", "endpoint"),
            *("a tensor", "a tensor per column", "outputs asked for", "no model, tensors"),
        ],
    )
    def test_are_those_of_the_ordinary_road(
        self, doors: Doors, caller: Caller, taken: list[bool], path: str, body: Any
    ) -> None:
        expected = asked_behind(doors, path, json=body)
        caller.send(caller.request(body, path))
        status, headers, document = caller.answer()
        assert taken == [True]
        assert status == expected.status_code
        assert without_ids(document) == without_ids(expected.json())
        for name in ("content-type", "cache-control", "x-content-type-options"):
            assert headers[name] == expected.headers[name]

    @pytest.mark.parametrize(
        "body",
        [
            *(
                b"{",
                b"",
                b"temperature,pressure\n20,100\n",
                b'{"instances": [[20.0, 100.0]], "inputs": [[20.0, 100.0]]}',
            ),
            *(
                b'{"instances": [[20.0, 100.0]], "inputs": null}',
                b'{"dataframe_records": [{"temperature": 1}, {"a": 2}]}',
            ),
            *(b'{"inputs": {"temperature": [1, 2], "pressure": [1]}}', b'{"instances": [["20", 100]]}'),
            json.dumps(rows_of(1) | {"params": {"x": 1}}).encode(),
        ],
        ids=[
            *("broken", "empty", "text", "two forms", "two forms, one empty", "records that differ", "uneven columns"),
            *("a number as text", "unknown params"),
        ],
    )
    def test_to_what_is_not_common_come_from_the_ordinary_road(
        self, doors: Doors, caller: Caller, taken: list[bool], body: bytes
    ) -> None:
        expected = asked_behind(doors, PATH, content=body)
        caller.send(caller.request(body))
        status, _, document = caller.answer()
        assert taken == [False]
        assert (status, without_ids(document)) == (expected.status_code, without_ids(expected.json()))

    def test_binary_tensors_are_answered_as_on_the_ordinary_road(
        self, doors: Doors, caller: Caller, taken: list[bool]
    ) -> None:
        raw = np.array([[20.0, 100.0]]).tobytes()
        asked = {"name": "x", "shape": [1, 2], "datatype": "FP64", "parameters": {"binary_data_size": len(raw)}}
        head = json.dumps({"inputs": [asked], "outputs": [{"name": "predict", "parameters": {"binary_data": True}}]})
        header = "Inference-Header-Content-Length"
        expected = asked_behind(doors, TENSORS, content=head.encode() + raw, headers={header: str(len(head))})
        caller.send(caller.request(head.encode() + raw, TENSORS, f"{header}: {len(head)}"))
        status, headers, body = caller.whole()
        assert taken == [True]
        assert (status, body) == (200, expected.content)
        assert headers[header.lower()] == expected.headers[header]
        assert headers["content-type"] == expected.headers["content-type"]

    def test_about_models_that_take_long_come_from_the_ordinary_road(
        self, doors: Doors, caller: Caller, taken: list[bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever asks a quick model does not wait behind them."""
        monkeypatch.setattr(doors.house.service.serving, "_sampled", {"gas-leak"})
        caller.send(caller.request(rows_of(1)))
        assert caller.answer()[0] == 200
        assert taken == [False]

    def test_every_one_has_its_trace(self, doors: Doors, caller: Caller) -> None:
        caller.send(caller.request(rows_of(2)))
        for id in caller.answer()[2]["decision_ids"]:
            assert doors.house.service.log.trace(id) is not None

    def test_are_freed_without_the_collector(self, caller: Caller) -> None:
        """Its walks over what only it can free would stop every other answer."""
        gc.collect()
        gc.disable()
        try:
            before = calls_in_memory()
            for _ in range(30):
                caller.send(caller.request(rows_of(1)))
                assert caller.answer()[0] == 200
            left = calls_in_memory() - before
        finally:
            gc.enable()
        assert left < 10

    def test_beyond_a_full_queue_are_those_of_the_alarms_once(
        self, doors: Doors, caller: Caller, taken: list[bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise Overloaded

        hurried: list[Any] = []
        alarms = HotPath._alarms_of
        monkeypatch.setattr(HotPath, "_alarms_of", lambda road, ask: hurried.append(ask) or alarms(road, ask))
        monkeypatch.setattr(doors.client.app.state.batches, "ask", full)
        monkeypatch.setattr(Patience, "for_rows", lambda *_: 0.0)
        caller.send(caller.request(rows_of(3)))
        assert caller.answer()[0] in (200, 503)
        time.sleep(3 * LOOK_SECONDS)
        assert taken == [True]
        assert len(hurried) == 1

    def test_a_stranger_gets_none(self, port: int) -> None:
        stranger = Caller(port, "mj_unknown")
        stranger.send(stranger.request(rows_of(1)))
        status, headers, _ = stranger.answer()
        stranger.close()
        assert (status, headers["www-authenticate"]) == (401, "Bearer")

    @pytest.mark.parametrize("header", ["Idempotency-Key: k-1", "Transfer-Encoding: chunked", "Expect: 100-continue"])
    def test_some_headers_belong_to_the_ordinary_road(self, caller: Caller, taken: list[bool], header: str) -> None:
        body = json.dumps(rows_of(1)).encode()
        asked = caller.request(body, PATH, header)
        if "chunked" in header:
            asked = asked.replace(f"Content-Length: {len(body)}\r\n".encode(), b"")
            asked = asked[: -len(body)] + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        caller.send(asked)
        if "Expect" in header:
            assert caller._file.readline().split()[1] == b"100"
            caller._file.readline()
        assert caller.answer()[0] == 200
        assert taken == []

    def test_a_large_table_is_read_on_the_ordinary_road(self, caller: Caller, taken: list[bool]) -> None:
        few = rows_of(1)["dataframe_split"]
        body = json.dumps({"dataframe_split": few}).encode() + b" " * LARGEST
        caller.send(caller.request(body))
        assert caller.answer()[0] == 200
        assert taken == []


class TestConnections:
    def test_bring_one_request_after_the_other(self, caller: Caller, taken: list[bool]) -> None:
        for n in (1, 2, 1, 3):
            caller.send(caller.request(rows_of(n)))
            assert len(caller.answer()[2]["predictions"]) == n
        assert taken == [True] * 4

    def test_are_shared_with_every_other_address(self, caller: Caller) -> None:
        for _ in range(2):
            caller.send(caller.request(rows_of(1)))
            assert caller.answer()[0] == 200
            caller.send(b"GET /v2/health/live HTTP/1.1\r\nHost: here\r\n\r\n")
            assert caller.answer()[0] == 200

    def test_that_ask_before_they_are_answered_get_every_answer_in_turn(self, caller: Caller) -> None:
        caller.send(b"".join(caller.request(rows_of(n)) for n in (1, 2, 3, 4)))
        assert [len(caller.answer()[2]["predictions"]) for _ in range(4)] == [1, 2, 3, 4]
        caller.send(caller.request(rows_of(2)))
        assert caller.answer()[0] == 200

    def test_a_request_may_come_byte_by_byte(self, caller: Caller) -> None:
        for byte in caller.request(rows_of(1)):
            caller.send(bytes([byte]))
        assert caller.answer()[0] == 200

    def test_half_closed_ones_get_their_answer_and_end(self, caller: Caller) -> None:
        caller.send(caller.request(rows_of(1)))
        caller.end()
        assert caller.answer()[0] == 200
        assert caller.is_over()

    def test_half_closed_in_the_middle_of_a_body_end_without_one(self, caller: Caller, taken: list[bool]) -> None:
        caller.send(caller.request(rows_of(1))[:-3])
        caller.end()
        assert caller.is_over()
        assert taken == []

    def test_that_ask_to_be_closed_are(self, caller: Caller) -> None:
        caller.send(caller.request(rows_of(1), PATH, "Connection: close"))
        assert caller.answer()[0] == 200
        assert caller.is_over()

    def test_that_are_gone_before_the_answer_harm_nobody(self, doors: Doors, port: int, caller: Caller) -> None:
        before = doors.house.service.log.size()
        for _ in range(20):
            gone = Caller(port, doors.tokens[Role.SERVICE, "everywhere"])
            gone.send(gone.request(rows_of(1)))
            gone.close()
        caller.send(caller.request(rows_of(1)))
        assert caller.answer()[0] == 200
        assert doors.house.service.log.size() > before

    def test_many_at_once_get_their_own_answers(self, doors: Doors, port: int) -> None:
        token, wrong = doors.tokens[Role.SERVICE, "everywhere"], []

        def ask(n: int) -> None:
            one = Caller(port, token)
            for _ in range(15):
                one.send(one.request(rows_of(n)))
                if len(one.answer()[2]["predictions"]) != n:
                    wrong.append(n)
            one.close()

        callers = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        assert wrong == []

    def test_an_answer_that_does_not_fit_in_one_go_arrives_whole(self, doors: Doors, port: int) -> None:
        slow = Caller(port, doors.tokens[Role.SERVICE, "everywhere"])
        slow._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        row = rows_of(1)["dataframe_split"]["data"]
        body = {"dataframe_split": {"columns": list(SENSORS), "data": row * 6000}, "params": {"contributions": True}}
        slow.send(slow.request(body))
        assert len(slow.answer()[2]["contributions"]) == 6000
        slow.close()


class TestStop:
    def test_a_connection_that_rests_after_an_answer_ends(self, doors: Doors) -> None:
        with listening(doors.client.app, LeanProtocol) as port:
            resting = Caller(port, doors.tokens[Role.SERVICE, "everywhere"])
            for _ in range(2):
                resting.send(resting.request(rows_of(1)))
                assert resting.answer()[0] == 200
        assert resting.is_over()
        resting.close()
