"""Every query has a purpose; what would turn decisions on a person is refused, and the refusal is kept."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.reading import AGAINST_PEOPLE, FOR, NotByPerson
from policies.permitted_use import QUERIES, PurposeRefused, WrongPurpose
from policies.roles import Role
from tests.governance.factories import COMMITTEE, OFFICER, PURPOSE, REGULATOR, REVIEWER, House, someone


class TestPurpose:
    def test_is_what_the_role_reads_for_unless_it_says_otherwise(self, house: House) -> None:
        for role, purpose in FOR.items():
            assert house.service.reading.purpose(None, someone(role)) == purpose
        assert house.service.reading.purpose("incident_investigation", OFFICER) == "incident_investigation"
        assert house.service.reading.purpose(PURPOSE, REVIEWER) == PURPOSE

    @pytest.mark.parametrize("purpose", ["reward", "punishment", "ranking", "dismissal", "marketing"])
    def test_others_are_refused_and_logged(self, house: House, purpose: str) -> None:
        with pytest.raises(PurposeRefused):
            house.service.reading.purpose(purpose, OFFICER)
        (kept,) = house.service.log.search(kind="refuse").entries
        assert kept.actor == OFFICER.name
        assert f'"purpose":"{purpose}"'.encode() in (house.service.log.payload(kept.id) or b"")

    def test_of_a_token_is_not_left(self, house: House) -> None:
        bound = someone(Role.REGULATOR, purpose="incident_investigation")
        assert house.service.reading.purpose(None, bound) == "incident_investigation"
        with pytest.raises(WrongPurpose, match="is bound to the purpose 'incident_investigation', found 'supervision'"):
            house.service.reading.purpose("supervision", bound)
        assert "refuse" in house.kinds()


class TestByPerson:
    @pytest.mark.parametrize("word", sorted(AGAINST_PEOPLE))
    @pytest.mark.parametrize("by", [OFFICER, REGULATOR, REVIEWER], ids=lambda by: by.role.value)
    def test_nothing_is_grouped_ranked_or_singled_out(self, house: House, word: str, by: object) -> None:
        with pytest.raises(NotByPerson, match=f"not grouped, ranked or handed out by person \\({word}\\)"):
            house.service.reading.purpose(None, by, asked=["model", word])  # type: ignore[arg-type]
        assert "refuse" in house.kinds()

    @pytest.mark.parametrize("by", [REVIEWER, COMMITTEE], ids=lambda by: by.role.value)
    def test_who_sees_no_pseudonym_asks_for_no_subject(self, house: House, by: object) -> None:
        with pytest.raises(NotByPerson):
            house.service.reading.purpose(None, by, asked=["subject"])  # type: ignore[arg-type]

    def test_a_search_about_a_person_is_kept(self, house: House) -> None:
        purpose = house.service.reading.purpose("data_subject_request", OFFICER, asked=["subject"])
        house.service.reading.note_search_about("0" * 32, purpose, OFFICER)
        (kept,) = house.service.log.search(kind="access").entries
        assert b'"purpose":"data_subject_request"' in (house.service.log.payload(kept.id) or b"")

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.sampled_from(sorted(FOR)),
        st.one_of(st.none(), st.sampled_from([*QUERIES, PURPOSE, "reward", "ranking", ""])),
        st.sets(st.sampled_from(["model", "flag", "subject", "verdict", "group_by", "rank", "reviewer"])),
    )
    def test_what_passes_never_turns_on_people(
        self, house: House, role: Role, stated: str | None, asked: set[str]
    ) -> None:
        try:
            purpose = house.service.reading.purpose(stated, someone(role), asked=asked)
        except (PurposeRefused, NotByPerson):
            return
        assert purpose in {*QUERIES, PURPOSE}
        assert not asked & AGAINST_PEOPLE
        assert "subject" not in asked or role in (Role.DSO, Role.REGULATOR, Role.EMPLOYEE)
