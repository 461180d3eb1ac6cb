"""Improvement measures: recorded before the figures they are held against, whole, and found again by their quarter."""

from __future__ import annotations

from typing import Any

import pytest

from governance.disclosures import OneSiteOnly
from governance.measures import INDICATORS, Measure
from policies.errors import Malformed, Sentence
from policies.quarters import Quarter
from policies.roles import NotAllowed, Role
from tests.governance.factories import OFFICER, House, someone

RUNNING = Quarter(2026, 1)


def recorded(house: House, quarter: Quarter = RUNNING, **changed: Any) -> Measure:
    """Record a measure; a test names only what it is about."""
    given: dict[str, Any] = {
        "by": OFFICER,
        "says": Sentence(en="Move the sensors", zh="移动传感器"),
        "indicator": "miss_rate",
        "target": 0.1,
        "owner": "process-safety",
    }
    return house.service.measures.record(quarter, **{**given, **changed})


class TestRecord:
    def test_is_found_again_by_its_quarter(self, house: House) -> None:
        first = recorded(house, site="plant-07")
        second = recorded(house, indicator="known_share", target=0.8)
        recorded(house, Quarter(2026, 2))
        assert house.service.measures.of(RUNNING) == (first, second)
        assert (first.site, second.site, second.more_is_better) == ("plant-07", None, True)

    def test_is_an_act_in_the_log(self, house: House) -> None:
        made = recorded(house)
        assert house.service.log.entry(made.id).kind == "measure"

    def test_those_recorded_later_do_not_count_as_of_an_earlier_log(self, house: House) -> None:
        first = recorded(house)
        size = house.service.log.size()
        recorded(house)
        assert house.service.measures.of(RUNNING, size) == (first,)

    def test_says_every_fault_at_once(self, house: House) -> None:
        with pytest.raises(Malformed) as refused:
            recorded(house, Quarter(2025, 4), says=Sentence(en=" ", zh="好"), indicator="luck", target=1.5, owner="")
        assert [fault.en for fault in refused.value.faults] == [
            "2025Q4 is over; a measure is recorded before the figures that it is held against",
            "say in 1 to 400 characters what will be done",
            f"there is no indicator 'luck'; expected {', '.join(INDICATORS)}",
            "the target is 1.5; expected a share from 0 to 1",
            "say who sees to it",
        ]

    def test_a_target_that_is_no_number_is_none(self, house: House) -> None:
        with pytest.raises(Malformed, match="the target is nan"):
            recorded(house, target=float("nan"))

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.DSO])
    def test_is_for_the_officer(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            recorded(house, by=someone(role))

    def test_an_officer_of_one_site_speaks_for_no_other(self, house: House) -> None:
        with pytest.raises(OneSiteOnly, match="a-dso acts for plant-07 only; a disclosure speaks for all sites"):
            recorded(house, by=someone(Role.DSO, site="plant-07"))
