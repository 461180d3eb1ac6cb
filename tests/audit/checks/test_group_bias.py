from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_ratio,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checks.check import Finding
from audit.checks.group_bias import GroupBias, grouped
from explainers.predictor import Predictor
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run


def drawn(seed: int, n: int, rates: dict[str, tuple[float, float]], shares: list[float]) -> Finding:
    """Run the check on groups with given (false-alarm rate, miss rate); half of the rows are harmful."""
    generator = np.random.default_rng(seed)
    names = list(rates)
    group = generator.choice(len(names), n, p=shares)
    truth = generator.random(n) < 0.5
    alarm_rate = np.where(truth, [1 - rates[names[g]][1] for g in group], [rates[names[g]][0] for g in group])
    scores = (generator.random(n) < alarm_rate).astype(float)
    examined = of_predictions(truth, scores, {"group": [names[g] for g in group]}, groups=("group",))
    return run(GroupBias(), examined)[0]


class TestReleases:
    def test_miss_gap_between_small_and_large_plants_is_found(self, epa: Split, epa_model: Predictor) -> None:
        errors, _ = run(GroupBias(), of_model(epa[1], epa_model, groups=("enterprise_size",)))
        assert errors.holds is False
        by_metric = {line["metric"]: line for line in errors.as_json()["evidence"]["comparisons"]}
        assert by_metric["miss_rate"]["conclusion"] == "gap"
        assert by_metric["miss_rate"]["p"] < 0.05
        assert (by_metric["miss_rate"]["low_group"], by_metric["miss_rate"]["high_group"]) == ("small", "large")

    def test_false_alarm_gap_is_not_claimed(self, epa: Split, epa_model: Predictor) -> None:
        errors, impact = run(GroupBias(), of_model(epa[1], epa_model, groups=("enterprise_size",)))
        by_metric = {line["metric"]: line for line in errors.as_json()["evidence"]["comparisons"]}
        assert by_metric["false_alarm_rate"]["conclusion"] == "ok"
        assert by_metric["false_alarm_rate"]["p"] > 0.05
        assert "false alarms" not in errors.says.en
        assert impact.holds is True

    def test_unknown_sizes_are_counted(self, epa: Split, epa_model: Predictor) -> None:
        errors, _ = run(GroupBias(), of_model(epa[1], epa_model, groups=("enterprise_size",)))
        unknown = int(epa[1].enterprise_size.isna().sum())
        assert errors.as_json()["evidence"]["unknown"] == {"enterprise_size": unknown}
        assert f"'enterprise_size' is unknown in {unknown} of {len(epa[1])} rows" in errors.says.en

    def test_sexes_in_the_claims_are_treated_alike(self, injury: Split, injury_model: Predictor) -> None:
        examined = of_model(injury[1], injury_model, label="off_long", threshold=0.25, groups=("male",))
        assert [one.holds for one in run(GroupBias(), examined)] == [True, True]


class TestFairlearn:
    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=15, deadline=None)
    def test_point_values_equal_metric_frame(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        truth = generator.random(2000) < 0.4
        scores = generator.random(2000)
        columns = {"班次": generator.choice(["早", "中", "夜"], 2000), "sex": generator.integers(0, 2, 2000)}
        found = run(GroupBias(), of_predictions(truth, scores, columns, groups=("班次", "sex")))[0]
        theirs = {
            name: MetricFrame(
                metrics={"fpr": false_positive_rate, "fnr": false_negative_rate, "rate": selection_rate},
                y_true=truth, y_pred=scores >= 0.5, sensitive_features=columns[name],
            )
            for name in columns
        }  # fmt: skip
        for line in found.as_json()["groups"]:
            if line["column"] in theirs:
                key = int(line["group"]) if line["column"] == "sex" else line["group"]
                expected = theirs[line["column"]].by_group.loc[key]
                assert line["false_alarm_rate"]["value"] == pytest.approx(expected["fpr"], abs=1e-12)
                assert line["miss_rate"]["value"] == pytest.approx(expected["fnr"], abs=1e-12)
                assert line["selection_rate"] == pytest.approx(expected["rate"], abs=1e-12)

    def test_intersections_equal_metric_frame(self) -> None:
        generator = np.random.default_rng(1)
        truth, scores = generator.random(3000) < 0.4, generator.random(3000)
        a, b = generator.choice(["x", "y"], 3000), generator.choice(["p", "q", "r"], 3000)
        found = run(GroupBias(), of_predictions(truth, scores, {"a": a, "b": b}, groups=("a", "b")))[0]
        theirs = MetricFrame(
            metrics=false_negative_rate, y_true=truth, y_pred=scores >= 0.5,
            sensitive_features=pd.DataFrame({"a": a, "b": b}),
        ).by_group  # fmt: skip
        lines = {line["group"]: line for line in found.as_json()["groups"] if line["column"] == "a × b"}
        assert len(lines) == 6
        for (one, two), value in theirs.items():
            assert lines[f"{one} × {two}"]["miss_rate"]["value"] == pytest.approx(value, abs=1e-12)

    def test_smallest_impact_ratio_is_the_demographic_parity_ratio(self) -> None:
        generator = np.random.default_rng(2)
        truth, group = generator.random(4000) < 0.4, generator.choice(["a", "b", "c"], 4000)
        scores = generator.random(4000) * np.where(group == "a", 0.8, 1.0)
        found = run(GroupBias(), of_predictions(truth, scores, {"g": group}, groups=("g",)))
        expected = demographic_parity_ratio(truth, scores >= 0.5, sensitive_features=group)
        assert found[1].measured == pytest.approx(expected)
        assert min(line["impact_ratio"] for line in found[0].as_json()["groups"]) == pytest.approx(expected)


class TestPlanted:
    def test_a_gap_in_misses(self) -> None:
        found = drawn(0, 2000, {"day": (0.1, 0.1), "night": (0.1, 0.35)}, [0.5, 0.5])
        assert found.holds is False and "missed harm by 'group': 'night'" in found.says.en

    def test_a_gap_in_false_alarms_of_one_group_in_four(self) -> None:
        rates = {"a": (0.1, 0.2), "b": (0.1, 0.2), "c": (0.1, 0.2), "d": (0.4, 0.2)}
        found = drawn(1, 3000, rates, [0.3, 0.3, 0.2, 0.2])
        assert found.holds is False and "'d' lies" in found.says.en

    def test_a_gap_only_in_an_intersection(self) -> None:
        generator = np.random.default_rng(2)
        n = 6000
        sex, shift = generator.choice(["f", "m"], n), generator.choice(["day", "night"], n)
        truth = generator.random(n) < 0.5
        miss = np.where((sex == "f") == (shift == "night"), 0.35, 0.05)
        scores = np.where(truth, generator.random(n) >= miss, generator.random(n) < 0.1).astype(float)
        found = run(GroupBias(), of_predictions(truth, scores, {"sex": sex, "shift": shift}, groups=("sex", "shift")))[
            0
        ]
        assert found.holds is False and "'sex × shift'" in found.says.en

    def test_equal_treatment_is_left_alone(self) -> None:
        claimed = 0
        for seed in range(60):
            rates = dict.fromkeys("abcd", (0.2, 0.25))
            claimed += drawn(seed, 1500, rates, [0.4, 0.3, 0.2, 0.1]).holds is False
        assert claimed <= 3


class TestDeclines:
    def test_22_women_among_425(self) -> None:
        generator = np.random.default_rng(0)
        sex = np.array(["woman"] * 22 + ["man"] * 403)
        truth = generator.random(425) < 0.4
        scores = np.where(truth, 0.8, 0.2)
        found = run(GroupBias(), of_predictions(truth, scores, {"sex": sex}, groups=("sex",)))[0]
        assert found.holds is None
        assert "1 of 2 groups are too small, such as 'woman' (n = 22)" in found.says.en
        woman = next(line for line in found.groups if line["group"] == "woman")
        assert woman["conclusion"] == "cannot_conclude" and woman["impact_ratio"] is None

    def test_one_group_only(self) -> None:
        found = run(GroupBias(), of_predictions([0, 1] * 100, [0.2, 0.8] * 100, {"g": ["x"] * 200}, groups=("g",)))
        assert [one.holds for one in found] == [None, None]
        assert "it has only the one group 'x'" in found[0].says.en

    def test_groups_of_size_one(self) -> None:
        column = [f"worker {i}" for i in range(200)]
        found = run(GroupBias(), of_predictions([0, 1] * 100, [0.2, 0.8] * 100, {"g": column}, groups=("g",)))[0]
        assert found.holds is None and len(found.groups) == 50

    def test_unknown_group_throughout(self) -> None:
        column = [None, np.nan] * 100
        found = run(GroupBias(), of_predictions([0, 1] * 100, [0.2, 0.8] * 100, {"g": column}, groups=("g",)))[0]
        assert found.holds is None and found.as_json()["evidence"]["unknown"] == {"g": 200}

    def test_all_labels_equal(self) -> None:
        found = run(
            GroupBias(), of_predictions([0] * 200, [0.2, 0.8] * 100, {"g": ["a", "a", "b", "b"] * 50}, groups=("g",))
        )
        assert found[0].holds is None

    def test_no_group_declared(self) -> None:
        found = run(GroupBias(), of_predictions([0, 1] * 100, [0.2, 0.8] * 100))
        assert len(found) == 1 and found[0].holds is None

    def test_wide_interval_is_not_taken_for_equality(self) -> None:
        found = drawn(4, 130, {"a": (0.3, 0.3), "b": (0.3, 0.3)}, [0.5, 0.5])
        assert found.holds is None

    def test_a_million_distinct_groups(self) -> None:
        n = 1_000_000
        truth = np.arange(n) % 2
        column = pd.Series(np.arange(n)).astype(str).to_numpy()
        found = run(GroupBias(), of_predictions(truth, truth * 0.6 + 0.2, {"g": column}, groups=("g",)))[0]
        assert found.holds is None and len(found.groups) == 50


class TestImpactRatio:
    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=25, deadline=None)
    def test_is_never_above_one(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        n = 400
        group = generator.choice(6, n, p=[0.5, 0.3, 0.1, 0.05, 0.03, 0.02])
        truth, scores = generator.random(n) < 0.4, generator.random(n)
        found = run(GroupBias(), of_predictions(truth, scores, {"g": group}, groups=("g",)))
        ratios = [line["impact_ratio"] for line in found[0].groups]
        assert all(ratio is None or 0 <= float(str(ratio)) <= 1 for ratio in ratios)

    def test_alarms_that_follow_the_harm_are_not_held_against_the_model(self) -> None:
        generator = np.random.default_rng(5)
        dangerous = generator.random(4000) < 0.5
        truth = generator.random(4000) < np.where(dangerous, 0.6, 0.2)
        scores = np.where(generator.random(4000) < 0.9, truth, ~truth).astype(float)
        found = run(GroupBias(), of_predictions(truth, scores, {"site": dangerous}, groups=("site",)))[1]
        assert found.holds is True and "the alarms follow the harm" in found.says.en

    def test_alarms_that_the_harm_does_not_explain_fail(self) -> None:
        generator = np.random.default_rng(6)
        group, truth = generator.random(4000) < 0.5, generator.random(4000) < 0.3
        scores = (generator.random(4000) < np.where(group, 0.5, 0.2)).astype(float)
        found = run(GroupBias(), of_predictions(truth, scores, {"migrant": group}, groups=("migrant",)))[1]
        assert found.holds is False and "the difference is the model's own" in found.says.en

    def test_its_interval_holds_what_drawing_rows_gives(self) -> None:
        generator = np.random.default_rng(7)
        group = generator.choice(3, 1500)
        scores = generator.random(1500) * np.array([0.8, 1.0, 1.2])[group] / 1.2
        truth = generator.random(1500) < 0.4
        found = run(GroupBias(), of_predictions(truth, scores, {"g": group}, groups=("g",)))[1]
        ratios = []
        for _ in range(300):
            rows = generator.integers(0, 1500, 1500)
            rates = [(scores[rows][group[rows] == k] >= 0.5).mean() for k in range(3)]
            ratios.append(min(rates) / max(rates))
        assert found.interval == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])), abs=0.04)


class TestGrouped:
    def test_many_numbers_become_four_bands(self) -> None:
        codes, names = grouped(pd.Series([*np.arange(100.0), np.nan]), 12)
        assert len(names) == 4 and codes[-1] == -1
        assert np.bincount(codes[:-1]).tolist() == [25, 25, 25, 25]

    def test_few_numbers_stay_what_they_are(self) -> None:
        assert grouped(pd.Series([1.0, 2.0, 1.0]), 12)[1] == ("1", "2")

    def test_blank_is_unknown(self) -> None:
        assert grouped(pd.Series(["a", " ", ""]), 12)[0].tolist() == [0, -1, -1]


def audited(column: list[str], scores: list[float], **said: object) -> dict[str, Any]:
    """Return the Local Law 144 table of one column; harm is everywhere alike."""
    examined = of_predictions(np.arange(len(column)) % 2, scores, {"g": column}, groups=("g",), **said)
    tables = run(GroupBias(), examined)[-1].as_json()["evidence"]["bias_audit"]
    return dict(tables[0])


class TestBiasAudit:
    def test_rates_ratios_and_comparator(self) -> None:
        column = ["a"] * 50 + ["b"] * 50
        table = audited(column, [0.9] * 20 + [0.1] * 30 + [0.9] * 40 + [0.2] * 10)
        assert table["comparator"]["selection"] == "b" and table["n"] == 100
        a, b = table["categories"]
        assert (a["n"], a["selection_rate"], a["selection_ratio"]) == (50, 0.4, 0.5)
        assert (b["selection_rate"], b["selection_ratio"], b["left_out"]) == (0.8, 1.0, False)

    def test_scoring_rate_is_the_share_above_the_median_of_the_sample(self) -> None:
        scores = [0.05, 0.1, 0.2, 0.3] * 25  # the median is 0.15, nobody alarms
        table = audited(["a", "b", "a", "b"] * 25, scores)
        a, b = table["categories"]
        assert (a["scoring_rate"], b["scoring_rate"]) == (0.5, 0.5) and a["selection_rate"] == 0.0
        assert a["selection_ratio"] is None and table["comparator"]["selection"] is None

    def test_under_two_per_cent_is_left_out_before_the_comparator_is_chosen_and_still_shown(self) -> None:
        """One of 100 with the highest rate of all would make every ratio wrong."""
        column = ["rare"] + ["a"] * 50 + ["b"] * 49
        table = audited(column, [0.9] + [0.9] * 25 + [0.1] * 25 + [0.9] * 14 + [0.1] * 35)
        a, b, rare = table["categories"]
        assert table["comparator"]["selection"] == "a" and a["selection_ratio"] == 1.0
        assert rare == {**rare, "n": 1, "left_out": True, "selection_rate": 1.0, "selection_ratio": None}
        assert b["selection_ratio"] == pytest.approx((14 / 49) / 0.5)
        assert "1 categories with 1 rows are each under 2 % of the data" in table["justification"]["en"]

    def test_two_per_cent_itself_stays(self) -> None:
        table = audited(["rare"] * 2 + ["a"] * 98, [0.9] * 2 + [0.9, 0.1] * 49)
        assert table["comparator"]["selection"] == "rare" and not any(one["left_out"] for one in table["categories"])

    def test_unknowns_are_counted(self) -> None:
        table = audited(["a"] * 60 + ["b"] * 30 + [""] * 10, [0.9, 0.1] * 50)
        assert table["unknown"] == 10 and sum(one["n"] for one in table["categories"]) == 90 and table["n"] == 100

    def test_intersections_have_a_table_of_their_own(self) -> None:
        generator = np.random.default_rng(0)
        sex, race = generator.choice(["f", "m"], 800), generator.choice(["p", "q", "r"], 800)
        examined = of_predictions(
            generator.random(800) < 0.4, generator.random(800), {"sex": sex, "race": race}, groups=("sex", "race")
        )
        tables = run(GroupBias(), examined)[-1].as_json()["evidence"]["bias_audit"]
        assert [table["column"] for table in tables] == ["sex", "race", "sex × race"]
        assert len(tables[2]["categories"]) == 6

    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=25, deadline=None)
    def test_no_ratio_is_above_one(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        column = generator.choice(["a", "b", "c", "d"], 300, p=[0.6, 0.3, 0.09, 0.01]).tolist()
        table = audited(column, generator.random(300).round(1).tolist())
        for line in table["categories"]:
            for ratio in (line["selection_ratio"], line["scoring_ratio"]):
                assert ratio is None or 0 <= ratio <= 1
