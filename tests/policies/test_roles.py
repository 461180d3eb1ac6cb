"""A role allows what its work needs and nothing else; what lies outside one's scope looks absent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import NotFound
from policies.roles import MAY, Action, NotAllowed, Person, Role, absent, require, require_site


def a_person(role: Role = Role.DSO, *, site: str | None = None) -> Person:
    """Return somebody of a role."""
    return Person(name="Li Wei", role=role, site=site)


class TestMay:
    def test_every_role_has_a_line(self) -> None:
        assert set(MAY) == set(Role)

    def test_every_action_is_for_somebody(self) -> None:
        assert set().union(*MAY.values()) == set(Action)

    @pytest.mark.parametrize(
        ("action", "roles"),
        [
            (Action.SUBMIT, {Role.ML_ENGINEER}),
            (Action.GIVE_VERDICT, {Role.DSO, Role.COMMITTEE}),
            (Action.SUSPEND, {Role.DSO}),
            (Action.REVIEW, {Role.DSO, Role.REVIEWER}),
            (Action.READ_OWN_DECISIONS, {Role.EMPLOYEE}),
            (Action.APPEAL, {Role.EMPLOYEE}),
            (Action.PREDICT, {Role.SERVICE, Role.TESTER}),
            (Action.HOLD, {Role.DSO, Role.REGULATOR}),
            (Action.MANAGE_PEOPLE, {Role.ADMIN}),
            (Action.HAND_IN_OUTCOMES, {Role.DSO, Role.REVIEWER, Role.SERVICE}),
            (Action.DISCLOSE, {Role.DSO}),
        ],
    )
    def test_is_for_exactly_these(self, action: Action, roles: set[Role]) -> None:
        assert {role for role in Role if a_person(role).may(action)} == roles

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.TESTER, Role.SERVICE, Role.ML_ENGINEER, Role.EMPLOYEE])
    def test_production_decisions_of_others_are_closed_to(self, role: Role) -> None:
        assert not a_person(role).may(Action.READ_DECISIONS)

    def test_the_regulator_decides_nothing(self) -> None:
        assert not MAY[Role.REGULATOR] & {Action.GIVE_VERDICT, Action.SUSPEND, Action.REVIEW, Action.SUBMIT}

    def test_nobody_who_submits_gives_verdicts(self) -> None:
        assert not any({Action.SUBMIT, Action.GIVE_VERDICT} <= actions for actions in MAY.values())


class TestRequire:
    @given(st.sampled_from(Role), st.sampled_from(Action))
    def test_raises_exactly_where_the_table_is_silent(self, role: Role, action: Action) -> None:
        if a_person(role).may(action):
            require(a_person(role), action)
        else:
            with pytest.raises(NotAllowed):
                require(a_person(role), action)

    def test_says_who_could(self) -> None:
        with pytest.raises(NotAllowed) as refused:
            require(a_person(Role.ML_ENGINEER), Action.GIVE_VERDICT)
        assert refused.value.says.en == "Li Wei is ml_engineer; 'give_verdict' is for dso, committee"
        assert refused.value.says.zh == "Li Wei 的角色为 ml_engineer，“give_verdict”仅限 dso, committee"


class TestSite:
    def test_without_one_every_site_is_in_scope(self) -> None:
        assert a_person().sees_site("plant-07")
        assert a_person().sees_site(None)

    def test_with_one_only_that(self) -> None:
        assert a_person(site="plant-07").sees_site("plant-07")
        assert not a_person(site="plant-07").sees_site("plant-08")

    def test_what_belongs_to_no_site_is_outside_a_sites_scope(self) -> None:
        assert not a_person(site="plant-07").sees_site(None)

    def test_inside_the_scope_is_silent(self) -> None:
        require_site(a_person(site="plant-07"), "plant-07", "decision", "42")

    def test_foreign_and_absent_cannot_be_told_apart(self) -> None:
        with pytest.raises(NotFound) as foreign:
            require_site(a_person(site="plant-07"), "plant-08", "decision", "42")
        assert foreign.value.faults == absent("decision", "42").faults
        assert foreign.value.says.en == "there is no decision '42' here, or it is outside your scope"
        assert foreign.value.says.zh == "此处没有 decision“42”，或不在您的权限范围内"
