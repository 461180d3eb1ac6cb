"""How long `mingjing check` takes on the EPA submission: the whole command, and each check by itself.

Trains the model as the data card says, then runs the command in a process of its own, as a team does, and the
examination once more in this process to see where the time goes.

    python -m benchmarks.check_submission FOLDER_OF_DATA [RUNS]
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from os import cpu_count
from pathlib import Path
from statistics import median

from governance.intake import examine_directory
from policies.rulebook import read_rulebook
from tests.journeys.real_data import epa


def commands(directory: Path, runs: int) -> list[float]:
    """Return the seconds of every run of the command, start of Python included."""
    program = Path(sys.executable).with_name("mingjing")
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run([program, "check", str(directory), "--json"], stdout=subprocess.DEVNULL, check=False)
        taken.append(time.perf_counter() - begun)
    return taken


def by_check(directory: Path) -> dict[str, float]:
    """Return the seconds each step took in this process, as its progress tells them."""
    marks: list[tuple[str, float]] = []
    examine_directory(directory, read_rulebook(), lambda what, _share: marks.append((what, time.perf_counter())))
    marks.append(("", time.perf_counter()))
    return {what: after - at for (what, at), (_, after) in pairwise(marks)}


def main(folder: Path, runs: int) -> None:
    """Build, measure and print."""
    with tempfile.TemporaryDirectory() as place:
        directory = epa(folder, Path(place) / "handed")
        rows = sum(1 for _ in (directory / "evaluation.csv").open(encoding="utf-8")) - 1
        taken = commands(directory, runs)
        parts = by_check(directory)
    print(f"EPA submission, {rows:,} evaluation rows; Python {platform.python_version()}, {cpu_count()} cores")
    print(f"mingjing check: {median(taken):.1f} s   ({min(taken):.1f} to {max(taken):.1f}, {runs} runs)")
    for name, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        if seconds >= 0.01:
            print(f"    {name:24}{seconds:8.2f} s")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"most memory held by the command: {children:.2f} GB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
