"""The log judged by its own bytes: every leaf, node, payload, counter and checkpoint computed again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from audit.checkpoints import Checkpoint, KeyLink, chain_holds, read_checkpoint, signer_of
from audit.database import Database
from audit.entries import Entry, identifier_bytes
from audit.log_reader import LogReader
from audit.log_tree import STRIDE, StoredTree, TreeBroken
from audit.merkle import Frontier, leaf_hash
from audit.payload_keys import PayloadUnreadable
from audit.payload_store import Opened, PayloadStore
from audit.seal import FORMAT, commitment_of, details_of
from audit.signed_note import NotASignedNote
from policies.errors import Refused, Sentence

ENOUGH = 50
"""How many faults are told; a log that is broken everywhere says no more in a million sentences."""

STEP = 1000


class LogTampered(Refused):
    """Stored bytes do not give what was signed or acknowledged. Carries what was found."""


@dataclass
class Findings:
    """Faults found so far, at most `ENOUGH`, and how many entries were looked at."""

    faults: list[Sentence] = field(default_factory=list)
    entries: int = 0

    def add(self, en: str, zh: str) -> None:
        """Note one fault."""
        if len(self.faults) < ENOUGH:
            self.faults.append(Sentence(en=en, zh=zh))

    def insist(self) -> None:
        """Raise `LogTampered` with every fault; do nothing when there is none."""
        if self.faults:
            raise LogTampered(*self.faults)


@contextmanager
def _reading(found: Findings) -> Iterator[None]:
    """Count a value that is not of its column's type as a fault: SQLite stores what it is given."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as wrong:
        found.add(f"a row holds what never was written there ({wrong})", f"某行含有从未写入过的内容（{wrong}）")


class Recheck:
    """Computes parts of a log again.

    A log holds if
      1. places run 0, 1, 2 ... without a gap,
      2. each row gives the leaf that stands beside it,
      3. each payload that is still here gives its commitment, and what is gone was erased by an entry,
      4. each source counts 1, 2, 3 ... without a gap that no entry admits,
      5. the leaves give every stored node,
      6. the leaves give every checkpoint's root, and a key of the chain signed it,
      7. each key but the first was endorsed by the one before,
      8. each layout gives its digest.
    """

    def __init__(self, database: Database, payloads: PayloadStore, key_chain: Iterable[KeyLink]) -> None:
        self._database = database
        self._reader = LogReader(database)
        self._payloads = payloads
        self._chain = tuple(key_chain)
        self._gaps: set[tuple[str, int, int]] = set()

    def leaves(self, start: int, end: int, counters: dict[str, int]) -> Findings:
        """Compute the entries from `start` up to but without `end` again: steps 1 to 4.

        `counters` holds the last number of each source before `start` and is brought up to date; a source it does
        not know may begin anywhere, unless `start` is 0.
        """
        found = Findings()
        with _reading(found):
            self._leaves(start, end, found, lambda _: None, counters)
        return found

    def everything(self) -> Findings:
        """Compute the whole log again: steps 1 to 8."""
        found = Findings()
        size = int(self._database.rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])
        marks: dict[int, Checkpoint] = {}
        with _reading(found):
            marks = self._checkpoints(found)
        frontier = Frontier()

        def grow(leaf: bytes) -> None:
            for level, position, top in frontier.add(leaf):
                if level % STRIDE == 0:
                    self._node(level, position, top, found)
            self._mark(frontier, marks.pop(frontier.size, None), found)

        self._mark(frontier, marks.pop(0, None), found)
        with _reading(found):
            self._leaves(0, size, found, grow, {})
        for left in marks.values():
            found.add(
                f"a checkpoint of {left.size} entries is signed, the log holds {size}: its end was cut off",
                f"已签名的检查点有 {left.size} 条，而日志仅有 {size} 条：末尾被截断",
            )
        with _reading(found):
            self._layouts(found)
        return found

    def _leaves(
        self, start: int, end: int, found: Findings, grow: Callable[[bytes], None], counters: dict[str, int]
    ) -> None:
        erased = self._erasures()
        self._gaps = self._admitted_gaps()
        self._searchable(start, end, found)
        for first in range(start, end, STEP):
            entries = list(self._reader.each(first, min(first + STEP, end)))
            opened = self._opened(entries, found)
            for expected, entry in enumerate(entries, first):
                if entry.index != expected:  # (1)
                    found.add(
                        f"place {expected} of the log is empty, {entry.index} follows",
                        f"日志第 {expected} 号位置缺失，其后为 {entry.index}",
                    )
                    return
                self._row(entry, found)
                self._payload(entry, opened, erased, found)
                self._counter(entry, counters, found, known_from_start=start == 0)
                found.entries += 1
                grow(leaf_hash(entry.header))
            if len(entries) < min(first + STEP, end) - first:  # (1)
                found.add(
                    f"the log ends or breaks within places {first} to {min(first + STEP, end) - 1}",
                    f"日志在 {first} 至 {min(first + STEP, end) - 1} 号之间中断",
                )
                return

    def _searchable(self, start: int, end: int, found: Findings) -> None:
        """Columns beside the header that searches and readers go by: the model's number, the format."""
        rows = self._database.rows(
            "SELECT e.number FROM log_entries e JOIN log_contexts c ON c.number = e.context"
            " WHERE e.number >= ? AND e.number < ? AND (e.format <> ? OR e.model IS DISTINCT FROM c.model)"
            f" ORDER BY e.number LIMIT {ENOUGH}",
            start,
            end,
            FORMAT,
        )
        for (number,) in rows:  # (2)
            found.add(
                f"entry {number} was changed: it is filed under another model or format than its header says",
                f"条目 {number} 被改动：其归档的模型或格式与条目头不符",
            )

    def _row(self, entry: Entry, found: Findings) -> None:
        if leaf_hash(entry.header) != entry.leaf:  # (2)
            found.add(
                f"entry {entry.index} was changed: its row does not give its leaf",
                f"条目 {entry.index} 被改动：行内容与叶哈希不符",
            )

    def _opened(self, entries: list[Entry], found: Findings) -> dict[int, Opened | None]:
        ids = {entry.index: identifier_bytes(entry.id) or b"" for entry in entries}
        opened: dict[int, Opened | None] = {}
        if not entries:
            return opened
        each = self._payloads.each(entries[0].index, entries[-1].index + 1, ids)
        while True:
            try:
                opened.update(each)
                return opened
            except PayloadUnreadable as wrong:
                found.add(wrong.says.en, wrong.says.zh)
                return self._one_by_one(entries, ids)

    def _one_by_one(self, entries: list[Entry], ids: dict[int, bytes]) -> dict[int, Opened | None]:
        opened: dict[int, Opened | None] = {}
        for entry in entries:
            try:
                opened.update(self._payloads.each(entry.index, entry.index + 1, ids))
            except PayloadUnreadable:
                opened[entry.index] = Opened(b"", b"")
        return opened

    def _payload(
        self, entry: Entry, opened: dict[int, Opened | None], erased: list[tuple[int, int]], found: Findings
    ) -> None:
        held = opened.get(entry.index)
        if held is not None:
            details = details_of(entry.actor, entry.score, entry.subject, entry.verdict)
            if commitment_of(held.salt, details, held.payload) != entry.commitment:  # (3)
                found.add(
                    f"entry {entry.index}: payload or details do not give the commitment",
                    f"条目 {entry.index}：载荷或明细与承诺值不符",
                )
        elif not any(first <= entry.index <= last for first, last in erased):  # (3)
            found.add(
                f"the payload of entry {entry.index} is gone, and no entry says it was erased",
                f"条目 {entry.index} 的载荷缺失，且没有任何条目记载其已被删除",
            )

    def _counter(self, entry: Entry, counters: dict[str, int], found: Findings, *, known_from_start: bool) -> None:
        expected = counters.get(entry.source, 0 if known_from_start else entry.counter - 1) + 1
        if entry.counter != expected and (entry.source, expected - 1, entry.counter) not in self._gaps:  # (4)
            found.add(
                f"{entry.source} goes from {expected - 1} to {entry.counter} at entry {entry.index}:"
                " something is missing",
                f"{entry.source} 在条目 {entry.index} 处由 {expected - 1} 跳到 {entry.counter}：中间有缺失",
            )
        counters[entry.source] = entry.counter

    def _erasures(self) -> list[tuple[int, int]]:
        """Every range of places that an entry of the log says was erased."""
        return [(first, last) for said in self._said("erase") for first, last in said.get("entries", [])]

    def _admitted_gaps(self) -> set[tuple[str, int, int]]:
        """Every gap in a source's count that an entry of the log admits: source, number before, number after."""
        gaps = [said["gap"] for said in self._said("incident") if "gap" in said]
        return {(gap["source"], gap["before"], gap["after"]) for gap in gaps}

    def _said(self, kind: str) -> Iterator[dict[str, Any]]:
        rows = self._database.rows(
            "SELECT number, id FROM log_entries WHERE kind <> 'decision' AND kind = ? ORDER BY number", kind
        )
        for number, id in rows:
            try:
                opened = self._payloads.opened(number, bytes(id))
                said = {} if opened is None else json.loads(opened.payload)
            except (PayloadUnreadable, ValueError):  # step 3 finds the first; the second said it in free words
                continue
            if isinstance(said, dict):
                yield said

    def _node(self, level: int, position: int, top: bytes, found: Findings) -> None:
        try:
            stored = StoredTree(self._database.rows)(level, position)
        except TreeBroken:
            stored = b""
        if stored != top:  # (5)
            found.add(
                f"the stored node {level}/{position} is not what its leaves give",
                f"存储的节点 {level}/{position} 与其叶子不符",
            )

    def _checkpoints(self, found: Findings) -> dict[int, Checkpoint]:
        if not chain_holds(self._chain):  # (7)
            found.add("a signing key was replaced without the old key's word", "签名密钥在未经旧密钥背书的情况下被更换")
        marks = {}
        for size, root, note in self._database.rows("SELECT size, root, note FROM log_checkpoints ORDER BY size"):
            try:
                checkpoint = read_checkpoint(note)
            except NotASignedNote as wrong:
                found.add(f"checkpoint {size}: {wrong.says.en}", f"检查点 {size}：{wrong.says.zh}")
                continue
            if (checkpoint.size, checkpoint.root) != (size, bytes(root)) or signer_of(checkpoint, self._chain) is None:
                found.add(
                    f"checkpoint {size} was changed or signed by a foreign key",
                    f"检查点 {size} 被改动，或由外来密钥签名",
                )
                continue
            marks[size] = checkpoint
        return marks

    def _mark(self, frontier: Frontier, mark: Checkpoint | None, found: Findings) -> None:
        if mark is not None and mark.root != frontier.root():  # (6)
            found.add(
                f"the first {mark.size} entries do not give the root that was signed for them",
                f"前 {mark.size} 条与当时签名的根哈希不符",
            )

    def _layouts(self, found: Findings) -> None:
        for digest, body in self._database.rows("SELECT digest, body FROM log_layouts"):
            if sha256(bytes(body)).digest() != bytes(digest):  # (8)
                found.add(f"layout {bytes(digest).hex()[:12]} was changed", f"布局 {bytes(digest).hex()[:12]} 被改动")
