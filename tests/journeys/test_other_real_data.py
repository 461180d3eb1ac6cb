"""Mines, rock bursts and a water circuit: what the data cards warn of is what the checks find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from tests.journeys.real_data import msha, seismic, skab


def checked(directory: Path, capsys: pytest.CaptureFixture[str], code: int = 1) -> dict[str, Any]:
    """What `mingjing check --json` says of a submission."""
    capsys.readouterr()
    assert run(["check", str(directory), "--json"]) == code
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def failing(report: dict[str, Any], check: str) -> list[str]:
    """The sentences of a check that does not hold."""
    return [f["says"]["en"] for f in report["findings"] if f["check"] == check and f["holds"] is False]


def rates(report: dict[str, Any]) -> dict[str, Any]:
    """The rates of the performance check."""
    found = next(f for f in report["findings"] if f["check"] == "performance" and "rates" in f["evidence"])
    return dict(found["evidence"]["rates"])


class TestMineInjuries:
    def test_seniority_is_at_its_cap_and_names_people(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        report = checked(msha(shared_data, tmp_path / "handed"), capsys)
        caps = " ".join(f["says"]["en"] for f in report["findings"] if f["check"] == "weight_caps")
        assert "'JOB_EXPER'" in caps
        assert failing(report, "deidentification") != []
        assert failing(report, "leakage") == []

    def test_the_outcome_in_disguise_is_found(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        columns = ("DAYS_LOST", "DAYS_RESTRICT", "SCHEDULE_CHARGE")
        report = checked(msha(shared_data, tmp_path / "handed", outcome_columns=columns), capsys)
        (leak,) = failing(report, "leakage")
        assert all(f"'{column}'" in leak for column in columns)
        assert rates(report)["roc_auc"]["value"] > 0.95, "it looks brilliant, and that is the point"


class TestRockBursts:
    def test_always_safe_is_93_percent_right_and_does_not_pass(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        report = checked(seismic(shared_data, tmp_path / "handed", always_safe=True), capsys)
        assert rates(report)["accuracy"]["value"] > 0.93
        assert any("the model never alarms: it misses all" in said for said in failing(report, "performance"))

    def test_a_gap_between_shifts_that_the_data_carry_is_claimed(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        report = checked(seismic(shared_data, tmp_path / "handed"), capsys)
        assert any("'W' lies" in said and "above 'N'" in said for said in failing(report, "group_bias"))

    def test_few_bursts_leave_the_question_open(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        report = checked(seismic(shared_data, tmp_path / "handed"), capsys)
        assert any(
            f["check"] == "performance" and f["holds"] is None and "more labelled rows are needed" in f["says"]["en"]
            for f in report["findings"]
        )


class TestWaterCircuit:
    def test_a_stuck_sensor_is_found_and_a_healthy_one_is_not(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        healthy = " ".join(failing(checked(skab(shared_data, tmp_path / "healthy"), capsys), "data_quality"))
        stuck = " ".join(failing(checked(skab(shared_data, tmp_path / "stuck", stuck=True), capsys), "data_quality"))
        assert "repeats one reading" not in healthy
        assert "'Pressure' repeats one reading" in stuck
        assert "is sampled every 1 s, but has" in stuck
