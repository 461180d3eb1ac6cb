"""Several real processes behind one address: one log, one permit state, nothing lost at a swap, a kill or a stop."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.clock import system_clock
from api.settings import Settings
from api.wiring import model_store
from model_registry.deferred_store import DeferredStore
from policies.roles import Role
from tests.governance.factories import OFFICER, SENSORS, House, a_house, rows

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BODY = json.dumps(
    {"dataframe_split": {"columns": list(SENSORS), "data": rows(3, seed=9)[list(SENSORS)].to_numpy().tolist()}}
)
PATH = "/v1/models/gas-leak/invocations"
PATIENT = 120.0


@dataclass
class Plant:
    """A server of two processes over the data of a house, and its callers."""

    house: House
    process: subprocess.Popen[str]
    port: int
    tokens: dict[Role, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: str | None = None, role: Role = Role.SERVICE) -> tuple[int, Any]:
        """Ask on a connection of its own, so that either process may answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENT)
        try:
            headers = {"Authorization": f"Bearer {self.tokens[role]}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def decide(self) -> tuple[int, Any]:
        """Decide three rows."""
        return self.ask("POST", PATH, BODY)

    def serving(self) -> set[str]:
        """The names under which processes say in the log that they serve."""
        entries = self.house.service.log.search(kind="restart", limit=1000).entries
        return {entry.source for entry in entries if entry.source.startswith("serve-")}


def until(holds: Any, what: str) -> None:
    """Wait for something that must come; how long it takes says nothing."""
    end = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def answers(port: int, path: str) -> bool:
    """Whether an address answers with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A house with an approved model, and `mingjing serve --workers 2` over its data."""
    folder = tmp_path_factory.mktemp("plant") / "house"
    store = DeferredStore(lambda: model_store(Settings(data=folder / "data")))
    with a_house(folder, store=store) as house:
        house.clock.now = system_clock()
        house.approved()
        people = house.service.people
        tokens = {role: people.add(f"the-{role.value}", role).token for role in (Role.SERVICE, Role.DSO)}
        words = [sys.executable, "-m", "api.cli", "serve", "--workers", "2", "--port", "0", "--data", folder / "data"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}  # noqa: TID251 - handed on
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
            try:
                assert process.stdout is not None
                port = int(process.stdout.readline().rsplit(":", 1)[1])
                made = Plant(house, process, port, tokens)
                until(lambda: len(made.serving()) == 2, "both processes serve")
                until(lambda: all(answers(port, "/v2/health/ready") for _ in range(8)), "both processes are ready")
                yield made
            finally:
                process.terminate()
                process.wait(timeout=PATIENT)


class TestTogether:
    def test_write_one_log(self, plant: Plant) -> None:
        log = plant.house.service.log

        def both() -> bool:
            assert plant.decide()[0] == 200
            return len({entry.source for entry in log.search(kind="decision", limit=500).entries}) == 2

        until(both, "both processes decide")
        assert log.recheck().faults == []

    def test_refuse_within_a_second_of_a_suspension(self, plant: Plant) -> None:
        reason = json.dumps({"reason": "readings drift"})
        status, _ = plant.ask("POST", "/v1/models/gas-leak/suspend", reason, Role.DSO)
        assert status == 200
        time.sleep(1.0)  # the promise
        said = [plant.decide() for _ in range(40)]
        assert {(status, document["reason"]) for status, document in said} == {(403, "suspended")}
        assert plant.ask("POST", "/v1/models/gas-leak/resume", reason, Role.DSO)[0] == 200
        until(lambda: all(plant.decide()[0] == 200 for _ in range(8)), "both processes serve again")

    def test_lose_no_request_while_a_version_is_swapped(self, plant: Plant) -> None:
        statuses: list[int] = []
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                statuses.append(plant.decide()[0])

        callers = [threading.Thread(target=ask) for _ in range(4)]
        for caller in callers:
            caller.start()
        house = plant.house
        before = house.service.log.size()
        record = house.submitted(seed=7)
        house.approve(record, OFFICER)
        newest = lambda: house.service.log.search(kind="decision", limit=1).entries[0].version  # noqa: E731
        until(lambda: newest() == record.version, "the new version decides")
        over.set()
        for caller in callers:
            caller.join()
        assert set(statuses) == {200}
        assert house.service.log.size() - before >= 3 * len(statuses) - 12

    def test_go_on_when_one_is_killed_and_another_takes_its_place(self, plant: Plant) -> None:
        before = plant.serving()
        victim = max(before)
        os.kill(int(victim.partition("-")[2]), signal.SIGKILL)
        until(lambda: plant.serving() - before, "another process serves")
        assert plant.decide()[0] == 200


class TestCallers:
    def test_that_only_hold_connections_open_keep_nobody_out(self, plant: Plant) -> None:
        slow = [socket.create_connection(("127.0.0.1", plant.port)) for _ in range(400)]
        try:
            for number, connection in enumerate(slow):
                connection.sendall(b"POST /v1/models/gas-leak/invoc" if number % 2 else head(b"100")[:-2])
            assert {plant.decide()[0] for _ in range(10)} == {200}
        finally:
            for connection in slow:
                connection.close()

    @pytest.mark.long
    def test_ten_thousand_of_them_keep_nobody_out(self, plant: Plant) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 12_000:
            pytest.skip(f"this user may open {hard} files; ten thousand connections need 12,000")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        slow = []
        try:
            for _ in range(10_000):
                slow.append(socket.create_connection(("127.0.0.1", plant.port), timeout=PATIENT))
                slow[-1].sendall(b"POST /v1/models/gas-leak/invoc")
            assert {plant.decide()[0] for _ in range(50)} == {200}
        finally:
            for connection in slow:
                connection.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_that_have_said_all_and_only_listen_get_their_answer(self, plant: Plant) -> None:
        body = BODY.encode()
        with socket.create_connection(("127.0.0.1", plant.port), timeout=PATIENT) as caller:
            caller.sendall(head(str(len(body)).encode(), plant.tokens[Role.SERVICE]) + body)
            caller.shutdown(socket.SHUT_WR)
            answer = everything(caller)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"decision_ids" in answer

    def test_that_hang_up_in_the_middle_of_a_body_are_forgotten(self, plant: Plant) -> None:
        with socket.create_connection(("127.0.0.1", plant.port), timeout=PATIENT) as caller:
            caller.sendall(head(b"100", plant.tokens[Role.SERVICE]) + b"{")
            caller.shutdown(socket.SHUT_WR)
            assert b"200 OK" not in everything(caller)
        assert plant.decide()[0] == 200

    def test_that_announce_a_hundred_megabytes_are_refused_unread(self, plant: Plant) -> None:
        with socket.create_connection(("127.0.0.1", plant.port), timeout=PATIENT) as caller:
            caller.sendall(head(str(100 * 2**20).encode(), plant.tokens[Role.SERVICE]))
            assert caller.recv(64).startswith(b"HTTP/1.1 413")


class TestStop:
    """Last, for the server is gone afterwards."""

    def test_answers_what_is_under_way_then_signs_the_log(self, plant: Plant) -> None:
        statuses: list[int] = []
        house = plant.house
        size = house.service.log.size()
        callers = [threading.Thread(target=lambda: statuses.append(plant.decide()[0])) for _ in range(6)]
        with closing(sqlite3.connect(house.folder / "data" / "mingjing.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # the log waits for this lock, so the requests are under way
            for caller in callers:
                caller.start()
            until(lambda: taken(plant.port) >= len(callers), "the server has read every request")
            plant.process.terminate()
            other.execute("ROLLBACK")
        for caller in callers:
            caller.join()
        assert plant.process.wait(timeout=PATIENT) == 0
        log = house.service.log
        checkpoint = log.latest_checkpoint()
        assert checkpoint is not None
        assert checkpoint.size == log.size() > size
        assert statuses == [200] * len(callers)
        assert log.recheck().faults == []


def taken(port: int) -> int:
    """How many connections a server has accepted and read empty; none while others wait to be accepted or read."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = [line for line in lines if line[1].endswith(f":{port:04X}") and line[3] in ("01", "0A")]
    unread = any(int(line[4].partition(":")[2], 16) for line in mine)
    return 0 if unread else sum(line[3] == "01" for line in mine)


def head(length: bytes, token: str = "") -> bytes:
    """The head of a call."""
    return (
        b"POST %b HTTP/1.1\r\nHost: plant\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %b\r\n\r\n" % (PATH.encode(), token.encode(), length)
    )


def everything(caller: socket.socket) -> bytes:
    """What comes until the other side ends the connection."""
    parts = []
    while part := caller.recv(65536):
        parts.append(part)
    return b"".join(parts)
