"""Which features may weigh how much in a decision, and what happens to one that weighs more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from policies.column_names import goes_by
from policies.declaration import Declaration


class OnExceed(StrEnum):
    """What is done with a decision in which a capped feature weighs too much."""

    CLIP = "clip"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, kw_only=True)
class CapRule:
    """One kind of personal feature: the column names it goes by, and its largest share in [0, 1]."""

    kind: str
    columns: tuple[str, ...]
    cap: float


@dataclass(frozen=True, kw_only=True)
class CapRules:
    """All caps of a rulebook, the one for all capped features together, and what happens above them."""

    features: tuple[CapRule, ...]
    total: float
    on_exceed: OnExceed


@dataclass(frozen=True, kw_only=True)
class FeatureCaps:
    """The caps that hold for one model: share by feature name, and together."""

    caps: Mapping[str, float]
    total: float
    on_exceed: OnExceed


def caps_for(features: Iterable[str], rules: CapRules, declaration: Declaration) -> FeatureCaps:
    """Return the caps for a model with these features.

    A team may declare a cap of its own; it counts where it is stricter than the rulebook's and is
    ignored where it is laxer. Names are compared without regard to case.
    """
    caps: dict[str, float] = {}
    for name in features:
        found = [rule.cap for rule in rules.features if goes_by(name, rule.columns)]
        declared = declaration.feature(name).cap
        if declared is not None:
            found.append(declared)
        if found:
            caps[name] = min(found)
    return FeatureCaps(caps=caps, total=rules.total, on_exceed=rules.on_exceed)
