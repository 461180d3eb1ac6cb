"""The process in which foreign libraries run: limits first, then one job from a folder, one answer into it.

Started by `model_registry.sandbox` as `python -m model_registry.worker FOLDER`; not for people.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
import warnings
from pathlib import Path

NEW_USER, NEW_NETWORK, NO_NEW_PRIVILEGES = 0x10000000, 0x40000000, 38
"""Flags of unshare(2) and the option of prctl(2)."""

JOB, ROWS, ANSWER, REFUSAL = "job.json", "rows.bin", "answer.bin", "refusal.json"


def main(folder: Path) -> None:
    """Do the job in `folder`; leave `answer.bin`, or `refusal.json` with sentences."""
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    limit(job["memory"], job["seconds"], job["file_bytes"])
    leave_the_network()
    # imported under the limits, after them: a library that misbehaves when imported is held too
    from policies.errors import Fault

    warnings.simplefilter("ignore")  # a library's opinions on versions go nowhere from here
    try:
        answer = _answer(job, folder)
    except Fault as fault:
        _write(folder / REFUSAL, json.dumps({"faults": [said.as_json() for said in fault.faults]}).encode())
    except Exception as error:  # noqa: BLE001 - whatever a library raises about a stranger's file is one refusal
        said = {"kind": type(error).__name__, "message": " ".join(str(error).split())[:300]}
        _write(folder / REFUSAL, json.dumps({"broken": said}).encode())
    else:
        _write(folder / ANSWER, answer)


def limit(memory: int, seconds: int, file_bytes: int) -> None:
    """Bound this process: address space, processor time, size of any file it writes, no core dump."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    later = seconds + 5  # the first bound ends with a signal that says why, the second without mercy
    if hard == resource.RLIM_INFINITY or hard > later:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, later))


def leave_the_network() -> bool:
    """Move this process into a network of its own without any line out, and forbid it new privileges.

    Returns whether the kernel allowed it. Where it does not (some containers), the limits above still hold, and
    what runs here is a library reading data, not code from a submission.
    """
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(system.unshare(NEW_NETWORK) == 0 or system.unshare(NEW_USER | NEW_NETWORK) == 0)


def _answer(job: dict[str, object], folder: Path) -> bytes:
    artifact = Path(str(job["artifact"]))
    if job["task"] == "read":
        from model_registry.estimators import read_estimator
        from model_registry.portable import pack_predictor

        return pack_predictor(read_estimator(artifact))
    from model_registry.bundle import pack, unpack
    from model_registry.native import score_natively
    from policies.declaration import Flavour

    arrays, said = unpack((folder / ROWS).read_bytes())
    categories = tuple((int(column), tuple(labels)) for column, labels in said["categories"])
    kind, scores = score_natively(Flavour(str(job["flavour"])), artifact, arrays["rows"], categories)
    return pack({"answer": scores}, {"kind": kind})


def _write(path: Path, content: bytes) -> None:
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
