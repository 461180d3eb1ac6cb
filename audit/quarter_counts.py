"""What a quarter's decisions came to, counted in the database over narrow rows: no payload is opened.

Everything is counted as the log stood at a given size, so that the same size gives the same counts later on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from audit.database import Database
from audit.entries import microseconds_of

PARTS = ("alarm_right", "alarm_false", "alarm_open", "missed", "quiet_right", "quiet_open", "erased")
"""The seven disjoint things a decision can have come to. `open`: what really happened is not known (yet)."""

CALLED = ("handed_over", "clip_kept_alarm")
"""Flags of decisions that called a person in by themselves."""

BINS = 10
"""Bands of a score: eight of half a standard deviation around the mean of the earlier quarter, and two tails."""

LEAST_SCORES = 200
"""Fewer scores than this on either side say nothing about drift."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far one model's scores moved against the quarter before.

    `psi` is the population stability index over ten bands; None where either quarter has too few scores.
    """

    model: str
    before: int
    now: int
    psi: float | None


@dataclass(frozen=True, kw_only=True)
class QuarterCounts:
    """Counts by site ("" where none was named), the model versions that decided, and how scores moved.

    `sites` maps a site to how often each of `PARTS` occurred, and beside them to decisions that called a person in by
    themselves (`handed_over`), were `confirmed` or `overridden` by the last word of a reviewer, to requests of people
    that were `explained`, answered with `stands` or `changed`, or are still `request_open`, and to calls that were
    `refused`. What did not occur is left out.
    """

    sites: Mapping[str, Mapping[str, int]]
    versions: tuple[tuple[str, str], ...]
    drift: tuple[Drift, ...]


@dataclass(frozen=True)
class Span:
    """A stretch of time in a log of a given size; `until` is not included."""

    since: datetime
    until: datetime
    size: int

    @property
    def values(self) -> tuple[int, int, int]:
        """What the conditions below are filled with."""
        return microseconds_of(self.since), microseconds_of(self.until), self.size


_IN_SPAN = "e.time >= ? AND e.time < ? AND e.number < ?"


def count_quarter(database: Database, span: Span, before: Span) -> QuarterCounts:
    """Count the decisions of a span, as the log stood at its size.

    Parameters
    ----------
    before : Span
        The quarter that scores are compared with.
    """
    contexts = _contexts(database)
    sites: dict[str, Counter[str]] = {}
    versions: set[tuple[str, str]] = set()
    for context, verdict, count, called in _decided(database, span):
        site, model, version = contexts[context]
        versions.add((model, version))
        into = sites.setdefault(site, Counter())
        into["erased" if verdict is None else "alarm_open" if verdict else "quiet_open"] += count
        into["handed_over"] += called
    for context, verdict, harmed, count in _outcomes(database, span):
        into = sites[contexts[context][0]]
        into["alarm_open" if verdict else "quiet_open"] -= count
        into[_came_to(verdict, harmed)] += count
    for context, kind, count in _reviews(database, span):
        sites[contexts[context][0]]["confirmed" if kind == "review" else "overridden"] += count
    for context, answered, verdict, decided, count in _requests(database, span):
        into = sites.setdefault(contexts[context][0], Counter())
        into[_answer(answered, verdict, decided)] += count
    for context, count in _refused(database, span):
        sites.setdefault(contexts[context][0], Counter())["refused"] += count
    return QuarterCounts(
        sites=MappingProxyType({site: MappingProxyType(dict(counts)) for site, counts in sorted(sites.items())}),
        versions=tuple(sorted(versions)),
        drift=tuple(_drift(database, model, span, before) for model in sorted({model for model, _ in versions})),
    )


def population_stability(before: Sequence[int], now: Sequence[int]) -> float:
    """Return the population stability index of two histograms, 0 or more; half a case is added to every band.

    Examples
    --------
    >>> population_stability([50, 50], [50, 50]), round(population_stability([50, 50], [90, 10]), 2)
    (0.0, 0.85)
    """
    was = [(count + 0.5) / (sum(before) + 0.5 * len(before)) for count in before]
    became = [(count + 0.5) / (sum(now) + 0.5 * len(now)) for count in now]
    return sum((new - old) * math.log(new / old) for old, new in zip(was, became, strict=True))


def _came_to(alarmed: bool, harmed: bool) -> str:
    if alarmed:
        return "alarm_right" if harmed else "alarm_false"
    return "missed" if harmed else "quiet_right"


def _answer(answered: bool, verdict: bool | None, decided: bool | None) -> str:
    """Return what became of a request: an answer that decides nothing explains."""
    if not answered:
        return "request_open"
    if decided is None:
        return "explained"
    return "stands" if decided == verdict else "changed"


def _contexts(database: Database) -> dict[int, tuple[str, str, str]]:
    rows = database.rows(
        "SELECT c.number, c.site, m.name, c.version FROM log_contexts c LEFT JOIN log_models m ON m.number = c.model"
    )
    return {int(number): (site or "", model or "", version or "") for number, site, model, version in rows}


def _decided(database: Database, span: Span) -> list[tuple[int, bool | None, int, int]]:
    called = " OR ".join("' ' || e.flags || ' ' LIKE ?" for _ in CALLED)
    rows = database.rows(
        f"SELECT e.context, e.verdict, count(*), sum(CASE WHEN {called} THEN 1 ELSE 0 END) FROM log_entries e"
        f" WHERE e.kind = 'decision' AND {_IN_SPAN} GROUP BY e.context, e.verdict",
        *(f"% {flag} %" for flag in CALLED),
        *span.values,
    )
    return [(int(c), None if v is None else bool(v), int(n), int(called)) for c, v, n, called in rows]


_LAST_WORDS = (
    "(SELECT e.about AS about, max(e.number) AS number FROM log_entries e"
    " WHERE e.kind <> 'decision' AND e.kind {kinds} AND e.number < ? GROUP BY e.about) last"
    " JOIN log_entries o ON o.number = last.number JOIN log_entries d ON d.id = last.about"
    " WHERE d.kind = 'decision' AND d.time >= ? AND d.time < ? AND d.number < ?"
)
_LAST_OUTCOME = _LAST_WORDS.format(kinds="= 'outcome'")
_LAST_REVIEW = _LAST_WORDS.format(kinds="IN ('review', 'override')")


def _outcomes(database: Database, span: Span) -> list[tuple[int, bool, bool, int]]:
    """Return how often the last word about a decision was that harm happened, or that it did not."""
    since, until, size = span.values
    rows = database.rows(
        f"SELECT d.context, d.verdict, o.verdict, count(*) FROM {_LAST_OUTCOME}"
        " AND d.verdict IS NOT NULL AND o.verdict IS NOT NULL GROUP BY d.context, d.verdict, o.verdict",
        *(size, since, until, size),
    )
    return [(int(c), bool(v), bool(o), int(n)) for c, v, o, n in rows]


def _reviews(database: Database, span: Span) -> list[tuple[int, str, int]]:
    """Return how often the last word of a reviewer confirmed a decision, or overrode it."""
    since, until, size = span.values
    rows = database.rows(
        f"SELECT d.context, o.kind, count(*) FROM {_LAST_REVIEW} GROUP BY d.context, o.kind",
        *(size, since, until, size),
    )
    return [(int(c), str(kind), int(n)) for c, kind, n in rows]


def _requests(database: Database, span: Span) -> list[tuple[int, bool, bool | None, bool | None, int]]:
    """Return what people asked for within the span, and whether the first answer changed the decision."""
    rows = database.rows(
        "SELECT e.context, a.number IS NOT NULL, d.verdict, a.verdict, count(*) FROM log_entries e"
        " LEFT JOIN log_entries d ON d.id = e.about"
        " LEFT JOIN log_entries a ON a.number = (SELECT min(f.number) FROM log_entries f"
        "  WHERE f.about = e.id AND f.kind = 'answer' AND f.number < ?)"
        f" WHERE e.kind <> 'decision' AND e.kind = 'appeal' AND {_IN_SPAN}"
        " GROUP BY e.context, a.number IS NOT NULL, d.verdict, a.verdict",
        span.size,
        *span.values,
    )
    return [(int(c), bool(answered), _maybe(v), _maybe(a), int(n)) for c, answered, v, a, n in rows]


def _refused(database: Database, span: Span) -> list[tuple[int, int]]:
    """Return how many calls were refused, so that a person had to decide."""
    rows = database.rows(
        "SELECT e.context, count(*) FROM log_entries e"
        f" WHERE e.kind <> 'decision' AND e.kind = 'refuse' AND {_IN_SPAN} GROUP BY e.context",
        *span.values,
    )
    return [(int(context), int(count)) for context, count in rows]


def _maybe(value: object) -> bool | None:
    return None if value is None else bool(value)


def _drift(database: Database, model: str, span: Span, before: Span) -> Drift:
    was, mean, square = _moments(database, model, before)
    now, _, _ = _moments(database, model, span)
    spread = math.sqrt(max(0.0, square - mean * mean))
    psi = None
    if was >= LEAST_SCORES and now >= LEAST_SCORES and spread > 0:
        edges = [mean + spread * (step - (BINS - 2) / 2) / 2 for step in range(BINS - 1)]
        psi = population_stability(_bands(database, model, before, edges), _bands(database, model, span, edges))
    return Drift(model=model, before=was, now=now, psi=psi)


_OF_MODEL = f"e.model = (SELECT number FROM log_models WHERE name = ?) AND e.score IS NOT NULL AND {_IN_SPAN}"


def _moments(database: Database, model: str, span: Span) -> tuple[int, float, float]:
    row = database.rows(
        f"SELECT count(*), avg(e.score), avg(e.score * e.score) FROM log_entries e WHERE {_OF_MODEL}",
        model,
        *span.values,
    )[0]
    return int(row[0]), float(row[1] or 0.0), float(row[2] or 0.0)


def _bands(database: Database, model: str, span: Span, edges: Sequence[float]) -> list[int]:
    band = " + ".join("CASE WHEN e.score >= ? THEN 1 ELSE 0 END" for _ in edges)
    rows = database.rows(
        f"SELECT {band} AS band, count(*) FROM log_entries e WHERE {_OF_MODEL} GROUP BY band",
        *edges,
        model,
        *span.values,
    )
    counts = [0] * (len(edges) + 1)
    for at, count in rows:
        counts[int(at)] = int(count)
    return counts
