"""A process that stays: it makes a model ready once and is asked many times; when it falls it is one refused call.

How it is launched is a value handed in, so that the same worker runs a declarative model in a process with limits and,
where the house admits code, a model of code inside a box. What it says is read as a stranger's: length first, of a
short list of types, within a size.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from explainers.predictor import ModelAway
from model_registry.answering import LENGTH_BYTES
from model_registry.bundle import Array, NotPortable, pack, unpack
from model_registry.turns import Turns
from policies.errors import Refused, Sentence


@dataclass(frozen=True, kw_only=True)
class WorkerLimits:
    """Bounds of a lasting worker that hold on our side of the pipe.

    Parameters
    ----------
    start_seconds : float
        Until it has made its model ready.
    call_seconds : float
        For one question; then it is killed.
    answer_bytes : int
        The longest answer that is read.
    crashes : int
        After so many falls within `rest_seconds`, or one hang, it is asked again only when `rest_seconds` are over:
        a model that falls on every row must not keep the others waiting.
    rest_seconds : float
    """

    start_seconds: float = 30.0
    call_seconds: float = 5.0
    answer_bytes: int = 64_000_000
    crashes: int = 8
    rest_seconds: float = 10.0


class WorkerFell(ModelAway):
    """The process ended without an answer, or gave one that cannot be read."""

    def __init__(self, name: str, how: str) -> None:
        super().__init__(
            Sentence(
                en=f"the process in which {name} runs gave no answer ({how}); it is started anew, fall back to "
                "manual control for this call",
                zh=f"运行 {name} 的进程未给出结果（{how}）；该进程将重新启动，本次调用请转为人工控制",
            )
        )


class WorkerHangs(ModelAway):
    """No answer came in time; the process was killed."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            Sentence(
                en=f"{name} gave no answer within {seconds:g} s and was stopped; "
                "fall back to manual control for this call",
                zh=f"{name} 在 {seconds:g} 秒内未给出结果，已被终止；本次调用请转为人工控制",
            ),
            at_once=True,
        )


class WorkerRests(ModelAway):
    """It fell too often, and is not asked for a while."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Sentence(
                en=f"{name} crashed or hung and is not asked again for some seconds; fall back to manual control",
                zh=f"{name} 刚刚崩溃或无响应，数秒内不再调用，请转为人工控制",
            ),
            at_once=True,
        )


class ModelSaid(Refused):
    """The model's own runtime refuses it, or cannot score these rows."""


@dataclass(frozen=True)
class _Ended(Exception):
    """The pipe ended."""

    clean: bool


@dataclass(frozen=True)
class _Late(Exception):
    """Time is up."""

    seconds: float


class LastingWorker:
    """One process, started when first asked, started again after it fell. Callers take turns.

    Parameters
    ----------
    command : sequence of str
        What is executed; it speaks frames over standard input and output (`model_registry.answering`), and sets its own
        limits before it makes anything ready.
    opening : bytes
        The bundle with which it is to make its model ready, sent at every start.
    limits : WorkerLimits
    name : str
        What sentences call the model.
    environment : mapping
        All it gets of an environment.
    monotonic : callable
        A steady clock in seconds, for how often it fell.
    """

    def __init__(
        self,
        command: Sequence[str],
        opening: bytes,
        limits: WorkerLimits | None = None,
        *,
        name: str = "the model",
        environment: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = tuple(command)
        self._opening = opening
        self._limits = limits or WorkerLimits()
        self._name = name
        self._environment = dict(environment or {})
        self._monotonic = monotonic
        self._turns = Turns()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None
        self._fell: list[float] = []
        self._rests_until = float("-inf")

    @property
    def pid(self) -> int | None:
        """The process id; None while none runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def ask(
        self, arrays: Mapping[str, Array], said: Mapping[str, object] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return what it answers to arrays and words.

        Raises
        ------
        WorkerFell, WorkerHangs, WorkerRests
            No answer; this process was never touched, and the next call starts it anew.
        ModelSaid
            It answered that it cannot.
        """
        frame = pack(arrays, said or {})
        with self._turns:
            if self._monotonic() < self._rests_until:
                raise WorkerRests(self._name)
            raw = self._tried(lambda: self._exchanged(frame))
        return self._read(raw)

    def close(self) -> None:
        """End the process, after the question it is at. The next one would start it again."""
        with self._turns:
            self._end()

    # ── One question ──────────────────────────────────────────────────────────────────────────────

    def _exchanged(self, frame: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
        for again in (True, False):
            process = self._ready()
            try:
                return unpack(self._exchange(process, frame, self._limits.call_seconds))
            except _Ended as ended:
                if not (ended.clean and again):  # one that left because nobody asked is started again
                    raise
        raise AssertionError("the second round returns or raises")

    def _tried(self, asking: Callable[[], tuple[dict[str, Array], dict[str, Any]]]) -> Any:
        """Do it; what goes wrong ends the process and is one sentence."""
        try:
            return asking()
        except _Late as late:
            self._fall(at_once=True)
            raise WorkerHangs(self._name, late.seconds) from late
        except (_Ended, NotPortable, OSError) as error:
            how = self._fall()
            raise WorkerFell(self._name, how if isinstance(error, _Ended) else "no readable answer") from error
        except BaseException:  # whoever was interrupted leaves half an answer in the pipe, which is nobody else's
            self._end()
            raise

    def _read(self, answered: tuple[dict[str, Array], dict[str, Any]]) -> tuple[dict[str, Array], dict[str, Any]]:
        arrays, said = answered
        if "broken" in said or "faults" in said:
            raise ModelSaid(*_sentences(self._name, said))
        return arrays, said

    # ── The process ───────────────────────────────────────────────────────────────────────────────

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        process = self._started()
        said = unpack(self._exchange(process, self._opening, self._limits.start_seconds))[1]
        if said.get("ready") is not True:
            self._fall()
            raise ModelSaid(*_sentences(self._name, said))
        return process

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - a command of our own making; nothing of a submission is in it
            self._command,
            cwd="/",
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self._process = process
        self._end = weakref.finalize(self, _end, process)  # nobody has to remember to close it
        return process

    def _fall(self, *, at_once: bool = False) -> str:
        """End the process, note that it fell, and return how."""
        process = self._process
        status = None
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(0.5)  # the pipe ends a moment before the process does
        self._end()
        now = self._monotonic()
        self._fell = [moment for moment in self._fell if now - moment < self._limits.rest_seconds] + [now]
        if at_once or len(self._fell) >= self._limits.crashes:
            self._rests_until = now + self._limits.rest_seconds
        return _how(status)

    def _exchange(self, process: subprocess.Popen[bytes], frame: bytes, seconds: float) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        wait = _Wait(seconds)
        self._send(process, process.stdin.fileno(), frame, wait)
        head = self._receive(process, process.stdout.fileno(), LENGTH_BYTES, wait)
        size = int.from_bytes(head, "little")
        if size > self._limits.answer_bytes:
            raise NotPortable(f"{size:,} bytes are announced")
        return self._receive(process, process.stdout.fileno(), size, wait)

    def _send(self, process: subprocess.Popen[bytes], pipe: int, frame: bytes, wait: _Wait) -> None:
        left = memoryview(len(frame).to_bytes(LENGTH_BYTES, "little") + frame)
        while left:
            wait.until(pipe, select.POLLOUT)
            try:
                left = left[os.write(pipe, left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as broken:
                raise _Ended(_left(process)) from broken

    def _receive(self, process: subprocess.Popen[bytes], pipe: int, size: int, wait: _Wait) -> bytes:
        got = bytearray()
        while len(got) < size:
            wait.until(pipe, select.POLLIN)
            try:
                part = os.read(pipe, min(size - len(got), 1 << 20))
            except BlockingIOError:
                continue
            if not part:
                raise _Ended(_left(process) and not got)
            got += part
        return bytes(got)


class _Wait:
    """How long may still be waited, over all the reads and writes of one question."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late = time.monotonic() + seconds

    def until(self, pipe: int, event: int) -> None:
        """Wait until a pipe can be read or written. Raises _Late."""
        poll = select.poll()
        poll.register(pipe, event)
        left = self._late - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise _Late(self._seconds)


def _left(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process ended by itself, without a complaint."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(0.5) == 0
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and whatever it started; let go of its pipes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()


def _how(status: int | None) -> str:
    if status is None:
        return "it closed its pipe"
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def _sentences(name: str, said: Mapping[str, Any]) -> list[Sentence]:
    """Return what it says against its model or the rows, cut to a length; it may say anything."""
    try:
        if "broken" in said:
            why = f"{said['broken']['kind']}: {said['broken']['message']}"[:400]
            return [Sentence(en=f"{name} cannot be run: {why}", zh=f"{name} 无法运行：{why}")]
        found = [Sentence(en=str(one["en"])[:400], zh=str(one["zh"])[:400]) for one in said["faults"][:20]]
    except (KeyError, TypeError, IndexError):
        found = []
    return found or [Sentence(en=f"{name} cannot be run, and does not say why", zh=f"{name} 无法运行，且未说明原因")]
