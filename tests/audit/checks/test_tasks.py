"""Every check answers for every task, and says what its answer means there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.checks.check import Finding
from audit.checks.performance import Performance
from audit.checks.tasks import meaning
from audit.examination import Examined, examine
from policies.declaration import Protective, Source, Task
from tests.audit.checks.factories import of_predictions, run

N = 600
OWN = Source(name="own", period="2026", licence="own")


def of_task(task: Task, **said: Any) -> Examined:
    """Return an examination of scores in the form of a task, with groups and times."""
    generator = np.random.default_rng(0)
    truth = generator.random(N) < 0.3
    columns = {
        "at": pd.date_range("2026-01-01", periods=N, freq="h").astype(str),
        "shift": np.where(np.arange(N) % 3 == 0, "night", "day"),
    }
    scores: Any = np.where(truth, 0.8, 0.2) + generator.normal(0, 0.1, N)
    label: Any = truth
    threshold = 0.5
    if task is Task.REGRESSION:
        label = np.where(truth, 120.0, 80.0) + generator.normal(0, 5, N)
        scores, threshold = label + generator.normal(0, 2, N), 100.0
    elif task is Task.CLUSTERING:
        scores, threshold = np.where(truth, 2.0, generator.integers(0, 2, N)), 2.0
    elif task is Task.CLASSIFICATION:
        scores = np.where(truth, 0.97, 0.03)
    said = {"task": task, "threshold": threshold, "time": "at", "groups": ("shift",), "sources": (OWN,), **said}
    return of_predictions(label, scores, columns, **said)


@pytest.mark.parametrize("task", list(Task))
class TestEveryTask:
    def test_every_check_answers(self, task: Task) -> None:
        found = examine(of_task(task))
        json.dumps([one.as_json() for one in found], allow_nan=False)
        assert {one.check for one in found if one.holds is False} == set()

    def test_performance_says_what_harm_means(self, task: Task) -> None:
        says = run(Performance(), of_task(task))[0].says
        told = {
            Task.CLASSIFICATION: ("detected", "检出"),
            Task.REGRESSION: ("harm means that the value reaches 100", "“伤害”指数值达到 100"),
            Task.ANOMALY: ("harm means a row labelled abnormal", "“伤害”指标为异常的行"),
            Task.CLUSTERING: ("an alarm means one of 1 of 3 clusters", "3 个簇中落入 1 个即为报警"),
        }[task]
        assert told[0] in says.en and told[1] in says.zh


def evidence(finding: Finding) -> dict[str, Any]:
    return dict(finding.as_json()["evidence"])


class TestRegression:
    def test_errors_beside_the_mean_and_the_last_value(self) -> None:
        examined = of_task(Task.REGRESSION)
        figures = evidence(run(Performance(), examined)[0])["regression"]
        values = examined.evaluation["harmed"].to_numpy()
        assert figures["mae"]["value"] == pytest.approx(np.abs(examined.scores - values).mean())
        assert figures["mae"]["lo"] < figures["mae"]["value"] < figures["mae"]["hi"]
        assert figures["mae_of_persistence"] == pytest.approx(np.abs(np.diff(values)).mean())
        assert 0.9 < figures["r2"] < 1

    def test_below_the_threshold(self) -> None:
        says, _ = meaning(of_task(Task.REGRESSION, protective=Protective.BELOW))
        assert says is not None and "harm means that the value stays below 100" in says.en


class TestClustering:
    def test_clusters_are_shown_with_the_harm_in_each(self) -> None:
        figures = evidence(run(Performance(), of_task(Task.CLUSTERING))[0])
        assert [line["cluster"] for line in figures["clusters"]] == [0.0, 1.0, 2.0]
        assert [line["harm"]["value"] for line in figures["clusters"]] == [0.0, 0.0, 1.0]
        assert figures["shared_information"] == pytest.approx(1.0)

    def test_clusters_that_know_nothing_share_nothing(self) -> None:
        generator = np.random.default_rng(1)
        examined = of_predictions(
            generator.random(4000) < 0.3,
            generator.integers(0, 3, 4000).astype(float),
            task=Task.CLUSTERING,
            threshold=2.0,
        )
        assert meaning(examined)[1]["shared_information"] == pytest.approx(0.0, abs=0.01)

    def test_distances_are_no_numbers_of_clusters(self) -> None:
        examined = of_predictions([0, 1] * 50, np.arange(100.0), task=Task.CLUSTERING, threshold=50.0)
        says, figures = meaning(examined)
        assert figures == {} and says is not None and "the distance to the clusters passes the threshold" in says.en
