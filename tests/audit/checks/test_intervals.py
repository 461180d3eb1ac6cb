from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from audit.checks.intervals import (
    auc_alone,
    average_precision,
    difference,
    holm,
    mean_of,
    mean_of_two,
    roc_auc,
    same_rate,
    wilson,
)


class TestWilson:
    def test_agrees_with_scipy(self) -> None:
        theirs = stats.binomtest(17, 60).proportion_ci(method="wilson")
        assert wilson(17, 60).interval == pytest.approx((theirs.low, theirs.high))

    def test_nothing_counted_is_nothing_known(self) -> None:
        assert np.isnan(wilson(0, 0).value)
        assert wilson(0, 0).interval == (0.0, 1.0)

    @given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    @settings(deadline=None)
    def test_holds_its_rate_and_stays_in_the_unit_interval(self, counted: tuple[int, int]) -> None:
        found = wilson(*counted)
        assert 0 <= found.lo <= found.value <= found.hi <= 1

    @given(st.integers(0, 40))
    @settings(deadline=None)
    def test_more_confidence_is_wider(self, hits: int) -> None:
        assert wilson(hits, 40, 0.99).lo <= wilson(hits, 40, 0.9).lo

    def test_covers_as_often_as_it_says(self) -> None:
        generator = np.random.default_rng(0)
        hits = generator.binomial(80, 0.15, size=2000)
        inside = [wilson(int(k), 80).lo <= 0.15 <= wilson(int(k), 80).hi for k in hits]
        assert np.mean(inside) > 0.93


class TestDifference:
    def test_newcombes_own_example(self) -> None:
        found = difference((56, 70), (48, 80))
        assert found.value == pytest.approx(0.2)
        assert found.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)

    @given(st.integers(0, 30), st.integers(0, 50))
    @settings(deadline=None)
    def test_turning_the_groups_turns_the_sign(self, one: int, two: int) -> None:
        there, back = difference((one, 30), (two, 50)), difference((two, 50), (one, 30))
        assert there.value == pytest.approx(-back.value)
        assert there.lo == pytest.approx(-back.hi)


class TestMeanOfTwo:
    def test_is_narrower_than_either(self) -> None:
        one, two = wilson(30, 60), wilson(45, 60)
        both = mean_of_two(one, two)
        assert both.value == pytest.approx((one.value + two.value) / 2)
        assert both.hi - both.lo < one.hi - one.lo


class TestMeanOf:
    def test_agrees_with_scipy(self) -> None:
        values = np.array([0.1, 0.4, 0.35, 0.2, 0.5])
        theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert mean_of(values).interval == pytest.approx((theirs.low, theirs.high))

    def test_one_value_tells_nothing_about_its_spread(self) -> None:
        assert mean_of(np.array([0.3])).interval == (-np.inf, np.inf)


class TestSameRate:
    def test_two_groups_are_tested_exactly(self) -> None:
        assert same_rate([8, 1], [10, 10]) == pytest.approx(stats.fisher_exact([[8, 1], [2, 9]]).pvalue)

    def test_no_event_anywhere_is_no_difference(self) -> None:
        assert same_rate([0, 0, 0], [10, 20, 30]) == 1.0

    def test_three_groups_far_apart(self) -> None:
        assert same_rate([5, 50, 95], [100, 100, 100]) < 1e-6


class TestHolm:
    def test_textbook(self) -> None:
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    @given(st.lists(st.floats(0, 1), max_size=12))
    @settings(deadline=None)
    def test_never_smaller_and_in_the_same_order(self, p_values: list[float]) -> None:
        adjusted = holm(p_values)
        assert all(after >= before for before, after in zip(p_values, adjusted, strict=True))
        assert [adjusted[i] for i in np.argsort(p_values, kind="stable")] == sorted(adjusted)


class TestAreas:
    @given(st.integers(0, 2**32 - 1))
    @settings(deadline=None)
    def test_roc_auc_is_sklearns(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        truth, scores = generator.random(50) < 0.4, generator.integers(0, 8, 50).astype(float)
        truth[:2] = True, False
        ours = roc_auc(truth, scores)
        assert ours.value == pytest.approx(roc_auc_score(truth, scores))
        assert auc_alone(truth, scores) == pytest.approx(ours.value)
        assert ours.lo <= ours.value <= ours.hi

    @given(st.integers(0, 2**32 - 1))
    @settings(deadline=None)
    def test_average_precision_is_sklearns(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        truth, scores = generator.random(50) < 0.4, generator.integers(0, 8, 50).astype(float)
        truth[0] = True
        assert average_precision(truth, scores).value == pytest.approx(average_precision_score(truth, scores))

    def test_delong_covers(self) -> None:
        generator = np.random.default_rng(1)
        expected = stats.norm.cdf(1 / np.sqrt(2))
        truth = np.arange(200) < 80
        inside = 0
        for _ in range(300):
            found = roc_auc(truth, generator.standard_normal(200) + truth)
            inside += found.lo <= expected <= found.hi
        assert inside / 300 > 0.91

    def test_one_kind_only_has_no_area(self) -> None:
        assert np.isnan(roc_auc(np.ones(5, bool), np.arange(5.0)).value)
        assert np.isnan(average_precision(np.zeros(5, bool), np.arange(5.0)).value)

    def test_a_perfect_order_still_has_an_interval(self) -> None:
        found = roc_auc(np.arange(20) > 9, np.arange(20.0))
        assert found.value == 1 and found.lo < 1
