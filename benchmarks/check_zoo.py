"""How many planted faults the checks find and how often they cry wolf: writes docs/checks/zoo.md.

python -m benchmarks.check_zoo FOLDER_OF_DATA [--write]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from audit.checks.intervals import wilson
from audit.examination import CHECKS, examine
from tests.audit.checks import zoo, zoo_unseen
from tests.audit.checks.zoo_worlds import Case, worlds

PAGE = Path(__file__).resolve().parent.parent / "docs" / "checks" / "zoo.md"


def failing(case: Case) -> set[str]:
    """Return the checks that fail a case."""
    return {finding.check for finding in examine(case.make()) if finding.holds is False}


def told(hits: int, n: int) -> str:
    """Return a count with its share and interval."""
    rate = wilson(hits, n)
    return f"{hits} of {n} ({rate.value:.0%}; {rate.lo:.0%} to {rate.hi:.0%})" if n else "-"


@dataclass
class Tally:
    """What the checks did with the cases of one part of the zoo."""

    wanted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    sound: int = 0
    missed: list[str] = field(default_factory=list)
    cried: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Examine one case and count."""
        failed = failing(case)
        print(f"{case.name}: {', '.join(case.planted) or 'clean'}: {sorted(failed)}", flush=True)
        if not case.planted:
            self.sound += 1
            self.false.update(failed)
            self.cried.extend(f"`{check}` fails *{case.name}*" for check in sorted(failed))
            return
        for check in case.planted:
            self.wanted[check] += 1
            self.found[check] += check in failed
            if check not in failed:
                self.missed.append(f"`{check}` misses *{case.name}*")
        yes = "yes" if set(case.planted) <= failed else "**no**"
        self.lines.append(f"| {case.name} | {', '.join(case.planted)} | {yes} |")

    def __add__(self, other: Tally) -> Tally:
        """Both parts together."""
        return Tally(
            self.wanted + other.wanted, self.found + other.found, self.false + other.false, self.sound + other.sound,
            self.missed + other.missed, self.cried + other.cried, self.lines + other.lines,
        )  # fmt: skip

    @property
    def counts(self) -> tuple[int, int]:
        """Faults found, and faults planted."""
        return sum(self.found.values()), sum(self.wanted.values())

    def told(self) -> str:
        """The two figures of this part."""
        return (
            f"**Found: {told(*self.counts)} of the planted faults.\n"
            f"False: {told(sum(self.false.values()), self.sound * len(CHECKS))} of the answers on clean models.**"
        )


def tally(cases: Iterable[Case]) -> Tally:
    """Examine every case of a part."""
    counted = Tally()
    for case in cases:
        counted.add(case)
    return counted


FIRST_LOOK = """
The second part was written after every limit was set and every check was written, to see what they do with faults
nobody had in mind. **At first look, before anything was changed, 24 of its 32 faults were found (75%; 58% to
87%)**; no sound model was failed, and two of its six crashed a check that asked a forest about an infinite reading.
Missed were: a moving mean over the outcome, a category coded by its outcomes, copies that differ by a cent, people
evacuated as a yes or no, sex split over two codes, half of the thermometers in Celsius, the commonest chemical
never seen, and a period of wide blanks. Then six of the eight and the crash were mended, so the figures of today
are no longer those of unseen faults; the 75% is what to expect of faults yet to come, planted by people who think
as we do.
"""


def page(folder: Path) -> str:
    """Run the whole zoo and return the page."""
    world = worlds(folder)
    known = tally([*zoo.planted(world), *zoo.clean(world)])
    late = tally([*zoo_unseen.planted(world), *zoo_unseen.clean(world)])
    both = known + late
    table = "\n".join(
        f"| {check.name} | {told(both.found[check.name], both.wanted[check.name])} | "
        f"{told(both.false[check.name], both.sound)} |"
        for check in CHECKS
    )
    return f"""# The zoo

Models with planted faults and clean ones, all from real data: chemical releases, compensation claims, shifts in a
coal mine, mine injuries, a water circuit. Written by `python -m benchmarks.check_zoo DATA --write`; shares are
followed by their 95 % interval. A fault counts as found when the check that has to fail does; one that is only put
in question does not count.

{both.told()}

| check | planted faults found | clean models failed |
|---|---|---|
{table}

## How far to trust these figures
The limits of some checks were set while looking at the first part of this zoo: {told(*known.counts)} found.
{FIRST_LOOK}
The second part now: {told(*late.counts)} found.

## What is missed
{chr(10).join(f"- {line}" for line in both.missed) or "Nothing in this zoo."}

Ten copied rows among 2,160 claims cannot be told from chance: 26 of 5,000 claims are alike in everything without
anybody's doing. A mean over neighbouring outcomes is put in question, not failed. A category coded by the outcomes of
its own rows looks like any good category from inside one file.

## What cries wolf
{chr(10).join(f"- {line}" for line in both.cried) or "Nothing in this zoo."}

## Every planted fault
| fault | has to fail | found |
|---|---|---|
{chr(10).join(both.lines)}
"""


if __name__ == "__main__":
    text = page(Path(sys.argv[1]))
    print(text)
    if "--write" in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
