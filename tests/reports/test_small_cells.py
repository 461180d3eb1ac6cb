"""Small counts stay unknown to an attacker who solves linear programs over everything that was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from reports.small_cells import Key, Known, Sum, withheld

LEAST = 11
PARTS = ("right", "false", "open_alarm", "missed", "calm", "open_quiet")
COLUMNS = (*PARTS, "alarms", "quiet", "decisions")


def sums_of(rows: Sequence[Key]) -> list[Sum]:
    """The sums of a published table: alarms and the rest in every row, the group over its sites."""
    every = [*rows, "group"]
    return [
        *(Sum((row, "alarms"), tuple((row, part) for part in PARTS[:3])) for row in every),
        *(Sum((row, "quiet"), tuple((row, part) for part in PARTS[3:])) for row in every),
        *(Sum((row, "decisions"), ((row, "alarms"), (row, "quiet"))) for row in every),
        *(Sum(("group", column), tuple((row, column) for row in rows)) for column in COLUMNS),
    ]


def with_totals(atoms: Mapping[tuple[Any, str], int], rows: Sequence[Key]) -> dict[Key, int]:
    """Add every total to the counts of the parts."""
    values: dict[Key, int] = dict(atoms)
    for row in rows:
        values[row, "alarms"] = sum(atoms[row, part] for part in PARTS[:3])
        values[row, "quiet"] = sum(atoms[row, part] for part in PARTS[3:])
        values[row, "decisions"] = values[row, "alarms"] + values[row, "quiet"]
    for column in COLUMNS:
        values["group", column] = sum(values[row, column] for row in rows)
    return values


def a_table(rng: np.random.Generator, sites: int) -> dict[Key, int]:
    """A random table: large sites and tiny ones, rare harm, some sites without decisions."""
    atoms: dict[tuple[Any, str], int] = {}
    for row in range(sites):
        size = int(rng.choice([0, 3, 12, 60, 400, 5000], p=[0.1, 0.15, 0.15, 0.2, 0.2, 0.2]))
        shares = rng.dirichlet([0.6, 1.0, 0.6, 0.2, 4.0, 3.0])
        for part, count in zip(PARTS, rng.multinomial(size, shares), strict=True):
            atoms[row, part] = int(count)
    return with_totals(atoms, range(sites))


def with_late_labels(rng: np.random.Generator, before: Mapping[Key, int], sites: int) -> dict[Key, int]:
    """The same table when more outcomes are known, and a few were corrected."""
    atoms = {(row, part): before[row, part] for row in range(sites) for part in PARTS}
    for row in range(sites):
        for still_open, into in (("open_alarm", ("right", "false")), ("open_quiet", ("missed", "calm"))):
            known = int(rng.binomial(atoms[row, still_open], rng.choice([0.0, 0.05, 0.7])))
            first = int(rng.binomial(known, 0.3))
            atoms[row, still_open] -= known
            atoms[row, into[0]] += first
            atoms[row, into[1]] += known - first
        if atoms[row, "right"] and rng.random() < 0.2:
            atoms[row, "right"] -= 1
            atoms[row, "false"] += 1
    return with_totals(atoms, range(sites))


class Attacker:
    """Knows what every number published, what adds up, and in which direction each count moved between numbers."""

    def __init__(self, numbers: Sequence[Known], sums: Sequence[Sum]) -> None:
        self.keys = list(numbers[0].values)
        self.at = {(n, key): n * len(self.keys) + k for n in range(len(numbers)) for k, key in enumerate(self.keys)}
        self.bounds: list[tuple[float, float | None]] = []
        self.equal: list[tuple[list[tuple[int, float]], float]] = []
        self.most: list[list[tuple[int, float]]] = []
        for n, number in enumerate(numbers):
            for key in self.keys:
                value = float(number.values[key])
                self.bounds.append((0.0, None) if key in number.withheld else (value, value))
                if n:
                    sign = 1.0 if value >= numbers[n - 1].values[key] else -1.0
                    self.most.append([(self.at[n - 1, key], sign), (self.at[n, key], -sign)])
            for one in sums:
                parts = [(self.at[n, part], -1.0) for part in one.parts]
                self.equal.append(([(self.at[n, one.total], 1.0), *parts], 0.0))

    def most_it_can_be(self, *terms: tuple[int, Key, float]) -> float:
        """The largest value of a count, or of a change of one, that fits everything known."""
        goal = np.zeros(len(self.bounds))
        for number, key, sign in terms:
            goal[self.at[number, key]] -= sign
        equal = self._matrix([row for row, _ in self.equal])
        most = self._matrix(self.most) if self.most else None
        found = linprog(
            goal,
            A_eq=equal,
            b_eq=np.zeros(len(equal)),
            A_ub=most,
            b_ub=None if most is None else np.zeros(len(most)),
            bounds=self.bounds,
            method="highs",
        )
        return float("inf") if found.status == 3 else -float(found.fun)

    def _matrix(self, rows: Sequence[Sequence[tuple[int, float]]]) -> Any:
        matrix = np.zeros((len(rows), len(self.bounds)))
        for at, row in enumerate(rows):
            for column, value in row:
                matrix[at, column] += value
        return matrix


def derived(numbers: Sequence[Known], sums: Sequence[Sum]) -> list[Any]:
    """Every small count, and every small change of one, that the attacker can tell to be small."""
    attacker, found = Attacker(numbers, sums), []
    for n, number in enumerate(numbers):
        for key, value in number.values.items():
            if 1 <= value < LEAST and attacker.most_it_can_be((n, key, 1.0)) < LEAST - 1e-6:
                found.append((n, key, value))
            change = value - numbers[n - 1].values[key] if n else 0
            sign = 1.0 if change >= 0 else -1.0
            if 1 <= abs(change) < LEAST:
                most = attacker.most_it_can_be((n, key, sign), (n - 1, key, -sign))
                if most < LEAST - 1e-6:
                    found.append((n, key, "change", change))
    return found


class TestOneTable:
    def test_nothing_small_nothing_withheld(self) -> None:
        table = with_totals({(row, part): 40 + row for row in range(3) for part in PARTS}, range(3))
        assert withheld(table, sums_of(range(3)), LEAST) == frozenset()

    def test_zeros_are_no_secret(self) -> None:
        table = with_totals(
            {(row, part): 0 if part == "missed" else 90 for row in range(3) for part in PARTS}, range(3)
        )
        assert withheld(table, sums_of(range(3)), LEAST) == frozenset()

    def test_a_single_small_count_takes_company_along(self) -> None:
        counts = {(row, part): 90 for row in range(3) for part in PARTS} | {(1, "missed"): 4}
        hidden = withheld(with_totals(counts, range(3)), sums_of(range(3)), LEAST)
        assert (1, "missed") in hidden
        assert len(hidden) == 4  # a second count in its row, and the same two at another site
        assert not any(row == "group" for row, _ in hidden)  # type: ignore[misc]

    def test_no_published_count_is_small(self) -> None:
        rng = np.random.default_rng(1)
        for _ in range(20):
            table = a_table(rng, 6)
            hidden = withheld(table, sums_of(range(6)), LEAST)
            assert [key for key, value in table.items() if 1 <= value < LEAST and key not in hidden] == []

    @pytest.mark.parametrize("seed", range(12))
    def test_the_attacker_learns_no_small_count(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        sites = int(rng.integers(1, 9))
        table, sums = a_table(rng, sites), sums_of(range(sites))
        assert derived([Known(table, withheld(table, sums, LEAST))], sums) == []

    def test_the_attacker_is_one_who_succeeds_where_only_small_counts_are_blanked(self) -> None:
        table, sums = a_table(np.random.default_rng(3), 5), sums_of(range(5))
        blanked = frozenset(key for key, value in table.items() if 1 <= value < LEAST)
        assert derived([Known(table, blanked)], sums) != []

    def test_a_group_of_one_tiny_site_shows_nothing(self) -> None:
        table = with_totals({(0, part): 1 for part in PARTS}, [0])
        hidden = withheld(table, sums_of([0]), LEAST)
        assert hidden == frozenset(table)

    def test_the_same_table_gives_the_same_answer(self) -> None:
        table, sums = a_table(np.random.default_rng(7), 8), sums_of(range(8))
        assert withheld(table, sums, LEAST) == withheld(dict(table), list(sums), LEAST)

    def test_a_rulebook_may_ask_for_more(self) -> None:
        table, sums = a_table(np.random.default_rng(8), 5), sums_of(range(5))
        hidden = withheld(table, sums, 30)
        assert [key for key, value in table.items() if 1 <= value < 30 and key not in hidden] == []


class TestSeveralNumbers:
    @pytest.mark.parametrize("seed", range(8))
    def test_the_attacker_learns_nothing_small_across_numbers(self, seed: int) -> None:
        rng = np.random.default_rng(100 + seed)
        sites = int(rng.integers(1, 6))
        sums, table = sums_of(range(sites)), a_table(rng, sites)
        numbers: list[Known] = []
        for _ in range(3):
            numbers.append(Known(table, withheld(table, sums, LEAST, numbers)))
            table = with_late_labels(rng, table, sites)
        assert derived(numbers, sums) == []

    def test_a_small_change_of_a_large_count_is_not_shown(self) -> None:
        first = with_totals({(row, part): 900 for row in range(3) for part in PARTS}, range(3))
        atoms = {(row, part): 900 for row in range(3) for part in PARTS}
        later = with_totals(atoms | {(0, "missed"): 903, (0, "open_quiet"): 897}, range(3))
        sums = sums_of(range(3))
        known = Known(first, withheld(first, sums, LEAST))
        assert known.withheld == frozenset()
        hidden = withheld(later, sums, LEAST, [known])
        assert {(0, "missed"), (0, "open_quiet"), ("group", "missed")} <= hidden
        assert (1, "missed") not in hidden or (2, "missed") not in hidden

    def test_a_change_of_eleven_is_shown(self) -> None:
        atoms = {(row, part): 900 for row in range(3) for part in PARTS}
        first, sums = with_totals(atoms, range(3)), sums_of(range(3))
        later = with_totals(atoms | {(0, "missed"): 911, (0, "open_quiet"): 889}, range(3))
        assert withheld(later, sums, LEAST, [Known(first, frozenset())]) == frozenset()

    def test_nothing_new_withholds_nothing_new(self) -> None:
        table, sums = a_table(np.random.default_rng(5), 5), sums_of(range(5))
        known = Known(table, withheld(table, sums, LEAST))
        again = withheld(table, sums, LEAST, [known])
        assert derived([known, Known(table, again)], sums) == []
        assert len(again) <= 2 * len(known.withheld)
