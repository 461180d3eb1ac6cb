"""The process in which an ONNX model runs: limits first, then the runtime, then rows in and scores out.

Started by `model_registry.onnx_model` as `python -m model_registry.onnx_worker MEMORY SECONDS IDLE`; not for people.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping

from model_registry.answering import Answer, answer_frames
from model_registry.bundle import Array
from model_registry.worker import leave_the_network

OPEN_FILES = 64


def main(memory: int, seconds: float, idle: float) -> None:
    """Bound this process, then answer until nobody asks any more."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    ):
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))
    leave_the_network()
    answer_frames(begin, idle_seconds=idle, call_seconds=seconds)


def begin(arrays: Mapping[str, Array], said: Mapping[str, object]) -> Answer:
    """Open the model in `arrays["model"]`; answer the matrix `rows` with the vector `scores`."""
    from explainers.onnx_model import (
        open_session,
        scores_by_row,
    )  # under the limits: what misbehaves on import is held too

    session = open_session(arrays["model"].tobytes())

    def answer(arrays: Mapping[str, Array], said: Mapping[str, object]) -> tuple[dict[str, Array], dict[str, object]]:
        return {"scores": scores_by_row(session, arrays["rows"])}, {}

    return answer


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
