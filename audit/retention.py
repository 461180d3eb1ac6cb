"""How long what is kept must stay, and when it must go: a floor, a ceiling, and days between."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.errors import Refused, Sentence

FLOOR_DAYS = 180
FLOOR_MONTHS = 6
DEFAULT_DAYS = 190
"""Six calendar months are 181 to 184 days; 190 leaves a week for an appeal that comes late."""


class RetentionTooShort(Refused):
    """The days asked for are fewer than the law's six months."""

    def __init__(self, days: int, floor: int) -> None:
        super().__init__(
            Sentence(
                en=f"{days} days of retention are too few: decisions stay at least {floor} days"
                " and at least six calendar months",
                zh=f"保存期限 {days} 天过短：决策记录至少保存 {floor} 天，且不少于六个自然月",
            )
        )
        self.days, self.floor = days, floor


@dataclass(frozen=True)
class Retention:
    """For how many days payloads of decisions, and what people said about them, are kept.

    Parameters
    ----------
    days : int
        Never under 180; what falls before six calendar months stays until they are over.
    ceiling : int
        After so many days a hold is the only reason to keep.

    Raises
    ------
    RetentionTooShort

    Examples
    --------
    >>> Retention().until(datetime(2026, 3, 1)).isoformat()
    '2026-09-07T00:00:00'
    >>> Retention(180).until(datetime(2026, 3, 1)).isoformat()  # 184 days: six calendar months rule
    '2026-09-01T00:00:00'
    """

    days: int = DEFAULT_DAYS
    ceiling: int = 3650

    def __post_init__(self) -> None:
        if self.days < FLOOR_DAYS:
            raise RetentionTooShort(self.days, FLOOR_DAYS)
        if self.ceiling < self.days:
            raise Refused(
                Sentence(
                    en=f"{self.days} days of retention are above the ceiling of {self.ceiling}",
                    zh=f"保存期限 {self.days} 天超过上限 {self.ceiling} 天",
                )
            )

    def until(self, moment: datetime) -> datetime:
        """Return when what was kept at `moment` may go."""
        return max(moment + timedelta(days=self.days), floor_of(moment))


def floor_of(moment: datetime) -> datetime:
    """Return before when nothing kept at `moment` may go: 180 days and six calendar months, the later.

    Examples
    --------
    >>> floor_of(datetime(2026, 8, 31)).date().isoformat()  # to the end of a shorter month
    '2027-02-28'
    """
    months = moment.month - 1 + FLOOR_MONTHS
    year, month = moment.year + months // 12, months % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return max(moment + timedelta(days=FLOOR_DAYS), moment.replace(year=year, month=month, day=day))
