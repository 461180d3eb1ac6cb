"""One turn of writing: drafts become entries, leaves and sealed payloads in a single durable transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from audit.database import Database, DatabaseAway, Writer, breaks_the_log
from audit.entries import (
    Draft,
    Receipt,
    identifier_bytes,
    identifier_tails,
    identifier_text,
    microseconds_of,
    moment_of,
    new_identifier,
)
from audit.log_tree import StoredTree, stored_nodes
from audit.merkle import Frontier, leaf_hash
from audit.payload_keys import NONCE_BYTES, KeyRing, quarter_of
from audit.seal import FORMAT, SALT_BYTES, commitment_of, details_of
from audit.shared_rows import SharedRows
from policies.errors import Conflict, Sentence, Unavailable

ENTRY_COLUMNS = (
    *("number", "id", "time", "kind", "context", "model", "counter", "about", "flags"),
    *("subject", "actor", "score", "verdict", "commitment", "leaf", "format"),
)
STORED_AT_ONCE = 2048
"""Rows held in memory before they go to the database, so that a large batch needs no more than a small one."""

_RANDOM = NONCE_BYTES + SALT_BYTES


class LogStopped(Unavailable):
    """The disk failed to keep what it was told to keep; this process writes no more."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Sentence(
                en=f"the log has stopped: the disk did not keep what it was told to ({why});"
                " mend the disk and start again, the log then continues from what it really holds",
                zh=f"日志已停止：磁盘未能保存应写入的内容（{why}）；请修复磁盘后重新启动，日志将从实际保存的内容继续",
            )
        )


class AlreadyKept(Conflict):
    """An entry with this id is in the log."""

    def __init__(self, ids: Sequence[str]) -> None:
        named = ", ".join(ids)
        super().__init__(
            Sentence(
                en=f"the log already holds an entry with an id of this batch ({named}); nothing of it was kept",
                zh=f"日志中已有本批次的编号（{named}）；本批次未保存任何内容",
            )
        )


class OutOfOrder(Conflict):
    """A source hands in counters that do not follow those the log has from it."""

    def __init__(self, source: str, expected: int, found: int) -> None:
        super().__init__(
            Sentence(
                en=f"{source} hands in number {found}, the log expects {expected}: what lies between is missing,"
                " or was handed in before",
                zh=f"{source} 上交的序号为 {found}，日志应为 {expected}：中间的记录缺失，或此前已经上交",
            )
        )
        self.source, self.expected, self.found = source, expected, found


@dataclass(frozen=True)
class Batch:
    """Drafts that one caller wants kept together.

    `now` stands in for drafts without a time. `first_counter` is None when the log counts, and the source's own
    number of the first draft when it was counted elsewhere; with `gap_admitted` numbers may be missing before it.
    `also` runs in the same transaction, before the drafts, and is undone with them.
    """

    drafts: Sequence[Draft]
    now: int
    source: str
    first_counter: int | None = None
    also: Callable[[Writer], None] | None = None
    gap_admitted: bool = False


class LogWriter:
    """Writes turns of batches. Not for several threads at once: `audit.group_commit` sees to that."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._writer = database.writer()
        self._keys = keys
        self._frontier: Frontier | None = None
        self._counters: dict[str, int] = {}
        self._shared = SharedRows(self._writer)
        self._stopped: str | None = None

    def write(self, turn: Sequence[Batch]) -> list[tuple[Receipt, ...] | BaseException]:
        """Keep every batch of a turn; return receipts, or why this one batch could not be kept.

        Raises
        ------
        LogStopped
            When an fsync failed, now or earlier.
        DatabaseAway
            When the database takes no writes; nothing of the turn was kept, or (only where the connection broke
            during the commit itself) all of it.
        """
        try:
            return list(self._transact(turn))
        except Unavailable:
            raise
        except Exception as wrong:  # noqa: BLE001  # one caller's fault must not become the others'
            if len(turn) == 1:
                return [self._refusal(turn[0], wrong)]
            return [answer for batch in turn for answer in self.write([batch])]

    @property
    def stopped(self) -> bool:
        """Whether an fsync failed: this process writes no more."""
        return self._stopped is not None

    def close(self) -> None:
        """Give the connection up; a later write opens a new one."""
        self._forget()
        self._writer.close()

    def _refusal(self, batch: Batch, wrong: Exception) -> Exception:
        if not isinstance(wrong, self._writer.duplicate):
            return wrong
        return AlreadyKept([draft.id for draft in batch.drafts if draft.id is not None])

    def _transact(self, turn: Sequence[Batch]) -> list[tuple[Receipt, ...]]:
        if self._stopped is not None:
            raise LogStopped(self._stopped)
        try:
            self._writer.begin()
            receipts = self._written(turn)
            self._writer.commit()
        except BaseException as wrong:
            self._forget()
            if isinstance(wrong, self._writer.error) and breaks_the_log(wrong):
                self._stopped = str(wrong)
                self._writer.close()
                raise LogStopped(self._stopped) from wrong
            self._writer.undo()
            if isinstance(wrong, self._writer.error) and not isinstance(wrong, self._writer.duplicate):
                raise DatabaseAway(str(wrong)) from wrong
            raise
        return receipts

    def _forget(self) -> None:
        """Believe nothing remembered: the next turn reads what the database really holds."""
        self._frontier = None
        self._counters.clear()
        self._shared.forget()
        self._keys.forget()

    def _written(self, turn: Sequence[Batch]) -> list[tuple[Receipt, ...]]:
        frontier = self._head()
        rows = _Rows()
        receipts = []
        for batch in turn:
            if batch.also is not None:
                batch.also(self._writer)
                self._keys.forget()
            self._count_from(batch)
            receipts.append(self._sealed(batch, frontier, rows))
        self._store(rows)
        self._store_counters({batch.source for batch in turn})
        self._frontier = frontier
        return receipts

    def _head(self) -> Frontier:
        """The tree as it is now; another process may have added to it, or erased, since our last turn."""
        size = int(self._writer.rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])
        if self._frontier is None or self._frontier.size != size:
            self._forget()
            self._frontier = Frontier.at(size, StoredTree(self._writer.rows))
        return self._frontier.copy()

    def _count_from(self, batch: Batch) -> None:
        if batch.source not in self._counters:
            rows = self._writer.rows("SELECT counter FROM log_sources WHERE source = ?", batch.source)
            self._counters[batch.source] = rows[0][0] if rows else 0
        expected = self._counters[batch.source] + 1
        if batch.first_counter is None or batch.first_counter == expected:
            return
        if batch.first_counter < expected or not batch.gap_admitted:
            raise OutOfOrder(batch.source, expected, batch.first_counter)
        self._counters[batch.source] = batch.first_counter - 1

    def _sealed(self, batch: Batch, frontier: Frontier, rows: _Rows) -> tuple[Receipt, ...]:
        receipts: list[Receipt] = []
        tails = identifier_tails(len(batch.drafts))
        for first in range(0, len(batch.drafts), STORED_AT_ONCE):
            end = first + STORED_AT_ONCE
            receipts += self._part(batch.drafts[first:end], tails[8 * first : 8 * end], batch, frontier.size, rows)
            rows.nodes += stored_nodes(frontier.extend([receipt.leaf for receipt in receipts[first:end]]))
            if len(rows.entries) >= STORED_AT_ONCE:
                self._store(rows)
        return tuple(receipts)

    def _part(self, drafts: Sequence[Draft], tails: bytes, batch: Batch, index: int, rows: _Rows) -> list[Receipt]:
        """Seal drafts; one after the other, since each has its own salt, key and count."""
        receipts = []
        counter = self._counters[batch.source]
        random = os.urandom(_RANDOM * len(drafts))
        keys, known, of_shared = self._keys, None, self._shared.of
        for place, draft in enumerate(drafts):
            if known is None or draft.likeness is None or draft.likeness is not known:
                known, (context, model, form) = draft.likeness, of_shared(draft, batch.source)
            elif draft.layout is not None:
                self._shared.keep_layout(draft.layout)
            time = batch.now if draft.time is None else microseconds_of(draft.time)
            if draft.id is None:
                number = new_identifier(time, tails[8 * place : 8 * place + 8])
                id = identifier_text(number)
            else:
                id, number = draft.id, bytes.fromhex(draft.id.replace("-", ""))
            counter += 1
            at = place * _RANDOM
            nonce, salt = random[at : at + NONCE_BYTES], random[at + NONCE_BYTES : at + _RANDOM]
            payload, flags = draft.payload, draft.flags
            subject, actor, score, verdict = draft.subject, draft.actor, draft.score, draft.verdict
            commitment = commitment_of(salt, details_of(actor, score, subject, verdict), payload)
            leaf = leaf_hash(form.write(id, time, counter, commitment, flags, draft.about))
            key = keys.for_writing(self._writer, subject, draft.model, quarter_of(time))
            rows.payloads.append((index, key.number, key.seal(number, salt, payload, nonce)))
            rows.entries.append(
                (
                    *(index, number, time, draft.kind, context, model, counter),
                    *(draft.about and identifier_bytes(draft.about), " ".join(flags)),
                    *(subject, actor, score, verdict, commitment, leaf, FORMAT),
                )
            )
            receipts.append(Receipt(id, index, moment_of(time), leaf))
            index += 1
        self._counters[batch.source] = counter
        return receipts

    def _store(self, rows: _Rows) -> None:
        self._writer.insert("log_entries", ENTRY_COLUMNS, rows.entries)
        self._writer.insert("log_payloads", ("entry", "payload_key", "sealed"), rows.payloads)
        self._writer.insert("log_nodes", ("level", "position", "hash"), rows.nodes)
        for held in (rows.entries, rows.payloads, rows.nodes):
            held.clear()

    def _store_counters(self, sources: set[str]) -> None:
        for source in sources:
            self._writer.rows(
                "INSERT INTO log_sources (source, counter) VALUES (?, ?)"
                " ON CONFLICT (source) DO UPDATE SET counter = excluded.counter",
                source,
                self._counters[source],
            )


class _Rows:
    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = []
        self.payloads: list[tuple[Any, ...]] = []
        self.nodes: list[tuple[int, int, bytes]] = []
