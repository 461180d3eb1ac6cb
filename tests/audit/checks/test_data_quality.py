from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from audit.checks.check import Finding
from audit.checks.data_quality import DataQuality, kappa, longest_run, sigmas
from policies.declaration import Feature, Source
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import faults_of, of_model, of_predictions, run

EPA_SOURCE = (Source(name="EPA RMP", period="1992-2025", licence="CC BY-SA 4.0"),)


def of_columns(columns: dict[str, object], features: list[Feature] | None = None, **said: object) -> Finding:
    """Run the check on columns beside predictions."""
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    frame = {"harmed": np.arange(n) % 2, "score": 0.5, **columns}
    examined = of_predictions(frame.pop("harmed"), np.full(n, frame.pop("score")), columns, **said)
    if features:
        from dataclasses import replace

        declaration = replace(examined.declaration, features={feature.name: feature for feature in features})
        examined = replace(examined, declaration=declaration)
    return run(DataQuality(), examined)[0]


class TestReleases:
    def test_dates_outside_the_declared_period_are_found(self, shared_data: Path) -> None:
        raw = pd.read_csv(shared_data / "epa_rmp_accidents" / "accidents.csv", low_memory=False)
        columns = {"AccidentDate": raw.AccidentDate, "n": np.arange(len(raw)) * 0.1}
        examined = of_predictions(
            np.arange(len(raw)) % 2, np.full(len(raw), 0.5), columns, time="AccidentDate", sources=EPA_SOURCE
        )
        found = run(DataQuality(), examined)[0]
        (fault,) = faults_of(found, "impossible_date")
        assert fault["measured"] == 3.0
        said = fault["says"]["en"]  # type: ignore[index]
        assert all(date in said for date in ("1955-01-13", "1966-10-27", "2202-11-21"))

    def test_cleaned_data_are_left_alone(self, epa: Split, epa_model: object) -> None:
        sensors = [Feature(name="wind", sensor=True, range=(0, 150)), Feature(name="temperature", sensor=True)]
        examined = of_model(epa[1], epa_model, time="occurred_at", sources=EPA_SOURCE, features=sensors)  # type: ignore[arg-type]
        found = run(DataQuality(), examined)[0]
        assert found.holds is True and found.measured == 0.0


@pytest.fixture(scope="module")
def readings(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "skab" / "data" / "anomaly-free" / "anomaly-free.csv", sep=";")


class TestTestBed:
    """Eight real sensors at one reading a second."""

    def sensors(self, readings: pd.DataFrame) -> list[Feature]:
        return [Feature(name=name, sensor=True) for name in readings.columns if name != "datetime"]

    def test_a_stuck_sensor_is_found(self, readings: pd.DataFrame) -> None:
        stuck = readings.assign(Temperature=readings.Temperature.where(readings.index < 5000, 80.0))
        found = of_columns(dict(stuck.items()), self.sensors(readings), time="datetime")
        assert [fault["column"] for fault in faults_of(found, "stuck")] == ["Temperature"]

    def test_a_gap_in_the_series_is_found(self, readings: pd.DataFrame) -> None:
        kept = readings[(readings.index < 3000) | (readings.index > 3600)].reset_index(drop=True)
        found = of_columns(dict(kept.items()), self.sensors(readings), time="datetime")
        assert faults_of(found, "gap")

    def test_spikes_are_found(self, readings: pd.DataFrame) -> None:
        generator = np.random.default_rng(0)
        hit = generator.random(len(readings)) < 0.01
        spiky = readings.assign(Pressure=readings.Pressure + hit * 50)
        found = of_columns(dict(spiky.items()), self.sensors(readings), time="datetime")
        assert "Pressure" in [fault["column"] for fault in faults_of(found, "spikes")]

    def test_a_shaky_contact_is_found(self, readings: pd.DataFrame) -> None:
        generator = np.random.default_rng(0)
        shaky = np.where(generator.random(len(readings)) < 0.15, generator.normal(0, 8, len(readings)), 0.0)
        found = of_columns(
            dict(readings.assign(Voltage=readings.Voltage + shaky * readings.Voltage.std()).items()),
            self.sensors(readings),
        )
        assert "Voltage" in [fault["column"] for fault in faults_of(found, "beyond_3_sigma")]

    def test_another_unit_lies_out_of_range(self, readings: pd.DataFrame) -> None:
        fahrenheit = readings.assign(Temperature=readings.Temperature * 1.8 + 32)
        features = [Feature(name="Temperature", sensor=True, range=(0, 120), unit="degC")]
        found = of_columns(dict(fahrenheit.items()), features, time="datetime")
        (fault,) = faults_of(found, "out_of_range")
        assert "lies outside its declared range 0–120 degC in 100.0 % of the rows" in fault["says"]["en"]  # type: ignore[index]

    def test_healthy_sensors_are_left_alone(self, readings: pd.DataFrame) -> None:
        found = of_columns(dict(readings.items()), self.sensors(readings), time="datetime")
        assert {fault["fault"] for fault in found.groups} == set()


class TestColumns:
    def test_mostly_missing(self) -> None:
        found = of_columns({"压力": [np.nan] * 70 + list(range(30))})
        (fault,) = faults_of(found, "missing")
        assert found.holds is False and fault["measured"] == 0.7
        assert "“压力”在 70.0 % 的行中缺失" in found.says.zh

    def test_constant_sensor_fails_and_constant_flag_is_a_remark(self) -> None:
        found = of_columns({"p": [3.0] * 100, "flag": [0] * 100, "x": range(100)}, [Feature(name="p", sensor=True)])
        assert [(f["column"], f["holds"]) for f in faults_of(found, "constant")] == [("p", False), ("flag", True)]

    def test_copied_rows(self) -> None:
        found = of_columns({"x": list(range(50)) * 2})
        assert faults_of(found, "duplicates")[0]["measured"] == 0.5

    def test_step_numbers_are_not_taken_for_years(self) -> None:
        found = of_columns({"step": range(1500, 1700), "x": range(200)}, time="step", sources=EPA_SOURCE)
        assert not faults_of(found, "gap")

    def test_years_before_the_rulebooks_first(self) -> None:
        found = of_columns({"at": pd.to_datetime(["1899-12-31"] * 2 + ["2020-05-01"] * 98), "x": range(100)}, time="at")
        assert faults_of(found, "impossible_date")[0]["measured"] == 2.0

    def test_text_that_is_no_date(self) -> None:
        found = of_columns({"at": ["2020-05-01"] * 99 + ["soon"], "x": range(100)}, time="at")
        assert faults_of(found, "unreadable_date")[0]["measured"] == 1.0

    def test_a_reading_that_is_usually_zero_is_not_stuck(self) -> None:
        generator = np.random.default_rng(0)
        readings = np.where(generator.random(4000) < 0.02, generator.random(4000), 0.0)
        found = of_columns({"pulses": readings, "x": range(4000)}, [Feature(name="pulses", sensor=True)])
        assert not faults_of(found, "stuck")


class TestLabels:
    def test_rows_without_a_label_are_counted(self) -> None:
        found = run(DataQuality(), of_predictions([1, 0, None] * 40, [0.5] * 120, {"x": range(120)}))[0]
        (fault,) = faults_of(found, "unlabelled")
        assert found.n == 80 and fault["measured"] == pytest.approx(1 / 3)

    def test_tracks_that_contradict_each_other(self) -> None:
        generator = np.random.default_rng(0)
        one, two = generator.integers(0, 2, 300), generator.integers(0, 2, 300)
        tracks = {"equipment": "by_equipment", "safety": "by_safety"}
        found = of_columns({"by_equipment": one, "by_safety": two, "x": range(300)}, labels_by=tracks)
        assert faults_of(found, "label_conflict")[0]["measured"] == pytest.approx(cohen_kappa_score(one, two))

    def test_tracks_that_agree_are_left_alone(self) -> None:
        one = np.arange(300) % 3 == 0
        two = one ^ (np.arange(300) % 50 == 0)
        tracks = {"equipment": "by_equipment", "safety": "by_safety"}
        found = of_columns({"by_equipment": one, "by_safety": two, "x": range(300)}, labels_by=tracks)
        assert not faults_of(found, "label_conflict")
        (line,) = found.as_json()["evidence"]["agreement"]
        assert (line["one"], line["other"], line["n"]) == (*tracks, 300)
        assert line["disagree"] == int((one != two).sum())
        assert line["kappa"] == pytest.approx(cohen_kappa_score(one, two))


class TestKappa:
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=5, max_size=60))
    @settings(deadline=None)
    def test_is_sklearns(self, pairs: list[tuple[int, int]]) -> None:
        one, two = [a for a, _ in pairs], [b for _, b in pairs]
        if len({*one, *two}) > 1:
            assert kappa(pd.Series(one), pd.Series(two)) == pytest.approx(cohen_kappa_score(one, two))


class TestLongestRun:
    @given(st.lists(st.integers(0, 2), max_size=40))
    @settings(deadline=None)
    def test_agrees_with_counting_by_hand(self, values: list[int]) -> None:
        best = run_ = 0
        for i, value in enumerate(values):
            run_ = run_ + 1 if i and value == values[i - 1] else 1
            best = max(best, run_)
        assert longest_run(np.array(values, dtype=float)) == best


class TestSigmas:
    def test_a_slow_drift_is_not_odd(self) -> None:
        generator = np.random.default_rng(0)
        apart = sigmas(np.linspace(0, 100, 5000) + generator.normal(0, 1, 5000))
        assert (apart > 3).mean() < 0.01

    def test_one_digit_of_a_coarse_sensor_is_not_odd(self) -> None:
        assert (sigmas(np.where(np.arange(500) % 9 == 0, 2.1, 2.0)) > 3).sum() == 0

    def test_short_series_tell_nothing(self) -> None:
        assert len(sigmas(np.array([1.0, 900.0, 1.0]))) == 0
