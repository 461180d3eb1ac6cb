"""For every scenario of the negative list a model that repeats it and one that does not, made from its own pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from audit.examination import Examined, examined_from
from explainers.linear import LinearModel
from explainers.links import Link
from policies.declaration import Declaration, Feature, Task
from policies.negative_list import ColumnPattern, Probe, Scenario
from policies.probes import Kind
from policies.tiers import Tier
from tests.audit.checks.factories import RULES, a_declaration

ROWS = 1200
OTHER = "unrelated"


def examined_of(scenario: Scenario, probe: Probe, *, planted: bool) -> Examined:
    """Return a submission the scenario applies to, in which one probe finds the failure, or does not."""
    world = _World(scenario, probe, planted)
    return examined_from(
        declaration=world.declaration(), rulebook=RULES, tier=Tier.L2, evaluation=world.evaluation(),
        training=world.training(), predictor=world.model(),
    )  # fmt: skip


class _World:
    def __init__(self, scenario: Scenario, probe: Probe, planted: bool) -> None:
        self.scenario, self.probe, self.planted = scenario, probe, planted
        self.roles = {role: _name_of(found, role) for role, found in scenario.pattern.columns.items()}
        self.on = self.roles.get(probe.on, "")
        self.random = np.random.default_rng(len(scenario.name))
        self.fed = [name for role, name in self.roles.items() if not self._of_time(role)] or ["reading"]

    def _of_time(self, role: str) -> bool:
        found = self.scenario.pattern.columns[role]
        return found.time and not found.names

    def declaration(self) -> Declaration:
        """Everything the pattern asks for: words, task, units, sensors, ranges, a time."""
        words = " ".join(group[0] for group in self.scenario.pattern.words)
        features = [
            Feature(
                name=name,
                unit=_unit_of(self.scenario.pattern.columns.get(role), self.probe),
                range=(-8.0, 8.0),
                sensor=True,
            )
            for role, name in self.roles.items()
        ]
        labels = self.probe.parameters.get("labels")
        said: dict[str, Any] = {"description": words, "threshold": 0.5}
        if labels:
            said |= {"label": str(labels[0]).strip("*"), "labels_by": {"equipment": "first", "safety": "second"}}
        if any(found.time for found in self.scenario.pattern.columns.values()):
            said["time"] = "happened_at"
        task = self.scenario.pattern.tasks[0] if self.scenario.pattern.tasks else Task.CLASSIFICATION
        return a_declaration(features, task=task, **said)

    def evaluation(self) -> pd.DataFrame:
        """Rows with one column for each role, a label, times a minute apart."""
        told = self._columns()
        label = self.declaration().data.label
        times = pd.date_range("2026-01-01", periods=ROWS, freq="min")
        told["happened_at"] = times.strftime("%Y-%m-%d %H:%M")
        told[label] = self._harm(told)
        told["first"] = told[label]
        told["second"] = np.where(self.random.random(ROWS) < 0.5, 1, 0) if self.planted else told[label]
        return pd.DataFrame(told)

    def training(self) -> pd.DataFrame:
        """Rows that saw everything, or that lack what the probe asks for."""
        frame = self.evaluation()
        if not self.planted or self.on not in frame:
            return frame
        values = frame[self.on]
        if self.probe.kind is Kind.ONE_KIND:
            frame[self.on] = values.iloc[int(np.argmin(self._in_regime(values)))]
        if self.probe.kind is Kind.OUT_OF_REACH:
            top = self.probe.parameters["side"] == "high"
            frame[self.on] = np.minimum(values, -4) if top else np.maximum(values, 4)
        return frame

    def model(self) -> LinearModel:
        """A model that stands on the probed column, or on another one."""
        names = tuple(dict.fromkeys([*self._numeric(), OTHER]))
        weights = np.zeros(len(names))
        weights[names.index(OTHER)] = 4.0
        if self.planted and self.on in names and self.probe.kind is not Kind.REGIME:
            if self.probe.parameters.get("reading") != 1.0:
                weights[:] = 0.0
            weights[names.index(self.on)] = self._weight()
        intercept = np.array(self._intercept(names, weights))
        return LinearModel(
            weights=weights, intercept=intercept, reference=np.zeros(len(names)), feature_names=names,
            link=Link("logistic"),
        )  # fmt: skip

    def _weight(self) -> float:
        """Negative where the failure is that more danger gives less alarm."""
        told = self.probe.parameters
        upwards = told.get("direction") == "up" or told.get("reading") in ("range_high", 1.0)
        upwards = upwards or (self.probe.kind is Kind.CONVERT and told["units"][0] == "degC")
        return -20.0 if upwards and told.get("measure") == "alarms_lost" else 4.0

    def _numeric(self) -> list[str]:
        told = self._columns()
        return [name for name in told if name != OTHER and np.asarray(told[name]).dtype.kind in "fi"]

    def _intercept(self, names: tuple[str, ...], weights: np.ndarray[Any, Any]) -> float:
        """Put the threshold where a tenth to a half of the rows alarm, close above the crowd of calm ones."""
        told = self._columns()
        margin = np.column_stack([np.asarray(told[name], dtype=np.float64) for name in names]) @ weights
        return -float(np.quantile(margin, 0.5))

    def _columns(self) -> dict[str, Any]:
        random = np.random.default_rng(7)
        told: dict[str, Any] = {OTHER: random.normal(0, 1, ROWS)}
        for role, name in self.roles.items():
            if not self._of_time(role):
                told[name] = self._values(role, random)
        if not self.roles:
            told["reading"] = random.normal(0, 1, ROWS)
        return told

    def _values(self, role: str, random: np.random.Generator) -> Any:
        told = self.probe.parameters if role == self.probe.on else {}
        if "values" in told:
            return np.where(random.random(ROWS) < 0.5, told["values"][0], "elsewhere")
        if "hours" in told:
            return random.integers(0, 24, ROWS).astype(np.float64)
        if "months" in told:
            return random.integers(1, 13, ROWS).astype(np.float64)
        if "above" in told or told.get("reading") == 1.0:
            return (random.random(ROWS) < (0.5 if "above" in told else 0.0)).astype(np.float64)
        if "cuts" in told:
            return random.choice([10.0, 100.0, 500.0, 5000.0], ROWS)
        if self.probe.kind is Kind.OUT_OF_REACH and role == self.probe.on:
            return random.uniform(-8, 8, ROWS)
        if "factor" in told or told.get("reading") == "zero" or "degC" not in told.get("units", ["degC"]):
            return random.normal(5, 0.5, ROWS)  # quantities that are never negative
        if self.probe.kind is Kind.ROUND and self.planted:
            return random.normal(0, 0.1, ROWS)
        return random.normal(0, 1, ROWS)

    def _in_regime(self, values: pd.Series) -> Any:
        """Where the regime is not, 0; a training set of that one value never saw it."""
        told = self.probe.parameters
        if "hours" in told or "months" in told:
            start, end = told.get("hours") or told["months"]
            return ((values >= start) | (values < end)).to_numpy().astype(int)
        return np.zeros(len(values), dtype=int)

    def _harm(self, told: Mapping[str, Any]) -> Any:
        """Harm that the model sees, but for what the probe is to find."""
        margin = self._margin(told)
        harm = (margin >= 0).astype(int)
        random = np.random.default_rng(3)
        if self.probe.kind is Kind.LABELS_RIPEN and self.planted:
            harm[-ROWS // 10 :] = 0
        if self.probe.kind is Kind.REGIME and self.planted:
            inside = self._regime_rows(told)
            missed = self.probe.parameters["error"] == "missed"
            wrong = inside & (random.random(ROWS) < 0.9)
            harm[wrong] = 1 if missed else 0
        return harm

    def _regime_rows(self, told: Mapping[str, Any]) -> Any:
        from audit.checks.probes.regimes import rows_of_regime

        found = rows_of_regime(pd.Series(told[self.on]), self.probe.parameters)
        assert found is not None
        return found[0]

    def _margin(self, told: Mapping[str, Any]) -> Any:
        model = self.model()
        return model.margins(
            np.column_stack([np.asarray(told[name], dtype=np.float64) for name in model.feature_names])
        )


def _name_of(found: ColumnPattern, role: str) -> str:
    if found.names:
        return found.names[0].replace("*", "").replace("[0-9]", "1").strip("_")
    return f"tag_{role}" if not found.time else "happened_at"


def _unit_of(found: ColumnPattern | None, probe: Probe) -> str | None:
    units = probe.parameters.get("units")
    if units:
        return str(units[0])
    if found is None or not found.units or probe.parameters.get("share_of_sd", 0.0) > 0:
        return None
    return found.units[0]
