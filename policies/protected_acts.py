"""Acts of people that can never be held against them: no feature, no label, no report is made of them.

Whoever reports a hazard, refuses an unlawful order, stops work, leaves in danger, overrides a model or appeals must
not be treated worse for it (Work Safety Law of the PRC, articles 54 and 55). The names are code, so that no rulebook
shortens them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.column_names import goes_by
from policies.errors import Sentence


@dataclass(frozen=True, kw_only=True)
class ProtectedAct:
    """One kind of act, the names of columns that speak of it, and what it is."""

    columns: tuple[str, ...]
    says: Sentence


PROTECTED_ACTS: tuple[ProtectedAct, ...] = (
    ProtectedAct(
        columns=(
            "override*",
            "*human_override*",
            "*operator_override*",
            "*worker_override*",
            "*reviewer_override*",
            "*alarm_override*",
            "改判*",
            "人工推翻*",
        ),
        says=Sentence(en="a person overrode a model", zh="人员推翻模型判断"),
    ),
    ProtectedAct(
        columns=(
            "stop_work*",
            "stopped_work*",
            "work_stop*",
            "*_stop_work*",
            "*work_stoppage*",
            "refus*_work*",
            "refus*_order*",
            "work_refus*",
            "order_refus*",
            "left_in_danger*",
            "停止作业*",
            "叫停*",
            "拒绝作业*",
            "拒绝违章*",
            "紧急撤离人*",
        ),
        says=Sentence(
            en="a person stopped work, refused an order or left in danger", zh="人员停止作业、拒绝指挥或紧急撤离"
        ),
    ),
    ProtectedAct(
        columns=(
            "appeal*",
            "complain*",
            "*_complaint*",
            "grievance*",
            "whistle*",
            "accus*",
            "申诉*",
            "投诉*",
            "检举*",
            "控告*",
            "举报*",
        ),
        says=Sentence(en="a person appealed, complained or reported", zh="人员申诉、投诉或检举控告"),
    ),
    ProtectedAct(
        columns=("reviewer*", "reviewed_by*", "review_seconds*", "confirm_rate*", "复核人*", "复核耗时*"),
        says=Sentence(en="who reviewed, and how", zh="复核人员及其复核情况"),
    ),
)


def protected_among(columns: Iterable[str]) -> Mapping[str, Sentence]:
    """Return the columns that speak of a protected act, with what it is.

    Examples
    --------
    >>> list(protected_among(["temperature", "Override_Count", "stop_work_calls"]))
    ['Override_Count', 'stop_work_calls']
    """
    return {name: act.says for name in columns for act in PROTECTED_ACTS if goes_by(name, act.columns)}
