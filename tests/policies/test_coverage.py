"""The matrix says of every clause whether the house answers it: each state planted, each sentence read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.coverage import Counted, Holdings, Row, State, coverage, gravest, summed
from policies.regulations import read_packs
from policies.tiers import Tier
from tests.policies.packs import DAY, SAYS, a_model, a_pack, held


def one(measure: str, house: Holdings | None = None, **parts: str) -> Row:
    """The only row of a pack with one clause and one measure."""
    (row,) = coverage([a_pack(measure, **parts)], house or held())
    assert row.because.zh
    return row


def said(row: Row) -> tuple[str, str]:
    """State and English reason of a row."""
    return row.state.value, row.because.en


class TestRule:
    def test_within_its_bound_holds(self) -> None:
        assert said(one('rule = "retention.default_days", at_least = 184')) == (
            "holds",
            "retention.default_days is 190; asked for at least 184",
        )

    def test_below_its_bound_does_not(self) -> None:
        assert said(one('rule = "retention.default_days", at_least = 200, at_most = 300')) == (
            "does_not_hold",
            "retention.default_days is 190; asked for at least 200 and at most 300",
        )

    def test_above_its_bound_does_not(self) -> None:
        assert one('rule = "retention.default_days", at_most = 100').state is State.FAILS

    def test_that_is_not_there_does_not(self) -> None:
        assert said(one('rule = "retention.colour"')) == (
            "does_not_hold",
            "the rulebook says nothing at retention.colour",
        )

    def test_that_is_no_number_has_no_bound(self) -> None:
        assert said(one('rule = "permits.deciders.L4", at_least = 1')) == (
            "does_not_hold",
            "permits.deciders.L4 is no number in the rulebook",
        )

    def test_that_is_there_is_enough_without_a_bound(self) -> None:
        assert one('rule = "permits.deciders.L4"').state is State.HOLDS


class TestLog:
    def test_without_an_entry_there_is_no_evidence(self) -> None:
        assert said(one('log = "health"')) == ("no_evidence", "the log has no 'health'")

    def test_with_a_young_entry_it_holds(self) -> None:
        house = held({("health", None, None): Counted(count=1200, newest=DAY)})
        assert said(one('log = "health", within_days = 2', house)) == (
            "holds",
            "the log has 'health', 1,200 so far, the newest of 2026-03-02",
        )

    def test_with_an_old_entry_it_does_not(self) -> None:
        house = held({("publish", "snapshot", None): Counted(count=1, newest=DAY - timedelta(days=400))})
        assert said(one('log = "publish", flag = "snapshot", within_days = 365', house)) == (
            "does_not_hold",
            "the newest 'publish (snapshot)' is of 2025-01-26, 400 days ago; asked for one within 365",
        )

    def test_of_a_model_is_asked_of_every_model(self) -> None:
        models = (a_model(), a_model(model="gas-peak"))
        house = held({("review", None, "gas-peak"): Counted(count=2, newest=DAY)}, models=models)
        rows = coverage([a_pack('log = "review", per = "model"')], house)
        assert [(row.model, row.state.value) for row in rows] == [
            ("gas-leak:1", "no_evidence"),
            ("gas-peak:1", "holds"),
        ]


class TestOthers:
    @pytest.mark.parametrize(
        ("measure", "state"),
        [
            ('route = "get /v1/reports"', "holds"),
            ('route = "get /v1/gone"', "does_not_hold"),
            ('document = "bom"', "holds"),
            ('document = "poem"', "does_not_hold"),
            ('setting = "rulebook"', "holds"),
            ('setting = "timestamp_url"', "does_not_hold"),
            ('anchor = "witness", within_days = 2', "no_evidence"),
            ('outside = "backup"', "no_evidence"),
            ('declared = "impact"', "holds"),
            ('declared = "data.sources"', "does_not_hold"),
            ('check = "performance"', "holds"),
            ('check = "leakage"', "no_evidence"),
        ],
    )
    def test_have_their_state(self, measure: str, state: str) -> None:
        assert one(measure).state.value == state

    def test_a_check_that_fails_does_not_hold_with_its_own_sentence(self) -> None:
        house = held(models=(a_model(findings={"performance": (False, SAYS)}),))
        row = one('check = "performance"', house)
        assert (row.state, row.because, row.link) == (State.FAILS, SAYS, "/v1/submissions/s-1/findings")

    def test_a_check_that_cannot_conclude_is_no_evidence(self) -> None:
        house = held(models=(a_model(findings={"performance": (None, SAYS)}),))
        assert one('check = "performance"', house).state is State.NO_EVIDENCE

    def test_what_only_the_company_can_show_never_holds_here(self) -> None:
        assert said(one('outside = "backup"')) == (
            "no_evidence",
            "nothing here can show it; the company shows it by its own papers",
        )


class TestScope:
    def test_before_its_day_a_clause_asks_nothing(self) -> None:
        assert said(one('outside = "x"', held(day=date(2019, 12, 31)))) == (
            "not_in_scope",
            "applies from 2020-01-01 (not compared with the official text)",
        )

    def test_on_its_day_it_does(self) -> None:
        assert one('outside = "x"', held(day=date(2020, 1, 1))).state is State.NO_EVIDENCE

    def test_after_its_end_it_asks_nothing(self) -> None:
        assert said(one('outside = "x"', clause="until = 2026-03-02")) == ("not_in_scope", "no longer in force")

    def test_repealed_asks_nothing(self) -> None:
        assert one('outside = "x"', clause='status = "repealed"').state is State.NOT_IN_SCOPE

    @pytest.mark.parametrize(
        ("answer", "state", "because"),
        [
            (None, "no_evidence", "first say whether it applies: Does it apply here?"),
            (False, "not_in_scope", "answered no: Does it apply here?"),
            (True, "does_not_hold", "'poem' is not there"),
        ],
    )
    def test_a_question_comes_first(self, answer: bool | None, state: str, because: str) -> None:
        scope = {} if answer is None else {("test-law", "here"): answer}
        assert said(one('document = "poem"', held(scope=scope), clause='scope = "here"')) == (state, because)

    def test_a_clause_for_grave_tiers_passes_others_by(self) -> None:
        row = one('check = "performance"', held(models=(a_model(tier=Tier.L2),)), clause='tiers = ["L3", "L4"]')
        assert said(row) == ("not_in_scope", "no model at work falls under this clause")

    def test_a_clause_about_people_passes_by_what_uses_no_data_of_theirs(self) -> None:
        parts = {"clause": 'when = { persons = ["identifiable"] }'}
        nobody = held(models=(a_model(impact={"persons": "none"}),))
        assert one('check = "performance"', nobody, **parts).state is State.NOT_IN_SCOPE
        assert one('document = "bom"', nobody, **parts).state is State.NOT_IN_SCOPE
        assert one('document = "bom"', **parts).state is State.HOLDS


class TestSummed:
    def test_a_clause_is_as_good_as_its_weakest_answer(self) -> None:
        pack = a_pack('check = "performance"')
        models = (a_model(), a_model(model="b", findings={"performance": (False, SAYS)}))
        assert summed(coverage([pack], held(models=models))) == {("test-law", "1"): State.FAILS}

    @given(st.lists(st.sampled_from(State), min_size=1))
    def test_adding_an_answer_never_makes_it_better(self, states: list[State]) -> None:
        order = [State.FAILS, State.NO_EVIDENCE, State.HOLDS, State.NOT_IN_SCOPE]
        for more in State:
            assert order.index(gravest(*states, more)) <= order.index(gravest(*states))

    def test_every_clause_of_every_pack_is_answered(self) -> None:
        packs = read_packs()
        rows: Any = coverage(packs, held())
        assert set(summed(rows)) == {(pack.id, clause.id) for pack in packs for clause in pack.clauses}
