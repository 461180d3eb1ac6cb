from __future__ import annotations

import numpy as np
import pandas as pd

from audit.checks.robustness import Robustness
from explainers.predictor import Predictor
from policies.declaration import Feature
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run, trained

SENSORS = [Feature(name="wind", sensor=True), Feature(name="temperature", sensor=True)]


def jittery(n: int = 3000) -> tuple[pd.DataFrame, Predictor]:
    """A model whose answer turns on the third digit of a reading."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"pressure": generator.random(n), "level": generator.random(n)})
    table["harmed"] = (table.pressure * 50).astype(int) % 2 == 1
    return table, trained(table, ["pressure", "level"], "harmed", n_estimators=300, max_depth=6, learning_rate=0.3)


def leaning(n: int = 3000) -> tuple[pd.DataFrame, Predictor]:
    """A model that stands on one sensor alone."""
    generator = np.random.default_rng(1)
    table = pd.DataFrame({"gas": generator.gamma(2, 1, n), "flow": generator.random(n)})
    table["harmed"] = table.gas + generator.normal(0, 0.3, n) > 4
    return table, trained(table, ["gas", "flow"], "harmed")


class TestNoise:
    def test_sound_model_holds(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Robustness(), of_model(epa[1], epa_model, features=SENSORS))
        assert [one.holds for one in found] == [True, True, True]
        assert found[0].groups[0]["probe"] == "noise"

    def test_a_model_that_hangs_on_digits_is_found(self) -> None:
        table, model = jittery()
        found = run(Robustness(), of_model(table, model, features=[Feature(name="pressure", sensor=True)]))
        assert found[0].holds is False and found[0].measured is not None and found[0].measured > 0.2

    def test_same_seed_same_answer(self, epa: Split, epa_model: Predictor) -> None:
        one, two = (run(Robustness(), of_model(epa[1], epa_model, features=SENSORS, seed=4))[0] for _ in range(2))
        assert one.as_json() == two.as_json()


class TestFailedSensors:
    def test_a_model_on_one_leg_loses_its_alarms(self) -> None:
        table, model = leaning()
        sensors = [Feature(name="gas", sensor=True), Feature(name="flow", sensor=True)]
        found = run(Robustness(), of_model(table, model, features=sensors))
        lines = {(line["probe"], line["feature"]): line for line in found[0].groups}
        assert lines["stuck", "gas"]["holds"] is False and lines["stuck", "gas"]["alarms_lost"] == 1.0
        assert lines["stuck", "flow"]["holds"] is True
        assert found[1].holds is False and "when 'gas' is" in found[1].says.en

    def test_a_biased_sensor_is_probed_both_ways(self) -> None:
        table, model = leaning()
        examined = of_model(
            table, model, features=[Feature(name="gas", sensor=True), Feature(name="flow", sensor=True)]
        )
        found = run(Robustness(), examined, bias_share_of_sd=2.0)
        lines = {line["feature"]: line for line in found[0].groups if line["probe"] == "bias"}
        assert lines["gas"]["holds"] is False and lines["flow"]["holds"] is True
        assert found[2].holds is False and "when 'gas' is off by 2 standard deviations" in found[2].says.en

    def test_few_alarms_cannot_conclude(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Robustness(), of_model(epa[1], epa_model, features=SENSORS, threshold=1.0))
        assert found[1].holds is None
        assert "cannot conclude on lost alarms: the model alarms in 0 of" in found[1].says.en


class TestDeclines:
    def test_predictions_alone(self) -> None:
        found = run(Robustness(), of_predictions([0, 1] * 50, [0.2, 0.8] * 50))
        assert len(found) == 1 and found[0].holds is None

    def test_no_sensor_and_nothing_that_looks_like_one(self) -> None:
        table = pd.DataFrame({"a": np.arange(100) % 2, "harmed": np.arange(100) % 2})
        found = run(Robustness(), of_model(table, trained(table, ["a"], "harmed", n_estimators=2)))
        assert found[0].holds is None and "sensor = true" in found[0].says.en

    def test_a_sensor_that_is_missing_throughout(self) -> None:
        table = pd.DataFrame({"a": np.nan, "b": np.arange(100.0), "harmed": np.arange(100) > 60})
        model = trained(table, ["a", "b"], "harmed", n_estimators=5)
        found = run(Robustness(), of_model(table, model, features=[Feature(name="a", sensor=True)]))
        assert found[0].measured == 0.0
