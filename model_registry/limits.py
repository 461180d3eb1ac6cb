"""How large a thing from outside may be, and how long a foreign library may run on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that hold before anything is read. All sizes are in bytes.

    Parameters
    ----------
    declaration_bytes : int
        Size of `submission.toml`.
    data_bytes : int
        Size of one data file, and of its cells once unpacked (8 bytes each); above it a file is refused
        before it is read, so a large file never pushes the machine into its swap.
    artifact_bytes : int
        Size of the model file, or of all files of a model folder together.
    files : int
        Files in a model folder or in a zip.
    unpacked_bytes : int
        What a zip may hold once unpacked.
    worker_bytes : int
        Address space of the process that runs a training library.
    worker_seconds : float
        Wall clock and processor time of that process.
    code_seconds : float
        Processor time a model that is code may take over its whole life; one call lasts `worker_seconds` at most.
    """

    declaration_bytes: int = 1_000_000
    data_bytes: int = 500_000_000
    artifact_bytes: int = 1_000_000_000
    files: int = 1_000
    unpacked_bytes: int = 2_000_000_000
    worker_bytes: int = 6_000_000_000
    worker_seconds: float = 120.0
    code_seconds: float = 1_800.0


DEFAULT_LIMITS = Limits()
