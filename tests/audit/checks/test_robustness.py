from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from audit.checks.bench import Bench, bench_of
from audit.checks.disturbances import aged, drift, late, spike, unit_mix_up
from audit.checks.evasion import alarms_to_attack, attack
from audit.checks.reach import reach_of
from audit.checks.robustness import Robustness
from audit.checks.units import mistakes
from explainers.choose import predictor_of
from explainers.linear import LinearModel
from explainers.links import Link
from explainers.predictor import Predictor
from policies.declaration import Feature
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import RULES, of_model, of_predictions, run, trained

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
        assert {one.holds for one in found} == {True} and len(found) == 9
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

    def test_every_probe_has_a_name_in_the_reports(self, epa: Split, epa_model: Predictor) -> None:
        examined = of_model(epa[1], epa_model, features=SENSORS)
        probes = {str(line["probe"]) for line in run(Robustness(), examined)[0].groups}
        assert probes == {"noise", "missing", "stuck", "bias", "drift", "spike", "out_of_range", "coarse", "aged"}

    def test_few_alarms_cannot_conclude(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Robustness(), of_model(epa[1], epa_model, features=SENSORS, threshold=1.0))
        assert found[1].holds is None
        assert "cannot conclude on lost alarms: the model alarms in 0 of" in found[1].says.en


class TestMissingReadings:
    def test_a_linear_model_refuses_them_and_loses_no_alarm(self) -> None:
        generator = np.random.default_rng(5)
        table = pd.DataFrame({"gas": generator.normal(size=400), "flow": generator.normal(size=400)})
        table["harmed"] = table.gas > 0.5
        model = LinearModel(
            weights=np.array([3.0, 0.1]), intercept=np.array(-1.5), reference=np.zeros(2),
            feature_names=("gas", "flow"), link=Link("logistic"),
        )  # fmt: skip
        examined = of_model(table, model, features=[Feature(name="gas", sensor=True)])
        found = run(Robustness(), examined)
        line = next(line for line in found[0].groups if line["probe"] == "missing" and line["feature"] == "gas")
        assert line["alarms_lost"] == 0.0 and line["holds"] is True


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


def gauge(n: int = 400) -> tuple[pd.DataFrame, LinearModel]:
    """Alarm when pressure and half the flow together pass 1: the distance to the other verdict is known."""
    generator = np.random.default_rng(3)
    table = pd.DataFrame({"pressure": generator.normal(0.5, 1, n), "flow": generator.normal(0, 1, n)})
    model = LinearModel(
        weights=np.array([1.0, 0.5]), intercept=np.array(-1.0), reference=np.zeros(2),
        feature_names=("pressure", "flow"), link=Link("logistic"),
    )  # fmt: skip
    return table.assign(harmed=table.pressure + 0.5 * table.flow > 1), model


def a_bench(features: list[Feature], **said: object) -> Bench:
    table, model = gauge()
    bench = bench_of(of_model(table, model, features=features, **said))
    assert isinstance(bench, Bench)
    return bench


GAUGES = [Feature(name="pressure", sensor=True), Feature(name="flow", sensor=True)]


class TestProbes:
    def test_aged_equipment_swings_less(self) -> None:
        bench = a_bench(GAUGES)
        old = aged(bench, RULES.limits("robustness", bench.examined.tier) | {"noise_share_of_sd": 0.0})
        assert old.std(axis=0) == pytest.approx(0.8 * bench.rows.std(axis=0))
        assert np.median(old, axis=0) == pytest.approx(np.median(bench.rows, axis=0))

    def test_drift_grows_from_nothing_to_its_full_error(self) -> None:
        bench = a_bench(GAUGES)
        down, up = (rows for rows, _ in drift(bench, "flow", {"drift_share_of_sd": 2.0}))
        assert up[0, 1] == bench.rows[0, 1] and up[-1, 1] == pytest.approx(bench.rows[-1, 1] + 2 * bench.spreads[1])
        assert (down + up)[:, 1] == pytest.approx(2 * bench.rows[:, 1])

    def test_drift_follows_time_and_not_the_order_of_rows(self) -> None:
        table, model = gauge(50)
        stamps = pd.date_range("2026-01-01", periods=50, freq="min")[::-1].astype(str)
        bench = bench_of(of_model(table.assign(at=stamps), model, features=GAUGES, time="at"))
        assert isinstance(bench, Bench) and bench.progress[0] == 1.0 and bench.progress[-1] == 0.0

    def test_a_clock_that_lags_is_probed_where_readings_follow_each_other(self) -> None:
        table, model = gauge()
        stamps = pd.date_range("2026-01-01", periods=len(table), freq="min").astype(str)
        bench = bench_of(of_model(table.assign(at=stamps), model, features=GAUGES, time="at"))
        assert isinstance(bench, Bench)
        ((rows, _),) = late(bench, "pressure", {"late_rows": 3})
        assert rows[3:, 0].tolist() == bench.rows[:-3, 0].tolist()
        assert list(late(a_bench(GAUGES), "pressure", {"late_rows": 3})) == []

    def test_another_unit_counts_only_while_the_range_lets_it_pass(self) -> None:
        tight = [Feature(name="pressure", sensor=True, unit="degC", range=(-10.0, 10.0))]
        in_fahrenheit, in_kelvin = unit_mix_up(a_bench(tight), "pressure", {})
        assert in_fahrenheit[1] is not None and not in_fahrenheit[1].any()  # 32 and more lie beyond 10
        loose = [Feature(name="pressure", sensor=True, unit="degC", range=(-10.0, 1000.0))]
        for rows, unnoticed in unit_mix_up(a_bench(loose), "pressure", {}):
            assert unnoticed is not None and unnoticed.all() and not np.array_equal(rows, a_bench(loose).rows)
        assert in_kelvin[0][0, 0] == pytest.approx(a_bench(tight).rows[0, 0] + 273.15)

    def test_an_unknown_unit_is_not_probed(self) -> None:
        assert list(unit_mix_up(a_bench([Feature(name="flow", sensor=True, unit="furlong")]), "flow", {})) == []

    def test_a_spike_stays_within_what_the_sensor_can_show(self) -> None:
        bench = a_bench([Feature(name="flow", sensor=True, range=(-5.0, 5.0))])
        for rows, _ in spike(bench, "flow", {}):
            assert np.abs(rows[:, 1]).max() == 5.0

    def test_a_silent_mix_up_of_units_is_found(self) -> None:
        """Alarms begin at 340 K; the same readings sent in degrees Celsius never reach it."""
        generator = np.random.default_rng(0)
        table = pd.DataFrame({"heat": generator.normal(330, 20, 2000), "flow": generator.random(2000)})
        table["harmed"] = table.heat > 340
        model = trained(table, ["heat", "flow"], "harmed")
        kelvin = Feature(name="heat", sensor=True, unit="K", range=(-100.0, 1000.0))
        found = run(Robustness(), of_model(table, model, features=[kelvin]))
        (line,) = (line for line in found[0].groups if line["probe"] == "unit_mix_up")
        assert line["holds"] is False and line["alarms_lost"] == 1.0  # read as degC, 340 K are 67


class TestReach:
    def test_of_a_linear_model_is_the_margin_over_the_weight(self) -> None:
        bench = a_bench([Feature(name="pressure", sensor=True, range=(-20.0, 20.0))])
        found = reach_of(bench)
        exact = np.abs(bench.rows @ np.array([1.0, 0.5]) - 1) / bench.spreads[0]
        assert not found.exact and (found.nearest >= exact).all()
        assert (found.nearest <= np.maximum(exact, 0.04 / bench.spreads[0]) * 1.36).all()  # the next of 24 distances

    def test_of_trees_every_shorter_move_changes_nothing(self) -> None:
        table, model = leaning()
        bench = bench_of(of_model(table, model, features=[Feature(name="gas", sensor=True)]))
        assert isinstance(bench, Bench)
        found = reach_of(bench)
        assert found.exact and np.isfinite(found.nearest).all()
        rows = bench.rows[: len(bench.rows)]
        shortest = found.nearest.min() * bench.spreads[0]
        for sign in (-1.0, 1.0):
            moved = rows.copy()
            moved[:, 0] += sign * shortest * 0.99
            sample = np.sort(bench.examined.generator("robustness reach").choice(len(rows), 400, replace=False))
            assert (bench.verdicts_of(moved[sample]) == bench.verdicts[sample]).all()

    def test_of_a_forest_with_features_that_are_no_sensors(self, injury: Split) -> None:
        """Only sensors move; what else the forest reads has no range and needs none."""
        forest = RandomForestClassifier(30, max_depth=5, random_state=31, n_jobs=1)
        forest.fit(injury[0][injury[2]], injury[0].off_long)
        wage = [Feature(name="prewage", sensor=True)]
        bench = bench_of(of_model(injury[1], predictor_of(forest), label="off_long", threshold=0.25, features=wage))
        assert isinstance(bench, Bench) and np.isfinite(reach_of(bench).nearest).any()

    def test_a_model_on_edges_fails(self) -> None:
        table, model = jittery()
        found = run(Robustness(), of_model(table, model, features=[Feature(name="pressure", sensor=True)]))
        edge = next(one for one in found if "reach" in one.evidence)
        assert edge.holds is False and "the model stands on edges" in edge.says.en
        assert sum(bar["rows"] for bar in edge.as_json()["evidence"]["reach"]) <= 400


class TestAttack:
    def test_of_a_linear_model_comes_near_the_shortest_way(self) -> None:
        wide = [Feature(name=name, sensor=True, range=(-50.0, 50.0)) for name in ("pressure", "flow")]
        bench = a_bench(wide)
        found = attack(bench)
        rows = bench.rows[alarms_to_attack(bench)]
        shortest = (rows @ np.array([1.0, 0.5]) - 1) / (np.array([1.0, 0.5]) @ bench.spreads)
        assert (found.distances >= shortest - 1e-9).all()
        assert np.median(found.distances / np.maximum(shortest, 1e-3)) < 1.1

    def test_never_leaves_the_range_of_a_sensor(self) -> None:
        """Pressure alone decides and cannot fall below what the alarm needs: nothing can be found."""
        table, _ = gauge()
        model = LinearModel(
            weights=np.array([1.0, 0.0]), intercept=np.array(-1.0), reference=np.zeros(2),
            feature_names=("pressure", "flow"), link=Link("logistic"),
        )  # fmt: skip
        table["pressure"] = np.abs(table.pressure) + 1.5
        shut = [Feature(name="pressure", sensor=True, range=(1.2, 9.0)), Feature(name="flow", sensor=True)]
        bench = bench_of(of_model(table, model, features=shut))
        assert isinstance(bench, Bench) and np.isinf(attack(bench).distances).all()

    def test_an_alarm_that_a_breath_silences_is_found(self) -> None:
        generator = np.random.default_rng(0)
        table = pd.DataFrame({"a": generator.random(3000), "b": generator.random(3000)})
        table["harmed"] = ((table.a * 40).astype(int) + (table.b * 40).astype(int)) % 2 == 0
        model = trained(table, ["a", "b"], "harmed", n_estimators=400, max_depth=8, learning_rate=0.3)
        sensors = [Feature(name="a", sensor=True), Feature(name="b", sensor=True)]
        found = next(
            one for one in run(Robustness(), of_model(table, model, features=sensors)) if one.evidence.get("budget")
        )
        assert found.holds is False and "silences" in found.says.en and "攻击者" in found.says.zh


class TestUnits:
    def test_there_and_back_is_the_same(self) -> None:
        for unit in ("degC", "degF", "K", "bar", "psi", "mph", "t", "mm", "l/min", "%", "min", "rpm"):
            for there in mistakes(unit):
                (back,) = (one for one in mistakes(there.unit) if one.unit == unit)
                assert back.scale * (there.scale * 20.0 + there.offset) + back.offset == pytest.approx(20.0)

    def test_a_hundred_degrees(self) -> None:
        fahrenheit, kelvin = mistakes("℃")
        assert fahrenheit.scale * 100 + fahrenheit.offset == 212 and kelvin.scale * 100 + kelvin.offset == 373.15
