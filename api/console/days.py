"""A day as people write it into a form or an address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from policies.errors import Malformed, Sentence


def day_of(text: str, *, after: int = 0) -> datetime:
    """Return the first moment of the day named, or of the day so many days `after` it, in UTC.

    Raises
    ------
    Malformed
        When it names no day, or one beyond what can be reckoned with.

    Examples
    --------
    >>> day_of("2026-12-31", after=1).isoformat()
    '2027-01-01T00:00:00+00:00'
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=after)
    except (ValueError, OverflowError) as wrong:
        raise Malformed(
            Sentence(
                en=f"'{text}' is not a day; write it as 2026-12-31", zh=f"“{text}”不是日期，请写作 2026-12-31 的形式"
            )
        ) from wrong
