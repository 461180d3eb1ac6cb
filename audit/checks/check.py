"""What a check is, and the finding it comes back with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from audit.checks.examined import Examined
from policies.errors import Malformed, Sentence

Limits = Mapping[str, Any]
Group = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one check to one question.

    `holds` is None when the data cannot carry a conclusion; `says` then tells why. `measured` and `limit`
    are in `unit`; `interval` is a confidence interval of `measured`; `n` is what was counted. `groups` are
    the lines of a table, `evidence` is what a page draws; both hold plain values only.
    """

    check: str
    holds: bool | None
    says: Sentence
    measured: float | None = None
    limit: float | None = None
    unit: str | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    groups: tuple[Group, ...] = ()
    evidence: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as `mingjing check --json` shows it. Numbers that are not finite become null."""
        return {
            "check": self.check,
            "holds": self.holds,
            "measured": plain(self.measured),
            "limit": plain(self.limit),
            "unit": self.unit,
            "interval": plain(self.interval),
            "n": self.n,
            "groups": plain(self.groups),
            "says": self.says.as_json(),
            "evidence": plain(self.evidence),
        }


class Check(Protocol):
    """One question put to a model. `limits` is the check's section of the rulebook at the model's tier."""

    @property
    def name(self) -> str:
        """Name of the check and of its section in the rulebook."""
        ...

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding, or several where several limits are at stake."""
        ...


def plain(value: object) -> Any:
    """Return a value as JSON can carry it: numpy becomes Python, tuples become lists, NaN becomes None."""
    if isinstance(value, Sentence):
        return value.as_json()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


def limit_of(limits: Limits, check: str, key: str) -> float:
    """Return a limit as a number.

    Raises
    ------
    Malformed
        When the rulebook does not set it, or sets something that is not a finite number.
    """
    value = limits.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Malformed(
            Sentence(
                en=f"the rulebook must set checks.{check}.{key} to a number, found {value!r}",
                zh=f"规则文件应将 checks.{check}.{key} 设为数值，实际为 {value!r}",
            )
        )
    return float(value)


def below(interval: tuple[float, float], limit: float) -> bool | None:
    """Whether a quantity is at most `limit`, as far as its interval tells: None when the limit lies inside."""
    low, high = interval
    if high <= limit:
        return True
    return False if low > limit else None


def above(interval: tuple[float, float], limit: float) -> bool | None:
    """Whether a quantity is at least `limit`, as far as its interval tells: None when the limit lies inside."""
    low, high = interval
    if low >= limit:
        return True
    return False if high < limit else None


def all_hold(answers: Sequence[bool | None]) -> bool | None:
    """Return False if any answer is False, else None if any is None, else True (also for no answers)."""
    if any(answer is False for answer in answers):
        return False
    return None if any(answer is None for answer in answers) else True
