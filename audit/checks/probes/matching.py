"""Which scenarios of the negative list speak of the model at hand, and which of its columns they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.checks.examined import Examined
from policies.errors import Sentence
from policies.negative_list import ColumnPattern, Scenario
from policies.probes import FED

UNITS = {
    "°c": "degC", "℃": "degC", "c": "degC", "celsius": "degC", "摄氏度": "degC",
    "°f": "degF", "℉": "degF", "f": "degF", "fahrenheit": "degF", "kelvin": "K",
    "mpa": "MPa", "kpa": "kPa", "pa": "Pa", "bar": "bar", "psi": "psi",
    "%lel": "%LEL", "%vol": "%vol", "vol%": "%vol", "ppm": "ppm",
    "rpm": "r/min", "1/min": "r/min", "转/分": "r/min", "m/s2": "m/s2", "m/s²": "m/s2",
}  # fmt: skip
"""Spellings of a unit that mean one and the same. A bare 'a' is no ampere: years go by it too."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """The columns a scenario means in this submission, by role. A role without columns is optional."""

    columns: Mapping[str, tuple[str, ...]]


def match_of(scenario: Scenario, examined: Examined) -> Match | Sentence:
    """Return the columns a scenario means, or why it does not apply to this model."""
    pattern = scenario.pattern
    task = examined.declaration.model.task
    if pattern.tasks and task not in pattern.tasks:
        return Sentence(en=f"the task is {task}", zh=f"任务类型为 {task}")
    if not pattern.speaks_of(spoken(examined)):
        return Sentence(en="neither words nor columns speak of it", zh="描述和列名均未涉及")
    fed = {probe.on for probe in scenario.probes if probe.kind in FED}
    columns = {role: columns_of(found, examined, read=role in fed) for role, found in pattern.columns.items()}
    missing = [role for role, found in pattern.columns.items() if found.needed and not columns[role]]
    if missing:
        return Sentence(en=f"it has no column for {', '.join(missing)}", zh=f"没有与 {'、'.join(missing)} 对应的列")
    return Match(columns=columns)


def spoken(examined: Examined) -> str:
    """Return everything a submission calls itself and its columns, one name a line."""
    declaration = examined.declaration
    labels = [label for name in examined.evaluation.columns for label in _label(examined, str(name))]
    said = [
        declaration.model.name,
        declaration.use.description,
        declaration.use.site,
        declaration.data.label,
        *(str(name) for name in examined.evaluation.columns),
        *labels,
    ]
    return "\n".join(text.replace("_", " ") for text in said)


def columns_of(pattern: ColumnPattern, examined: Examined, *, read: bool) -> tuple[str, ...]:
    """Return the columns that go by a pattern; with `read` only those the model reads, where that is known."""
    data = examined.declaration.data
    aside = {data.label, data.prediction, data.time, data.subject, *data.labels_by.values()}
    beside = () if read else tuple(str(name) for name in examined.evaluation.columns)
    names = dict.fromkeys([*examined.candidates, *beside])
    found = [data.time] if pattern.time and data.time is not None else []
    for name in names:
        feature = examined.declaration.feature(name)
        unit = unit_of(examined, name)
        called = [name, *_label(examined, name)]
        if name not in aside and any(pattern.fits(one, unit, feature.sensor) for one in called):
            found.append(name)
    return tuple(found)


def unit_of(examined: Examined, column: str) -> str | None:
    """Return the declared unit of a column in the spelling the scenarios use."""
    unit = examined.declaration.feature(column).unit
    return None if unit is None else UNITS.get(unit.strip().casefold(), unit.strip())


def _label(examined: Examined, column: str) -> tuple[str, ...]:
    label = examined.declaration.feature(column).label
    return () if label is None else (label.en, label.zh)
