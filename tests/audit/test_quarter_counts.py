"""A quarter counted in the database is what counting one by one gives, on both databases, as of any size of the log."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entries import Draft, Receipt
from audit.quarter_counts import PARTS, Span, count_quarter, population_stability
from audit.trace_log import TraceLog
from tests.audit.logs import a_decision

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
EARLIER = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def decided(log: TraceLog, **fields: Any) -> Receipt:
    """One decision in the log."""
    return log.append([a_decision(**{"time": SINCE + DAY, **fields})])[0]


def said(log: TraceLog, kind: str, about: Receipt | None = None, **fields: Any) -> Receipt:
    """One statement in the log, at the same site."""
    about_id = None if about is None else about.id
    given: dict[str, Any] = {"payload": b"{}", "about": about_id, "model": "gas-leak", "site": "plant-07"}
    return log.append([Draft(kind=kind, **{**given, "time": SINCE + DAY, **fields})])[0]


def counts(log: TraceLog, size: int | None = None) -> dict[str, Counter[str]]:
    """The counts of the quarter by site, as of a size of the log."""
    size = log.size() if size is None else size
    found = count_quarter(log.database, Span(SINCE, UNTIL, size), Span(EARLIER, SINCE, size))
    return {site: +Counter(of_site) for site, of_site in found.sites.items()}


class TestDecisions:
    def test_are_parted_by_what_they_came_to(self, log: TraceLog) -> None:
        for verdict in (True, False):
            for harmed in (True, False, None):
                receipt = decided(log, verdict=verdict)
                if harmed is not None:
                    said(log, "outcome", receipt, verdict=harmed)
        assert counts(log) == {"plant-07": Counter(dict.fromkeys(PARTS[:-1], 1))}

    def test_the_last_outcome_counts(self, log: TraceLog) -> None:
        receipt = decided(log, verdict=True)
        said(log, "outcome", receipt, verdict=True)
        said(log, "outcome", receipt, verdict=False)
        assert counts(log)["plant-07"] == Counter(alarm_false=1)

    def test_what_came_later_is_not_known_on_the_day(self, log: TraceLog) -> None:
        receipt = decided(log, verdict=True)
        known = log.size()
        said(log, "outcome", receipt, verdict=True, time=UNTIL + 30 * DAY)
        assert counts(log, known)["plant-07"] == Counter(alarm_open=1)
        assert counts(log)["plant-07"] == Counter(alarm_right=1)

    def test_the_first_moment_belongs_to_the_quarter_and_the_last_does_not(self, log: TraceLog) -> None:
        moment = timedelta(microseconds=1)
        for time in (SINCE - moment, SINCE, UNTIL - moment, UNTIL):
            decided(log, time=time)
        assert counts(log)["plant-07"] == Counter(alarm_open=2)

    def test_without_a_site_they_stand_under_none(self, log: TraceLog) -> None:
        decided(log, site=None)
        assert counts(log) == {"": Counter(alarm_open=1)}

    def test_those_that_called_a_person_are_counted_beside(self, log: TraceLog) -> None:
        for flags in (("handed_over",), ("capped", "clip_kept_alarm"), ("handed_over_not",), ("capped",)):
            decided(log, flags=flags)
        assert counts(log)["plant-07"] == Counter(alarm_open=4, handed_over=2)

    def test_an_empty_quarter_has_no_sites(self, log: TraceLog) -> None:
        decided(log, time=EARLIER)
        assert counts(log) == {}

    def test_name_the_versions_that_decided(self, log: TraceLog) -> None:
        for version in ("3", "4", "4"):
            decided(log, version=version)
        found = count_quarter(log.database, Span(SINCE, UNTIL, 9), Span(EARLIER, SINCE, 9))
        assert found.versions == (("gas-leak", "3"), ("gas-leak", "4"))


class TestPeople:
    def test_the_last_word_of_a_reviewer_counts_once(self, log: TraceLog) -> None:
        first, second = decided(log), decided(log)
        said(log, "override", first, verdict=False)
        said(log, "review", first, verdict=True)
        said(log, "override", second, verdict=False)
        assert counts(log)["plant-07"] == Counter(alarm_open=2, confirmed=1, overridden=1)

    def test_requests_are_parted_by_their_answer(self, log: TraceLog) -> None:
        receipt = decided(log, verdict=True)
        for answer in ({}, {"verdict": True}, {"verdict": False}, None):
            request = said(log, "appeal", receipt)
            if answer is not None:
                said(log, "answer", request, **answer)
        expected = Counter(alarm_open=1, explained=1, stands=1, changed=1, request_open=1)
        assert counts(log)["plant-07"] == expected

    def test_a_request_about_an_older_decision_counts_in_its_own_quarter(self, log: TraceLog) -> None:
        said(log, "appeal", decided(log, time=EARLIER))
        assert counts(log) == {"plant-07": Counter(request_open=1)}

    def test_an_answer_that_came_later_is_not_known_on_the_day(self, log: TraceLog) -> None:
        request = said(log, "appeal", decided(log))
        known = log.size()
        said(log, "answer", request, verdict=False)
        assert counts(log, known)["plant-07"]["request_open"] == 1

    def test_refused_calls_are_counted(self, log: TraceLog) -> None:
        said(log, "refuse")
        assert counts(log) == {"plant-07": Counter(refused=1)}


class TestAgainstCountingOneByOne:
    @pytest.mark.parametrize("seed", range(3))
    def test_gives_the_same(self, log: TraceLog, seed: int) -> None:
        draws, expected = random.Random(seed), {}
        for _ in range(60):
            site, alarmed = draws.choice(["plant-07", "plant-08", None]), draws.random() < 0.4
            time = EARLIER + timedelta(days=draws.randrange(250))
            receipt = decided(log, site=site, verdict=alarmed, time=time)
            part = "alarm_open" if alarmed else "quiet_open"
            for _ in range(draws.randrange(3)):
                harmed = draws.random() < 0.5
                said(log, "outcome", receipt, site=site, verdict=harmed)
                part = {
                    (True, True): "alarm_right",
                    (True, False): "alarm_false",
                    (False, True): "missed",
                    (False, False): "quiet_right",
                }[alarmed, harmed]
            if SINCE <= time < UNTIL:
                expected.setdefault(site or "", Counter())[part] += 1
        assert counts(log) == expected


class TestDrift:
    def fill(self, log: TraceLog, before: list[float], now: list[float]) -> float | None:
        for start, scores in ((EARLIER, before), (SINCE, now)):
            log.append([a_decision(score=score, time=start + DAY) for score in scores])
        size = log.size()
        (found,) = count_quarter(log.database, Span(SINCE, UNTIL, size), Span(EARLIER, SINCE, size)).drift
        assert (found.before, found.now) == (len(before), len(now))
        return found.psi

    def test_the_same_scores_have_not_moved(self, log: TraceLog) -> None:
        draws = random.Random(1)
        scores = [draws.gauss(0.3, 0.1) for _ in range(200)]
        assert self.fill(log, scores, scores) == 0.0

    def test_scores_that_moved_by_a_standard_deviation_are_far(self, log: TraceLog) -> None:
        draws = random.Random(2)
        scores = [draws.gauss(40, 5) for _ in range(300)]  # no probabilities
        psi = self.fill(log, scores, [score + 5 for score in scores])
        assert psi is not None and psi > 0.5

    def test_too_few_scores_say_nothing(self, log: TraceLog) -> None:
        assert self.fill(log, [0.1, 0.9] * 99, [0.1, 0.9] * 300) is None

    def test_scores_that_never_varied_say_nothing(self, log: TraceLog) -> None:
        assert self.fill(log, [0.5] * 200, [0.5] * 200) is None


histograms = st.lists(st.integers(0, 500), min_size=10, max_size=10).filter(lambda counts: sum(counts) > 0)


class TestPopulationStability:
    @given(histograms, histograms)
    def test_is_zero_for_the_same_and_never_below(self, one: list[int], other: list[int]) -> None:
        assert population_stability(one, one) == 0.0
        assert population_stability(one, other) >= 0.0

    @given(histograms, histograms)
    def test_is_the_same_in_both_directions(self, one: list[int], other: list[int]) -> None:
        assert population_stability(one, other) == pytest.approx(population_stability(other, one))
