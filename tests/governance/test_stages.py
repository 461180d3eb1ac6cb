"""The table of moves: what may follow what, and that a veto is the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.stages import IN_CHINESE, MOVES, IllegalMove, Stage, require_move


class TestMoves:
    def test_every_stage_has_a_line_and_a_chinese_name(self) -> None:
        assert set(MOVES) == set(Stage) == set(IN_CHINESE)

    def test_vetoed_is_final(self) -> None:
        assert MOVES[Stage.VETOED] == frozenset()

    def test_a_veto_can_follow_everything_else_that_was_handed_in(self) -> None:
        assert all(Stage.VETOED in MOVES[stage] for stage in Stage if stage not in (Stage.VETOED, Stage.DRAFT))

    def test_a_draft_can_only_be_handed_in_and_nothing_becomes_one_again(self) -> None:
        assert MOVES[Stage.DRAFT] == frozenset({Stage.SUBMITTED})
        assert not any(Stage.DRAFT in MOVES[stage] for stage in Stage)

    def test_only_what_was_examined_or_suspended_becomes_approved(self) -> None:
        assert {stage for stage in Stage if Stage.APPROVED in MOVES[stage]} == {Stage.EXAMINED, Stage.SUSPENDED}

    @given(st.lists(st.sampled_from(Stage), max_size=12))
    def test_no_path_leads_out_of_a_veto(self, wanted: list[Stage]) -> None:
        now, vetoed = Stage.SUBMITTED, False
        for stage in wanted:
            if stage in MOVES[now]:
                assert not vetoed
                now = stage
                vetoed = vetoed or stage is Stage.VETOED


class TestRequireMove:
    @given(st.sampled_from(Stage), st.sampled_from(Stage))
    def test_raises_exactly_where_the_table_is_silent(self, now: Stage, wanted: Stage) -> None:
        if wanted in MOVES[now]:
            require_move("gas-leak:3", now, wanted)
        else:
            with pytest.raises(IllegalMove):
                require_move("gas-leak:3", now, wanted)

    def test_says_what_a_veto_can_become(self) -> None:
        with pytest.raises(IllegalMove) as refused:
            require_move("gas-leak:3", Stage.VETOED, Stage.APPROVED)
        assert refused.value.says.en == "gas-leak:3 is vetoed; it can become nothing, not approved"
        assert refused.value.says.zh == "gas-leak:3 已否决；不能再变为任何状态"

    def test_says_what_is_possible_instead(self) -> None:
        with pytest.raises(IllegalMove) as refused:
            require_move("gas-leak:3", Stage.RETURNED, Stage.APPROVED)
        assert refused.value.says.en == "gas-leak:3 is returned; it can become vetoed, not approved"
        assert refused.value.says.zh == "gas-leak:3 已退回；只能变为已否决，不能变为已批准"
