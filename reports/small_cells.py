"""Which counts a publication must keep back, so that no small one can be read or worked out from the others.

A count from 1 to `least - 1` is small: it may point at a person. Withholding it alone is not enough, because totals
give it back. So every small count gets a way out: another table of counts, equal to the true one wherever a count is
published, in which the small one is not small. Whoever has only the publication cannot tell the two apart. What the
way out changes is withheld as well, and the cheapest way out is taken: the smallest counts, totals last.

Counts of an earlier number of the same publication are part of the table: what was published then stays known, and
the change between the two is a count like any other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack

Key: TypeAlias = Hashable
FREE, TOTAL = 1e-3, 20.0
"""What it costs to withhold a count that is withheld already, and by how much a total costs more than a part."""

NEARLY_WHOLE = 1e-6


@dataclass(frozen=True)
class Sum:
    """One total and the parts that add up to it, each counted once."""

    total: Key
    parts: tuple[Key, ...]


@dataclass(frozen=True)
class Known:
    """An earlier number of the same table: its true counts, and which of them were withheld."""

    values: Mapping[Key, int]
    withheld: frozenset[Key]


def withheld(
    values: Mapping[Key, int], sums: Sequence[Sum], least: int, earlier: Sequence[Known] = ()
) -> frozenset[Key]:
    """Return the counts to keep back.

    Parameters
    ----------
    values : mapping
        Every count that might be published, totals included; whole numbers, 0 or more.
    sums : sequence of Sum
        Everything that adds up, in this number and in all earlier ones alike.
    least : int
        The smallest count, besides 0, that may be published.
    earlier : sequence of Known
        Earlier numbers, oldest first. What they published is public; the reader is taken to know also in which
        direction each count moved since.

    Examples
    --------
    >>> sorted(withheld({"a": 4, "b": 30, "c": 70, "all": 104}, [Sum("all", ("a", "b", "c"))], least=11))
    ['a', 'b']
    """
    table = _Table(values, sums, least, earlier)
    for small in table.smallest_first():
        table.give_way_out(small)
    return frozenset(table.hidden_now())


class _Table:
    """Counts of all numbers of one publication, their changes, and what is known of each."""

    def __init__(self, values: Mapping[Key, int], sums: Sequence[Sum], least: int, earlier: Sequence[Known]) -> None:
        self.least = least
        self.keys = tuple(values)
        numbers = [*(known.values for known in earlier), values]
        self.now = len(numbers) - 1
        counts = [int(number.get(key, 0)) for number in numbers for key in self.keys]
        self.width = len(self.keys)
        place = {key: at for at, key in enumerate(self.keys)}
        rows = [
            [(base + place[one.total], 1), *((base + place[part], -1) for part in one.parts)]
            for base in range(0, len(counts), self.width)
            for one in sums
        ]
        # A change is a count of its own, without its sign: later - earlier = sign * change.
        for later in range(self.width, self.width * len(numbers)):
            change = counts[later] - counts[later - self.width]
            rows.append([(later, 1), (later - self.width, -1), (len(counts), -1 if change >= 0 else 1)])
            counts.append(abs(change))
        self.counts = np.array(counts, dtype=np.float64)
        equations = _matrix(rows, len(counts))
        self.both_ways = csr_array(hstack([equations, -equations]))
        self.fixed = np.zeros(len(counts), dtype=np.bool_)
        self.hidden = np.ones(len(counts), dtype=np.bool_)
        for number, known in enumerate(earlier):
            for key, at in place.items():
                self.fixed[number * self.width + at] = key not in known.withheld
        mine = slice(self.now * self.width, (self.now + 1) * self.width)
        self.hidden[mine] = False
        self.totals = {place[one.total] for one in sums}
        self.ways_out: list[npt.NDArray[np.float64]] = []

    def smallest_first(self) -> list[int]:
        """Return the places of all small counts, changes included."""
        small = (self.counts >= 1) & (self.counts < self.least) & ~self.fixed
        return sorted(np.flatnonzero(small).tolist(), key=lambda at: (self.counts[at], at))

    def hidden_now(self) -> list[Key]:
        """Return the keys of the present number that are withheld."""
        base = self.now * self.width
        return [key for at, key in enumerate(self.keys) if self.hidden[base + at]]

    def give_way_out(self, small: int) -> None:
        """Withhold what it takes for `small` to be not small in a table that looks the same."""
        needed = self.least - self.counts[small]
        if any(way[small] >= needed for way in self.ways_out):
            return
        way = self._cheapest(small, needed)
        if way is None:  # nothing but withholding the whole number keeps this count from being worked out
            self.hidden[self.now * self.width : (self.now + 1) * self.width] = True
            return
        self.ways_out.append(way)
        self.hidden |= np.abs(way) > 0.5

    def _cheapest(self, small: int, needed: float) -> npt.NDArray[np.float64] | None:
        """Return how much each count rises or falls on the way out; None when there is none."""
        n = len(self.counts)
        cost = np.where(self.hidden, FREE, self._costs())
        up, down = np.where(self.fixed, 0.0, np.inf), np.where(self.fixed, 0.0, self.counts)
        low, high = np.zeros(2 * n), np.concatenate([up, down])
        low[small] = high[small] = needed
        high[n + small] = 0.0
        risen_and_fallen = _cheapest(np.concatenate([cost, cost]), self.both_ways, low, high)
        return None if risen_and_fallen is None else np.round(risen_and_fallen[:n] - risen_and_fallen[n:])

    def _costs(self) -> npt.NDArray[np.float64]:
        """What withholding costs the reader: more for larger counts, and most for totals."""
        cost = 1.0 + np.log1p(self.counts)
        for total in self.totals:
            cost[self.now * self.width + total] *= TOTAL
        return cost


def _matrix(rows: Sequence[Sequence[tuple[int, int]]], width: int) -> csr_array:
    at = [(row, column, value) for row, cells in enumerate(rows) for column, value in cells]
    where = ([row for row, _, _ in at], [column for _, column, _ in at])
    return csr_array(([float(value) for _, _, value in at], where), shape=(len(rows), width))


def _cheapest(
    cost: npt.NDArray[np.float64], equations: Any, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """Return the cheapest whole numbers that keep every sum; None when there are none."""
    zero = np.zeros(equations.shape[0])
    answer: npt.NDArray[np.float64] | None = None
    for whole in (0, 1):  # these tables nearly always have a whole answer without asking for one, and sooner
        found = milp(
            cost,
            integrality=np.full(len(cost), whole, dtype=np.int64),
            bounds=Bounds(low, high),
            constraints=LinearConstraint(equations, zero, zero),
        )
        answer = found.x
        if answer is None or np.abs(answer - np.round(answer)).max() <= NEARLY_WHOLE:
            break
    return answer
