"""Kinds of experiment a scenario of the negative list can ask for, and what each of them has to be told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from policies.errors import Sentence


class Kind(StrEnum):
    """What a probe does. `audit.checks.probes` holds one function for each."""

    RIPPLE = "ripple"
    REPLACE = "replace"
    CONVERT = "convert"
    SHIFT = "shift"
    DELAY = "delay"
    ROUND = "round"
    ONE_KIND = "one_kind_in_training"
    OUT_OF_REACH = "out_of_training_reach"
    REGIME = "errors_in_regime"
    LEANS_ON = "leans_on"
    LABELS_RIPEN = "labels_ripen"
    JUDGED_TWICE = "judged_twice"


FED = frozenset({Kind.RIPPLE, Kind.REPLACE, Kind.CONVERT, Kind.SHIFT, Kind.DELAY, Kind.ROUND, Kind.LEANS_ON})
"""Kinds that concern only columns the model reads."""


class Measure(StrEnum):
    """What is counted after a column was disturbed.

    Calm rows that begin to alarm; alarms that fall silent; verdicts that change either way.
    """

    ALARMS_RAISED = "alarms_raised"
    ALARMS_LOST = "alarms_lost"
    VERDICTS_CHANGED = "verdicts_changed"


READINGS = ("quiet_median", "missing", "zero", "range_low", "range_high")
"""What a failed instrument may say; a number will do as well."""

SELECTORS = ("hours", "months", "above", "below", "values", "lowest", "highest")
"""How the rows of a regime are told: exactly one of them."""

PARAMETERS: Mapping[Kind, frozenset[str]] = {
    Kind.RIPPLE: frozenset({"measure", "amounts", "share_of_sd"}),
    Kind.REPLACE: frozenset({"measure", "reading"}),
    Kind.CONVERT: frozenset({"measure", "units"}),
    Kind.SHIFT: frozenset({"measure", "amounts", "share_of_sd", "factor", "direction"}),
    Kind.DELAY: frozenset({"measure", "by_rows"}),
    Kind.ROUND: frozenset({"measure", "share_of_range"}),
    Kind.ONE_KIND: frozenset({"rows", "cuts"}),
    Kind.OUT_OF_REACH: frozenset({"side"}),
    Kind.REGIME: frozenset({"rows", "error"}),
    Kind.LEANS_ON: frozenset(),
    Kind.LABELS_RIPEN: frozenset({"newest"}),
    Kind.JUDGED_TWICE: frozenset({"labels"}),
}

NEEDED: Mapping[Kind, frozenset[str]] = {
    Kind.RIPPLE: frozenset({"measure", "share_of_sd"}),
    Kind.REPLACE: frozenset({"measure", "reading"}),
    Kind.CONVERT: frozenset({"measure", "units"}),
    Kind.SHIFT: frozenset({"measure", "direction"}),
    Kind.DELAY: frozenset({"measure", "by_rows"}),
    Kind.ROUND: frozenset({"measure", "share_of_range"}),
    Kind.OUT_OF_REACH: frozenset({"side"}),
    Kind.REGIME: frozenset({"error"}),
    Kind.LABELS_RIPEN: frozenset({"newest"}),
    Kind.JUDGED_TWICE: frozenset({"labels"}),
}


def parameter_faults(kind: Kind, told: Mapping[str, Any]) -> Iterator[Sentence]:
    """Yield what is wrong with the parameters of a probe; unknown ones are for the reader to name."""
    for key in sorted(NEEDED.get(kind, frozenset()) - set(told)):
        yield Sentence(en=f"a probe of kind '{kind}' needs {key}", zh=f"“{kind}”类试验必须给出 {key}")
    for key, value in told.items():
        wrong = _wrong(key, value)
        if wrong is not None:
            yield Sentence(en=f"{key} is {value!r}; expected {wrong.en}", zh=f"{key} 为 {value!r}，应为{wrong.zh}")
    chosen = [key for key in SELECTORS if key in told]
    if kind is Kind.REGIME and len(chosen) != 1:
        yield Sentence(
            en=f"name the rows of the regime by exactly one of {', '.join(SELECTORS)}",
            zh=f"须用且仅用 {'、'.join(SELECTORS)} 之一指明工况所含的行",
        )
    if kind is Kind.ONE_KIND and len(chosen) + ("cuts" in told) > 1:
        yield Sentence(en="name the kinds in one way only", zh="只能用一种方式划分类别")
    if kind is Kind.SHIFT and not {"share_of_sd", "factor"} & set(told):
        yield Sentence(en="a shift needs share_of_sd or factor", zh="偏移须给出 share_of_sd 或 factor")


NUMBER = Sentence(en="a number", zh="数值")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "measure": tuple(Measure),
    "direction": ("up", "down", "both"),
    "side": ("low", "high", "both"),
    "error": ("missed", "false_alarm"),
}


def _wrong(key: str, value: Any) -> Sentence | None:
    """Return what was expected where a value does not fit its key."""
    if key in CHOICES:
        allowed = CHOICES[key]
        return None if value in allowed else Sentence(en=" or ".join(allowed), zh="或".join(allowed))
    if key == "reading":
        return None if value in READINGS or _number(value) else Sentence(
            en=f"{', '.join(READINGS)} or a number", zh=f"{'、'.join(READINGS)} 或数值"
        )  # fmt: skip
    if key == "amounts":
        fits = isinstance(value, dict) and all(_number(amount) for amount in value.values())
        return None if fits else Sentence(en="a number for each unit", zh="每个单位对应一个数值")
    if key in ("hours", "months"):
        top = 24 if key == "hours" else 12
        fits = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) and 0 <= v <= top for v in value)
        return None if fits else Sentence(en=f"[from, to] in 0 to {top}", zh=f"[起, 止]，取值 0 至 {top}")
    if key in ("values", "labels", "units"):
        fits = isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
        return None if fits else Sentence(en="a list of texts", zh="文本列表")
    if key == "cuts":
        fits = isinstance(value, list) and bool(value) and all(_number(item) for item in value)
        return None if fits else Sentence(en="a list of numbers", zh="数值列表")
    if key == "by_rows":
        return None if isinstance(value, int) and not isinstance(value, bool) and value > 0 else Sentence(
            en="a whole number of rows above 0", zh="大于 0 的整数行数"
        )  # fmt: skip
    if key in ("lowest", "highest", "newest", "share_of_range"):
        fits = _number(value) and 0 < value < 1
        return None if fits else Sentence(en="a share between 0 and 1", zh="0 与 1 之间的份额")
    return None if _number(value) else NUMBER


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
