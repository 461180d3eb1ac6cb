"""Which features may weigh how much in a decision, and what happens to one that weighs more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from policies.column_names import goes_by
from policies.declaration import Declaration
from policies.errors import Sentence, refuse_all


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


@dataclass(frozen=True)
class FeatureCaps:
    """The caps that hold for one model, and what happens above them.

    Parameters
    ----------
    caps : mapping of feature name to share in [0, 1]
        Largest share of total absolute contribution, each feature by itself.
    total : float in [0, 1] or None
        Largest share of all capped features together; None leaves their sum alone.
    on_exceed : OnExceed
        Scale the contribution down to the cap, or leave the decision as it is and call a person.

    Raises
    ------
    Malformed
        For every cap that is not a share.
    """

    caps: Mapping[str, float] = field(default_factory=dict)
    total: float | None = None
    on_exceed: OnExceed = OnExceed.CLIP

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_exceed", OnExceed(self.on_exceed))
        named = {**self.caps, **({} if self.total is None else {"total": self.total})}
        refuse_all(
            Sentence(
                en=f"the cap of '{name}' is {cap}, expected a share from 0 to 1",
                zh=f"“{name}”的权重上限为 {cap}，应为 0 到 1 之间的占比",
            )
            for name, cap in named.items()
            if not 0 <= cap <= 1
        )


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
