"""Quarters of the year: how they are written, when they begin and end, and the day their report is due."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from policies.errors import Malformed, Refused, Sentence

_WRITTEN = re.compile(r"([0-9]{4})Q([1-4])")
SATURDAY = 5


class NotAQuarter(Malformed):
    """The text names no quarter."""

    def __init__(self, text: str) -> None:
        super().__init__(
            Sentence(
                en=f"{text[:40]!r} is no quarter; write the year and the quarter, as in 2026Q3",
                zh=f"{text[:40]!r} 不是季度，请写作“年份Q季度”，如 2026Q3",
            )
        )


class QuarterNotOver(Refused):
    """The quarter has not ended, so nothing final can be said of it."""

    def __init__(self, quarter: Quarter) -> None:
        super().__init__(
            Sentence(
                en=f"{quarter} ends on {quarter.last_day.isoformat()} (UTC); its report can be prepared after that day",
                zh=f"{quarter} 于 {quarter.last_day.isoformat()}（UTC）结束，报告须在此之后编制",
            )
        )


@dataclass(frozen=True, order=True)
class Quarter:
    """One quarter of a year, in UTC.

    Examples
    --------
    >>> str(Quarter(2026, 4).following), Quarter(2026, 1).before.start.isoformat()
    ('2027Q1', '2025-10-01T00:00:00+00:00')
    """

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04d}Q{self.number}"

    @property
    def start(self) -> datetime:
        """The first moment of the quarter."""
        return datetime(self.year, 3 * self.number - 2, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after the quarter."""
        return self.following.start

    @property
    def last_day(self) -> date:
        """The last day of the quarter."""
        return (self.end - timedelta(days=1)).date()

    @property
    def following(self) -> Quarter:
        """The quarter after this one."""
        return Quarter(self.year + 1, 1) if self.number == 4 else Quarter(self.year, self.number + 1)

    @property
    def before(self) -> Quarter:
        """The quarter before this one."""
        return Quarter(self.year - 1, 4) if self.number == 1 else Quarter(self.year, self.number - 1)

    def report_due(self, days_off: Collection[str]) -> date:
        """Return the first working day after the quarter.

        Parameters
        ----------
        days_off : collection of str
            Public holidays as "MM-DD"; Saturdays and Sundays are off as well.

        Examples
        --------
        >>> Quarter(2026, 3).report_due([]), Quarter(2026, 3).report_due([f"10-0{day}" for day in range(1, 8)])
        (datetime.date(2026, 10, 1), datetime.date(2026, 10, 8))
        """
        day = self.end.date()
        while day.weekday() >= SATURDAY or f"{day:%m-%d}" in days_off:
            day += timedelta(days=1)
        return day

    def require_over(self, now: datetime) -> None:
        """Raise `QuarterNotOver` while the quarter lies ahead or is running."""
        if now < self.end:
            raise QuarterNotOver(self)


def read_quarter(text: str) -> Quarter:
    """Return the quarter that a text such as "2026Q3" names. Raises NotAQuarter.

    Examples
    --------
    >>> read_quarter("2026Q3")
    Quarter(year=2026, number=3)
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or not 1970 <= int(found[1]) <= 9998:
        raise NotAQuarter(text)
    return Quarter(int(found[1]), int(found[2]))


def quarter_of(moment: datetime) -> Quarter:
    """Return the quarter a moment lies in.

    Examples
    --------
    >>> str(quarter_of(datetime(2026, 11, 22, tzinfo=UTC)))
    '2026Q4'
    """
    day = moment.astimezone(UTC)
    return Quarter(day.year, (day.month + 2) // 3)
