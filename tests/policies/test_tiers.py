"""Tiers have an order and a name."""

from __future__ import annotations

from policies.tiers import Tier


class TestTier:
    def test_are_four_in_order(self) -> None:
        assert list(Tier) == sorted(Tier)
        assert [str(tier) for tier in Tier] == ["L1", "L2", "L3", "L4"]

    def test_are_found_by_name(self) -> None:
        assert Tier["L3"] is Tier.L3

    def test_graver_is_greater(self) -> None:
        assert Tier.L4 > Tier.L1
