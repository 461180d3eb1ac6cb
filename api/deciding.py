"""The ordinary road of a call: a queue that does not grow, a key that decides once, and alarms that never wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from api.patience import Patience
from api.readiness import Readiness
from audit.decided import Decided
from audit.served_model import ServedModel
from governance.callers_rows import NamedRows
from governance.serving import Serving
from policies.roles import Person


class Once(Protocol):
    """Decides a request under a key once; see `governance.repeats.Repeats`."""

    def once(self, key: str, request: bytes, by: Person, decide: Callable[[], Decided]) -> tuple[Decided, bool]:
        """Return what was decided, and whether it had been before."""
        ...


class Tokens(Protocol):
    """Knows who holds a token."""

    def by_token(self, token: str) -> Person:
        """Return the holder. Raises NotSignedIn."""
        ...


class Decider(Protocol):
    """What the predict path needs of a house; an edge box has no more."""

    @property
    def serving(self) -> Serving:
        """Decides."""
        ...

    @property
    def people(self) -> Tokens:
        """Knows callers."""
        ...

    @property
    def readiness(self) -> Readiness:
        """Says whether decisions can be made now."""
        ...

    @property
    def repeats(self) -> Once:
        """Knows keys."""
        ...


@dataclass(frozen=True, kw_only=True)
class Question:
    """Rows that somebody wants decided. `key` is his Idempotency-Key, `sent` what must be the same under it."""

    model: str
    rows: pd.DataFrame | NamedRows | np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    purpose: str | None
    by: Person
    subjects: Sequence[object] | None
    key: str | None = None
    sent: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of it, with which version, and whether the key had decided it before."""

    served: ServedModel
    decided: Decided
    repeated: bool = False


async def answer(service: Decider, patience: Patience, asked: Question) -> Answered:
    """Decide in a thread; when that takes too long, or too many wait, answer only the alarms.

    Raises
    ------
    NoTime, ShareExceeded, MayNotRun, PurposeRefused, WrongPurpose, NotAllowed, Malformed, KeyReused, StillDeciding
    """
    return await patience.decide(
        asked.by.name, len(asked.rows), lambda: _decided(service, asked), lambda: _alarms_only(service, asked)
    )


def _decided(service: Decider, asked: Question) -> Answered:
    serving, by = service.serving, asked.by
    found: list[ServedModel] = []

    def decide() -> Decided:
        served, decided = serving.decide_with(
            asked.model, asked.rows, purpose=asked.purpose, by=by, subjects=asked.subjects
        )
        found.append(served)
        return decided

    if asked.key is None:
        decided = decide()
        return Answered(served=found[0], decided=decided)
    sent = b"\0".join((asked.model.encode(), (asked.purpose or "").encode(), asked.sent))
    decided, repeated = service.repeats.once(asked.key, sent, by, decide)
    # What was decided under a permit is not given again without one.
    served = serving.served(asked.model, by) if repeated else found[0]
    return Answered(served=served, decided=decided, repeated=repeated)


def _alarms_only(service: Decider, asked: Question) -> Answered:
    served, decided = service.serving.alarms_only(
        asked.model, asked.rows, purpose=asked.purpose, by=asked.by, subjects=asked.subjects
    )
    return Answered(served=served, decided=decided)
