"""How long before the harm did the alarm begin, in a record that is sampled regularly?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from audit.checks.examined import Bools, Examined, Floats
from audit.checks.times import times_of, usual_step
from policies.errors import Sentence

BREAK = 10.0
"""Usual steps from which on a gap ends a spell: what lies beyond it is another day."""

SHOWN = 200
"""Spells listed for the picture, the first ones."""


class Warned(NamedTuple):
    """One spell of harm: when it began, and how long before that the alarm did, in seconds.

    `lead` is negative for an alarm that came during the spell, and NaN for a spell that passed in silence.
    """

    onset: float
    lead: float


def warnings_of(examined: Examined) -> tuple[Warned, ...]:
    """Return every spell of harm in the order of time; empty where no regular times are declared.

    A spell is a run of rows in which harm is. An alarm counts as its warning when it is on without a break from
    before the onset, or begins during the spell.
    """
    column = examined.declaration.data.time
    if column is None or column not in examined.evaluation.columns:
        return ()
    times = times_of(examined.evaluation[column])
    step = usual_step(times)
    if step is None:
        return ()
    known = np.flatnonzero(np.isfinite(times))
    order = known[np.argsort(times[known], kind="stable")]
    spells = _spells(times[order], examined.truth[order], examined.verdicts[order], BREAK * step)
    return tuple(spells)


def _spells(times: Floats, truth: Bools, verdicts: Bools, gap: float) -> Iterator[Warned]:
    torn = np.diff(times, prepend=times[0]) > gap
    for start, end in _runs(truth, torn):
        first = start
        while first > 0 and verdicts[first - 1] and not torn[first] and not truth[first - 1]:
            first -= 1
        if first < start:
            yield Warned(float(times[start]), float(times[start] - times[first]))
            continue
        alarmed = np.flatnonzero(verdicts[start:end])
        delay = float(times[start] - times[start + alarmed[0]]) if len(alarmed) else float("nan")
        yield Warned(float(times[start]), delay)


def _runs(truth: Bools, torn: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every run of harm; a gap in time ends it. A record that begins in harm has no onset."""
    begins = truth & (torn | ~np.concatenate([[True], truth[:-1]]))
    for start in np.flatnonzero(begins).tolist():
        after = np.flatnonzero(~truth[start + 1 :] | torn[start + 1 :])
        yield start, start + 1 + int(after[0]) if len(after) else len(truth)


def told(warned: tuple[Warned, ...]) -> dict[str, object] | None:
    """Return the figures of all spells as a page draws them; None where there are none.

    `announced` alarms began before the onset, `late` ones with it or during the spell; `median_s` is over the spells
    that were noticed at all, `half_s` its middle half.
    """
    if not warned:
        return None
    leads = np.array([one.lead for one in warned])
    noticed = leads[np.isfinite(leads)]
    return {
        "spells": len(leads),
        "announced": int((noticed > 0).sum()),
        "late": int((noticed <= 0).sum()),
        "missed": int(len(leads) - len(noticed)),
        "median_s": float(np.median(noticed)) if len(noticed) else None,
        "half_s": [float(q) for q in np.quantile(noticed, [0.25, 0.75])] if len(noticed) else None,
        "leads": [{"onset": one.onset, "lead": one.lead} for one in warned[:SHOWN]],
    }


def lead_said(figures: Mapping[str, object] | None) -> Sentence | None:
    """Return the sentence about a record's warnings; None where there was nothing to warn of."""
    if figures is None:
        return None
    spells, announced, late, missed = (figures[key] for key in ("spells", "announced", "late", "missed"))
    middle = figures["median_s"]
    when = Sentence(en="", zh="")
    if isinstance(middle, float):
        side = Sentence(en="before", zh="提前") if middle > 0 else Sentence(en="after", zh="滞后")
        when = Sentence(
            en=f"; half of the alarms began at least {abs(middle):g} s {side.en} the onset"
            if middle > 0
            else f"; half of the alarms began within {abs(middle):g} s {side.en} the onset",
            zh=f"；报警{side.zh}时间的中位数为 {abs(middle):g} 秒",
        )
    return Sentence(
        en=f"of {spells} spells of harm {announced} were announced, {late} noticed once they had begun, {missed} "
        f"passed in silence{when.en}",
        zh=f"{spells} 段伤害中，{announced} 段提前报警，{late} 段发生后才报警，{missed} 段未报警{when.zh}",
    )
