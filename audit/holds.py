"""Legal holds: what must not be erased whatever its age, who said so and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.database import Database, Writer
from audit.entries import Draft, Receipt, identifier_bytes, identifier_text, microseconds_of, moment_of, new_identifier
from audit.log_writer import Batch
from audit.trace_log import TraceLog
from policies.errors import Conflict, Malformed, NotFound, Sentence


class NoSuchHold(NotFound):
    """There is no hold with this id."""

    def __init__(self, id: str) -> None:
        super().__init__(Sentence(en=f"there is no legal hold {id}", zh=f"没有编号为 {id} 的法定保全"))


class HoldLifted(Conflict):
    """The hold was lifted before."""

    def __init__(self, id: str) -> None:
        super().__init__(Sentence(en=f"the legal hold {id} was lifted before", zh=f"法定保全 {id} 此前已解除"))


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Entries of a model, a subject or everyone, made from `since` up to but without `until`, stay.

    Statements about what is held stay with it. `lifted` is None while the hold stands.
    """

    id: str
    model: str | None
    subject: str | None
    since: datetime
    until: datetime
    reason: str
    lifted: datetime | None = None

    def covers(self, model: str | None, subject: str | None, time: datetime) -> bool:
        """Return whether an entry falls under this hold while it stands."""
        return (
            self.lifted is None
            and self.model in (None, model)
            and self.subject in (None, subject)
            and self.since <= time < self.until
        )


def place_hold(
    log: TraceLog,
    *,
    since: datetime,
    until: datetime,
    reason: str,
    actor: str,
    model: str | None = None,
    subject: str | None = None,
) -> Hold:
    """Place a legal hold and write it into the log.

    Raises
    ------
    Malformed
        Without a reason, or when `until` does not follow `since`.
    """
    faults = []
    if not reason.strip():
        faults.append(Sentence(en="a legal hold needs a reason", zh="法定保全须写明理由"))
    if until <= since:
        faults.append(Sentence(en="a legal hold must end after it begins", zh="法定保全的截止时间须晚于起始时间"))
    if faults:
        raise Malformed(*faults)
    now = microseconds_of(log.clock())
    raw = new_identifier(now)
    hold = Hold(id=identifier_text(raw), model=model, subject=subject, since=since, until=until, reason=reason)
    said = {
        "hold": hold.id,
        "model": model,
        "subject": subject,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "reason": reason,
    }

    def store(writer: Writer) -> None:
        row = (raw, model, subject, microseconds_of(since), microseconds_of(until), reason)
        writer.insert("log_holds", ("id", "model", "subject", "since", "until", "reason"), [row])

    log.commit(Batch((_act(said, actor, model),), now, log.source, also=store))
    return hold


def lift_hold(log: TraceLog, id: str, *, reason: str, actor: str) -> Receipt:
    """Lift a legal hold and write that into the log; what is overdue goes with the next expiry.

    Raises
    ------
    NoSuchHold, HoldLifted
    """
    found = next((hold for hold in holds(log.database, lifted=True) if hold.id == id), None)
    if found is None:
        raise NoSuchHold(id)
    if found.lifted is not None:
        raise HoldLifted(id)
    now = microseconds_of(log.clock())

    def store(writer: Writer) -> None:
        writer.rows("UPDATE log_holds SET lifted = ? WHERE id = ?", now, identifier_bytes(id))

    said = {"lifted": id, "reason": reason}
    return log.commit(Batch((_act(said, actor, found.model),), now, log.source, also=store))[0]


def holds(database: Database, *, lifted: bool = False) -> tuple[Hold, ...]:
    """Return the holds that stand, oldest first; with `lifted=True` those that were lifted too."""
    rows = database.rows("SELECT id, model, subject, since, until, reason, lifted FROM log_holds ORDER BY id")
    found = map(_hold, rows)
    return tuple(hold for hold in found if lifted or hold.lifted is None)


def _act(said: dict[str, Any], actor: str, model: str | None) -> Draft:
    payload = json.dumps(said, sort_keys=True, ensure_ascii=False).encode()
    return Draft(kind="hold", payload=payload, actor=actor, model=model)


def _hold(row: tuple[Any, ...]) -> Hold:
    id, model, subject, since, until, reason, lifted = row
    return Hold(
        id=identifier_text(bytes(id)),
        model=model,
        subject=subject,
        since=moment_of(since),
        until=moment_of(until),
        reason=reason,
        lifted=None if lifted is None else moment_of(lifted),
    )
