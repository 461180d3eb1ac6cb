"""What still has to be told, durable until it is: a row for each notice and channel, tried with growing pauses."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.notifying.notices import Notice
from audit.database import Database
from audit.entries import Clock, identifier_text, microseconds_of, moment_of, new_identifier
from governance.tables import epoch, outbox
from policies.errors import Fault, Unavailable

logger = logging.getLogger("mingjing.notifying")

PAUSES = (1, 5, 30, 120, 360, 720, 1440)
"""Minutes after each failed try; after the last one the row is given up, and kept so that somebody sees it."""

LEASE = timedelta(minutes=5)
"""How long a row belongs to the process that took it up; one that dies meanwhile leaves it to the next."""

AT_ONCE = 20
KEPT = timedelta(days=30)
PLACE = "notices"
"""Under which name the place in the log is kept up to which everything has been told."""

GAVE_UP = "gave_up"


class Channel(Protocol):
    """One way out."""

    @property
    def name(self) -> str:
        """The same in every process, and nothing secret."""
        ...

    def wants(self, kind: str) -> bool:
        """Whether notices of this kind go here."""
        ...

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:
        """Hand one notice over. Raises a Fault: Unavailable to be tried again, any other to be given up."""
        ...


@dataclass(frozen=True, kw_only=True)
class OutboxState:
    """How many messages wait, and how many were given up."""

    waiting: int
    gave_up: int


class Outbox:
    """Keeps notices for channels and hands them over, at least once each."""

    def __init__(self, database: Database, clock: Clock, channels: tuple[Channel, ...]) -> None:
        self._database = database
        self._clock = clock
        self.channels = channels

    def put(self, notices: Iterable[Notice]) -> int:
        """Keep notices for every channel that wants them; one that is known already is left as it is."""
        kept = 0
        for notice in notices:
            for channel in self.channels:
                if channel.wants(notice.kind):
                    kept += self._put(channel.name, notice)
        return kept

    def told_up_to(self) -> int | None:
        """Return the place in the log up to which everything was put here; None before the first time."""
        with self._database.reading() as connection:
            found = connection.execute(select(epoch.c.value).where(epoch.c.name == PLACE)).scalar()
        return None if found is None else int(found)

    def note_told(self, place: int) -> None:
        """Remember the place in the log up to which everything was put here; it never goes back."""
        with self._database.writing() as connection:
            ahead = update(epoch).where(epoch.c.name == PLACE, epoch.c.value < place).values(value=place)
            if not connection.execute(ahead).rowcount:
                known = connection.execute(select(epoch.c.value).where(epoch.c.name == PLACE)).scalar()
                if known is None:
                    connection.execute(insert(epoch).values(name=PLACE, value=place))

    def send_due(self) -> int:
        """Hand over what is due; return how many messages were taken."""
        known = {channel.name: channel for channel in self.channels}
        taken, away = 0, set()
        for row in self._due():
            if row.channel not in known or row.channel in away:
                continue  # a channel that is away holds nobody up twice; the lease ends and the row is taken up anew
            sent = self._send(row, known[row.channel])
            taken += sent
            if not sent:
                away.add(row.channel)
        return taken

    def state(self) -> OutboxState:
        """Return how many messages wait and how many were given up."""
        with self._database.reading() as connection:
            count = select(outbox.c.state, func.count()).group_by(outbox.c.state)
            found = {str(state): int(number) for state, number in connection.execute(count)}
        return OutboxState(waiting=found.get("waiting", 0), gave_up=found.get(GAVE_UP, 0))

    def forget_old(self, still_found: Iterable[str] = ()) -> None:
        """Delete messages that were taken more than thirty days ago.

        Those whose key is still found stay: forgotten, they would be told a second time.
        """
        before, keys = microseconds_of(self._clock() - KEPT), set(still_found)
        old = (outbox.c.state == "sent", outbox.c.due < before)
        with self._database.writing() as connection:
            known = connection.execute(select(outbox.c.id, outbox.c.key).where(*old)).all()
            for row in known:
                if row.key not in keys:
                    connection.execute(delete(outbox).where(outbox.c.id == row.id, *old))

    def _put(self, channel: str, notice: Notice) -> bool:
        now = microseconds_of(self._clock())
        facts = {"kind": notice.kind, "at": microseconds_of(notice.at), "facts": dict(notice.facts)}
        row = {
            "id": identifier_text(new_identifier(now)),
            "channel": channel,
            "key": notice.key,
            "notice": json.dumps(facts, ensure_ascii=False, sort_keys=True),
            "state": "waiting",
            "tries": 0,
            "due": now,
            "error": None,
        }
        try:
            with self._database.writing() as connection:
                same = select(outbox.c.id).where(outbox.c.channel == channel, outbox.c.key == notice.key)
                if connection.execute(same).first() is not None:
                    return False
                connection.execute(insert(outbox).values(row))
        except IntegrityError:  # another process was quicker
            return False
        return True

    def _due(self) -> list[Row[Any]]:
        """Take up what is due, so that no other process does meanwhile."""
        now = self._clock()
        due = (outbox.c.state == "waiting", outbox.c.due <= microseconds_of(now))
        taken = []
        with self._database.writing() as connection:
            for row in connection.execute(select(outbox).where(*due).order_by(outbox.c.due).limit(AT_ONCE)).all():
                lease = update(outbox).where(outbox.c.id == row.id, *due).values(due=microseconds_of(now + LEASE))
                if connection.execute(lease).rowcount == 1:
                    taken.append(row)
        return taken

    def _send(self, row: Row[Any], channel: Channel) -> int:
        try:
            channel.send(row.id, _notice(row), self._clock())
        except Unavailable as away:
            self._tried(row, away)
            return 0
        except Fault as refused:
            self._settle(row, GAVE_UP, str(refused))
            logger.error("a notice was given up: %s", refused)
            return 0
        except Exception as error:  # noqa: BLE001 - one channel that breaks must not keep the others from hearing
            self._tried(row, error)
            return 0
        self._settle(row, "sent", None)
        return 1

    def _tried(self, row: Row[Any], error: Exception) -> None:
        if row.tries >= len(PAUSES):
            self._settle(row, GAVE_UP, str(error))
            logger.error("a notice was given up after %d tries: %s", row.tries + 1, type(error).__name__)
            return
        later = microseconds_of(self._clock() + timedelta(minutes=PAUSES[row.tries]))
        values = {"tries": row.tries + 1, "due": later, "error": str(error)[:400]}
        with self._database.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(values))

    def _settle(self, row: Row[Any], state: str, error: str | None) -> None:
        values: Mapping[str, object] = {
            "state": state,
            "tries": row.tries + 1,
            "due": microseconds_of(self._clock()),
            "error": None if error is None else error[:400],
        }
        with self._database.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(values))


def _notice(row: Row[Any]) -> Notice:
    said = json.loads(row.notice)
    return Notice(kind=said["kind"], key=row.key, at=moment_of(said["at"]), facts=said["facts"])
