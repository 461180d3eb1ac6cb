"""Long work that somebody asked for: queued, done by one worker, watched while it runs, cancelled, never lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from audit.database import Database
from audit.entries import Clock, identifier_text, microseconds_of, moment_of, new_identifier
from governance.tables import jobs
from policies.errors import Conflict, Sentence, field_of
from policies.roles import Person, absent

SILENT_FOR = timedelta(seconds=60)
"""A worker that has not been heard of for this long is taken for dead, and its job is begun again."""

TRIES = 3
"""How often a job is begun: one that kills every worker must not be begun for ever."""


class JobState(StrEnum):
    """Where a job is. The last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.QUEUED, JobState.RUNNING)


class Cancelled(Exception):
    """The person who asked for a job no longer wants it. No fault of anybody's, so no `Fault`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of long work.

    Attributes
    ----------
    kind : str
        What is to be done, such as "submission".
    by : str
        Account that asked, and the only one that sees the job.
    title : str
        What people call it: the name of the file handed in.
    step, share : str, float
        What is being done now, and how far it is, from 0 to 1.
    cancelling : bool
        The person asked to stop; the worker stops before its next step.
    result : str or None
        Where a finished job led, such as the id of a submission.
    faults : tuple of Sentence
        Why a job failed, everything at once.
    """

    id: str
    kind: str
    by: str
    title: str
    state: JobState
    step: str
    share: float
    cancelling: bool
    asked_at: datetime
    ended_at: datetime | None
    tries: int
    result: str | None
    faults: tuple[Sentence, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in OPEN

    def as_json(self) -> dict[str, object]:
        """Return the job as its address shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "state": self.state.value,
            "step": self.step,
            "share": self.share,
            "cancelling": self.cancelling,
            "asked_at": self.asked_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "result": self.result,
            "faults": [fault.as_json() for fault in self.faults],
        }


class JobBook:
    """Jobs in the database, so that queue and state are one thing and outlive every process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def new_id(self) -> str:
        """Return an id for a job, so that what it needs can lie ready before it is asked for."""
        return identifier_text(new_identifier(microseconds_of(self._clock())))

    def ask(
        self,
        job: str,
        kind: str,
        title: str,
        *,
        by: Person,
        along: Callable[[Connection], None] = lambda _connection: None,
    ) -> Job:
        """Queue a job under an id of `new_id`. `along` is done in the same transaction, or neither is."""
        values = {
            "id": job,
            "kind": kind,
            "by": by.name,
            "title": title,
            "state": JobState.QUEUED.value,
            "step": "",
            "share": 0.0,
            "cancelling": False,
            "asked_at": microseconds_of(self._clock()),
            "tries": 0,
        }
        with self._database.writing() as connection:
            connection.execute(insert(jobs).values(values))
            along(connection)
        return self.get(job)

    def get(self, job: str) -> Job:
        """Return one job. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job)).first()
        if row is None:
            raise absent("job", job)
        return _job(row)

    def seen_by(self, job: str, by: Person) -> Job:
        """Return one of a person's own jobs. Raises NotFound for absent and for other people's alike."""
        found = self.get(job)
        if found.by != by.name:
            raise absent("job", job)
        return found

    def of(self, by: Person, limit: int = 20) -> tuple[Job, ...]:
        """Return a person's own jobs, newest first."""
        wanted = select(jobs).where(jobs.c.by == by.name).order_by(jobs.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(_job(row) for row in connection.execute(wanted))

    def cancel(self, job: str, *, by: Person) -> Job:
        """Stop a job: at once while it waits, before its next step while it runs.

        Raises
        ------
        NotFound, Conflict
            Conflict when it is over already.
        """
        self.seen_by(job, by)
        with self._database.writing() as connection:
            waiting = connection.execute(
                update(jobs)
                .where(jobs.c.id == job, jobs.c.state == JobState.QUEUED.value)
                .values(state=JobState.CANCELLED.value, ended_at=microseconds_of(self._clock()))
            )
            running = connection.execute(
                update(jobs).where(jobs.c.id == job, jobs.c.state == JobState.RUNNING.value).values(cancelling=True)
            )
        if waiting.rowcount + running.rowcount == 0:
            raise Conflict(
                Sentence(
                    en=f"job {job} is over; there is nothing left to cancel", zh=f"任务 {job} 已结束，没有可取消的内容"
                )
            )
        return self.get(job)

    def claim(self, worker: str) -> Job | None:
        """Take the job that waits longest, for one worker alone; None when nothing waits."""
        while True:
            with self._database.reading() as connection:
                waiting = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED.value).order_by(jobs.c.id).limit(1)
                found = connection.execute(waiting).scalar()
            if found is None:
                return None
            with self._database.writing() as connection:
                taken = connection.execute(
                    update(jobs)
                    .where(jobs.c.id == found, jobs.c.state == JobState.QUEUED.value)
                    .values(
                        state=JobState.RUNNING.value,
                        worker=worker,
                        heard_of=microseconds_of(self._clock()),
                        tries=jobs.c.tries + 1,
                    )
                )
            if taken.rowcount == 1:
                return self.get(str(found))

    def tell(self, job: str, worker: str, step: str, share: float) -> None:
        """Note how far a job is. Raises Cancelled when it is to stop, or is no longer this worker's."""
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job, jobs.c.worker == worker, jobs.c.state == JobState.RUNNING.value)
                .values(step=step, share=share, heard_of=microseconds_of(self._clock()))
            )
            row = connection.execute(select(jobs).where(jobs.c.id == job)).one()
        if row.cancelling or row.worker != worker or row.state != JobState.RUNNING.value:
            raise Cancelled(job)

    def alive(self, job: str, worker: str) -> None:
        """Say that the worker is still at it, also while one step takes long."""
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job, jobs.c.worker == worker)
                .values(heard_of=microseconds_of(self._clock()))
            )

    def end(
        self, job: str, worker: str, state: JobState, *, result: str | None = None, faults: Sequence[Sentence] = ()
    ) -> None:
        """Write down how a job of this worker ended; nothing when it is no longer this worker's."""
        values: dict[str, object] = {
            "state": state.value,
            "ended_at": microseconds_of(self._clock()),
            "result": result,
            "faults": json.dumps([{**fault.as_json(), "at": field_of(fault)} for fault in faults], ensure_ascii=False),
        }
        if state is JobState.DONE:
            values["share"] = 1.0
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job, jobs.c.worker == worker, jobs.c.state == JobState.RUNNING.value)
                .values(values)
            )

    def begin_again(self) -> int:
        """Queue what dead workers left; give up what was begun too often. Return how many jobs that touched."""
        silent = microseconds_of(self._clock() - SILENT_FOR)
        left = (jobs.c.state == JobState.RUNNING.value, jobs.c.heard_of < silent)
        now = microseconds_of(self._clock())
        stop = {"state": JobState.CANCELLED.value, "ended_at": now}
        gave_up = {
            "state": JobState.FAILED.value,
            "ended_at": now,
            "faults": json.dumps([GAVE_UP.as_json()], ensure_ascii=False),
        }
        with self._database.writing() as connection:
            stopped = connection.execute(update(jobs).where(*left, jobs.c.cancelling).values(stop))
            ended = connection.execute(update(jobs).where(*left, jobs.c.tries >= TRIES).values(gave_up))
            again = connection.execute(update(jobs).where(*left).values(state=JobState.QUEUED.value, worker=None))
        return stopped.rowcount + ended.rowcount + again.rowcount


GAVE_UP = Sentence(
    en=f"the process that worked on this ended {TRIES} times before it was done; "
    "run `mingjing check` on it to see where, then hand it in again",
    zh=f"处理该任务的进程连续 {TRIES} 次中途退出；请先用 `mingjing check` 查明原因，再重新提交",
)


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        by=row.by,
        title=row.title,
        state=JobState(row.state),
        step=row.step,
        share=row.share,
        cancelling=row.cancelling,
        asked_at=moment_of(row.asked_at),
        ended_at=moment_of(row.ended_at) if row.ended_at is not None else None,
        tries=row.tries,
        result=row.result,
        faults=tuple(
            Sentence(en=fault["en"], zh=fault["zh"]).about(fault.get("at", ""))
            for fault in json.loads(row.faults or "[]")
        ),
    )
