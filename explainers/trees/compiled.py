"""How the kernels are compiled and spread over threads; compiled once, kept on disk where there is a place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt


def _digest_of_sources() -> str:
    """Return the digest of every file in this folder: kernels call each other across files."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


SOURCES = _digest_of_sources()

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Kernel], Kernel]:
    """Compile with numba, keeping the machine code on disk where there is a folder to keep it in.

    No relaxed floating point: one row and many rows give the same bits only if nothing is reordered.
    """

    def decorate(function: Kernel) -> Kernel:
        wanted: dict[str, Any] = {"nogil": True, "error_model": "numpy", **options}
        try:
            made: Any = numba.njit(cache=True, **wanted)(function)
            # numba compares a kernel with its own file only; a changed kernel it calls would go unseen
            made._cache._cache_file._source_stamp = SOURCES
        except (RuntimeError, AttributeError):  # no writable folder, or a numba that keeps its cache elsewhere
            made = numba.njit(**wanted)(function)
        kernel: Kernel = made
        return kernel

    return decorate


FEWEST = 256
"""Rows below which a second thread costs more than it brings."""


def in_threads(
    function: Callable[[npt.NDArray[np.float64]], tuple[npt.NDArray[np.float64], ...]],
    X: npt.NDArray[np.float64],
    threads: int,
) -> tuple[npt.NDArray[np.float64], ...]:
    """Return `function(X)`, rows dealt out to threads in equal parts; kernels release the interpreter's lock."""
    parts = min(threads, len(X) // FEWEST)
    if parts < 2:
        return function(X)
    first, *others = np.array_split(X, parts)
    with ThreadPoolExecutor(parts - 1) as pool:
        waiting = [pool.submit(function, rows) for rows in others]
        done = [function(first), *(part.result() for part in waiting)]  # the caller works as well
    return tuple(np.concatenate(pieces) for pieces in zip(*done, strict=True))
