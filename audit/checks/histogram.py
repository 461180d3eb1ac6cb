"""Counts of verdict and truth in every group, from one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

Counts = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Coded = tuple[Counts, tuple[str, ...]]
"""A group's number for every row, -1 for unknown, and the name of every number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Counts of shape (n_groups, 4) in the order tn, fp, fn, tp, with the groups' names and the unknowns.

    Examples
    --------
    >>> made = histogram(pd.Series(["a", "b", None]), np.array([True, False, True]), np.array([True, True, False]))
    >>> made.names, made.cells.tolist(), made.unknown
    (('a', 'b'), [[0, 0, 0, 1], [0, 1, 0, 0]], 1)
    """

    column: str
    names: tuple[str, ...]
    cells: Counts
    unknown: int

    @cached_property
    def n(self) -> Counts:
        """Rows per group."""
        return np.asarray(self.cells.sum(axis=1))

    @cached_property
    def positives(self) -> Counts:
        """Rows per group in which harm happened."""
        return np.asarray(self.cells[:, 2] + self.cells[:, 3])

    @cached_property
    def negatives(self) -> Counts:
        """Rows per group in which no harm happened."""
        return np.asarray(self.cells[:, 0] + self.cells[:, 1])

    @cached_property
    def alarms(self) -> Counts:
        """Rows per group on the protective side."""
        return np.asarray(self.cells[:, 1] + self.cells[:, 3])

    @cached_property
    def false_alarms(self) -> Counts:
        """Alarms per group without harm."""
        return np.asarray(self.cells[:, 1])

    @cached_property
    def misses(self) -> Counts:
        """Harm per group without an alarm."""
        return np.asarray(self.cells[:, 2])


def codes_of(column: pd.Series) -> Coded:
    """Return a number per row and a name per number, names in order; -1 for unknown (missing or blank)."""
    codes, values = pd.factorize(column, sort=False)
    texts = [_name(value) for value in values]
    order = sorted({text for text in texts if text})
    place = {text: i for i, text in enumerate(order)}
    new = np.array([place.get(text, -1) for text in texts] + [-1], dtype=np.int64)
    return new[codes], tuple(order)


def _name(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def histogram(column: pd.Series, truth: Bools, verdicts: Bools) -> Histogram:
    """Count one column's groups against truth and verdict; rows whose group is unknown are counted apart."""
    codes, names = codes_of(column)
    return counted(str(column.name), codes, names, truth, verdicts)


def counted(name: str, codes: Counts, names: tuple[str, ...], truth: Bools, verdicts: Bools) -> Histogram:
    """Count groups given as codes; -1 is unknown."""
    cell = (codes + 1) * 4 + truth * 2 + verdicts
    cells = np.bincount(cell, minlength=4 * (len(names) + 1)).reshape(-1, 4)
    return Histogram(column=name, names=names, cells=cells[1:], unknown=int(cells[0].sum()))


def replicated(cells: Counts, replicates: int, generator: np.random.Generator) -> Counts:
    """Return bootstrap replicates of counts, shape (replicates, n_groups, 4).

    Drawing rows with replacement and counting them is drawing counts from a multinomial law, so a replicate costs
    as much as there are cells, however many rows there were.

    Parameters
    ----------
    cells : array of shape (n_groups, 4)
        Counts as observed.

    Examples
    --------
    >>> drawn = replicated(np.array([[5, 0, 1, 4]]), 3, np.random.default_rng(0))
    >>> drawn.shape, drawn.sum(axis=(1, 2)).tolist()
    ((3, 1, 4), [10, 10, 10])
    """
    flat = cells.ravel()
    total = int(flat.sum())
    if total == 0:
        return np.zeros((replicates, *cells.shape), dtype=np.int64)
    drawn = generator.multinomial(total, flat / total, size=replicates)
    return np.asarray(drawn.reshape(replicates, *cells.shape), dtype=np.int64)


def crossed(first: Coded, second: Coded) -> Coded:
    """Return the codes and names of the intersections that occur; unknown in one is unknown in both."""
    both = np.where((first[0] < 0) | (second[0] < 0), -1, first[0] * len(second[1]) + second[0])
    seen = np.bincount(both[both >= 0], minlength=1) > 0
    present = np.flatnonzero(seen)
    place = np.append(np.cumsum(seen) - 1, -1)  # the last one answers for -1, unknown
    names = tuple(f"{first[1][k // len(second[1])]} × {second[1][k % len(second[1])]}" for k in present)
    return place[both], names
