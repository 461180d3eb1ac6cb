"""Models that are code, made anew by code, and whether this machine can hold them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from model_registry.bubblewrap import NoSandbox, bubblewrap


def missing() -> str | None:
    """Why this machine has no box; None when it has one."""
    try:
        bubblewrap()
    except NoSandbox as fault:
        return fault.says.en
    return None


WITHOUT_BOX = missing()
needs_box = pytest.mark.skipif(WITHOUT_BOX is not None, reason=f"{WITHOUT_BOX}")
"""Skips by name where the kernel makes no box."""

MODEL = """
import os, sys, numpy as np
class Model:
    n_features_in_ = 2
    def predict(self, X):
        return score(X)
"""


class Source:
    """Runs Python source when it is unpickled, and becomes the `Model` that it defines."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __reduce__(self) -> Any:
        return eval, (f"(lambda g: (exec({MODEL + self.source!r}, g), g['Model']())[1])({{}})",)


def code(source: str) -> bytes:
    """A pickle that runs `source` when opened; `score(X)` in it answers rows."""
    return pickle.dumps(Source(source))


def score_of(statement: str) -> str:
    """Source of a model that does something when it is asked, and then answers zeros."""
    body = "\n".join(f"    {line}" for line in statement.strip("\n").splitlines())
    return f"def score(X):\n{body}\n    return np.zeros(len(X))\n"


def tries(*expressions: str) -> str:
    """Source of a model that answers in how many of these things it succeeded. None of them raises when it does."""
    listed = "\n".join(f"    lambda: {each}," for each in expressions)
    return f"""
import ctypes, glob, resource, socket, stat, subprocess, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def called(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), 'refused')
    return True
def must(held):
    if not held:
        raise OSError('not so')
ATTEMPTS = (
{listed}
)
def score(X):
    done = 0
    for attempt in ATTEMPTS:
        try:
            attempt()
            done += 1
        except BaseException:
            pass
    return np.full(len(X), float(done))
"""


def written(folder: Path, content: bytes, name: str = "model.pkl") -> Path:
    """Write an artifact and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name
