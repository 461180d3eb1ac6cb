"""The process in which foreign libraries run: limits first, then one job from a folder, one answer into it.

Started by `model_registry.sandbox` as `python -m model_registry.worker FOLDER`; not for people.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from pathlib import Path

JOB, ROWS, ANSWER, REFUSAL = "job.json", "rows.bin", "answer.bin", "refusal.json"


def main(folder: Path) -> None:
    """Do the job in `folder`; leave `answer.bin`, or `refusal.json` with sentences."""
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    limit(job["memory"], job["seconds"], job["file_bytes"])
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
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def _answer(job: dict[str, object], folder: Path) -> bytes:
    from model_registry.native import read_estimator, score_natively
    from model_registry.portable import pack, pack_predictor, unpack
    from policies.declaration import Flavour

    artifact = Path(str(job["artifact"]))
    if job["task"] == "read":
        return pack_predictor(read_estimator(artifact))
    arrays, said = unpack((folder / ROWS).read_bytes())
    categories = tuple((int(column), tuple(labels)) for column, labels in said["categories"])
    kind, scores = score_natively(Flavour(str(job["flavour"])), artifact, arrays["rows"], categories)
    return pack({"answer": scores}, {"kind": kind})


def _write(path: Path, content: bytes) -> None:
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
