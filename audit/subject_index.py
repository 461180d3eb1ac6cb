"""Where the entries about a person are: an index whose newest part stays small however long the log grows.

Subjects come in no order, so an index over them alone has every new entry land on a page of its own, anywhere in it.
This one is ordered by segments of the log first: new entries land in the pages of the newest segment, and who looks
for a person asks every segment once. See docs/decisions/0031-subjects-by-segment.md.
"""

from __future__ import annotations

SEGMENT = 16_384
"""Entries of one segment."""

SEGMENT_OF = f"number / {SEGMENT}"
"""The segment of an entry, in SQL: the first column of the index."""

STEPS = (
    "WITH RECURSIVE steps (step, last) AS ("
    f"SELECT 0, (SELECT max(number) / {SEGMENT} FROM log_entries)"
    " UNION ALL SELECT step + 1, last FROM steps WHERE step < last)"
)
"""The number of every segment that there is, in SQL."""


def about_subjects(count: int = 1) -> str:
    """Return the condition that an entry `e` is about one of so many subjects, for as many values.

    Examples
    --------
    >>> about_subjects(2).count("?")
    2
    """
    if count < 1:
        return "1 = 0"
    return (
        f"e.number IN ({STEPS} SELECT f.number FROM steps CROSS JOIN log_entries f"
        f" WHERE f.{SEGMENT_OF} = step AND f.subject IN ({', '.join('?' * count)}))"
    )
