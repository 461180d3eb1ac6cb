"""One turn of writing: drafts become entries, leaves and sealed payloads in a single durable transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from audit.database import Database, DatabaseAway, Writer, breaks_the_log
from audit.entries import Draft, Receipt, identifier_tails, microseconds_of
from audit.log_tree import StoredTree
from audit.merkle import Frontier
from audit.payload_keys import DataKey, KeyRing, quarter_of
from audit.portion import ENTRY_COLUMNS, NODE_COLUMNS, PAYLOAD_COLUMNS, Portion, Rows, sealed
from audit.shared_rows import Shared, SharedRows
from policies.errors import Conflict, Sentence, Unavailable

STORED_AT_ONCE = 1000
"""Rows held in memory before they go to the database, so that a large batch needs no more than a small one."""


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
        self._database = database
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

    def settle(self) -> None:
        """Move what SQLite's write-ahead file holds into the database, beside whoever reads or writes.

        Raises
        ------
        LogStopped
            When the disk did not keep what was moved.
        DatabaseAway
        """
        try:
            self._database.settle()
        except DatabaseAway as wrong:
            if isinstance(wrong.__cause__, self._writer.error) and breaks_the_log(wrong.__cause__):
                self._stopped = str(wrong.__cause__)
                raise LogStopped(self._stopped) from wrong
            raise

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
        receipts = []
        for run in _runs(turn):
            if run[0].also is not None:
                run[0].also(self._writer)
                self._keys.forget()
            kept = iter(self._kept(self._named(run, frontier.size), frontier))
            receipts += [tuple(islice(kept, len(batch.drafts))) for batch in run]
        self._store_counters({batch.source for batch in turn})
        self._frontier = frontier
        return receipts

    def _head(self) -> Frontier:
        """The tree as it is now; another process may have added to it, or erased, since our last turn."""
        size = int(self._writer.rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])
        known = self._frontier
        if known is not None and known.size != size:
            known = self._grown(known, size)
        if known is None:
            self._forget()
            known = Frontier.at(size, StoredTree(self._writer.rows))
        return known.copy()

    def _grown(self, known: Frontier, size: int) -> Frontier | None:
        """Follow what others added; None when all must be read anew: they erased, or it is much, or less."""
        if not 0 < size - known.size <= STORED_AT_ONCE:
            return None
        added = self._writer.rows("SELECT leaf, kind FROM log_entries WHERE number >= ? ORDER BY number", known.size)
        if any(kind == "erase" for _, kind in added):
            return None
        self._counters.clear()
        known.extend([bytes(leaf) for leaf, _ in added])
        return known

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

    def _named(self, run: Sequence[Batch], index: int) -> Portion:
        """Ask the database all there is to ask about the drafts of a run; what it does not know it is told."""
        drafts = [draft for batch in run for draft in batch.drafts]
        named = Portion(index, identifier_tails(len(drafts)), drafts, [], [], [], [])
        for batch in run:
            self._count_from(batch)
            counted = self._counters[batch.source]
            self._counters[batch.source] += len(batch.drafts)
            named.counters.extend(range(counted + 1, counted + 1 + len(batch.drafts)))
            times = [batch.now if draft.time is None else microseconds_of(draft.time) for draft in batch.drafts]
            named.times.extend(times)
            named.shared.extend(self._shared_by(batch.drafts, batch.source))
            named.keys.extend(self._keys_for(batch.drafts, times))
        return named

    def _kept(self, named: Portion, frontier: Frontier) -> list[Receipt]:
        """Seal and store; of much, the next part is sealed while the database takes the one before.

        SQLite works without Python's lock while it takes rows, so a second thread finds a second core free. What the
        turn before left in the write-ahead file is moved out of it meanwhile, else this one's commit would do it.
        """
        parts = named.parts(STORED_AT_ONCE)
        if len(parts) == 1:
            return self._stored(*sealed(named, frontier))
        receipts = list[Receipt]()
        with ThreadPoolExecutor(2, "log turn") as beside:
            settled = beside.submit(self.settle)
            ahead = beside.submit(sealed, parts[0], frontier)
            for part in parts[1:]:
                done = ahead.result()
                ahead = beside.submit(sealed, part, frontier)
                receipts += self._stored(*done)
            receipts += self._stored(*ahead.result())
            settled.result()
        return receipts

    def _shared_by(self, drafts: Sequence[Draft], source: str) -> list[Shared]:
        found, likeness, of_shared = [], None, self._shared.of
        for draft in drafts:
            if likeness is None or draft.likeness is not likeness:
                likeness, shared = draft.likeness, of_shared(draft, source)
            elif draft.layout is not None:
                self._shared.keep_layout(draft.layout)
            found.append(shared)
        return found

    def _keys_for(self, drafts: Sequence[Draft], times: Sequence[int]) -> list[DataKey]:
        found, known, quarter, for_writing, writer = [], None, "", self._keys.for_writing, self._writer
        for draft, time in zip(drafts, times, strict=True):
            if time != known:
                known, quarter = time, quarter_of(time)
            found.append(for_writing(writer, draft.subject, draft.model, quarter))
        return found

    def _stored(self, receipts: list[Receipt], rows: Rows) -> list[Receipt]:
        self._writer.insert("log_entries", ENTRY_COLUMNS, rows.entries)
        self._writer.insert("log_payloads", PAYLOAD_COLUMNS, rows.payloads)
        self._writer.insert("log_nodes", NODE_COLUMNS, rows.nodes)
        return receipts

    def _store_counters(self, sources: set[str]) -> None:
        for source in sources:
            self._writer.rows(
                "INSERT INTO log_sources (source, counter) VALUES (?, ?)"
                " ON CONFLICT (source) DO UPDATE SET counter = excluded.counter",
                source,
                self._counters[source],
            )


def _runs(turn: Sequence[Batch]) -> list[list[Batch]]:
    """Return the batches of a turn in runs that are kept together; one that does more than keep begins a run.

    What it does then finds the drafts before it in their tables, and the drafts after it find what it did.
    """
    runs: list[list[Batch]] = []
    for batch in turn:
        if batch.also is not None or not runs:
            runs.append([])
        runs[-1].append(batch)
    return runs
