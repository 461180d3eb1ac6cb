"""What speaks against a log: faults found while it is computed again."""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.errors import Refused, Sentence

ENOUGH = 50
"""How many faults are told; a log that is broken everywhere says no more in a million sentences."""


class LogTampered(Refused):
    """Stored bytes do not give what was signed or acknowledged. Carries what was found."""


@dataclass
class Findings:
    """Faults found so far, at most `ENOUGH`, and how many entries were looked at."""

    faults: list[Sentence] = field(default_factory=list)
    entries: int = 0

    def add(self, en: str, zh: str) -> None:
        """Note one fault."""
        if len(self.faults) < ENOUGH:
            self.faults.append(Sentence(en=en, zh=zh))

    def take(self, other: Findings, entries: int) -> None:
        """Note the faults of a part of the log in which so many entries were looked at."""
        self.faults += other.faults[: ENOUGH - len(self.faults)]
        self.entries += entries

    def insist(self) -> None:
        """Raise `LogTampered` with every fault; do nothing when there is none."""
        if self.faults:
            raise LogTampered(*self.faults)
