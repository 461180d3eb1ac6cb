"""One way in which the answer may have got into a model."""

from __future__ import annotations

from dataclasses import dataclass

from audit.checks.check import Group
from policies.errors import Sentence


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """One way the answer may have got in. `holds` is False for a leak, None for an open question, True for a remark."""

    column: str | None
    kind: str
    measured: float
    limit: float
    holds: bool | None
    says: Sentence

    def as_group(self) -> Group:
        """Return the line of the table."""
        return {
            "column": self.column,
            "fault": self.kind,
            "measured": self.measured,
            "limit": self.limit,
            "holds": self.holds,
            "says": self.says.as_json(),
        }
