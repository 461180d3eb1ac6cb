"""Can readings that are physically possible talk a model out of its alarms, if someone may only ask it?

A decision-based attack in the manner of HopSkipJump (Chen, Jordan and Wainwright 2020), in the largest norm: from
a harmless state towards the alarm, along the boundary, downhill. Only sensors are touched, and only within what
they can show; the attacker sees verdicts and no scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit.checks.bench import Bench
from audit.checks.examined import Bools, Floats, Indices

ATTACKED = 60
"""Alarms that are attacked."""

STARTS = 20
"""Harmless states tried as a start for each alarm, and as many random ones."""

ROUNDS, ASKED, HALVINGS = 8, 40, 12
"""Steps along the boundary, questions per step, halvings per line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attack:
    """The nearest harmless-looking reading found per alarm.

    `distances` are the largest move of any sensor, in standard deviations; infinite where none was found.
    `questions` is how often the model was asked.
    """

    distances: Floats
    questions: int


class Asked:
    """The model as an attacker sees it: readings of the sensors in, silence or alarm out."""

    def __init__(self, bench: Bench, rows: Floats) -> None:
        self.bench, self.rows, self.questions = bench, rows, 0
        self.columns = bench.columns
        spreads = bench.spreads[self.columns]
        self.scale = np.where(spreads > 0, spreads, 1.0)
        spans = np.array([bench.span(sensor) for sensor in bench.sensors])
        own = rows[:, self.columns]
        self.low = np.minimum(spans[:, 0], own) / self.scale
        self.high = np.maximum(spans[:, 1], own) / self.scale
        self.origin = own / self.scale

    def quiet(self, readings: Floats, which: Indices) -> Bools:
        """Whether the model stays silent at scaled readings of shape (n, n_sensors) of the cases `which`."""
        rows = self.rows[which].copy()
        rows[:, self.columns] = np.clip(readings, self.low[which], self.high[which]) * self.scale
        self.questions += len(rows)
        return ~self.bench.verdicts_of(rows)


def attack(bench: Bench) -> Attack:
    """Attack a seeded sample of the alarms whose sensors all report."""
    generator = bench.examined.generator("robustness attack walk")
    alarmed = alarms_to_attack(bench)
    asked = Asked(bench, bench.rows[alarmed])
    quiet = bench.rows[~bench.verdicts & _reporting(bench)]
    best = _starts(asked, quiet[:, bench.columns] / asked.scale, generator)
    live = np.flatnonzero(np.isfinite(best).all(axis=1))
    if len(live):
        best[live] = _towards(asked, best[live], live)
        for step in range(1, ROUNDS + 1):
            best[live] = _downhill(asked, best[live], live, step, generator)
    distances = np.abs(best - asked.origin).max(axis=1) if len(alarmed) else np.empty(0)
    return Attack(distances=np.where(np.isnan(distances), np.inf, distances), questions=asked.questions)


def alarms_to_attack(bench: Bench) -> Indices:
    """Return the places of the alarms that are attacked: a seeded sample of those whose sensors all report."""
    alarmed = np.flatnonzero(bench.verdicts & _reporting(bench))
    if len(alarmed) <= ATTACKED:
        return alarmed
    return np.sort(bench.examined.generator("robustness attack").choice(alarmed, ATTACKED, replace=False))


def _reporting(bench: Bench) -> Bools:
    return np.asarray(np.isfinite(bench.rows[:, bench.columns]).all(axis=1))


def _starts(asked: Asked, harmless: Floats, generator: np.random.Generator) -> Floats:
    """Return for every case the nearest silent readings among real and random ones; NaN where there are none."""
    n, d = asked.origin.shape
    best = np.full((n, d), np.nan)
    random = generator.random((n, STARTS, d)) * (asked.high - asked.low)[:, None] + asked.low[:, None]
    for i in range(n):
        order = np.argsort(np.abs(harmless - asked.origin[i]).max(axis=1), kind="stable")[:STARTS]
        tried = np.clip(np.vstack([harmless[order], random[i]]), asked.low[i], asked.high[i])
        silent = np.flatnonzero(asked.quiet(tried, np.full(len(tried), i)))
        if len(silent):
            best[i] = tried[silent[np.abs(tried[silent] - asked.origin[i]).max(axis=1).argmin()]]
    return best


def _towards(asked: Asked, found: Floats, which: Indices) -> Floats:
    """Halve the largest move again and again, keeping the model silent."""
    origin, best = asked.origin[which], found.copy()
    near, far = np.zeros(len(found)), np.abs(found - origin).max(axis=1)
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        tried = np.clip(found, origin - middle[:, None], origin + middle[:, None])
        silent = asked.quiet(tried, which)
        best[silent] = tried[silent]
        near, far = np.where(silent, near, middle), np.where(silent, middle, far)
    return best


def _downhill(
    asked: Asked,
    found: Floats,
    which: Indices,
    step: int,
    generator: np.random.Generator,
) -> Floats:
    """Feel which way silence lies, go there, and come back towards the alarm; keep what is nearer."""
    origin = asked.origin[which]
    apart = np.abs(found - origin).max(axis=1)
    n, d = found.shape
    ways = generator.choice([-1.0, 1.0], (n, ASKED, d)) * generator.random((n, ASKED, 1))
    tried = found[:, None] + ways * (0.2 * apart + 1e-3)[:, None, None]
    silent = asked.quiet(tried.reshape(-1, d), np.repeat(which, ASKED)).reshape(n, ASKED)
    answers = np.where(silent, 1.0, -1.0)
    leaning = ((answers - answers.mean(axis=1, keepdims=True))[:, :, None] * ways).mean(axis=1)
    gone = np.clip(found + np.sign(leaning) * (apart / np.sqrt(step))[:, None], asked.low[which], asked.high[which])
    back = _towards(asked, gone, which)
    nearer = asked.quiet(back, which) & (np.abs(back - origin).max(axis=1) < apart)
    return np.where(nearer[:, None], back, found)
