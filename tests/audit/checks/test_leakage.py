from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.checks.leakage import Leakage, after_event_reason
from audit.examination import Examined
from explainers.predictor import Predictor
from policies.tiers import Tier
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import RULES, faults_of, of_model, of_predictions, run, trained

LIMITS = RULES.limits("leakage", Tier.L2)


def columns_of(lines: list[object]) -> set[object]:
    return {line["column"] for line in lines}  # type: ignore[index]


class TestClaims:
    """A model of "off work for more than eight weeks" on compensation claims."""

    def test_what_is_known_only_afterwards_is_found(self, injury: Split) -> None:
        training, evaluation, features = injury
        used = [*features, "totmed", "durat", "benefit"]
        model = trained(training, used, "off_long")
        found = run(Leakage(), of_model(evaluation, model, training=training, label="off_long"))[0]
        assert found.holds is False and found.measured == 1.0
        assert columns_of(faults_of(found, "known_after_event")) == {"totmed", "durat", "benefit"}
        assert columns_of(faults_of(found, "knows_the_answer")) == {"durat"}
        assert found.says.en.startswith(
            "telling the outcome on its own: 'durat'; known only after the event: 'totmed', 'durat', 'benefit'; "
            "leave these columns out"
        )
        assert found.says.zh.startswith("单独即可判断结果的列：“durat”；事后才能获知的列：“totmed”、“durat”、“benefit”")

    @pytest.mark.parametrize("extra", ["durat", "ldurat"])
    def test_the_duration_and_its_logarithm_know_the_answer(self, injury: Split, extra: str) -> None:
        training, evaluation, features = injury
        model = trained(training, [*features, extra], "off_long")
        found = run(Leakage(), of_model(evaluation, model, training=training, label="off_long"))[0]
        assert found.holds is False and columns_of(faults_of(found, "knows_the_answer")) == {extra}

    def test_the_outcome_under_an_innocent_name_is_found_by_its_skill(self, injury: Split) -> None:
        training, evaluation, features = (part.copy() if isinstance(part, pd.DataFrame) else part for part in injury)
        for frame in (training, evaluation):
            frame["班组系数"] = np.abs(frame.durat - 60) * np.where(frame.durat > 8, 1, -1)
        model = trained(training, [*features, "班组系数"], "off_long")
        found = run(Leakage(), of_model(evaluation, model, label="off_long"))[0]
        assert columns_of(faults_of(found, "knows_the_answer")) == {"班组系数"}

    def test_an_after_event_column_in_disguise(self, injury: Split) -> None:
        training, evaluation, features = (part.copy() if isinstance(part, pd.DataFrame) else part for part in injury)
        for frame in (training, evaluation):
            frame["x7"] = np.sqrt(frame.totmed)
        model = trained(training, [*features, "x7"], "off_long")
        found = run(Leakage(), of_model(evaluation, model, label="off_long"))[0]
        assert found.holds is False and columns_of(faults_of(found, "disguised")) == {"x7"}

    def test_sound_model_is_left_alone(self, injury: Split, injury_model: Predictor) -> None:
        examined = of_model(injury[1], injury_model, training=injury[0], label="off_long", threshold=0.25)
        found = run(Leakage(), examined)[0]
        assert found.holds is True and not found.groups


class TestReleases:
    def test_sound_model_is_left_alone(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Leakage(), of_model(epa[1], epa_model, training=epa[0], time="occurred_at"))[0]
        assert found.holds is True and not found.groups

    def test_release_duration_and_evacuation_are_aftermath(self, epa: Split) -> None:
        training, evaluation, features = epa
        used = [*features, "release_duration", "evacuated"]
        found = run(Leakage(), of_model(evaluation, trained(training, used, "harmed"), training=training))[0]
        assert columns_of(faults_of(found, "known_after_event")) == {"release_duration", "evacuated"}

    def test_evaluating_on_the_past_is_left_open(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Leakage(), of_model(epa[0], epa_model, training=epa[1], time="occurred_at"))[0]
        assert found.holds is None and faults_of(found, "out_of_time")

    def test_a_row_number_is_an_id(self, epa: Split) -> None:
        training, evaluation, features = (part.copy() if isinstance(part, pd.DataFrame) else part for part in epa)
        training["k"], evaluation["k"] = np.arange(len(training)), np.arange(len(evaluation)) + 9000
        found = run(Leakage(), of_model(evaluation, trained(training, [*features, "k"], "harmed")))[0]
        assert found.holds is False and columns_of(faults_of(found, "identifier")) == {"k"}


class TestSharedRows:
    def test_evaluating_on_training_rows(self, epa: Split, epa_model: Predictor) -> None:
        evaluation = pd.concat([epa[1], epa[0].sample(60, random_state=0)], ignore_index=True)
        found = run(Leakage(), of_model(evaluation, epa_model, training=epa[0]))[0]
        assert found.holds is False and faults_of(found, "shared_rows")

    def test_rows_copied_before_the_split(self, injury: Split, injury_model: Predictor) -> None:
        everything = pd.concat([injury[0], injury[1]], ignore_index=True)
        everything = pd.concat([everything, everything.sample(1000, random_state=1)], ignore_index=True)
        everything = everything.sample(frac=1, random_state=2).reset_index(drop=True)
        examined = of_model(everything[:3000], injury_model, training=everything[3000:], label="off_long")
        assert faults_of(run(Leakage(), examined)[0], "shared_rows")

    def test_coarse_rows_alike_by_chance_are_left_alone(self) -> None:
        generator = np.random.default_rng(0)
        table = pd.DataFrame(generator.integers(0, 4, (3000, 4)), columns=list("abcd")).assign(
            harmed=generator.random(3000) < 0.3
        )
        model = trained(table[:2000], list("abcd"), "harmed", n_estimators=5)
        found = run(Leakage(), of_model(table[2000:], model, training=table[:2000]))[0]
        assert not faults_of(found, "shared_rows")

    def test_the_same_rows_with_other_number_types(self, epa: Split, epa_model: Predictor) -> None:
        evaluation = epa[0][:400].astype({"month": int, "RE_Gas": bool, "harmed": float})
        assert faults_of(run(Leakage(), of_model(evaluation, epa_model, training=epa[0]))[0], "shared_rows")


class TestTooGood:
    def test_a_perfect_model_has_to_be_explained(self) -> None:
        generator = np.random.default_rng(0)
        a, b = generator.random(3000), generator.random(3000)
        table = pd.DataFrame({"a": a, "b": b, "harmed": a + b > 1.1})
        model = trained(table[:2000], ["a", "b"], "harmed", n_estimators=400)
        found = run(Leakage(), of_model(table[2000:], model))[0]
        assert found.holds is None and faults_of(found, "too_good")
        assert found.says.en.startswith("cannot conclude: the model is all but perfect")


class TestAwkward:
    def test_constant_features_know_nothing(self) -> None:
        table = pd.DataFrame({"a": 1.0, "b": np.nan, "c": np.arange(200) % 7, "harmed": np.arange(200) % 3 == 0})
        model = trained(table, ["a", "b", "c"], "harmed", n_estimators=3)
        found = run(Leakage(), of_model(table, model))[0]
        assert found.as_json()["evidence"]["auc_by_column"]["a"] == pytest.approx(0.5, abs=0.06)

    def test_one_label_only(self) -> None:
        found = run(Leakage(), of_predictions(np.zeros(100), np.linspace(0, 1, 100), {"x": range(100)}))[0]
        assert found.measured is None and found.holds is True

    def test_missingness_that_tells_the_outcome(self) -> None:
        generator = np.random.default_rng(0)
        harmed = generator.random(1000) < 0.3
        table = pd.DataFrame({"a": np.where(harmed, np.nan, generator.random(1000)), "b": 1.0, "harmed": harmed})
        found = run(Leakage(), of_model(table, trained(table, ["a", "b"], "harmed", n_estimators=3)))[0]
        assert columns_of(faults_of(found, "knows_the_answer")) == {"a"}

    def test_columns_beside_predictions_are_only_remarked_on(self) -> None:
        harmed = np.arange(200) % 2
        found = run(Leakage(), of_predictions(harmed, [0.3, 0.6] * 100, {"days_lost": harmed * 9}))[0]
        assert [line["holds"] for line in faults_of(found, "known_after_event")] == [True]


class TestAfterEventReason:
    @pytest.mark.parametrize(
        "name",
        ["totmed", "DAYS_LOST", "RETURN_TO_WORK_DT", "benefit", "durat", "Medical_Cost_USD", "误工天数", "返岗日期",
         "医疗费用", "CF_HumanError", "CI_RevisedTraining", "AccidentReleaseDuration", "DEGREE_INJURY_CD"],
    )  # fmt: skip
    def test_names_of_the_aftermath(self, name: str) -> None:
        assert after_event_reason(name, LIMITS) is not None

    @pytest.mark.parametrize(
        "name",
        ["temperature", "prewage", "hosp", "injtype", "injdes", "WindSpeed", "工种", "班次", "duration_of_shift",
         "cost_centre", "RE_Gas", "maintenance_hours", "energy", "nbumps"],
    )  # fmt: skip
    def test_names_known_before(self, name: str) -> None:
        assert after_event_reason(name, LIMITS) is None


def halves(n: int = 2000) -> tuple[pd.DataFrame, Predictor]:
    """Two columns that know nothing by themselves; their difference is the outcome."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"a": generator.normal(0, 3, n), "c": generator.normal(0, 1, n)})
    table["harmed"] = (generator.random(n) < 0.3).astype(int)
    table["b"] = table.a + table.harmed
    return table, trained(table, ["a", "b", "c"], "harmed", n_estimators=200, max_depth=6)


class TestTogether:
    def test_the_outcome_split_over_two_columns(self) -> None:
        (finding,) = run(Leakage(), of_model(*halves()))
        (line,) = faults_of(finding, "knows_together")
        assert line["column"] == "a + b" and line["holds"] is False
        assert "together tell the outcome (AUC 1.000), either alone does not" in finding.says.en

    def test_an_exclusive_or(self) -> None:
        generator = np.random.default_rng(1)
        table = pd.DataFrame({"a": generator.integers(0, 2, 2000), "b": generator.integers(0, 2, 2000)})
        table["harmed"] = table.a ^ table.b
        examined = of_model(table, trained(table, ["a", "b"], "harmed"))
        assert [line["column"] for line in faults_of(run(Leakage(), examined)[0], "knows_together")] == ["a + b"]

    def test_two_good_signs_are_no_leak(self) -> None:
        """Either is strong and both are stronger; that is what features are for."""
        generator = np.random.default_rng(2)
        harmed = generator.random(3000) < 0.3
        table = pd.DataFrame({name: harmed * 2.0 + generator.normal(0, 1, 3000) for name in "ab"}).assign(harmed=harmed)
        examined = of_model(table, trained(table, ["a", "b"], "harmed"))
        assert faults_of(run(Leakage(), examined)[0], "knows_together") == []

    def test_noise_in_many_columns_is_no_leak(self) -> None:
        generator = np.random.default_rng(3)
        table = pd.DataFrame({f"x{i}": generator.normal(size=120) for i in range(20)})
        table["harmed"] = generator.random(120) < 0.4
        examined = of_model(table, trained(table, [f"x{i}" for i in range(20)], "harmed"))
        assert faults_of(run(Leakage(), examined)[0], "knows_together") == []


class TestLater:
    def test_a_time_filled_in_afterwards(self) -> None:
        began = pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(200), unit="h")
        table = pd.DataFrame({"at": began.astype(str), "done": (began + pd.Timedelta(days=3)).astype("int64") / 1e9})
        table["done"] = (began + pd.Timedelta(days=3) - pd.Timestamp(0)).total_seconds()
        table["harmed"] = np.arange(200) % 2
        examined = of_model(table, trained(table, ["done"], "harmed", n_estimators=2), time="at")
        (line,) = faults_of(run(Leakage(), examined)[0], "later_than_row")
        assert line["measured"] == 1.0 and line["holds"] is False

    def test_a_time_before_the_event_is_known(self) -> None:
        began = pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(200), unit="h")
        table = pd.DataFrame({"at": began.astype(str)})
        table["built"] = (began - pd.Timedelta(days=3) - pd.Timestamp(0)).total_seconds()
        table["harmed"] = np.arange(200) % 2
        examined = of_model(table, trained(table, ["built"], "harmed", n_estimators=2), time="at")
        assert faults_of(run(Leakage(), examined)[0], "later_than_row") == []


def of_machines(known: float, seed: int = 0) -> Examined:
    """Machines with a habit of their own, told apart by their numbers; a share of the evaluation is of known ones."""
    generator = np.random.default_rng(seed)
    habit = generator.random(120) < 0.5
    mark = generator.permutation(120).astype(float)

    def rows(machines: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pd.DataFrame:
        harmed = np.where(generator.random(len(machines)) < 0.9, habit[machines], ~habit[machines])
        return pd.DataFrame({"machine_id": machines, "mark": mark[machines], "harmed": harmed.astype(int)})

    training = rows(generator.integers(0, 60, 3000))
    evaluation = rows(
        np.where(generator.random(1500) < known, *generator.integers([[0], [60]], [[60], [120]], (2, 1500)))
    )
    model = trained(training, ["mark"], "harmed", n_estimators=200, max_depth=6)
    return of_model(evaluation, model, training=training)


class TestSubjects:
    def test_a_model_that_knows_its_machines(self) -> None:
        (finding,) = run(Leakage(), of_machines(0.5))
        (line,) = faults_of(finding, "knows_its_subjects")
        assert line["column"] == "machine_id" and line["holds"] is False
        assert "split by 'machine_id'" in finding.says.en and "请按“machine_id”划分数据" in finding.says.zh

    def test_machines_that_are_all_new(self) -> None:
        (finding,) = run(Leakage(), of_machines(0.0))
        assert faults_of(finding, "knows_its_subjects") == faults_of(finding, "shared_subjects") == []

    def test_machines_that_are_all_known_leave_a_remark(self) -> None:
        (finding,) = run(Leakage(), of_machines(1.0))
        (line,) = faults_of(finding, "shared_subjects")
        assert line["holds"] is True and line["measured"] == 1.0 and faults_of(finding, "knows_its_subjects") == []

    @pytest.mark.parametrize("seed", range(5))
    def test_known_subjects_that_help_nothing_are_no_leak(self, epa: Split, epa_model: Predictor, seed: int) -> None:
        generator = np.random.default_rng(seed)
        training = epa[0].assign(plant_id=generator.integers(0, 300, len(epa[0])))
        evaluation = epa[1].assign(plant_id=generator.integers(150, 450, len(epa[1])))
        examined = of_model(evaluation, epa_model, training=training)
        assert faults_of(run(Leakage(), examined)[0], "knows_its_subjects") == []


class TestCopies:
    def test_twenty_copied_rows_among_thirteen_hundred(self, epa: Split, epa_model: Predictor) -> None:
        evaluation = pd.concat([epa[1], epa[0][:20]], ignore_index=True)
        (line,) = faults_of(run(Leakage(), of_model(evaluation, epa_model, training=epa[0]))[0], "shared_rows")
        assert line["measured"] == 20 / len(evaluation) and line["limit"] == 0.002

    def test_one_copied_row_is_left_alone(self, epa: Split, epa_model: Predictor) -> None:
        evaluation = pd.concat([epa[1], epa[0][:1]], ignore_index=True)
        examined = of_model(evaluation, epa_model, training=epa[0])
        assert faults_of(run(Leakage(), examined)[0], "shared_rows") == []

    def test_copies_that_chance_makes_too_are_left_alone(self, injury: Split, injury_model: Predictor) -> None:
        """26 of 5,000 claims are alike in everything without anybody's doing; ten more cannot be told from them."""
        evaluation = pd.concat([injury[1], injury[0][:10]], ignore_index=True)
        examined = of_model(evaluation, injury_model, training=injury[0], label="off_long")
        assert faults_of(run(Leakage(), examined)[0], "shared_rows") == []


class TestReadOff:
    def test_a_yes_or_no_read_off_an_aftermath_column(self, epa: Split) -> None:
        frames = [frame.assign(moved=(frame.evacuated > 0).astype(float)) for frame in epa[:2]]
        model = trained(frames[0], [*epa[2], "moved"], "harmed")
        (finding,) = run(Leakage(), of_model(frames[1], model))
        assert [line["column"] for line in faults_of(finding, "disguised")] == ["moved"]


class TestNearCopies:
    def test_copies_that_differ_in_the_last_digit(self, injury: Split, injury_model: Predictor) -> None:
        copies = injury[0].sample(200, random_state=5)
        copies = copies.assign(prewage=copies.prewage + 0.01, durat=copies.durat + 0.1)
        evaluation = pd.concat([injury[1], copies], ignore_index=True)
        examined = of_model(evaluation, injury_model, training=injury[0], label="off_long")
        (line,) = faults_of(run(Leakage(), examined)[0], "near_copies")
        assert line["holds"] is False and 0.08 < float(str(line["measured"])) < 0.11

    def test_other_people_are_no_copies(self, injury: Split, injury_model: Predictor) -> None:
        examined = of_model(injury[1], injury_model, training=injury[0], label="off_long")
        assert faults_of(run(Leakage(), examined)[0], "near_copies") == []

    def test_coarse_tables_are_left_alone(self) -> None:
        generator = np.random.default_rng(0)
        table = pd.DataFrame({name: generator.integers(0, 30, 900).astype(float) for name in "ab"})
        table["harmed"] = generator.random(900) < 0.4
        model = trained(table, ["a", "b"], "harmed", n_estimators=5)
        examined = of_model(table[:300], model, training=table[300:])
        assert faults_of(run(Leakage(), examined)[0], "near_copies") == []
