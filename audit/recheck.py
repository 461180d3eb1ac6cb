"""The log judged by its own bytes: every leaf, node, payload, counter and checkpoint computed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from audit.checkpoints import Checkpoint, KeyLink, chain_holds, read_checkpoint, signer_of
from audit.database import Database
from audit.findings import Findings
from audit.leaf_check import LeafCheck
from audit.log_tree import STRIDE
from audit.merkle import Frontier
from audit.payload_keys import KeyRing
from audit.payload_store import PayloadStore
from audit.signed_note import NotASignedNote


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

    def __init__(self, database: Database, payloads: PayloadStore, keys: KeyRing, key_chain: Iterable[KeyLink]) -> None:
        self._database = database
        self._check = LeafCheck(database, payloads, keys)
        self._chain = tuple(key_chain)

    def leaves(self, start: int, end: int, counters: dict[str, int]) -> Findings:
        """Compute the entries from `start` up to but without `end` again: steps 1 to 4.

        `counters` holds the last number of each source before `start` and is brought up to date; a source it does
        not know may begin anywhere, unless `start` is 0.
        """
        found = Findings()
        with _reading(found):
            for portion in self._check.portions(start, end, counters):
                found.take(portion.found, len(portion.leaves))
                counters.update(portion.counters)
        return found

    def everything(self) -> Findings:
        """Compute the whole log again: steps 1 to 8."""
        found = Findings()
        marks: dict[int, Checkpoint] = {}
        with _reading(found):
            marks = self._checkpoints(found)
        size = int(self._database.rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])
        frontier = Frontier()
        self._mark(frontier, marks.pop(0, None), found)
        with _reading(found):
            for portion in self._check.portions(0, size, {}):
                found.take(portion.found, len(portion.leaves))
                self._grow(frontier, portion.leaves, marks, found)
        for left in marks.values():
            found.add(
                f"a checkpoint of {left.size} entries is signed, the log holds {size}: its end was cut off",
                f"已签名的检查点有 {left.size} 条，而日志仅有 {size} 条：末尾被截断",
            )
        with _reading(found):
            self._layouts(found)
        return found

    def _grow(self, frontier: Frontier, leaves: list[bytes], marks: dict[int, Checkpoint], found: Findings) -> None:
        """Add leaves to the tree, comparing stored nodes and signed roots on the way; `marks` loses what was seen."""
        end = frontier.size + len(leaves)
        for stop in sorted({*(size for size in marks if frontier.size < size < end), end}):
            part, leaves = leaves[: stop - frontier.size], leaves[stop - frontier.size :]
            for level, first, tops in frontier.extend(part):
                if level % STRIDE == 0:
                    self._nodes(level, first, tops, found)
            self._mark(frontier, marks.pop(stop, None), found)

    def _nodes(self, level: int, first: int, tops: list[bytes], found: Findings) -> None:
        rows = self._database.rows(
            "SELECT position, hash FROM log_nodes WHERE level = ? AND position >= ? AND position < ?",
            level,
            first,
            first + len(tops),
        )
        stored = dict(rows)
        for position, top in enumerate(tops, first):
            if stored.get(position) != top:  # (5)
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
