"""Which artifact may run now: permits by artifact digest, and vetoes that end them for good."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from audit.database import Database, DatabaseAway
from audit.entries import Clock, microseconds_of, moment_of
from governance.conditions import Conditions, read_conditions
from governance.tables import UNREGISTERED, epoch, permits, submissions, vetoes
from policies.errors import Refused, Sentence
from policies.roles import covers
from policies.tiers import Tier

logger = logging.getLogger("mingjing.permits")

FALLBACK = "manual_control"


class PermitState(StrEnum):
    """Whether a permit lets its artifact run."""

    LIVE = "live"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Permit:
    """An officer's leave for one artifact to decide, until a day, under conditions."""

    id: str
    submission: str
    model: str
    version: str
    artifact_digest: str
    rulebook_digest: str
    tier: Tier
    since: datetime
    until: datetime
    conditions: Conditions
    state: PermitState


class MayNotRun(Refused):
    """This artifact has no live permit. The plant falls back to manual control."""

    fallback = FALLBACK

    def __init__(self, model: str, why: Sentence, reason: str) -> None:
        super().__init__(
            Sentence(
                en=f"'{model}' may not run: {why.en}; fall back to manual control",
                zh=f"“{model}”不得运行：{why.zh}；请转为人工控制",
            )
        )
        self.model, self.reason = model, reason


@dataclass(frozen=True)
class _Book:
    """One consistent picture of permits and vetoes."""

    epoch: int
    by_model: dict[str, tuple[Permit, ...]]
    vetoed: dict[str, str]
    newest: dict[str, str]  # artifact digest of each model's newest submission
    sites: dict[str, str | None]  # site of each model's newest submission

    def knows(self, model: str, site: str | None) -> bool:
        """Whether a caller of a site may know of the model: it belongs there, or a permit names the site."""
        if site is None or covers(site, self.sites.get(model)):
            return True
        permitted = (permit.conditions.sites or () for permit in self.by_model.get(model, ()))
        return any(covers(site, named) for sites in permitted for named in sites)


class PermitBook:
    """Answers the permit question from memory and looks at the database at most every `fresh_for` seconds.

    A verdict given in another process is seen within that time; one given in this process at once,
    through `forget`.
    """

    def __init__(
        self, database: Database, clock: Clock, monotonic: Callable[[], float], *, fresh_for: float = 0.25
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._fresh_for = fresh_for
        self._lock = threading.Lock()
        self._book: _Book | None = None
        self._looked = self._seen = float("-inf")
        self._failed: float | None = None

    def forget(self) -> None:
        """Read the database at the next question."""
        self._looked = float("-inf")
        self._failed = None

    def live(self, model: str, grace: timedelta, site: str | None = None) -> tuple[Permit, bool]:
        """Return the permit under which `model` runs, and whether only flagged alarms may leave.

        That is so within the grace after a permit's end, and while the database cannot be asked. For a caller of
        a `site`, a model of another site is as unknown as one that is absent.

        Raises
        ------
        MayNotRun
            When the model is unknown, vetoed, suspended, never approved, or lapsed beyond the grace, and when the
            permits cannot be read.
        """
        try:
            book, stale_for = self._current()
        except DatabaseAway as away:
            raise unreachable(model) from away
        if stale_for > grace.total_seconds():
            raise unreachable(model)
        if not book.knows(model, site):
            raise unknown(model)
        now = self._clock()
        held = book.by_model.get(model, ())
        for permit in held:
            if permit.artifact_digest in book.vetoed or permit.state is not PermitState.LIVE:
                continue
            if now < permit.until:
                return permit, stale_for > 0
            if now < permit.until + grace:
                return permit, True
        raise self._refusal(model, book, held, now)

    def require_unvetoed(self, model: str, digest: str) -> None:
        """Raise `MayNotRun` when this artifact was vetoed, under whatever name."""
        book, _ = self._current()
        if digest in book.vetoed:
            raise _vetoed(model, digest, book.vetoed[digest])

    def permits(self) -> tuple[Permit, ...]:
        """Return every permit ever given, newest first within a model."""
        return tuple(permit for held in self._current()[0].by_model.values() for permit in held)

    def _refusal(self, model: str, book: _Book, held: tuple[Permit, ...], now: datetime) -> MayNotRun:
        for permit in held:
            if permit.artifact_digest in book.vetoed:
                return _vetoed(model, permit.artifact_digest, book.vetoed[permit.artifact_digest])
        for permit in held:
            if permit.state is PermitState.SUSPENDED:
                return MayNotRun(
                    model,
                    Sentence(en=f"version {permit.version} is suspended", zh=f"第 {permit.version} 版已暂停"),
                    "suspended",
                )
            if permit.state is PermitState.LIVE and permit.until <= now:
                return MayNotRun(
                    model,
                    Sentence(
                        en=f"the permit of version {permit.version} ended on {permit.until:%Y-%m-%d %H:%M} UTC",
                        zh=f"第 {permit.version} 版的许可已于 {permit.until:%Y-%m-%d %H:%M} UTC 到期",
                    ),
                    "lapsed",
                )
        newest = book.newest.get(model)
        if newest in book.vetoed:
            return _vetoed(model, newest, book.vetoed[newest])
        if newest is not None:
            return MayNotRun(
                model,
                Sentence(en="no version of it holds a permit", zh="没有任何版本获得许可"),
                "not_permitted",
            )
        return unknown(model)

    def _current(self) -> tuple[_Book, float]:
        """Return the book and for how many seconds the database could not be asked, 0 when it was.

        One caller at a time looks; while a look hangs or has just failed, the others answer from memory.
        """
        known = self._fresh()
        if known is not None:
            return known
        if not self._lock.acquire(timeout=self._fresh_for if self._book is not None else -1):
            return self._remembered()
        try:
            return self._fresh() or self._look()
        finally:
            self._lock.release()

    def _fresh(self) -> tuple[_Book, float] | None:
        """Return what is known without asking: a recent picture, or an older one just after a failed look."""
        if self._book is None:
            return None
        now = self._monotonic()
        if now - self._looked < self._fresh_for:
            return self._book, 0.0
        return self._remembered() if self._failed is not None and now - self._failed < self._fresh_for else None

    def _look(self) -> tuple[_Book, float]:
        try:
            with self._database.reading() as connection:
                now = read_epoch(connection)
                if self._book is None or self._book.epoch != now:
                    self._book = _read_book(connection, now)
        except SQLAlchemyError as away:
            if self._book is None:
                raise DatabaseAway(type(away).__name__) from away
            logger.error("the permits cannot be read; answering from memory with flagged alarms only")
            self._failed = self._monotonic()
            return self._remembered()
        self._looked = self._seen = self._monotonic()
        self._failed = None
        return self._book, 0.0

    def _remembered(self) -> tuple[_Book, float]:
        assert self._book is not None, "there is something to remember"
        return self._book, max(self._monotonic() - self._seen, 1e-6)


def unknown(model: str) -> MayNotRun:
    """Return the one refusal for a model that is absent and for one the caller may not know of."""
    return MayNotRun(
        model,
        Sentence(
            en="there is no model of this name here, or it is outside your scope",
            zh="此处没有该名称的模型，或不在您的权限范围内",
        ),
        "unknown",
    )


def unreachable(model: str) -> MayNotRun:
    """Return the refusal for when nobody can say whether the model is permitted."""
    return MayNotRun(model, Sentence(en="the permits cannot be reached", zh="无法查询许可状态"), "unreachable")


def _vetoed(model: str, digest: str, reason: str) -> MayNotRun:
    return MayNotRun(
        model,
        Sentence(
            en=f"its artifact {digest[:12]} was vetoed ({reason})", zh=f"其模型文件 {digest[:12]} 已被否决（{reason}）"
        ),
        "vetoed",
    )


def _read_book(connection: Connection, now: int) -> _Book:
    by_model: dict[str, list[Permit]] = {}
    for row in connection.execute(select(permits).order_by(permits.c.since.desc(), permits.c.id.desc())):
        by_model.setdefault(row.model, []).append(
            Permit(
                id=row.id,
                submission=row.submission,
                model=row.model,
                version=row.version,
                artifact_digest=row.artifact_digest,
                rulebook_digest=row.rulebook_digest,
                tier=Tier(row.tier),
                since=moment_of(row.since),
                until=moment_of(row.until),
                conditions=read_conditions(json.loads(row.conditions)),
                state=PermitState(row.state),
            )
        )
    vetoed = {row.artifact_digest: row.reason for row in connection.execute(select(vetoes))}
    # A vetoed submission that never had a permit is refused as vetoed, not as merely unapproved.
    columns = (submissions.c.model, submissions.c.artifact_digest, submissions.c.site)
    whole = submissions.c.version != UNREGISTERED
    in_order = connection.execute(select(*columns).where(whole).order_by(submissions.c.submitted_at)).all()
    return _Book(
        epoch=now,
        by_model={name: tuple(held) for name, held in by_model.items()},
        vetoed=vetoed,
        newest={row.model: row.artifact_digest for row in in_order},
        sites={row.model: row.site for row in in_order},
    )


def read_epoch(connection: Connection) -> int:
    """Return the number that grows with every change of permits, vetoes or submissions."""
    return int(connection.execute(select(epoch.c.value).where(epoch.c.name == "permits")).scalar() or 0)


def bump_epoch(connection: Connection) -> None:
    """Tell every process that permits changed. Call it in the transaction that changes them."""
    done = connection.execute(update(epoch).where(epoch.c.name == "permits").values(value=epoch.c.value + 1))
    if done.rowcount == 0:
        connection.execute(insert(epoch).values(name="permits", value=1))


def give_permit(connection: Connection, permit: Permit) -> None:
    """Write a permit and end every other live one of the same model, in one transaction."""
    connection.execute(
        update(permits)
        .where(permits.c.model == permit.model, permits.c.state != PermitState.ENDED.value)
        .values(state=PermitState.ENDED.value)
    )
    connection.execute(
        insert(permits).values(
            id=permit.id,
            submission=permit.submission,
            model=permit.model,
            version=permit.version,
            artifact_digest=permit.artifact_digest,
            rulebook_digest=permit.rulebook_digest,
            tier=int(permit.tier),
            since=microseconds_of(permit.since),
            until=microseconds_of(permit.until),
            conditions=json.dumps(permit.conditions.as_json(), ensure_ascii=False),
            state=permit.state.value,
        )
    )
    bump_epoch(connection)
