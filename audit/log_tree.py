"""The tree as the database holds it: leaves in the entries, every fourth level of nodes beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from audit.merkle import node_hash

STRIDE = 4
"""Levels between stored nodes: a fifteenth of a node per leaf on disk, at most eight hashes read for a missing one."""

Rows = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement written with `?` and returns its rows."""


class TreeBroken(LookupError):
    """A leaf or node of the tree is not where it must be."""


def stored_nodes(completed: list[tuple[int, int, list[bytes]]]) -> list[tuple[int, int, bytes]]:
    """Return those of the completed subtrees that the database keeps, as `(level, position, hash)`."""
    return [
        (level, position, top)
        for level, first, tops in completed
        if level % STRIDE == 0
        for position, top in enumerate(tops, first)
    ]


class StoredTree:
    """Gives the hash of any perfect subtree from what is stored, with few reads.

    Calling it with `(level, position)` makes it the `Subtree` that the proofs of `audit.merkle` ask for.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __call__(self, level: int, position: int) -> bytes:
        below = level - level % STRIDE
        spread = level - below
        hashes = self._stored(below, position << spread, 1 << spread)
        while len(hashes) > 1:
            hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    def _stored(self, level: int, first: int, count: int) -> list[bytes]:
        if level == 0:
            found = self._rows(
                "SELECT leaf FROM log_entries WHERE number >= ? AND number < ? ORDER BY number", first, first + count
            )
        else:
            found = self._rows(
                "SELECT hash FROM log_nodes WHERE level = ? AND position >= ? AND position < ? ORDER BY position",
                level,
                first,
                first + count,
            )
        if len(found) != count:
            raise TreeBroken(f"level {level} has {len(found)} of the {count} hashes from {first} on")
        return [bytes(row[0]) for row in found]
