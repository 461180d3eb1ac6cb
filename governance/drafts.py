"""Submissions on their way: a form half filled in and the files beside it, its author's alone, kept for a while."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from audit.database import Database
from audit.entries import Clock, identifier_text, microseconds_of, moment_of, new_identifier
from governance.jobs import OPEN, Job, JobState
from governance.stages import Stage, require_move
from governance.tables import drafts, jobs
from policies.errors import Conflict, Malformed, Sentence, Unavailable
from policies.roles import Action, Person, absent, require

BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class DraftLimits:
    """How many drafts one person keeps, how large, and how long after the last change."""

    count: int = 10
    bytes: int = 512_000_000
    days: int = 30
    text_bytes: int = 500_000


DRAFT_LIMITS = DraftLimits()


class DraftsFull(Conflict):
    """The person keeps as many drafts, or as large ones, as there is room for."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(Sentence(en=f"{en}; throw one away or hand it in", zh=f"{zh}；请先丢弃或提交一份草稿"))


class BeingExamined(Conflict):
    """What was handed in from this draft is being examined."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="this draft was handed in and is being examined; wait for the end, or cancel it first",
                zh="该草稿已提交并正在检查；请等待结束，或先取消",
            )
        )


class DraftNotKept(Unavailable):
    """The disk is full; what was kept before stays."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="the file could not be kept: the disk is full; try again when there is room",
                zh="文件未能保存：磁盘已满；请在腾出空间后重试",
            )
        )


@dataclass(frozen=True, kw_only=True)
class DraftFile:
    """A file beside a draft: its name as the author gave it, and its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One draft.

    Attributes
    ----------
    by : str
        Account of its author, the only one that sees it.
    fields : mapping
        What was typed, as it was typed.
    files : mapping
        From what a file is for ("artifact", "evaluation", "training") to the file.
    job : str or None
        The examination it was last handed in for.
    stage : Stage
        A draft, until what came of it has a record of its own.
    """

    id: str
    by: str
    fields: Mapping[str, str]
    files: Mapping[str, DraftFile]
    job: str | None
    made_at: datetime
    changed_at: datetime
    stage: Stage = Stage.DRAFT

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files.values())


class DraftBook:
    """Keeps drafts: what was typed in the database, files in a folder of the data directory."""

    def __init__(self, database: Database, folder: Path, clock: Clock, limits: DraftLimits = DRAFT_LIMITS) -> None:
        self._database = database
        self._folder = folder
        self._clock = clock
        self.limits = limits

    def begin(self, *, by: Person, fields: Mapping[str, str] | None = None) -> Draft:
        """Begin a draft.

        Raises
        ------
        NotAllowed, DraftsFull
        """
        require(by, Action.SUBMIT)
        self.expire(by.name)
        now = microseconds_of(self._clock())
        draft = identifier_text(new_identifier(now))
        values = {"id": draft, "by": by.name, "fields": _json(fields or {}), "files": "{}"}
        with self._database.writing() as connection:
            if self._database.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"drafts {by.name}"})
            held = connection.execute(select(drafts.c.id).where(drafts.c.by == by.name)).all()
            if len(held) >= self.limits.count:
                raise DraftsFull(
                    f"you keep {len(held)} drafts, and at most {self.limits.count} are kept",
                    f"您已有 {len(held)} 份草稿，最多保存 {self.limits.count} 份",
                )
            connection.execute(insert(drafts).values(**values, made_at=now, changed_at=now))
        return self._get(draft)

    def of(self, by: Person) -> tuple[Draft, ...]:
        """Return a person's own drafts, newest first; those that expired are none."""
        oldest = microseconds_of(self._clock() - timedelta(days=self.limits.days))
        wanted = select(drafts).where(drafts.c.by == by.name, drafts.c.changed_at >= oldest, ~_handed_in())
        with self._database.reading() as connection:
            return tuple(self._draft(row) for row in connection.execute(wanted.order_by(drafts.c.id.desc())))

    def of_job(self, job: str, by: Person) -> Draft | None:
        """Return the draft that a person's job examines; None where it came another way, or is gone."""
        return next((draft for draft in self.of(by) if draft.job == job), None)

    def seen_by(self, draft: str, by: Person) -> Draft:
        """Return one of a person's own drafts.

        Raises
        ------
        NotAllowed
        NotFound
            For absent, expired and other people's alike.
        """
        require(by, Action.SUBMIT)
        found = next((own for own in self.of(by) if own.id == draft), None)
        if found is None:
            raise absent("draft", draft)
        return found

    def save(
        self,
        draft: str,
        fields: Mapping[str, str],
        *,
        by: Person,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
        drop: Collection[str] = (),
    ) -> Draft:
        """Keep what was typed, and files under what they are for; `drop` says which of them go.

        Raises
        ------
        NotFound, BeingExamined, Malformed, DraftsFull
        """
        found = self.seen_by(draft, by)
        typed = _json(fields)
        if len(typed.encode()) > self.limits.text_bytes:
            raise Malformed(
                Sentence(
                    en=f"the form holds {len(typed.encode()):,} bytes; at most {self.limits.text_bytes:,} are kept: "
                    "hand in a zip instead",
                    zh=f"表单内容为 {len(typed.encode()):,} 字节，"
                    f"最多保存 {self.limits.text_bytes:,} 字节，请改用 zip 提交",
                )
            )
        with self._database.writing() as connection:
            self._change(connection, draft, fields=typed, changed_at=microseconds_of(self._clock()))
        kept = {role: file for role, file in found.files.items() if role not in drop or role in (files or {})}
        for role, (name, content) in (files or {}).items():
            room = self._room(by, found) - sum(file.size for other, file in kept.items() if other != role)
            kept[role] = DraftFile(name=name, size=self._keep(draft, role, content, room))
        for role in set(found.files) - set(kept):
            self.path(draft, role).unlink(missing_ok=True)
        with self._database.writing() as connection:
            said = {role: {"name": file.name, "size": file.size} for role, file in kept.items()}
            self._change(connection, draft, files=_json(said))
        return self._get(draft)

    def discard(self, draft: str, *, by: Person) -> None:
        """Throw a draft away with its files. Raises NotFound, BeingExamined."""
        self.seen_by(draft, by)
        with self._database.writing() as connection:
            gone = connection.execute(delete(drafts).where(drafts.c.id == draft, ~_busy()))
        if gone.rowcount != 1:
            raise BeingExamined()
        self._forget(draft)

    def claim(self, connection: Connection, draft: str, job: str) -> None:
        """Tie a draft to the job that examines it, inside the transaction that asks for the job.

        Raises
        ------
        BeingExamined
            Also for all but one of several at the same moment.
        """
        self._change(connection, draft, job=job)

    def settle(self, job: Job) -> None:
        """Let the draft behind a job go once its submission has a record; what failed stays to be mended."""
        if job.state is not JobState.DONE:
            return
        require_move(f"the draft of job {job.id}", Stage.DRAFT, Stage.SUBMITTED)
        self._remove(drafts.c.job == job.id)

    def expire(self, name: str | None = None) -> None:
        """Let go what nobody changed for too long, what became a submission, and files that belong to no draft."""
        oldest = microseconds_of(self._clock() - timedelta(days=self.limits.days))
        whose = (drafts.c.by == name,) if name is not None else ()
        self._remove((drafts.c.changed_at < oldest) & ~_busy(), *whose)
        self._remove(_handed_in(), *whose)
        if name is None and self._folder.is_dir():
            for folder in self._folder.iterdir():
                # A draft has its row before it has a folder, so one without is nobody's.
                if not self._is_known(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)

    def path(self, draft: str, role: str) -> Path:
        """Return where a file of a draft lies."""
        return self._folder / draft / role

    def _get(self, draft: str) -> Draft:
        with self._database.reading() as connection:
            row = connection.execute(select(drafts).where(drafts.c.id == draft)).first()
        if row is None:
            raise absent("draft", draft)
        return self._draft(row)

    def _draft(self, row: Row[Any]) -> Draft:
        # Backups hold what was typed and no files, so one that is not there is chosen anew.
        files = {role: DraftFile(**said) for role, said in json.loads(row.files).items()}
        return Draft(
            id=row.id,
            by=row.by,
            fields=json.loads(row.fields),
            files={role: file for role, file in files.items() if self.path(row.id, role).is_file()},
            job=row.job,
            made_at=moment_of(row.made_at),
            changed_at=moment_of(row.changed_at),
        )

    def _is_known(self, draft: str) -> bool:
        with self._database.reading() as connection:
            return connection.execute(select(drafts.c.id).where(drafts.c.id == draft)).first() is not None

    def _room(self, by: Person, draft: Draft) -> int:
        return self.limits.bytes - sum(other.size for other in self.of(by) if other.id != draft.id)

    def _keep(self, draft: str, role: str, content: BinaryIO, room: int) -> int:
        """Write a file whole or not at all, and return its size."""
        place = self.path(draft, role)
        fresh = place.with_name(f".{role}-{secrets.token_hex(4)}")
        size = 0
        with _naming_a_full_disk():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with fresh.open("xb") as file:
                    while block := content.read(BLOCK):
                        size += len(block)
                        if size > room:
                            raise DraftsFull(
                                f"the files of your drafts would hold more than {self.limits.bytes:,} bytes",
                                f"您的草稿文件合计将超过 {self.limits.bytes:,} 字节",
                            )
                        file.write(block)
                os.replace(fresh, place)
            finally:
                fresh.unlink(missing_ok=True)
        return size

    def _change(self, connection: Connection, draft: str, **values: object) -> None:
        changed = connection.execute(update(drafts).where(drafts.c.id == draft, ~_busy()).values(values))
        if changed.rowcount != 1:
            raise BeingExamined()

    def _remove(self, *which: Any) -> None:
        with self._database.reading() as connection:
            gone = connection.execute(select(drafts.c.id).where(*which)).scalars().all()
        for draft in gone:
            with self._database.writing() as connection:
                connection.execute(delete(drafts).where(drafts.c.id == draft, *which))
            self._forget(draft)

    def _forget(self, draft: str) -> None:
        shutil.rmtree(self._folder / draft, ignore_errors=True)


def _busy() -> Any:
    """Whether a draft is being examined, or became a submission."""
    states = [state.value for state in (*OPEN, JobState.DONE)]
    return select(jobs.c.id).where(jobs.c.id == drafts.c.job, jobs.c.state.in_(states)).exists()


def _handed_in() -> Any:
    return select(jobs.c.id).where(jobs.c.id == drafts.c.job, jobs.c.state == JobState.DONE.value).exists()


def _json(said: Mapping[str, Any]) -> str:
    return json.dumps(dict(said), ensure_ascii=False)


@contextmanager
def _naming_a_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DraftNotKept() from error
        raise
