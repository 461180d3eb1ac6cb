"""A legal hold is placed and lifted by who may, on what lies in his scope."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from audit.holds import Hold, HoldLifted, NoSuchHold
from governance.compliance import ForTheWholeHouse
from policies.errors import Malformed, NotFound
from policies.roles import NotAllowed, Person, Role
from tests.governance.factories import ADMIN, NOW, OFFICER, REVIEWER, SITE, House, someone

HERE, ELSEWHERE = someone(Role.REGULATOR, site=SITE), someone(Role.REGULATOR, site="plant-08")


def place(house: House, by: Person = OFFICER, **changes: Any) -> Hold:
    options = {"since": NOW, "until": NOW + timedelta(days=9), "reason": "inquiry 17", "model": "gas-leak", **changes}
    return house.service.holds.place(by=by, **options)


class TestPlace:
    def test_within_ones_site(self, house: House) -> None:
        house.approved()
        made = place(house, HERE)
        assert house.service.holds.standing(HERE) == (made,)

    def test_at_another_site_looks_as_if_there_were_no_such_model(self, house: House) -> None:
        house.approved()
        for model in ("gas-leak", "gas-leek"):
            with pytest.raises(NotFound, match=f"there is no model '{model}' here, or it is outside your scope"):
                place(house, ELSEWHERE, model=model)
        assert house.service.holds.standing(OFFICER) == ()

    def test_on_every_model_is_for_the_whole_house(self, house: House) -> None:
        with pytest.raises(ForTheWholeHouse):
            place(house, HERE, model=None)
        assert place(house, OFFICER, model=None).model is None

    def test_is_not_for_every_role(self, house: House) -> None:
        for person in (REVIEWER, ADMIN):
            with pytest.raises(NotAllowed):
                place(house, person)


class TestLift:
    def test_within_ones_site(self, house: House) -> None:
        house.approved()
        house.service.holds.lift(place(house).id, by=HERE, reason="closed")
        assert house.service.holds.standing(OFFICER) == ()

    def test_not_at_another_site(self, house: House) -> None:
        house.approved()
        with pytest.raises(NotFound):
            house.service.holds.lift(place(house).id, by=ELSEWHERE, reason="closed")
        assert len(house.service.holds.standing(OFFICER)) == 1

    def test_one_on_every_model_is_for_the_whole_house(self, house: House) -> None:
        hold = place(house, model=None)
        with pytest.raises(ForTheWholeHouse):
            house.service.holds.lift(hold.id, by=HERE, reason="closed")

    def test_needs_a_reason(self, house: House) -> None:
        with pytest.raises(Malformed, match="lifting a hold needs a reason"):
            house.service.holds.lift(place(house).id, by=OFFICER, reason=" ")

    def test_once(self, house: House) -> None:
        hold = place(house)
        house.service.holds.lift(hold.id, by=OFFICER, reason="closed")
        with pytest.raises(HoldLifted):
            house.service.holds.lift(hold.id, by=OFFICER, reason="closed")

    def test_what_is_not_there(self, house: House) -> None:
        with pytest.raises(NoSuchHold):
            house.service.holds.lift("nothing", by=OFFICER, reason="closed")


class TestStanding:
    def test_shows_those_in_scope_and_those_on_every_model(self, house: House) -> None:
        house.approved()
        one, every = place(house), place(house, model=None)
        assert {hold.id for hold in house.service.holds.standing(HERE)} == {one.id, every.id}
        assert house.service.holds.standing(ELSEWHERE) == (every,)
