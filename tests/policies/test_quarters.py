"""Quarters: read strictly, follow one another without a gap, and are reported on the first working day after them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Malformed, Refused
from policies.quarters import Quarter, quarter_of, read_quarter
from policies.rulebook import read_rulebook

moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - adds the zone


class TestRead:
    @pytest.mark.parametrize(
        "text",
        ["", "2026", "2026Q0", "2026Q5", "2026q3", "26Q3", " 2026Q3", "2026Q3\n", "２０２６Q3", "0000Q1", "9999Q4"],
    )
    def test_refuses_what_is_none(self, text: str) -> None:
        with pytest.raises(Malformed) as refused:
            read_quarter(text)
        assert refused.value.says.en == f"{text!r} is no quarter; write the year and the quarter, as in 2026Q3"
        assert refused.value.says.zh == f"{text!r} 不是季度，请写作“年份Q季度”，如 2026Q3"

    @given(moments)
    def test_reads_what_it_wrote(self, moment: datetime) -> None:
        quarter = quarter_of(moment)
        assert read_quarter(str(quarter)) == quarter
        assert quarter.start <= moment < quarter.end


class TestNeighbours:
    @given(moments)
    def test_leave_no_gap(self, moment: datetime) -> None:
        quarter = quarter_of(moment)
        assert quarter.before.end == quarter.start
        assert quarter.following.before == quarter
        assert quarter.before < quarter < quarter.following


class TestDue:
    @pytest.mark.parametrize(
        ("quarter", "due"),
        [
            (Quarter(2026, 1), date(2026, 4, 1)),
            (Quarter(2026, 3), date(2026, 10, 8)),  # after the first week of October
            (Quarter(2026, 4), date(2027, 1, 4)),  # New Year is a Friday
            (Quarter(2027, 4), date(2028, 1, 3)),  # New Year is a Saturday
        ],
    )
    def test_is_the_first_working_day_after_it(self, quarter: Quarter, due: date) -> None:
        assert quarter.report_due(read_rulebook().disclosures.days_off) == due


class TestOver:
    def test_a_quarter_that_runs_cannot_be_reported(self) -> None:
        quarter = Quarter(2026, 3)
        with pytest.raises(Refused) as refused:
            quarter.require_over(quarter.end - timedelta(microseconds=1))
        assert refused.value.says.en == ("2026Q3 ends on 2026-09-30 (UTC); its report can be prepared after that day")
        assert refused.value.says.zh == "2026Q3 于 2026-09-30（UTC）结束，报告须在此之后编制"
        quarter.require_over(quarter.end)
