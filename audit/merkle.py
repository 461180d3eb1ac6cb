"""The Merkle tree of RFC 6962 and RFC 9162 over SHA-256: heads, growth, and both kinds of proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
"""The root of a log without entries (RFC 6962, 2.1)."""

Subtree = Callable[[int, int], bytes]
"""Gives the hash of the perfect subtree `(level, position)`: leaves `position << level` up to the next multiple."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry; the leading zero keeps a leaf from passing as a node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass
class Frontier:
    """The right edge of a growing tree: all that is needed to add a leaf or to give the root.

    Parameters
    ----------
    size : int
        Number of leaves so far.
    peaks : list of bytes
        Roots of the perfect subtrees that make up the tree, largest first: one per set bit of `size`.

    Examples
    --------
    >>> frontier = Frontier()
    >>> [len(frontier.add(leaf_hash(b"entry"))) for _ in range(4)]
    [0, 1, 0, 2]
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add one leaf; return the perfect subtrees it completed as `(level, position, hash)`, lowest first."""
        completed = []
        level, position, top = 0, self.size, leaf
        while position & 1:
            top = sha256(b"\x01" + self.peaks.pop() + top).digest()
            level += 1
            position >>= 1
            completed.append((level, position, top))
        self.peaks.append(top)
        self.size += 1
        return completed

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, int, list[bytes]]]:
        """Add many leaves; return what they completed as `(level, first position, hashes)`, one item per level.

        The same tree as `add` for each, at half the cost.

        Examples
        --------
        >>> one, other = Frontier(), Frontier()
        >>> completed = [one.add(leaf_hash(b"entry")) for _ in range(5)]
        >>> [(level, first, len(hashes)) for level, first, hashes in other.extend([leaf_hash(b"entry")] * 5)]
        [(1, 0, 2), (2, 0, 1)]
        >>> one == other
        True
        """
        completed = []
        level, first, row, peaks = 0, self.size, list(leaves), list[bytes]()
        while row:
            if first & 1:
                row = [self.peaks.pop(), *row]
                first -= 1
            if len(row) & 1:
                peaks.append(row[-1])
            row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]
            level, first = level + 1, first >> 1
            if row:
                completed.append((level, first, row))
        self.peaks, self.size = self.peaks + peaks[::-1], self.size + len(leaves)
        return completed

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return _folded(self.peaks)

    def copy(self) -> Frontier:
        """Return a frontier that can grow without this one noticing."""
        return Frontier(self.size, list(self.peaks))

    @classmethod
    def at(cls, size: int, subtree: Subtree) -> Frontier:
        """Return the frontier of the tree of `size` leaves whose perfect subtrees `subtree` gives."""
        return cls(size, [subtree(level, position) for level, position in perfect_parts(0, size)])


def perfect_parts(start: int, end: int) -> list[tuple[int, int]]:
    """Return the perfect subtrees `(level, position)` that cover leaves `start` to `end`, from left to right.

    Examples
    --------
    >>> perfect_parts(0, 7)
    [(2, 0), (1, 2), (0, 6)]
    >>> perfect_parts(4, 4)
    []
    """
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        parts.append((level, start >> level))
        start += 1 << level
    return parts


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes.

    Examples
    --------
    >>> root_of([]).hex()[:8]
    'e3b0c442'
    """
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size` leaves (RFC 6962, 2.1.1).

    Raises
    ------
    ValueError
        When `index` is not a leaf of that tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency_proof(older: int, newer: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the tree of `newer` leaves begins with the tree of `older` (RFC 6962, 2.1.2).

    Empty when the two sizes are equal or the older tree has no leaf.

    Raises
    ------
    ValueError
        When the older tree is the larger one.
    """
    if not 0 <= older <= newer:
        raise ValueError(f"a tree of {newer} cannot continue one of {older}")
    if older in (0, newer):
        return []
    proof = []
    start, end, whole = 0, newer, True
    while older != end:
        middle = start + _split(end - start)
        if older <= middle:
            proof.append(_range_root(middle, end, subtree))
            end = middle
        else:
            proof.append(_range_root(start, middle, subtree))
            start, whole = middle, False
    if not whole:
        proof.append(_range_root(start, end, subtree))
    return proof[::-1]


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to (RFC 9162, 2.1.3.2); None when the path has the wrong length."""
    if not 0 <= index < size:
        return None
    place, last, top = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            top = node_hash(step, top)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            top = node_hash(top, step)
        place, last = place >> 1, last >> 1
    return top if last == 0 else None


def is_consistent(older: int, newer: int, older_root: bytes, newer_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the newer tree begins with the older one (RFC 9162, 2.1.4.2)."""
    if older == newer:
        return not proof and older_root == newer_root
    if older == 0:
        return not proof and older_root == EMPTY_ROOT
    if older > newer or not proof:
        return False
    steps = list(proof)
    if older & (older - 1) == 0:
        steps.insert(0, older_root)
    place, last = older - 1, newer - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_top = new_top = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_top, new_top = node_hash(step, old_top), node_hash(step, new_top)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_top = node_hash(new_top, step)
        place, last = place >> 1, last >> 1
    return last == 0 and old_top == older_root and new_top == newer_root


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _folded(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    top = peaks[-1]
    for peak in reversed(peaks[:-1]):
        top = node_hash(peak, top)
    return top


def _range_root(start: int, end: int, subtree: Subtree) -> bytes:
    return _folded([subtree(level, position) for level, position in perfect_parts(start, end)])
