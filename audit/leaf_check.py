"""The entries of the log, each computed again from its stored bytes: leaf, commitment, count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from audit.database import Database
from audit.entries import identifier_text
from audit.findings import Findings
from audit.merkle import leaf_hash
from audit.payload_keys import DataKey, KeyRing, PayloadUnreadable
from audit.payload_store import PayloadStore
from audit.seal import FORMAT, Context, HeaderForm, commitment_of, details_of

STEP = 1000
"""Entries held in memory at once."""

_ROWS = (
    "SELECT e.number, e.id, e.time, e.kind, e.context, e.model, e.counter, e.about, e.flags, e.subject, e.actor,"
    " e.score, e.verdict, e.commitment, e.leaf, e.format, p.sealed, p.payload_key"
    " FROM log_entries e LEFT JOIN log_payloads p ON p.entry = e.number"
    " WHERE e.number >= ? AND e.number < ? ORDER BY e.number"
)


@dataclass
class Portion:
    """What a stretch of the log gave: its leaves, the last number of each source, and faults."""

    counters: dict[str, int]
    leaves: list[bytes] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)
    broken: bool = False


@dataclass(frozen=True)
class _Said:
    """What entries of the log say: which places were erased, which gaps in a source's count are admitted."""

    erased: list[tuple[int, int]]
    gaps: set[tuple[str, int, int]]


@dataclass(frozen=True)
class _Shared:
    """The context of entries: who wrote them, the number of their model, their header."""

    source: str
    model: int | None
    forms: dict[str, HeaderForm]
    context: Context

    def form(self, kind: str) -> HeaderForm:
        known = self.forms.get(kind)
        if known is None:
            known = self.forms[kind] = HeaderForm(self.context, kind)
        return known


class LeafCheck:
    """Computes entries again.

    An entry holds if
      1. its place follows the one before,
      2. its row gives the leaf that stands beside it, and is filed under what its header says,
      3. its payload, if it is still here, gives its commitment; if it is gone, an entry says that it was erased,
      4. its source counts on from the one before, or an entry admits the gap.
    """

    def __init__(self, database: Database, payloads: PayloadStore, keys: KeyRing) -> None:
        self._database = database
        self._payloads = payloads
        self._keys = keys
        self._contexts: dict[int, _Shared | None] = {}

    def portions(self, start: int, end: int, counters: dict[str, int]) -> Iterator[Portion]:
        """Return stretches of the entries from `start` up to but without `end`; none follows a broken one.

        `counters` holds the last number of each source before `start`; a source it does not know may begin anywhere,
        unless `start` is 0.
        """
        said = self._said()
        for first in range(start, end, STEP):
            last = min(first + STEP, end)
            portion = self._portion(first, last, counters, said, known_from_start=start == 0)
            if portion.found.faults:
                # What was erased or admitted since is no fault: look again with what the log says now.
                said = self._said()
                portion = self._portion(first, last, counters, said, known_from_start=start == 0)
            counters = portion.counters
            yield portion
            if portion.broken:
                return

    def _portion(
        self, first: int, last: int, counters: dict[str, int], said: _Said, *, known_from_start: bool
    ) -> Portion:
        portion = Portion(dict(counters))
        found = portion.found
        rows = self._database.rows(_ROWS, first, last)
        keys = self._opened({row[17] for row in rows if row[16] is not None})
        for expected, row in enumerate(rows, first):
            (number, id, time, kind, context, model, counter, about, flags) = row[:9]
            (subject, actor, score, verdict, commitment, leaf, format) = row[9:16]
            shared = self._shared(context)
            if number != expected or shared is None:  # (1)
                found.add(
                    f"place {expected} of the log is empty, {number} follows",
                    f"日志第 {expected} 号位置缺失，其后为 {number}",
                )
                portion.broken = True
                return portion
            said_of = None if about is None else identifier_text(bytes(about))
            header = shared.form(kind).write(
                identifier_text(bytes(id)), time, counter, bytes(commitment), tuple(flags.split()), said_of
            )
            computed = leaf_hash(header)
            portion.leaves.append(computed)
            if computed != leaf:  # (2)
                found.add(
                    f"entry {number} was changed: its row does not give its leaf",
                    f"条目 {number} 被改动：行内容与叶哈希不符",
                )
            if format != FORMAT or model != shared.model:  # (2)
                found.add(
                    f"entry {number} was changed: it is filed under another model or format than its header says",
                    f"条目 {number} 被改动：其归档的模型或格式与条目头不符",
                )
            if row[16] is None:  # (3)
                _gone(number, said.erased, found)
            else:
                details = details_of(actor, score, subject, None if verdict is None else bool(verdict))
                _commitment(number, bytes(id), row[16], keys.get(row[17]), details, commitment, found)
            _count(number, shared.source, counter, portion, said.gaps, known_from_start=known_from_start)  # (4)
        if len(portion.leaves) < last - first:  # (1)
            found.add(
                f"the log ends or breaks within places {first} to {last - 1}",
                f"日志在 {first} 至 {last - 1} 号之间中断",
            )
            portion.broken = True
        return portion

    def _opened(self, numbers: set[int]) -> dict[int, DataKey | PayloadUnreadable]:
        """Return the data keys of these numbers that are still there, or why one cannot be opened."""
        found: dict[int, DataKey | PayloadUnreadable] = {}
        places = ", ".join("?" * len(numbers)) or "NULL"
        for number, quarter, wrapped, wrapping in self._database.rows(
            "SELECT number, quarter, wrapped, wrapping FROM log_payload_keys"
            f" WHERE wrapped IS NOT NULL AND number IN ({places})",
            *numbers,
        ):
            try:
                found[number] = self._keys.opened(number, quarter, bytes(wrapped), wrapping)
            except PayloadUnreadable as wrong:
                found[number] = wrong
        return found

    def _shared(self, context: int) -> _Shared | None:
        if context not in self._contexts:
            rows = self._database.rows(
                "SELECT c.source, c.model, m.name, c.version, c.artifact, c.rulebook, c.site FROM log_contexts c"
                " LEFT JOIN log_models m ON m.number = c.model WHERE c.number = ?",
                context,
            )
            self._contexts[context] = _shared_of(rows[0]) if rows else None
        return self._contexts[context]

    def _said(self) -> _Said:
        erased = [(first, last) for said in self._statements("erase") for first, last in said.get("entries", [])]
        gaps = [said["gap"] for said in self._statements("incident") if "gap" in said]
        return _Said(erased, {(gap["source"], gap["before"], gap["after"]) for gap in gaps})

    def _statements(self, kind: str) -> Iterator[dict[str, Any]]:
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


def _shared_of(row: tuple[Any, ...]) -> _Shared:
    source, model, name, version, artifact, rulebook, site = row
    context = Context(source, name, version, _hex(artifact), _hex(rulebook), site)
    return _Shared(source, model, {}, context)


def _commitment(
    number: int,
    id: bytes,
    sealed: bytes,
    key: DataKey | PayloadUnreadable | None,
    details: bytes,
    commitment: bytes,
    found: Findings,
) -> None:
    if key is None:
        found.add(f"the key of entry {number} is gone", f"条目 {number} 的密钥已不存在")
        return
    try:
        if isinstance(key, PayloadUnreadable):
            raise key
        salt, payload = key.open(id, bytes(sealed))
    except PayloadUnreadable as wrong:
        found.add(f"entry {number}: {wrong.says.en}", f"条目 {number}：{wrong.says.zh}")
        return
    if commitment_of(salt, details, payload) != commitment:  # (3)
        found.add(
            f"entry {number}: payload or details do not give the commitment",
            f"条目 {number}：载荷或明细与承诺值不符",
        )


def _gone(number: int, erased: list[tuple[int, int]], found: Findings) -> None:
    if not any(first <= number <= last for first, last in erased):
        found.add(
            f"the payload of entry {number} is gone, and no entry says it was erased",
            f"条目 {number} 的载荷缺失，且没有任何条目记载其已被删除",
        )


def _count(
    number: int, source: str, counter: int, portion: Portion, gaps: set[tuple[str, int, int]], *, known_from_start: bool
) -> None:
    expected = portion.counters.get(source, 0 if known_from_start else counter - 1) + 1
    if counter != expected and (source, expected - 1, counter) not in gaps:
        portion.found.add(
            f"{source} goes from {expected - 1} to {counter} at entry {number}: something is missing",
            f"{source} 在条目 {number} 处由 {expected - 1} 跳到 {counter}：中间有缺失",
        )
    portion.counters[source] = counter


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else bytes(raw).hex()
