"""How the kernels are compiled: once, kept beside the package, or only in memory where that is read-only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Kernel], Kernel]:
    """Compile with numba, keeping the machine code on disk where there is a folder to keep it in.

    No relaxed floating point: one row and many rows give the same bits only if nothing is reordered.
    """

    def decorate(function: Kernel) -> Kernel:
        wanted: dict[str, Any] = {"nogil": True, "error_model": "numpy", **options}
        try:
            made: Kernel = numba.njit(cache=True, **wanted)(function)
        except RuntimeError:  # numba found no writable folder for its cache
            made = numba.njit(**wanted)(function)
        return made

    return decorate
