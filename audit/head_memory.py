"""The last signed head, remembered outside the database: a database that was set back is noticed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.checkpoints import Checkpoint, read_checkpoint
from audit.log_tree import StoredTree, TreeBroken
from audit.merkle import Frontier
from audit.signed_note import sync_folder
from policies.errors import Sentence


class HeadMemory:
    """A file outside the database that holds the newest checkpoint this machine has seen.

    Whoever restores an older database, or cuts the newest entries off together with their checkpoints, would
    otherwise have the log sign a second history for places that are taken.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def remembered(self) -> Checkpoint | None:
        """Return the newest checkpoint seen here; None before the first."""
        return read_checkpoint(self._file.read_text(encoding="utf-8")) if self._file.exists() else None

    def remember(self, made: Checkpoint) -> None:
        """Keep a checkpoint, unless a newer one is kept already; durable when this returns."""
        before = self.remembered()
        if before is None or before.size < made.size:
            self._keep(made)

    def replace(self, made: Checkpoint) -> None:
        """Keep a checkpoint although a newer one was seen: a person accepts that the log was set back."""
        self._keep(made)

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether it is this process's turn to sign, until the end of the block; no other on this machine has it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_name(f"{self._file.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def faults(self, size: int, tree: StoredTree) -> list[Sentence]:
        """Return what speaks against the log of `size` entries being the one that was seen."""
        seen = self.remembered()
        if seen is None:
            return []
        if size < seen.size:
            return [_set_back(seen.size, size)]
        try:
            same = Frontier.at(seen.size, tree).root() == seen.root
        except TreeBroken:
            same = False
        return [] if same else [_another_history(seen.size)]

    def _keep(self, made: Checkpoint) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with draft.open("w", encoding="utf-8") as note:
            note.write(made.note)
            note.flush()
            os.fsync(note.fileno())
        os.replace(draft, self._file)
        sync_folder(self._file.parent)


def _set_back(seen: int, size: int) -> Sentence:
    return Sentence(
        en=f"the log holds {size} entries, this machine has seen it signed with {seen}: its end was cut off or an"
        " older copy was restored; bring the newer database back, or let the officer accept the loss",
        zh=f"日志现有 {size} 条，而本机曾见其签名时有 {seen} 条：末尾被截断，或恢复了较旧的副本；"
        "请恢复较新的数据库，或由数字安全官确认接受该损失",
    )


def _another_history(size: int) -> Sentence:
    return Sentence(
        en=f"the first {size} entries are not those this machine has seen signed: the log has another history",
        zh=f"前 {size} 条与本机曾见的已签名内容不同：日志的历史已被替换",
    )
