"""What a model may be used for: risk intervention, never reward or punishment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.errors import Refused, Sentence

QUERIES: Mapping[str, Sentence] = {
    "human_review": Sentence(en="to review decisions", zh="人工复核"),
    "oversight": Sentence(en="to watch over models", zh="模型监督"),
    "supervision": Sentence(en="to supervise by law", zh="依法监管"),
    "own_data": Sentence(en="to know one's own data", zh="查阅本人数据"),
    "data_subject_request": Sentence(en="to answer the person concerned", zh="答复当事人请求"),
    "incident_investigation": Sentence(en="to find the causes of an incident", zh="事故原因调查"),
}
"""What decisions may be read for, beside the purposes they were made for."""


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


class WrongPurpose(Refused):
    """The caller is bound to another purpose than the one stated."""

    def __init__(self, bound: str, stated: str) -> None:
        super().__init__(
            Sentence(
                en=f"this caller is bound to the purpose '{bound}', found '{stated}'",
                zh=f"该调用方的用途限定为“{bound}”，实际为“{stated}”",
            )
        )


def require_query(purpose: str, rules: PurposeRules) -> str:
    """Return the purpose if decisions may be read for it.

    Raises
    ------
    PurposeRefused
    """
    if purpose in QUERIES:
        return purpose
    return require_permitted(purpose, PurposeRules(allowed={**rules.allowed, **QUERIES}, refused=rules.refused))


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
