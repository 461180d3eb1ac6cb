"""Flip points and counterfactuals: nothing nearer exists, and what is told is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainers.black_box import BlackBox
from explainers.boundary import decision_map, flip_points
from explainers.counterfactual import Change, Counterfactual, nearest_flip
from explainers.linear import LinearModel
from explainers.links import Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.nodes import CATEGORIES, NAN_BY_DEFAULT, ZERO
from policies.errors import Malformed, Sentence
from tests.explainers.oracle import ALL_RULES, Floats, ensemble_of, random_rows, random_tree

RANGES = {f"x{i}": (-3.0, 40.0) for i in range(4)}


def a_forest(seed: int, rules: tuple[int, ...] = (NAN_BY_DEFAULT,)) -> tuple[TreeEnsemble, Floats]:
    random = np.random.default_rng(seed)
    trees = [random_tree(random, 4, 4, rules=rules) for _ in range(6)]
    return ensemble_of(trees, 4, link="logistic"), random_rows(random, 6, 4)


def a_line() -> LinearModel:
    return LinearModel(
        weights=np.array([2.0, -1.0, 0.0, 0.5]),
        intercept=np.array(0.25),
        reference=np.zeros(4),
        feature_names=("x0", "x1", "x2", "x3"),
        link=Link("logistic"),
    )


def everywhere(ensemble: TreeEnsemble, j: int) -> Floats:
    """Values of which at least one lies in every cell of feature j, near both ends of it."""
    marks = np.concatenate([ensemble.nodes.threshold, np.arange(-3.0, 41.0), [0.0, ZERO, -ZERO]])
    marks = np.concatenate([marks, np.nextafter(marks, np.inf), np.nextafter(marks, -np.inf)])
    return np.unique(marks[(marks >= -3) & (marks <= 40)])


class TestFlipPoints:
    @given(st.integers(0, 10_000), st.sampled_from([(NAN_BY_DEFAULT,), ALL_RULES[:2], (CATEGORIES,)]))
    @settings(max_examples=40, deadline=None)
    def test_no_flip_is_nearer_than_the_one_told(self, seed: int, rules: tuple[int, ...]) -> None:
        ensemble, X = a_forest(seed, rules)
        row = np.rint(X[0]) if rules == (CATEGORIES,) else X[0]
        above = ensemble.scores(row[None])[0] >= 0.6
        for point in flip_points(ensemble, row, threshold=0.6, ranges=RANGES):
            j = ensemble.feature_names.index(point.feature)
            values = np.arange(0.0, 41.0) if rules == (CATEGORIES,) else everywhere(ensemble, j)
            rows = np.tile(row, (len(values), 1))
            rows[:, j] = values
            flips = values[(ensemble.scores(rows) >= 0.6) != above]
            if point.flips_at is None:
                assert not len(flips)
                continue
            moved = row.copy()
            moved[j] = point.flips_at
            assert (ensemble.scores(moved[None])[0] >= 0.6) != above
            if not np.isnan(row[j]):
                assert point.distance == abs(point.flips_at - row[j]) <= np.abs(flips - row[j]).min() + 1e-30
                assert point.direction == ("up" if point.flips_at > row[j] else "down")

    def test_leading_features_first(self) -> None:
        ensemble, X = a_forest(3)
        points = flip_points(ensemble, X[1], threshold=0.5, ranges=RANGES)
        sizes = [abs(point.contribution) for point in points]
        assert sizes == sorted(sizes, reverse=True)

    def test_linear_crossing(self) -> None:
        points = {p.feature: p for p in flip_points(a_line(), np.zeros(4), threshold=0.5, ranges=RANGES)}
        assert points["x0"].flips_at == pytest.approx(-0.125, abs=1e-12)
        assert points["x1"].flips_at == pytest.approx(0.25, abs=1e-12)
        assert (points["x2"].flips_at, points["x2"].distance, points["x2"].direction) == (None, None, None)

    def test_values_outside_the_range_are_not_told(self) -> None:
        points = flip_points(a_line(), np.zeros(4), threshold=0.5, ranges={"x0": (0.0, 5.0), "x1": (0.0, 5.0)})
        assert {p.feature: p.flips_at is None for p in points} == {"x0": True, "x1": False}

    def test_a_tree_without_ranges_goes_between_its_outermost_thresholds(self) -> None:
        ensemble, X = a_forest(3)
        assert len(flip_points(ensemble, X[1], threshold=0.5, ranges={})) == 4

    def test_functions_are_narrowed_down(self) -> None:
        box = BlackBox(
            function=lambda A: A[:, 0] ** 2, feature_names=("x0", "x1"), background=np.zeros((3, 2)), pairs=2
        )
        points = flip_points(box, np.array([0.5, 0.0]), threshold=2.0, ranges={"x0": (-3.0, 3.0)})
        assert points[0].flips_at == pytest.approx(np.sqrt(2), abs=1e-12)

    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            ({"protective": "left"}, "the protective side is 'left', expected 'at_or_above' or 'below'"),
            ({"ranges": {"x0": (2.0, 1.0)}}, "the range of 'x0' runs from 2.0 to 1.0"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, changed: dict[str, object], sentence: str) -> None:
        given: dict[str, object] = {"threshold": 0.5, "ranges": RANGES} | changed
        with pytest.raises(Malformed, match=sentence):
            flip_points(a_line(), np.zeros(4), **given)  # type: ignore[arg-type]

    def test_several_outputs_are_refused_until_one_is_chosen(self) -> None:
        random = np.random.default_rng(0)
        ensemble = ensemble_of([random_tree(random, 4, 3) for _ in range(6)], 4, 3, link="softmax")
        with pytest.raises(Malformed, match="choose one output first"):
            flip_points(ensemble, np.zeros(4), threshold=0.0, ranges=RANGES)
        one = ensemble.one_output(2)
        assert one.margins(np.zeros((1, 4))) == ensemble.margins(np.zeros((1, 4)))[:, 2]
        assert len(flip_points(one, np.zeros(4), threshold=0.0, ranges=RANGES)) == 4

    def test_an_output_that_does_not_exist(self) -> None:
        with pytest.raises(Malformed, match="output 5 does not exist, this model has 1"):
            a_forest(0)[0].one_output(5)


class TestDecisionMap:
    def test_scores_are_the_model_s(self) -> None:
        drawn = decision_map(a_line(), np.zeros(4), "x0", "x1", ranges=RANGES, threshold=0.5, data=None, size=5)
        corner = np.array([[drawn.x[4], drawn.y[0], 0.0, 0.0]])
        assert drawn.scores[0, 4] == a_line().scores(corner)[0]
        assert drawn.case == (0.0, 0.0)

    def test_nothing_is_supported_without_data(self) -> None:
        drawn = decision_map(a_line(), np.zeros(4), "x0", "x1", ranges=RANGES, threshold=0.5, data=None, size=5)
        assert not drawn.supported.any()

    def test_only_cells_near_data_are_supported(self) -> None:
        data = np.array([[0.0, 0.0, 9.0, 9.0]])
        ranges = {"x0": (0.0, 10.0), "x1": (0.0, 10.0)}
        drawn = decision_map(a_line(), np.zeros(4), "x0", "x1", ranges=ranges, threshold=0.5, data=data, size=11)
        assert np.argwhere(drawn.supported).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]

    def test_axes_without_ranges_come_from_the_data(self) -> None:
        data = np.array([[1.0, 2.0, 0.0, 0.0], [3.0, 8.0, 0.0, 0.0]])
        drawn = decision_map(a_line(), data[0], "x0", "x1", ranges={}, threshold=0.5, data=data)
        assert (drawn.x[0], drawn.x[-1], drawn.y[0], drawn.y[-1]) == (1.0, 3.0, 2.0, 8.0)

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [("x9", "the model has no feature 'x9'"), ("x3", "'x3' has neither a range nor data to draw it from")],
    )
    def test_what_cannot_be_drawn_is_refused(self, name: str, sentence: str) -> None:
        with pytest.raises(Malformed, match=sentence):
            decision_map(a_line(), np.zeros(4), "x0", name, ranges={"x0": (0, 1)}, threshold=0.5, data=None)


class TestNearestFlip:
    @given(st.integers(0, 10_000))
    @settings(max_examples=40, deadline=None)
    def test_what_is_told_flips(self, seed: int) -> None:
        ensemble, X = a_forest(seed)
        found = nearest_flip(ensemble, X[0], threshold=0.6, ranges=RANGES, immutable={"x0"})
        if found is None:
            return
        assert (found.score_before >= 0.6) != (found.score_after >= 0.6)
        assert found.score_before == ensemble.scores(X[:1])[0]
        assert "x0" not in {change.feature for change in found.changes}
        assert all(-3.0 <= change.after <= 40.0 for change in found.changes)

    @given(st.integers(0, 10_000))
    @settings(max_examples=25, deadline=None)
    def test_no_smaller_change_of_one_or_two_features_exists(self, seed: int) -> None:
        ensemble, X = a_forest(seed)
        row = np.nan_to_num(X[0])
        found = nearest_flip(ensemble, row, threshold=0.6, ranges=RANGES)
        above = ensemble.scores(row[None])[0] >= 0.6
        best: dict[int, float] = {}
        for a in range(4):
            for b in range(a + 1, 4):
                grid = np.array([(p, q) for p in everywhere(ensemble, a) for q in everywhere(ensemble, b)])
                grid = grid[::7] if len(grid) > 40_000 else grid
                grid = np.concatenate([grid, [(p, row[b]) for p in everywhere(ensemble, a)]])
                grid = np.concatenate([grid, [(row[a], q) for q in everywhere(ensemble, b)]])
                rows = np.tile(row, (len(grid), 1))
                rows[:, [a, b]] = grid
                flips = (ensemble.scores(rows) >= 0.6) != above
                moved = np.abs(grid[flips] - row[[a, b]])
                for count in (1, 2):
                    cost = moved[(moved > 0).sum(axis=1) == count].sum(axis=1)
                    if len(cost):
                        best[count] = min(best.get(count, np.inf), float(cost.min()) / 43.0)
        if 1 in best:
            assert found is not None
            assert len(found.changes) == 1
            assert found.exact
            assert found.distance <= best[1] + 1e-12
        elif 2 in best:
            assert found is not None
            assert len(found.changes) == 2
            assert found.distance <= best[2] + 1e-12

    def test_several_features_when_two_do_not_suffice(self) -> None:
        line = LinearModel(
            weights=np.ones(4), intercept=np.array(-3.5), reference=np.zeros(4),
            feature_names=("x0", "x1", "x2", "x3"), link=Link("identity"),
        )  # fmt: skip
        found = nearest_flip(line, np.zeros(4), threshold=0.0, ranges={f"x{i}": (0.0, 1.0) for i in range(4)})
        assert found is not None
        assert len(found.changes) == 4
        assert found.distance == pytest.approx(3.5)
        assert not found.exact

    def test_steps_are_kept(self) -> None:
        found = nearest_flip(a_line(), np.zeros(4), threshold=0.9, ranges={"x0": (0.0, 10.0)}, steps={"x0": 1.0})
        assert found is not None
        assert found.changes == (Change("x0", 0.0, 1.0),)

    def test_nothing_may_move(self) -> None:
        assert nearest_flip(a_line(), np.zeros(4), threshold=0.9, ranges=RANGES, immutable=RANGES) is None
        assert nearest_flip(a_line(), np.zeros(4), threshold=0.9, ranges={}) is None

    def test_no_flip_within_the_ranges(self) -> None:
        assert nearest_flip(a_line(), np.zeros(4), threshold=0.9, ranges={"x2": (0.0, 1.0)}) is None


class TestChange:
    @pytest.mark.parametrize(
        ("change", "unit", "en", "zh"),
        [
            (Change("temperature", 21.2, 18.0), "degC", "temperature 3.2 degC lower", "temperature 降低 3.2 degC"),
            (Change("count", 1.0, 4.0), None, "count 3 higher", "count 升高 3"),
            (Change("gas", np.nan, 4.0), "ppm", "gas 4 ppm instead of missing", "gas 由缺失变为 4 ppm"),
        ],
    )
    def test_says_it_in_both_languages(self, change: Change, unit: str | None, en: str, zh: str) -> None:
        assert (change.says(unit).en, change.says(unit).zh) == (en, zh)

    def test_whole_counterfactual_is_one_sentence_in_the_words_of_people(self) -> None:
        found = nearest_flip(a_line(), np.zeros(4), threshold=0.5, ranges={"x0": (-40.0, 60.0)})
        assert found is not None
        said = found.says({"x0": "degC"}, {"x0": Sentence(en="temperature", zh="温度")})
        assert said.en == "the verdict would be the other one with temperature 0.125 degC lower"
        assert said.zh == "若温度 降低 0.125 degC，结论将相反"

    def test_two_changes_are_joined(self) -> None:
        found = Counterfactual(
            changes=(Change("t", 21.2, 18.0), Change("p", 1.0, 1.5)), score_before=0.7, score_after=0.4, distance=0.1,
            exact=True,
        )  # fmt: skip
        assert found.says().en == "the verdict would be the other one with t 3.2 lower and p 0.5 higher"
        assert found.says().zh == "若t 降低 3.2、p 升高 0.5，结论将相反"
