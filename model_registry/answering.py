"""Inside a lasting worker: frames in, frames out, one at a time, until nobody asks any more.

A frame is eight bytes of length (little-endian) and a bundle of that length (`model_registry.bundle`): arrays and plain
words. The first frame in says what to make ready and is answered with `{"ready": true}`; every further one is a
question. What cannot be answered is answered with `{"faults": [sentences]}` or `{"broken": {"kind", "message"}}`.

Whatever speaks this over its standard input and output can be a lasting worker, in whatever box it was launched.
"""

from __future__ import annotations

import os
import select
import signal
import warnings
from collections.abc import Callable, Mapping

from model_registry.bundle import Array, pack, unpack
from policies.errors import Fault

LENGTH_BYTES = 8
Question = tuple[Mapping[str, Array], Mapping[str, object]]
Answer = Callable[[Mapping[str, Array], Mapping[str, object]], Question]
"""From arrays and words to arrays and words."""


def answer_frames(
    begin: Callable[[Mapping[str, Array], Mapping[str, object]], Answer], *, idle_seconds: float, call_seconds: float
) -> None:
    """Make ready, then answer until the other side is gone, or asks nothing for `idle_seconds`.

    The process ends itself when an answer takes more than `call_seconds`: whoever asked may be dead by then.
    """
    asked, answers = _own_pipes()
    warnings.simplefilter("ignore")  # a library's opinions on versions go nowhere from here
    first = _next_frame(asked, None)
    if first is None:
        return
    ready: list[Answer] = []

    def make_ready(arrays: Mapping[str, Array], said: Mapping[str, object]) -> Question:
        ready.append(begin(arrays, said))
        return {}, {"ready": True}

    _write_frame(answers, _answered(make_ready, first, call_seconds))
    while ready and (frame := _next_frame(asked, idle_seconds)) is not None:
        _write_frame(answers, _answered(ready[0], frame, call_seconds))


def _own_pipes() -> tuple[int, int]:
    """Take the pipes away from standard input and output: what a library prints must not end up among the frames."""
    asked, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return asked, answers


def _answered(answer: Answer, frame: bytes, call_seconds: float) -> bytes:
    signal.setitimer(signal.ITIMER_REAL, call_seconds)
    try:
        return pack(*answer(*unpack(frame)))
    except Fault as fault:
        return pack({}, {"faults": [said.as_json() for said in fault.faults]})
    except Exception as error:  # noqa: BLE001 - whatever a library raises about a stranger's rows is one refused call
        return pack({}, {"broken": {"kind": type(error).__name__, "message": " ".join(str(error).split())[:300]}})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _next_frame(asked: int, idle_seconds: float | None) -> bytes | None:
    if not select.select([asked], [], [], idle_seconds)[0]:
        return None
    head = _read(asked, LENGTH_BYTES)
    return None if head is None else _read(asked, int.from_bytes(head, "little"))


def _read(asked: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(asked, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write_frame(answers: int, frame: bytes) -> None:
    left = memoryview(len(frame).to_bytes(LENGTH_BYTES, "little") + frame)
    while left:
        left = left[os.write(answers, left) :]
