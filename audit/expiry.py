"""What must go and when: decisions after their days, one person's records on request, nothing that is held.

Age is counted by the log's own checkpoints, not by the clock of the moment: an entry is as old as the time that
passed since the first checkpoint over it, and a gap between two checkpoints counts for at most a week. A clock
that jumps a year ahead therefore expires nothing early; a plant that stood still keeps its records longer, unless
a person confirms that the clock is right. Every run leaves a `health` entry, so a daily run counts every day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from audit.entries import Draft, Receipt, microseconds_of, moment_of
from audit.erasure import Going, erase, renew_wrapping, wipe
from audit.holds import Hold, holds
from audit.log_writer import Batch
from audit.retention import FLOOR_DAYS, Retention, floor_of
from audit.subject_index import about_subjects
from audit.trace_log import TraceLog
from policies.errors import Malformed, Refused, Sentence

EXPIRING = ("decision", "review", "override", "appeal", "answer", "outcome")
"""Kinds whose content goes; acts of governance and of the log itself name no subject of a decision and stay."""

GAP_DAYS = 7
LOOKED_AT_ONCE = 5000

_DAY = 86_400_000_000


class TwoPairsOfEyes(Refused):
    """Early erasure needs two different people."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="erasing records before their time needs two different people to approve it",
                zh="提前删除记录须由两名不同人员批准",
            )
        )


@dataclass(frozen=True)
class Expired:
    """What one run erased, what it left because of a hold, and its `erase` entries."""

    erased: int
    held: int
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True)
class Forgotten:
    """What an early erasure did: erased at once, restricted until the floor, left because of a hold."""

    erased: int
    restricted: int
    held: int


@dataclass(frozen=True)
class _Candidate:
    index: int
    id: bytes
    time: datetime
    model: str | None
    subject: str | None
    about: bytes | None
    payload_key: int


def expire(
    log: TraceLog,
    *,
    by_model: Mapping[str, Retention] | None = None,
    actor: str | None = None,
    clock_confirmed_by: str | None = None,
) -> Expired:
    """Erase what is over its days and not held, and write into the log what went.

    Parameters
    ----------
    log : TraceLog
    by_model : mapping, optional
        Retention of models whose tier asks for another than the log's own.
    actor : str, optional
        Who started it; None for the daily run.
    clock_confirmed_by : str, optional
        Who vouches that the clock is right although more than a week passed without a checkpoint.

    Returns
    -------
    Expired
    """
    said = {"run": "expiry", "clock_confirmed_by": clock_confirmed_by}
    log.append([Draft(kind="health", payload=json.dumps(said, ensure_ascii=False).encode(), actor=actor)])
    log.checkpoint()
    standing, age = _Standing(log), _Ages(log, None if clock_confirmed_by else GAP_DAYS)
    erased, held = 0, 0
    receipts: list[Receipt] = []
    for candidates in _overdue(log, by_model or {}, age):
        free = [one for one in candidates if not standing.covers(one)]
        held += len(candidates) - len(free)
        erased += len(free)
        receipts += erase(log, _going(free), reason="retention", actor=actor)
    if erased:
        renew_wrapping(log.database, log.wrapping)
    wipe(log.database)  # on every run: an earlier one may have found a reader in its way
    return Expired(erased, held, tuple(receipts))


def forget_subject(log: TraceLog, subject: str, *, approvers: Sequence[str], reason: str) -> Forgotten:
    """Erase one person's records before their time (PIPL 47, GDPR 17).

    What is under the legal floor is restricted: stored, no longer used, erased at the floor. What is held stays.

    Parameters
    ----------
    subject : str
        The pseudonym.
    approvers : two different user names
    reason : str

    Raises
    ------
    TwoPairsOfEyes
    Malformed
        Without a reason.
    """
    if len(set(approvers)) < 2:
        raise TwoPairsOfEyes
    if not reason.strip():
        raise Malformed(Sentence(en="an early erasure needs a reason", zh="提前删除须写明理由"))
    log.checkpoint()
    standing = _Standing(log)
    mine = _candidates(log, about_subjects(), [subject])
    free = [one for one in mine if not standing.covers(one)]
    age = _Ages(log, GAP_DAYS)
    over = [one for one in free if age.over(one, FLOOR_DAYS) and floor_of(one.time) <= log.clock()]
    under = [one for one in free if one not in over]
    said = {"reason": reason, "approvers": list(approvers)}
    if under:
        _restrict(log, under, said)
    if over:
        erase(log, _going(over), reason=json.dumps(said, ensure_ascii=False, sort_keys=True), actor=approvers[0])
        renew_wrapping(log.database, log.wrapping)
        wipe(log.database)
    return Forgotten(len(over), len(under), len(mine) - len(free))


def _restrict(log: TraceLog, under: Sequence[_Candidate], said: Mapping[str, object]) -> None:
    places = [one.index for one in under]
    payload = json.dumps({**said, "restricted": places}, ensure_ascii=False, sort_keys=True).encode()
    rows = [(one.index, microseconds_of(floor_of(one.time))) for one in under]

    def store(writer: Any) -> None:
        known = {row[0] for row in writer.rows("SELECT entry FROM log_restrictions")}
        writer.insert("log_restrictions", ("entry", "due"), [row for row in rows if row[0] not in known])

    draft = Draft(kind="restrict", payload=payload)
    log.commit(Batch((draft,), microseconds_of(log.clock()), log.source, also=store))


def _overdue(log: TraceLog, by_model: Mapping[str, Retention], age: _Ages) -> Iterator[list[_Candidate]]:
    """Entries whose days are over, or that are restricted and reached the floor, in portions."""
    now = log.clock()
    others = "".join(" AND coalesce(m.name, '') <> ?" for _ in by_model)
    groups: list[tuple[Retention, str, list[object]]] = [(log.retention, f"1 = 1{others}", list(by_model))]
    groups += [(retention, "m.name = ?", [name]) for name, retention in by_model.items()]
    for retention, which, values in groups:
        clause = f"{which} AND e.number < ? AND e.time <= ?"
        yield from _portions(log, clause, [*values, age.places(retention.days), _latest(retention, now)])
    clause = "e.number < ? AND e.number IN (SELECT entry FROM log_restrictions WHERE due <= ?)"
    yield from _portions(log, clause, [age.places(FLOOR_DAYS), microseconds_of(now)])


def _portions(log: TraceLog, clause: str, values: list[object]) -> Iterator[list[_Candidate]]:
    after = -1
    while True:
        found = _candidates(log, f"{clause} AND e.number > ?", [*values, after], LOOKED_AT_ONCE)
        if not found:
            return
        after = found[-1].index
        yield found


def _candidates(log: TraceLog, clause: str, values: list[object], limit: int | None = None) -> list[_Candidate]:
    kinds = ", ".join(f"'{kind}'" for kind in EXPIRING)
    end = "" if limit is None else f" LIMIT {limit}"
    rows = log.database.rows(
        "SELECT e.number, e.id, e.time, m.name, e.subject, e.about, p.payload_key FROM log_entries e"
        " JOIN log_payloads p ON p.entry = e.number LEFT JOIN log_models m ON m.number = e.model"
        f" WHERE {clause} AND e.kind IN ({kinds}) AND p.sealed IS NOT NULL ORDER BY e.number{end}",
        *values,
    )
    return [
        _Candidate(number, bytes(id), moment_of(time), model, subject, None if about is None else bytes(about), key)
        for number, id, time, model, subject, about, key in rows
    ]


def _going(candidates: Sequence[_Candidate]) -> list[Going]:
    return [Going(one.index, one.payload_key) for one in candidates]


def _latest(retention: Retention, now: datetime) -> int:
    """The latest time of an entry that may go now."""
    moment = now - timedelta(days=retention.days)
    while retention.until(moment) > now:
        moment -= timedelta(hours=1)
    return microseconds_of(moment)


class _Ages:
    """How old places of the log are, counted by its checkpoints; a gap counts for at most so many days."""

    def __init__(self, log: TraceLog, gap_days: int | None) -> None:
        most = None if gap_days is None else gap_days * _DAY
        rows = log.database.rows("SELECT size, time FROM log_checkpoints ORDER BY size")
        self._marks: list[tuple[int, int]] = []
        counted, before = 0, None
        for size, time in [*rows, (None, microseconds_of(log.clock()))]:
            if before is not None:
                gap = max(time - before, 0)
                counted += gap if most is None else min(gap, most)
            before = time
            if size is not None:
                self._marks.append((size, counted))
        self._now = counted

    def places(self, days: int) -> int:
        """Return how many places from the start are at least so many days old."""
        return max((size for size, counted in self._marks if self._now - counted >= days * _DAY), default=0)

    def over(self, one: _Candidate, days: int) -> bool:
        """Return whether an entry is at least so many days old."""
        return one.index < self.places(days)


class _Standing:
    """The holds that stand, and whether one covers an entry or anything it is a statement about."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log
        self._holds: tuple[Hold, ...] = holds(log.database)

    def covers(self, one: _Candidate) -> bool:
        if not self._holds:
            return False
        if any(hold.covers(one.model, one.subject, one.time) for hold in self._holds):
            return True
        about = one.about
        while about is not None:
            rows = self._log.database.rows(
                "SELECT e.time, m.name, e.subject, e.about FROM log_entries e"
                " LEFT JOIN log_models m ON m.number = e.model WHERE e.id = ?",
                about,
            )
            if not rows:
                return False
            time, model, subject, about = rows[0]
            if any(hold.covers(model, subject, moment_of(time)) for hold in self._holds):
                return True
        return False
