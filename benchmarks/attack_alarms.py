"""How near to an alarm a silent reading is found: our attack beside HopSkipJump of the adversarial robustness toolbox.

Same alarms, same sensors, same ranges, about the same number of questions; the distance is the largest move of any
sensor in standard deviations. Needs `pip install adversarial-robustness-toolbox`, which is no part of Mingjing.

    python -m benchmarks.attack_alarms FOLDER_OF_DATA [ALARMS]
"""

from __future__ import annotations

import platform
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from audit.checks.bench import Bench, bench_of
from audit.checks.evasion import Asked, alarms_to_attack, attack
from policies.declaration import Feature
from tests.audit.checks.zoo_worlds import CALM, World, worlds

SENSORS = {
    "releases": ("wind", "temperature", "quantity"),
    "shifts": ("genergy", "gpuls", "energy", "maxenergy"),
    "circuit": ("Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature", "Voltage", "Flow"),
}


def bench(world: World, sensors: tuple[str, ...]) -> Bench:
    """Return the bench of a calm model whose sensors are declared."""
    declared = tuple(Feature(name=name, sensor=True) for name in sensors)
    made = bench_of(world.examined(world.model(**CALM), features=declared))
    if not isinstance(made, Bench):
        raise SystemExit(made.en)
    return made


def theirs(made: Bench, most: int) -> tuple[list[float], int]:
    """Return the distances HopSkipJump finds for the same alarms, and how often it asked."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    asked = Asked(made, made.rows[alarms_to_attack(made)])
    found = []
    for i in range(min(most, len(asked.rows))):

        def answer(readings: Any, i: int = i) -> Any:
            silent = asked.quiet(np.asarray(readings, dtype=np.float64), np.full(len(readings), i))
            return np.column_stack([silent, ~silent]).astype(np.float64)

        ends = (asked.low[i].astype(np.float32), asked.high[i].astype(np.float32))
        model = BlackBoxClassifier(answer, (len(made.sensors),), 2, clip_values=ends)
        hop = HopSkipJump(model, norm=np.inf, max_iter=8, max_eval=100, init_eval=20, init_size=100, verbose=False)
        start = asked.origin[i : i + 1].astype(np.float32)
        there = hop.generate(start)
        silent = asked.quiet(there.astype(np.float64), np.array([i]))[0]
        found.append(float(np.abs(there - start).max()) if silent else float("inf"))
    return found, asked.questions


def main(folder: Path, most: int) -> None:
    """Attack the same alarms both ways and print."""
    try:
        import art
    except ModuleNotFoundError:
        print("pip install adversarial-robustness-toolbox, to have something to compare with")
        return
    warnings.simplefilter("ignore")
    print(
        f"adversarial-robustness-toolbox {art.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    )
    for name, world in worlds(folder).items():
        if name not in SENSORS:
            continue
        made = bench(world, SENSORS[name])
        begun = time.perf_counter()
        ours = attack(made)
        own = (time.perf_counter() - begun) / len(ours.distances)
        begun = time.perf_counter()
        other, questions = theirs(made, most)
        their = (time.perf_counter() - begun) / len(other)
        same = ours.distances[: len(other)]
        print(
            f"{name:10} ours {np.median(same):.2f} sd, {ours.questions / len(ours.distances):.0f} questions, "
            f"{own * 1e3:.1f} ms an alarm; theirs {np.median(other):.2f} sd, {questions / len(other):.0f} questions, "
            f"{their * 1e3:.0f} ms; ours nearer in {int((same < np.array(other)).sum())} of {len(other)}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60)
