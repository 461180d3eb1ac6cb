"""The four risk tiers, L1 to L4."""

from __future__ import annotations

from enum import IntEnum


class Tier(IntEnum):
    """How much harm a model can do. A higher tier asks for more checks, more people and longer retention."""

    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4

    def __str__(self) -> str:
        return self.name
