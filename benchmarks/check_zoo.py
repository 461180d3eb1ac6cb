"""How many planted faults the checks find and how often they cry wolf: writes docs/checks/zoo.md.

python -m benchmarks.check_zoo FOLDER_OF_DATA [--write]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from audit.checks.intervals import wilson
from audit.examination import CHECKS, examine
from tests.audit.checks.zoo import clean, planted
from tests.audit.checks.zoo_worlds import Case, worlds

PAGE = Path(__file__).resolve().parent.parent / "docs" / "checks" / "zoo.md"


def failing(case: Case) -> set[str]:
    """Return the checks that fail a case."""
    return {finding.check for finding in examine(case.make()) if finding.holds is False}


def told(hits: int, n: int) -> str:
    """Return a count with its share and interval."""
    rate = wilson(hits, n)
    return f"{hits} of {n} ({rate.value:.0%}; {rate.lo:.0%} to {rate.hi:.0%})" if n else "-"


def page(folder: Path) -> str:
    """Run the whole zoo and return the page."""
    world = worlds(folder)
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    false: Counter[str] = Counter()
    missed, cried, sound, lines = [], [], 0, []
    for case in planted(world):
        failed = failing(case)
        for check in case.planted:
            wanted[check] += 1
            found[check] += check in failed
            if check not in failed:
                missed.append(f"`{check}` misses *{case.name}*")
        lines.append(
            f"| {case.name} | {', '.join(case.planted)} | {'yes' if set(case.planted) <= failed else '**no**'} |"
        )
        print(lines[-1], flush=True)
    for case in clean(world):
        failed, sound = failing(case), sound + 1
        false.update(failed)
        cried.extend(f"`{check}` fails *{case.name}*" for check in sorted(failed))
        print(f"clean: {case.name}: {sorted(failed)}", flush=True)
    table = "\n".join(
        f"| {check.name} | {told(found[check.name], wanted[check.name])} | {told(false[check.name], sound)} |"
        for check in CHECKS
    )
    total, alarms = sum(wanted.values()), sum(false.values())
    return f"""# The zoo

Models with planted faults and clean ones, all from real data: chemical releases, compensation claims, shifts in a coal
mine. Written by `python -m benchmarks.check_zoo DATA --write`; shares are followed by their 95 % interval.

The limits of some checks were set while looking at this zoo, so the shares are not those of faults never seen before.

**Found: {told(sum(found.values()), total)} of the planted faults.
False: {told(alarms, sound * len(CHECKS))} of the answers on clean models.**

| check | planted faults found | clean models failed |
|---|---|---|
{table}

The faults were planted by those who wrote the checks. A fault nobody thought of is not in here, so the first figure is
what to expect of known faults, not of all.

## What is missed
{chr(10).join(f"- {line}" for line in missed) or "Nothing in this zoo."}

## What cries wolf
{chr(10).join(f"- {line}" for line in cried) or "Nothing in this zoo."}

## Every planted fault
| fault | has to fail | found |
|---|---|---|
{chr(10).join(lines)}
"""


if __name__ == "__main__":
    text = page(Path(sys.argv[1]))
    print(text)
    if "--write" in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
