"""What a model may be used for: risk intervention, never reward or punishment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.errors import Refused, Sentence


@dataclass(frozen=True, kw_only=True)
class PurposeRules:
    """Purposes that may be approved, and those that are refused with the reason why."""

    allowed: Mapping[str, Sentence]
    refused: Mapping[str, Sentence]


class PurposeRefused(Refused):
    """The stated purpose is not one this house serves."""

    def __init__(self, purpose: str, why: Sentence) -> None:
        super().__init__(why)
        self.purpose = purpose


def require_permitted(purpose: str | None, rules: PurposeRules) -> str:
    """Return the purpose if it is allowed.

    Raises
    ------
    PurposeRefused
        When it is on the list of refused purposes, unknown, or not stated at all.
    """
    if purpose in rules.allowed:
        return str(purpose)
    allowed = ", ".join(rules.allowed)
    if purpose in rules.refused:
        why = rules.refused[str(purpose)]
        said = Sentence(
            en=f"purpose '{purpose}' is refused: {why.en}; allowed: {allowed}",
            zh=f"用途“{purpose}”被拒绝：{why.zh}；允许的用途：{allowed}",
        )
    elif not purpose:
        said = Sentence(
            en=f"no purpose was stated; state one of: {allowed}", zh=f"未说明用途，请说明用途，可用：{allowed}"
        )
    else:
        said = Sentence(
            en=f"purpose '{purpose}' is not known; allowed: {allowed}", zh=f"未知用途“{purpose}”，允许的用途：{allowed}"
        )
    raise PurposeRefused(str(purpose or ""), said)
