from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checks.lead_time import told, warnings_of
from audit.checks.performance import Performance
from tests.audit.checks.factories import of_predictions, run


def record(truth: str, alarms: str, **said: Any) -> Any:
    """Return an examination of one reading a minute: '1' for harm and for an alarm. Quiet minutes are added behind."""
    truth, alarms = truth + "0" * 60, alarms + "0" * 60
    at = pd.date_range("2026-03-01", periods=len(truth), freq="min")
    frame = {"at": said.pop("at", at.astype(str))}
    return of_predictions([int(one) for one in truth], [float(one) for one in alarms], frame, time="at", **said)


def leads(truth: str, alarms: str, **said: Any) -> list[float]:
    return [one.lead / 60 for one in warnings_of(record(truth, alarms, **said))]


class TestWarnings:
    def test_an_alarm_that_was_on_before_the_onset(self) -> None:
        assert leads("000011", "001111") == [2.0]

    def test_an_alarm_with_the_onset_or_during_the_spell(self) -> None:
        assert leads("0011000111", "0011000001") == [0.0, -2.0]

    def test_a_spell_that_passed_in_silence(self) -> None:
        assert np.isnan(leads("00110", "10000")).tolist() == [True]

    def test_an_alarm_that_went_out_before_the_onset_did_not_warn(self) -> None:
        assert leads("0000111", "0110010") == [-1.0]

    def test_an_alarm_of_the_spell_before_does_not_reach_into_the_next(self) -> None:
        assert leads("0110011", "0111111") == [0.0, 2.0]

    def test_a_record_that_begins_in_harm_has_no_onset(self) -> None:
        assert leads("1100", "1100") == []

    def test_a_gap_in_time_ends_a_spell_and_a_warning(self) -> None:
        at = pd.date_range("2026-03-01", periods=66, freq="min")
        late = at.where(np.arange(66) < 4, at + pd.Timedelta(hours=5))
        assert leads("000011", "001111", at=late.astype(str)) == [0.0]

    def test_rows_in_any_order(self) -> None:
        turned = pd.date_range("2026-03-01", periods=66, freq="min")[::-1].astype(str)
        examined = of_predictions(
            [int(c) for c in ("0" * 60 + "110000")],
            [float(c) for c in ("0" * 60 + "111100")],
            {"at": turned},
            time="at",
        )
        assert [one.lead / 60 for one in warnings_of(examined)] == [2.0]

    def test_times_of_single_events_carry_no_warning(self) -> None:
        at = pd.to_datetime(np.cumsum(np.random.default_rng(0).exponential(1e5, 70)), unit="s").astype(str)
        assert leads("000011" + "0" * 4, "001111" + "0" * 4, at=at) == []

    @given(st.text("01", min_size=1, max_size=60), st.text("01", min_size=60, max_size=60))
    def test_as_many_spells_as_onsets_and_none_warned_by_silence(self, truth: str, alarms: str) -> None:
        found = leads(truth, alarms[: len(truth)])
        assert len(found) == ("0" + truth).count("01") - (truth[0] == "1")
        assert all(np.isnan(one) or "1" in alarms[: len(truth)] for one in found)


class TestTold:
    def test_counts_every_spell_once(self) -> None:
        figures = told(warnings_of(record("00011000110001100", "00111000011000000")))
        assert figures is not None
        assert [figures[key] for key in ("spells", "announced", "late", "missed")] == [3, 1, 1, 1]
        assert figures["median_s"] == 0.0 and len(figures["leads"]) == 3  # type: ignore[arg-type]

    def test_nothing_where_there_was_no_spell(self) -> None:
        assert told(()) is None

    def test_performance_says_it(self) -> None:
        pattern = "000111" * 30
        examined = record(pattern, ("001111") * 30)
        found = run(Performance(), examined)[0]
        assert (
            "of 30 spells of harm 30 were announced, 0 noticed once they had begun, 0 passed in silence"
            in found.says.en
        )
        assert "half of the alarms began at least 60 s before the onset" in found.says.en
        assert "30 段伤害中，30 段提前报警" in found.says.zh and "提前时间的中位数为 60 秒" in found.says.zh
        assert found.as_json()["evidence"]["lead_time"]["half_s"] == pytest.approx([60.0, 60.0])
