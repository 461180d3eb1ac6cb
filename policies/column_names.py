"""How a rule recognises a column by its name."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def goes_by(name: str, patterns: Iterable[str]) -> bool:
    """Whether a column name matches one of the patterns (`*` and `?`), without regard to case.

    Examples
    --------
    >>> goes_by("Age_Years", ["age", "age_*"])
    True
    """
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)
