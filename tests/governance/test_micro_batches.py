"""Requests that wait are decided together, by a second thread where much waits, and every one is answered once."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from audit.decided import Decided, decided_of
from governance.callers_rows import NamedRows
from governance.micro_batches import HELPED_FROM, MicroBatches, Request
from policies.roles import Role
from tests.governance.factories import someone

CALLER = someone(Role.SERVICE)
PATIENT = 30.0


class Serving:
    """Decides nothing, notes who asked for how many rows, and waits before it where a test says so."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Semaphore(0)
        self.calls: list[tuple[str, int]] = []

    def decide_with(self, model: str, X: NamedRows, **_: Any) -> tuple[str, Decided]:
        """Return one refusal per row."""
        self.calls.append((threading.current_thread().name, len(X)))
        self.entered.release()
        assert self.go.wait(PATIENT)
        if np.isinf(X.matrix).any():
            raise ValueError("a bad row")
        return model, decided_of([None] * len(X), [])


@pytest.fixture
def serving() -> Serving:
    """What the threads call."""
    return Serving()


@pytest.fixture
def batches(serving: Serving) -> Any:
    """The queue and its two threads."""
    made = MicroBatches(serving)  # type: ignore[arg-type]  # it needs no more of it than `decide_with`
    yield made
    serving.go.set()
    made.close()


def rows(n: int, value: float = 0.0, model: str = "m") -> Request:
    """A request of so many rows."""
    return Request(model, NamedRows(("a",), np.full((n, 1), value)), None, CALLER, None)


def lengths_into(found: list[Any]) -> Any:
    """Note the number of rows answered, or the error."""
    return lambda answer: found.append(answer if isinstance(answer, BaseException) else len(answer[1]))


class TestHelp:
    def test_comes_where_much_waits(self, batches: MicroBatches, serving: Serving) -> None:
        serving.go.clear()
        found: list[Any] = []
        batches.ask(rows(1), lengths_into(found))
        assert serving.entered.acquire(timeout=PATIENT)
        batches.ask(rows(HELPED_FROM), lengths_into(found))
        assert serving.entered.acquire(timeout=PATIENT), "nobody helped"
        assert Counter(serving.calls) == {("mingjing-decide", 1): 1, ("mingjing-decide-too", HELPED_FROM): 1}

    def test_does_not_come_for_a_few(self, batches: MicroBatches, serving: Serving) -> None:
        serving.go.clear()
        batches.ask(rows(1), lengths_into([]))
        assert serving.entered.acquire(timeout=PATIENT)
        for _ in range(HELPED_FROM - 1):
            batches.ask(rows(1), lengths_into([]))
        assert not serving.entered.acquire(timeout=0.2)
        serving.go.set()
        assert serving.entered.acquire(timeout=PATIENT)
        assert serving.calls == [("mingjing-decide", 1), ("mingjing-decide", HELPED_FROM - 1)]

    def test_is_never_asked_for_by_one_caller_after_the_other(self, batches: MicroBatches, serving: Serving) -> None:
        for _ in range(50):
            answered = threading.Event()
            batches.ask(rows(2 * HELPED_FROM), lambda _, answered=answered: answered.set())  # type: ignore[misc]
            assert answered.wait(PATIENT)
        assert {name for name, _ in serving.calls} == {"mingjing-decide"}


class TestAnswers:
    def test_come_once_to_everybody(self, batches: MicroBatches) -> None:
        found: list[tuple[int, Any]] = []
        for n in range(1, 400):
            batches.ask(rows(n % 90 + 1), lambda answer, n=n: found.append((n, len(answer[1]))))  # type: ignore[misc]
        batches.close()
        assert sorted(found) == [(n, n % 90 + 1) for n in range(1, 400)]

    def test_of_one_bad_row_are_its_callers_alone(self, batches: MicroBatches, serving: Serving) -> None:
        serving.go.clear()
        found: dict[str, Any] = {}
        batches.ask(rows(1), lambda _: None)
        assert serving.entered.acquire(timeout=PATIENT)
        batches.ask(rows(1, np.inf), lambda answer: found.update(bad=answer))
        batches.ask(rows(2), lambda answer: found.update(good=len(answer[1])))  # type: ignore[index]
        serving.go.set()
        batches.close()
        assert found["good"] == 2
        assert isinstance(found["bad"], ValueError)

    def test_of_tables_without_names_are_not_mixed_by_width(self, batches: MicroBatches, serving: Serving) -> None:
        serving.go.clear()
        found: list[Any] = []
        batches.ask(rows(1), lengths_into(found))
        assert serving.entered.acquire(timeout=PATIENT)
        for width in (1, 2):
            named = Request("m", NamedRows(None, np.zeros((1, width))), None, CALLER, None)
            batches.ask(named, lengths_into(found))
        serving.go.set()
        batches.close()
        assert found == [1, 1, 1]
        assert [n for _, n in serving.calls] == [1, 1, 1]

    def test_leave_nothing_for_the_collector(self, batches: MicroBatches) -> None:
        """A request that only the collector can free stops every other answer while it walks."""
        answered = threading.Semaphore(0)
        gc.collect()
        gc.disable()
        try:
            for _ in range(200):
                batches.ask(rows(1), lambda _: answered.release())
            for _ in range(200):
                assert answered.acquire(timeout=PATIENT)
            assert gc.collect() < 200
        finally:
            gc.enable()
