"""Runs a foreign library in a process of its own: a crash, a hang or a bomb is one refused submission."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_registry.bundle import NotPortable, pack, unpack
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.portable import Readable, unpack_predictor
from model_registry.worker import ANSWER, JOB, REFUSAL, ROWS
from policies.declaration import Flavour
from policies.errors import Fault, Refused, Sentence

Floats = npt.NDArray[np.float64]
Categories = tuple[tuple[int, tuple[object, ...]], ...]

STARVED = {"MemoryError", "OSError", "ImportError"}
"""What a library says when the limits of its process are too narrow for it."""

ROOT = Path(__file__).resolve().parent.parent


class LibraryCrashed(Refused):
    """The library ended without an answer: killed by a signal, or out of memory."""

    def __init__(self, name: str, how: str) -> None:
        super().__init__(
            Sentence(
                en=f"{name} crashed the library that should run it ({how}); "
                "the model is refused, nothing else was touched",
                zh=f"{name} 导致其运行库崩溃（{how}）；该模型被拒绝，其他部分未受影响",
            )
        )


class LibraryHung(Refused):
    """The library gave no answer in time."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            Sentence(
                en=f"{name} kept the library that should run it busy for more than {seconds:g} s; the model is refused",
                zh=f"{name} 使其运行库在 {seconds:g} 秒内未能给出结果；该模型被拒绝",
            )
        )


class LibraryRefused(Refused):
    """The library says that this is no model of its own, or cannot score these rows."""

    def __init__(self, name: str, flavour: Flavour, said: str) -> None:
        super().__init__(
            Sentence(
                en=f"{flavour} cannot run {name}: {said}; save the model again with the library's own function",
                zh=f"{flavour} 无法运行 {name}：{said}；请用该库自带的保存函数重新保存模型",
            )
        )


class RefusedInside(Refused):
    """Our own reader refused the model, inside the worker; the sentences are its."""


def score_in_worker(
    flavour: Flavour, artifact: Path, rows: Floats, categories: Categories = (), limits: Limits = DEFAULT_LIMITS
) -> tuple[str, Floats]:
    """Let the training library score rows, once, in a process of its own.

    Parameters
    ----------
    flavour : Flavour
    artifact : Path
        A file in the native format of the flavour.
    rows : array of shape (n_rows, n_features)
    categories : pairs of column and labels
    limits : Limits

    Returns
    -------
    ("scores" or "margins", array of shape (n_rows,) or (n_rows, n_outputs))

    Raises
    ------
    LibraryCrashed, LibraryHung, LibraryRefused, RefusedInside
        One sentence each; the caller's process is never touched.
    """
    plain = [[column, list(labels)] for column, labels in categories]
    given = pack({"rows": rows}, {"categories": plain})
    arrays, said = unpack(_run("score", flavour, artifact, given, limits))
    kind, answer = said.get("kind"), arrays.get("answer")
    if kind not in ("scores", "margins") or answer is None or answer.dtype != np.float64 or len(answer) != len(rows):
        raise NotPortable("it holds no scores")
    return str(kind), answer


def read_in_worker(artifact: Path, limits: Limits = DEFAULT_LIMITS) -> Readable:
    """Let scikit-learn build the object in a `.skops` file in a process of its own, and return its arrays.

    Raises
    ------
    LibraryCrashed, LibraryHung, LibraryRefused, RefusedInside
        As for `score_in_worker`.
    Malformed
        When what comes back is not a sound predictor.
    """
    return unpack_predictor(_run("read", Flavour.SKLEARN, artifact, b"", limits))


def _run(task: str, flavour: Flavour, artifact: Path, rows: bytes, limits: Limits) -> bytes:
    with tempfile.TemporaryDirectory(prefix="worker-") as scratch:
        folder = Path(scratch)
        job: dict[str, Any] = {
            "task": task,
            "flavour": str(flavour),
            "artifact": str(artifact.resolve()),
            "memory": limits.worker_bytes,
            "seconds": max(1, round(limits.worker_seconds)),
            "file_bytes": limits.artifact_bytes,
        }
        (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
        (folder / ROWS).write_bytes(rows)
        status = _ended(folder, artifact.name, limits.worker_seconds)
        if (folder / ANSWER).is_file():
            return (folder / ANSWER).read_bytes()
        if (folder / REFUSAL).is_file():
            raise _refusal(artifact.name, flavour, (folder / REFUSAL).read_bytes())
        if status == -signal.SIGXCPU:
            raise LibraryHung(artifact.name, limits.worker_seconds)
        raise LibraryCrashed(artifact.name, _how(status))


def _ended(folder: Path, name: str, seconds: float) -> int:
    """Run the worker to its end and return its status; kill it and whatever it started when time is up."""
    # nothing of our environment goes in: no token, no address, no proxy; one thread, so that memory can be bounded
    environment = {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-P", "-s", "-m", "model_registry.worker", str(folder)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired as late:
        raise LibraryHung(name, seconds) from late
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _refusal(name: str, flavour: Flavour, raw: bytes) -> Fault:
    try:
        said = json.loads(raw[:1_000_000])
        if "broken" in said:
            broken = said["broken"]
            if broken["kind"] in STARVED:
                return LibraryCrashed(name, f"{broken['kind']} within its limits")
            return LibraryRefused(name, flavour, f"{broken['kind']}: {broken['message']}"[:400])
        return RefusedInside(*(Sentence(en=str(each["en"]), zh=str(each["zh"])) for each in said["faults"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return LibraryCrashed(name, "no readable answer")
