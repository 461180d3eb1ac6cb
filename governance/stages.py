"""The life of a submission as a table of moves; a veto is final for its artifact."""

from __future__ import annotations

from enum import StrEnum

from policies.errors import Conflict, Sentence


class Stage(StrEnum):
    """Where a submission stands.

    A `draft` is its author's alone and in no log: a form half filled in, or a folder on the team's own machine. A
    submission begins when it is complete. It is `submitted` while the registry takes it in, and `examined` once it lies
    before the officer.
    """

    DRAFT = "draft"
    SUBMITTED = "submitted"
    EXAMINED = "examined"
    RETURNED = "returned"
    APPROVED = "approved"
    VETOED = "vetoed"
    SUSPENDED = "suspended"
    RETIRED = "retired"


MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.DRAFT: frozenset({Stage.SUBMITTED}),
    Stage.SUBMITTED: frozenset({Stage.EXAMINED, Stage.VETOED}),
    Stage.EXAMINED: frozenset({Stage.APPROVED, Stage.RETURNED, Stage.VETOED}),
    Stage.RETURNED: frozenset({Stage.VETOED}),
    # Back to examined leads a raised tier: the deciders of the new one have not spoken yet.
    Stage.APPROVED: frozenset({Stage.EXAMINED, Stage.SUSPENDED, Stage.VETOED, Stage.RETIRED}),
    Stage.SUSPENDED: frozenset({Stage.EXAMINED, Stage.APPROVED, Stage.VETOED, Stage.RETIRED}),
    Stage.RETIRED: frozenset({Stage.VETOED}),
    Stage.VETOED: frozenset(),
}

IN_CHINESE: dict[Stage, str] = {
    Stage.DRAFT: "为草稿",
    Stage.SUBMITTED: "已提交",
    Stage.EXAMINED: "待裁定",
    Stage.RETURNED: "已退回",
    Stage.APPROVED: "已批准",
    Stage.VETOED: "已否决",
    Stage.SUSPENDED: "已暂停",
    Stage.RETIRED: "已停用",
}


class IllegalMove(Conflict):
    """The table of moves has no such step."""

    def __init__(self, what: str, now: Stage, wanted: Stage) -> None:
        possible = [stage for stage in Stage if stage in MOVES[now]]
        en = ", ".join(possible) if possible else "nothing"
        zh = "、".join(IN_CHINESE[stage] for stage in possible) if possible else "任何状态"
        super().__init__(
            Sentence(
                en=f"{what} is {now}; it can become {en}, not {wanted}",
                zh=f"{what} {IN_CHINESE[now]}；"
                + (f"只能变为{zh}，不能变为{IN_CHINESE[wanted]}" if possible else f"不能再变为{zh}"),
            )
        )
        self.now, self.wanted = now, wanted


def require_move(what: str, now: Stage, wanted: Stage) -> None:
    """Raise `IllegalMove` unless the table of moves leads from `now` to `wanted` in one step."""
    if wanted not in MOVES[now]:
        raise IllegalMove(what, now, wanted)
