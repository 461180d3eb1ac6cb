from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.checks.weight_caps import WeightCaps, importance, proxies_of
from explainers.predictor import Predictor
from policies.declaration import Feature
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run, trained


@pytest.fixture(scope="module")
def with_age(injury: Split) -> Predictor:
    return trained(injury[0], [*injury[2], "age"], "off_long", n_estimators=100, learning_rate=0.1)


class TestClaims:
    def test_age_above_its_cap(self, injury: Split, with_age: Predictor) -> None:
        found = run(WeightCaps(), of_model(injury[1], with_age, label="off_long"))[0]
        assert found.holds is False and found.limit == 0.10
        age = next(line for line in found.groups if line["feature"] == "age")
        assert 0.10 < float(str(age["lo"])) < float(str(age["share"])) < 0.13
        assert age["holds"] is False and "'age' carries 11." in found.says.en
        assert 0.3 < float(str(found.evidence["decisions_over"])) < 0.8

    def test_the_share_is_that_of_the_explanation(self, injury: Split, with_age: Predictor) -> None:
        examined = of_model(injury[1], with_age, label="off_long")
        found = run(WeightCaps(), examined)[0]
        size = np.abs(with_age.explain(examined.inputs).contributions)  # type: ignore[arg-type]
        expected = (size[:, -1] / size.sum(axis=1)).mean()
        assert next(line for line in found.groups if line["feature"] == "age")["share"] == pytest.approx(expected)

    def test_without_age_it_holds(self, injury: Split, injury_model: Predictor) -> None:
        found = run(WeightCaps(), of_model(injury[1], injury_model, label="off_long"))[0]
        assert found.holds is True
        assert {line["feature"] for line in found.groups} == {"male", "married"}

    def test_age_in_other_clothes_counts_as_age(self, injury: Split) -> None:
        training, evaluation, features = (part.copy() if isinstance(part, pd.DataFrame) else part for part in injury)
        generator = np.random.default_rng(0)
        for frame in (training, evaluation):
            frame["x9"] = (frame.age - 40) ** 3 + generator.normal(0, 200, len(frame))
        model = trained(training, [*features, "x9"], "off_long", n_estimators=100, learning_rate=0.1)
        found = run(WeightCaps(), of_model(evaluation, model, label="off_long"))[0]
        age = next(line for line in found.groups if line["feature"] == "age")
        assert found.holds is False and age["own_share"] == 0.0
        assert [proxy["feature"] for proxy in age["proxies"]] == ["x9"]  # type: ignore[attr-defined]
        assert "'age' with its proxies 'x9' carries" in found.says.en

    def test_several_features_each_under_its_cap_but_not_together(self, injury: Split) -> None:
        training, evaluation, _ = injury
        model = trained(training, ["age", "male", "married", "injdes"], "off_long")
        found = run(WeightCaps(), of_model(evaluation, model, label="off_long"))[0]
        total = found.as_json()["evidence"]["total"]
        assert total["holds"] is False and total["share"] > 0.25


class TestConclusions:
    def test_predictions_alone_tell_nothing(self) -> None:
        found = run(WeightCaps(), of_predictions([0, 1] * 50, [0.2, 0.8] * 50, {"age": range(100)}))[0]
        assert found.holds is None
        assert found.says.en.startswith("cannot conclude: from predictions alone")

    def test_no_capped_feature(self, epa: Split, epa_model: Predictor) -> None:
        found = run(WeightCaps(), of_model(epa[1], epa_model))[0]
        assert found.holds is True and found.groups == () and found.measured == 0.0

    def test_a_team_may_cap_itself_more_strictly(self, epa: Split, epa_model: Predictor) -> None:
        examined = of_model(epa[1], epa_model, features=[Feature(name="industry", cap=0.01)])
        found = run(WeightCaps(), examined)[0]
        assert found.holds is False and found.limit == 0.01

    def test_a_capped_feature_that_is_constant_carries_nothing(self) -> None:
        table = pd.DataFrame({"年龄": 40.0, "瓦斯浓度": np.arange(300) % 10, "harmed": np.arange(300) % 10 > 5})
        model = trained(table, ["年龄", "瓦斯浓度"], "harmed", n_estimators=5)
        found = run(WeightCaps(), of_model(table, model))[0]
        assert found.holds is True and found.groups[0]["share"] == 0.0

    def test_three_rows_are_too_few_to_tell(self, injury: Split, with_age: Predictor) -> None:
        rows = injury[1][:3]
        found = run(WeightCaps(), of_model(rows, with_age, label="off_long"))[0]
        assert found.holds is None and "too close to tell" in found.says.en


class TestImportance:
    def test_shares_fall_and_add_up(self, epa: Split, epa_model: Predictor) -> None:
        explanation = of_model(epa[1], epa_model).explanation
        assert explanation is not None
        shares = [float(str(line["share"])) for line in importance(explanation)]
        assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1.0)


class TestProxies:
    def test_unrelated_columns_are_no_proxies(self, injury: Split, injury_model: Predictor) -> None:
        found = proxies_of(of_model(injury[1], injury_model, label="off_long"), 0.5)
        assert found["age"] == {} and found["male"] == {}


class TestSplitOverTwo:
    def test_sex_over_two_codes_counts_on_its_account(self) -> None:
        generator = np.random.default_rng(0)
        one, sex = generator.integers(0, 2, 3000), generator.integers(0, 2, 3000)
        table = pd.DataFrame({"a": one, "b": one ^ sex, "c": generator.normal(size=3000), "sex": sex})
        table["harmed"] = generator.random(3000) < np.where(sex == 1, 0.5, 0.2)
        examined = of_model(table, trained(table, ["a", "b", "c"], "harmed"))
        (found,) = run(WeightCaps(), examined)
        (line,) = found.groups
        assert found.holds is False and [proxy["feature"] for proxy in line["proxies"]] == ["a", "b"]

    def test_two_codes_that_tell_nothing_together_are_free(self) -> None:
        generator = np.random.default_rng(1)
        table = pd.DataFrame({name: generator.integers(0, 2, 3000) for name in ("a", "b", "sex")})
        table["harmed"] = generator.random(3000) < 0.2 + 0.2 * table.a
        assert run(WeightCaps(), of_model(table, trained(table, ["a", "b"], "harmed")))[0].groups == ()
