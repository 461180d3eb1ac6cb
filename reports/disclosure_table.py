"""The table of counts that a disclosure publishes: its columns, what adds up, and the rates made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.checks.intervals import wilson
from reports.evidence import Rate
from reports.small_cells import Key, Known, Sum, withheld

PARTS_OF: Mapping[str, tuple[str, ...]] = {
    "alarms": ("alarm_right", "alarm_false", "alarm_open"),
    "quiet": ("missed", "quiet_right", "quiet_open"),
    "decisions": ("alarms", "quiet", "erased"),
    "reviewed": ("confirmed", "overridden"),
    "requests": ("explained", "stands", "changed", "request_open"),
}
"""Every total and its parts."""

COLUMNS = (
    *("decisions", "alarms", "alarm_right", "alarm_false", "alarm_open"),
    *("quiet", "missed", "quiet_right", "quiet_open", "erased"),
    *("reviewed", "confirmed", "overridden", "handed_over", "refused"),
    *("requests", "explained", "stands", "changed", "request_open"),
)
"""All columns, in the order of the page."""

_KNOWN = ("alarm_right", "alarm_false", "missed", "quiet_right")
RATES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "accuracy": (("alarm_right", "quiet_right"), _KNOWN),
    "false_alarm_rate": (("alarm_false",), ("alarm_false", "quiet_right")),
    "miss_rate": (("missed",), ("missed", "alarm_right")),
    "false_alarm_share": (("alarm_false",), ("alarm_false", "alarm_right")),
    "alarm_share": (("alarms",), ("alarms", "quiet", "erased")),
    "known_share": (_KNOWN, (*_KNOWN, "alarm_open", "quiet_open", "erased")),
    "override_share": (("overridden",), ("overridden", "confirmed")),
}
"""Every rate: the counts above the line, and those below it. Each must be published for the rate to be."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One site, or the group (`site` None). A count of None is withheld; a rate of None was not made.

    `changed` names the columns whose published figure differs from that of the number before.
    """

    site: str | None
    counts: Mapping[str, int | None]
    rates: Mapping[str, Rate | None]
    changed: tuple[str, ...] = ()

    def withheld(self, rate: str) -> bool:
        """Whether a rate is missing because a count of it is withheld, and not because there was nothing to count."""
        return any(self.counts[column] is None for column in RATES[rate][1])


Counts = Mapping[str, Mapping[str, int]]
"""True counts: by site, then by column. Never published as they are."""


def true_counts(sites: Mapping[str, Mapping[str, int]], known: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return every column of every site: those that decided, and those known to the house that did not."""
    made: dict[str, dict[str, int]] = {}
    for site in sorted({*sites, *known}):
        given = sites.get(site, {})
        row = {column: int(given.get(column, 0)) for column in COLUMNS}
        for total, parts in PARTS_OF.items():
            row[total] = sum(row[part] for part in parts)
        made[site] = row
    return made


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The true counts behind a released number, and which cells it withheld; the group stands under None."""

    counts: Counts
    withheld: frozenset[tuple[str | None, str]]


def published_rows(counts: Counts, least: int, earlier: Sequence[Kept] = ()) -> tuple[tuple[Row, ...], Kept]:
    """Return the rows that may be published, the group first, and what is kept for later numbers.

    Parameters
    ----------
    least : int
        The smallest count besides 0 that may be shown.
    earlier : sequence of Kept
        Earlier numbers of the same quarter, oldest first.
    """
    sites = sorted({*counts, *(site for kept in earlier for site in kept.counts)})
    numbers = [_with_group(kept.counts, sites) for kept in earlier]
    now = _with_group(counts, sites)
    known = [Known(cells, frozenset(kept.withheld)) for cells, kept in zip(numbers, earlier, strict=True)]
    hidden = withheld(now, _sums(sites), least, known)
    before = None if not earlier else (numbers[-1], earlier[-1].withheld)
    rows = tuple(_row(site, now, hidden, before) for site in (None, *sites))
    return rows, Kept(counts=counts, withheld=frozenset(cell for cell in hidden if isinstance(cell, tuple)))


def rate_of(name: str, counts: Mapping[str, int | None]) -> Rate | None:
    """Return a rate with its 95 % interval (Wilson); None where a count is withheld or there is nothing to count."""
    above, below = RATES[name]
    values = [counts[column] for column in below]
    if any(value is None for value in values):
        return None
    whole = sum(value or 0 for value in values)
    if not whole:
        return None
    estimate = wilson(sum(counts[column] or 0 for column in above), whole)
    return Rate(value=estimate.value, lo=estimate.lo, hi=estimate.hi)


def _with_group(counts: Counts, sites: Sequence[str]) -> dict[Key, int]:
    nothing = dict.fromkeys(COLUMNS, 0)
    cells: dict[Key, int] = {(site, column): counts.get(site, nothing)[column] for site in sites for column in COLUMNS}
    for column in COLUMNS:
        cells[None, column] = sum(cells[site, column] for site in sites)
    return cells


def _sums(sites: Sequence[str]) -> list[Sum]:
    inside = [
        Sum((row, total), tuple((row, part) for part in parts))
        for row in (None, *sites)
        for total, parts in PARTS_OF.items()
    ]
    return [*inside, *(Sum((None, column), tuple((site, column) for site in sites)) for column in COLUMNS)]


def _row(
    site: str | None,
    cells: Mapping[Key, int],
    hidden: frozenset[Key],
    before: tuple[Mapping[Key, int], frozenset[tuple[str | None, str]]] | None,
) -> Row:
    counts = {column: None if (site, column) in hidden else cells[site, column] for column in COLUMNS}
    changed: tuple[str, ...] = ()
    if before is not None:
        earlier, earlier_hidden = before
        changed = tuple(
            column
            for column in COLUMNS
            if ((site, column) in hidden) != ((site, column) in earlier_hidden)
            or ((site, column) not in hidden and cells[site, column] != earlier[site, column])
        )
    return Row(site=site, counts=counts, rates={name: rate_of(name, counts) for name in RATES}, changed=changed)
