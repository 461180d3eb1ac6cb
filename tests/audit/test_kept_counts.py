"""What is kept of the log's sums never makes a count wrong: not late, not after erasures, not between processes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.database import Database, Rows
from audit.entries import Draft, Entry
from audit.erasure import Going, erase
from audit.kept_counts import bring_up_to_date, differences, start_over
from audit.log_reader import Tally, Wanted
from audit.trace_log import TraceLog
from policies.roles import Person, Role, Scope
from tests.audit.conftest import OpensLog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLAGS = ((), (), ("capped",), ("capped", "handed_over"), ("review_required",), ("cappedx",))
MODELS, VERSIONS, SITES = ("gas-leak", "gas-peak"), ("1", "2"), (None, "east", "east/plant-07", "EAST", "west")


def a_draft(draws: random.Random) -> Draft:
    """Some entry: times lie days apart, also before 1970, and at the very ends of days."""
    kind = draws.choice(("decision", "decision", "decision", "review", "override"))
    base = draws.choice((NOON, NOON, NOON, datetime(1970, 1, 1, tzinfo=UTC)))
    moment = base + timedelta(
        days=draws.randrange(-4, 4), hours=draws.choice((0, 5, 12)), microseconds=-draws.randrange(2)
    )
    return Draft(
        kind=kind,
        payload=b"{}",
        model=draws.choice((*MODELS, None)) if kind == "decision" else "gas-leak",
        version=draws.choice(VERSIONS),
        site=draws.choice(SITES),
        flags=draws.choice(FLAGS),
        score=draws.choice((None, draws.random(), 1e6 * draws.random())),
        verdict=draws.choice((None, True, False)),
        time=moment,
    )


def a_question(draws: random.Random) -> Wanted:
    """Some question that kept sums can answer."""

    def maybe(*values: Any) -> Any:
        return draws.choice((None, *values))

    def a_moment() -> datetime:
        return NOON + timedelta(
            days=draws.randrange(-5, 6), hours=draws.choice((0, 12)), microseconds=draws.randrange(2)
        )

    since, until = sorted((a_moment(), a_moment()))
    scope = draws.choice((None, None, someone("east"), someone("east", ("gas-leak",)), someone("nowhere")))
    return Wanted(
        model=maybe(*MODELS, "none"),
        version=maybe(*VERSIONS),
        kind=maybe("decision", "decision", "review"),
        since=maybe(since),
        until=maybe(until),
        flag=maybe("capped", "handed_over"),
        site=maybe("east"),
        any_flag=draws.choice(((), (), ("review_required", "handed_over"))),
    ).seen_by(scope)


def someone(site: str, models: tuple[str, ...] | None = None) -> Person:
    """A reviewer of one site."""
    scopes = () if models is None else (Scope(models=models),)
    return Person(name="r", role=Role.REVIEWER, site=site, scopes=scopes)


def one_by_one(log: TraceLog, wanted: Wanted) -> Tally:
    """The same count, over whole entries."""
    found = list(log.each(wanted))
    scores = [entry.score for entry in found if entry.score is not None]
    return Tally(
        count=len(found),
        protective=sum(1 for entry in found if entry.verdict),
        scored=len(scores),
        mean_score=sum(scores) / len(scores) if scores else None,
        newest=max((entry.time for entry in found), default=None),
    )


def assert_same(kept: Tally, counted: Tally) -> None:
    """Both are equal; means but for rounding."""
    assert replace(kept, mean_score=None) == replace(counted, mean_score=None)
    assert kept.mean_score == (None if counted.mean_score is None else pytest.approx(counted.mean_score, rel=1e-6))


def erase_some(log: TraceLog, entries: list[Entry]) -> None:
    """Let the content of entries go."""
    keys = dict(log.database.rows("SELECT entry, payload_key FROM log_payloads WHERE sealed IS NOT NULL"))
    erase(log, [Going(one.index, keys[one.index]) for one in entries if one.index in keys], reason="test")


class TestCounts:
    @pytest.mark.parametrize("seed", range(12))
    def test_are_those_of_the_entries_over_any_history(self, seed: int, log: TraceLog, opens_log: OpensLog) -> None:
        """Two processes append, erase and sum up in any order; every question gets the plain answer, every time."""
        draws, other = random.Random(seed), opens_log(log.database, "serve-2")
        moves: list[Callable[[], object]] = [
            lambda: log.append([a_draft(draws) for _ in range(draws.randrange(1, 12))]),
            lambda: other.append([a_draft(draws) for _ in range(draws.randrange(1, 12))]),
            lambda: erase_some(
                draws.choice((log, other)), draws.sample(entries := list(log.each(Wanted())), len(entries) // 6)
            ),
            lambda: bring_up_to_date(log.database, least=1),
            lambda: bring_up_to_date(log.database, least=8),
        ]
        for _ in range(16):
            draws.choice(moves)()
            for _ in range(6):
                wanted = a_question(draws)
                assert_same(draws.choice((log, other)).tally(wanted), one_by_one(log, wanted))
        assert differences(log.database) == ()

    def test_what_kept_sums_cannot_tell_is_counted_from_the_entries(self, log: TraceLog) -> None:
        decided = log.append([a_draft(random.Random(seed)) for seed in range(30)])
        log.append([Draft(kind="review", payload=b"{}", about=decided[0].id)])
        bring_up_to_date(log.database, least=1)
        for wanted in (
            Wanted(verdict=True),
            Wanted(subject="p-1"),
            Wanted(without=("review",)),
            Wanted(kind="decision", any_flag=("capped", "review_required"), without=("review",)),
        ):
            assert_same(log.tally(wanted), one_by_one(log, wanted))

    def test_a_span_inside_one_day(self, log: TraceLog) -> None:
        log.append([a_draft(random.Random(seed)) for seed in range(60)])
        bring_up_to_date(log.database, least=1)
        wanted = Wanted(since=NOON - timedelta(hours=1), until=NOON + timedelta(hours=6))
        assert log.tally(wanted).count
        assert_same(log.tally(wanted), one_by_one(log, wanted))

    def test_a_count_never_misses_what_was_kept_before_it_began(self, log: TraceLog) -> None:
        """Entries come in and are summed up while somebody counts."""
        over, seen = threading.Event(), list[tuple[int, int, int]]()

        def keep_house() -> None:
            while not over.is_set():
                bring_up_to_date(log.database, least=1)

        def count() -> None:
            while not over.is_set():
                before = log.size()
                seen.append((before, log.tally(Wanted()).count, log.size()))

        threads = [threading.Thread(target=work) for work in (keep_house, count, count)]
        for thread in threads:
            thread.start()
        draws = random.Random(1)
        for _ in range(60):
            log.append([a_draft(draws) for _ in range(20)])
        over.set()
        for thread in threads:
            thread.join()
        assert seen
        assert all(before <= counted <= after for before, counted, after in seen)


@dataclass(frozen=True)
class Meddled(Database):
    """A database to which something happens between the look at it and what follows, once."""

    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    @contextmanager
    def one_state(self) -> Iterator[Rows]:
        """Look, then let it happen."""
        with super().one_state() as rows:
            yield rows
        if self.meanwhile:
            self.meanwhile.pop()()


class TestBringUpToDate:
    def test_sums_are_added_only_to_what_was_looked_at(self, log: TraceLog) -> None:
        """Somebody erases, or sums up the same entries, after they were read and before their sums are added."""
        for meanwhile in (
            lambda: erase_some(log, list(log.each(Wanted(verdict=True)))),
            lambda: bring_up_to_date(log.database, least=1),
            lambda: start_over(log.database),
            lambda: log.append([a_draft(random.Random(3))]),
        ):
            log.append([a_draft(random.Random(seed)) for seed in range(40)])
            meddled = Meddled(log.database.engine, log.database.dialect, [meanwhile])
            assert bring_up_to_date(meddled, least=1) == log.size()
            assert differences(log.database) == ()
            assert_same(log.tally(Wanted()), one_by_one(log, Wanted()))

    def test_a_few_entries_are_left_for_later(self, log: TraceLog) -> None:
        log.append([a_draft(random.Random(seed)) for seed in range(9)])
        assert bring_up_to_date(log.database, least=10) == 0
        assert bring_up_to_date(log.database, least=9) == 9

    def test_of_an_empty_log(self, database: Database) -> None:
        assert bring_up_to_date(database, least=0) == 0
        assert differences(database) == ()

    def test_an_erased_day_leaves_no_rounding_behind(self, log: TraceLog) -> None:
        log.append([Draft(kind="decision", payload=b"{}", score=score, time=NOON) for score in (0.1, 0.2, 0.3)])
        bring_up_to_date(log.database, least=1)
        for entry in list(log.each(Wanted())):
            erase_some(log, [entry])
        assert log.database.rows("SELECT score_sum, scored, entries FROM log_counts") == [(0.0, 0, 3)]


class TestDifferences:
    @pytest.mark.parametrize(
        "fault",
        [
            "UPDATE log_counts SET entries = entries - 1",
            "UPDATE log_counts SET protective = protective + 1",
            "UPDATE log_counts SET score_sum = score_sum + 0.01",
            "UPDATE log_counts SET newest = newest + 1",
            "UPDATE log_counts SET kind = 'review'",
            "DELETE FROM log_counts",
        ],
    )
    def test_a_changed_sum_is_found_and_made_anew(self, fault: str, log: TraceLog) -> None:
        log.append([Draft(kind="decision", payload=b"{}", model="gas-leak", score=0.5, verdict=True) for _ in range(5)])
        bring_up_to_date(log.database, least=1)
        with log.database.writing() as connection:
            connection.exec_driver_sql(fault)
        found = differences(log.database)
        assert "decision" in found[0].en
        start_over(log.database)
        assert log.tally(Wanted()).count == 5
        bring_up_to_date(log.database, least=1)
        assert differences(log.database) == ()
        assert log.tally(Wanted()).protective == 5
