"""A process that lasts: asked many times, and whatever it does, one call is refused and the next one is answered."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from model_registry.bundle import pack
from model_registry.lasting_worker import (
    LastingWorker,
    ModelSaid,
    WorkerFell,
    WorkerHangs,
    WorkerLimits,
    WorkerRests,
)

ROOT = str(Path(__file__).resolve().parents[2])
ENVIRONMENT = {"PYTHONPATH": ROOT, "PYTHONDONTWRITEBYTECODE": "1"}
LIMITS = WorkerLimits(start_seconds=60, call_seconds=30, answer_bytes=10_000, crashes=3, rest_seconds=10)

DOUBLES = """
import os, sys, time
import numpy as np
from model_registry.answering import answer_frames
from policies.errors import Malformed, Sentence

def begin(arrays, said):
    if said.get("start") == "refuse":
        raise Malformed(Sentence(en="not this model", zh="不接受该模型"))
    count = 0
    def answer(arrays, said):
        nonlocal count
        count += 1
        do = said.get("do")
        if do == "abort": os.abort()
        if do == "leave": os._exit(0)
        if do == "hang": time.sleep(600)
        if do == "raise": raise ValueError("no such row")
        if do == "print": print("noise", flush=True); os.write(1, b"noise")
        if do == "shout": return {"x": np.zeros(100_000)}, {}
        if do == "environment": return {}, {"found": sorted(os.environ)}
        return {"x": arrays["x"] * 2}, {"count": count}
    return answer

answer_frames(begin, idle_seconds=float(sys.argv[1]), call_seconds=600)
"""


class Clock:
    """Steady seconds that move when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_worker(
    script: str = DOUBLES, *, idle: float = 600.0, clock: Clock | None = None, start: str = "", **limits: float
) -> LastingWorker:
    """A worker that doubles what it is given, unless told to misbehave."""
    bounds = WorkerLimits(**{**vars(LIMITS), **limits})  # type: ignore[arg-type]
    return LastingWorker(
        [sys.executable, "-P", "-s", "-c", script, str(idle)],
        pack({}, {"start": start}),
        bounds,
        name="gas-leak",
        environment=ENVIRONMENT,
        monotonic=clock or Clock(),
    )


def doubled(worker: LastingWorker, values: tuple[float, ...] = (1.0, 2.0)) -> list[float]:
    """Ask for the doubles."""
    return worker.ask({"x": np.array(values)})[0]["x"].tolist()


class TestAsk:
    def test_one_process_answers_many_times(self) -> None:
        worker = a_worker()
        assert [worker.ask({"x": np.ones(1)})[1]["count"] for _ in range(3)] == [1, 2, 3]
        assert doubled(worker) == [2.0, 4.0]

    def test_nothing_is_started_before_it_is_asked(self) -> None:
        worker = a_worker()
        assert worker.pid is None
        doubled(worker)
        assert worker.pid is not None

    def test_large_frames_pass_in_both_directions(self) -> None:
        worker = a_worker(answer_bytes=100_000_000)
        values = np.random.default_rng(0).normal(size=1_000_000)
        assert worker.ask({"x": values})[0]["x"].tobytes() == (values * 2).tobytes()

    def test_what_a_library_prints_is_no_answer(self) -> None:
        worker = a_worker()
        assert worker.ask({"x": np.ones(1)}, {"do": "print"})[0]["x"].tolist() == [2.0]

    def test_nothing_of_our_environment_goes_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_TOKEN", "secret")
        found = a_worker().ask({}, {"do": "environment"})[1]["found"]
        assert set(found) - {"LC_CTYPE"} == set(ENVIRONMENT)

    def test_callers_of_many_threads_get_their_own_answers(self) -> None:
        worker, found = a_worker(), {}

        def ask(number: int) -> None:
            found[number] = [doubled(worker, (float(number),)) for _ in range(20)]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {number: [[2.0 * number]] * 20 for number in range(6)}


class TestFall:
    def test_a_crash_is_one_refused_call(self) -> None:
        worker = a_worker()
        with pytest.raises(WorkerFell) as refused:
            worker.ask({"x": np.ones(1)}, {"do": "abort"})
        assert refused.value.says.en == (
            "the process in which gas-leak runs gave no answer (SIGABRT); it is started anew, "
            "fall back to manual control for this call"
        )
        assert doubled(worker) == [2.0, 4.0]

    def test_killed_between_two_calls_is_no_refused_call(self) -> None:
        worker = a_worker()
        doubled(worker)
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert doubled(worker) == [2.0, 4.0]
        assert worker.pid not in (None, first)

    def test_a_hang_is_stopped(self) -> None:
        worker = a_worker(call_seconds=0.3)
        with pytest.raises(WorkerHangs) as refused:
            worker.ask({"x": np.ones(1)}, {"do": "hang"})
        assert refused.value.says.en == (
            "gas-leak gave no answer within 0.3 s and was stopped; fall back to manual control for this call"
        )
        assert worker.pid is None

    def test_after_a_hang_it_rests_and_then_answers_again(self) -> None:
        clock = Clock()
        worker = a_worker(clock=clock, call_seconds=0.3)
        with pytest.raises(WorkerHangs):
            worker.ask({"x": np.ones(1)}, {"do": "hang"})
        with pytest.raises(WorkerRests) as rests:
            doubled(worker)
        assert rests.value.at_once
        clock.now = 10.0
        worker._limits = LIMITS
        assert doubled(worker) == [2.0, 4.0]

    def test_after_many_crashes_it_rests(self) -> None:
        worker = a_worker()
        for _ in range(3):
            with pytest.raises(WorkerFell):
                worker.ask({"x": np.ones(1)}, {"do": "abort"})
        with pytest.raises(WorkerRests):
            doubled(worker)

    def test_crashes_far_apart_do_not_add_up(self) -> None:
        clock = Clock()
        worker = a_worker(clock=clock)
        for _ in range(4):
            with pytest.raises(WorkerFell):
                worker.ask({"x": np.ones(1)}, {"do": "abort"})
            clock.now += 11
        assert doubled(worker) == [2.0, 4.0]

    def test_one_that_leaves_in_a_call_is_tried_once_more(self) -> None:
        worker = a_worker()
        with pytest.raises(WorkerFell, match="exit status 0"):
            worker.ask({"x": np.ones(1)}, {"do": "leave"})

    def test_one_that_nobody_asked_left_and_is_started_again(self) -> None:
        worker = a_worker(idle=0.05)
        for _ in range(2):
            assert doubled(worker) == [2.0, 4.0]
            process = worker._process
            assert process is not None
            assert process.wait(30) == 0

    def test_what_it_says_against_its_model(self) -> None:
        with pytest.raises(ModelSaid) as refused:
            doubled(a_worker(start="refuse"))
        assert refused.value.says.zh == "不接受该模型"

    def test_what_it_says_against_rows_costs_it_nothing(self) -> None:
        worker = a_worker()
        with pytest.raises(ModelSaid, match="gas-leak cannot be run: ValueError: no such row"):
            worker.ask({"x": np.ones(1)}, {"do": "raise"})
        assert worker.ask({"x": np.ones(1)})[1]["count"] == 2


class TestStranger:
    """Whatever comes out of the pipe."""

    def test_an_answer_that_is_too_long(self) -> None:
        with pytest.raises(WorkerFell, match="no readable answer"):
            a_worker().ask({"x": np.ones(1)}, {"do": "shout"})

    @pytest.mark.parametrize(
        "said",
        [
            b"\xff" * 100,
            (5).to_bytes(8, "little") + b"hello",
            (12).to_bytes(8, "little") + b"MJP1" + (2**60).to_bytes(8, "little"),
            b"",
            b"\x01",
        ],
        ids=["a size of exabytes", "no bundle", "a header longer than the frame", "nothing", "half a length"],
    )
    def test_garbage(self, said: bytes) -> None:
        script = f"import os, sys; os.read(0, 8); os.write(1, {said!r}); os._exit(3)"
        with pytest.raises(WorkerFell):
            doubled(a_worker(script))

    @pytest.mark.parametrize("words", ['{"faults": 7}', '{"broken": []}', '{"faults": [[]]}', '{"ready": "yes"}', "{}"])
    def test_words_that_say_nothing(self, words: str) -> None:
        script = f"""
import json, os
from model_registry.bundle import pack
os.read(0, 65536)
raw = pack({{}}, json.loads({words!r}))
os.write(1, len(raw).to_bytes(8, "little") + raw)
"""
        with pytest.raises(ModelSaid, match="gas-leak cannot be run, and does not say why"):
            doubled(a_worker(script))

    def test_a_command_that_is_not_there(self) -> None:
        worker = LastingWorker(["/nowhere/at/all"], b"", LIMITS, name="gas-leak")
        with pytest.raises(WorkerFell):
            worker.ask({})

    def test_one_that_reads_nothing(self) -> None:
        worker = a_worker("import time; time.sleep(600)", start_seconds=0.3)
        with pytest.raises(WorkerHangs):
            worker.ask({"x": np.zeros(1_000_000)})


class TestEnd:
    def test_close_ends_the_process_and_the_next_question_starts_it(self) -> None:
        worker = a_worker()
        doubled(worker)
        worker.close()
        assert worker.pid is None
        assert doubled(worker) == [2.0, 4.0]

    def test_who_forgets_the_worker_ends_its_process(self) -> None:
        worker = a_worker()
        doubled(worker)
        process = worker._process
        assert process is not None
        del worker
        assert process.poll() is not None
