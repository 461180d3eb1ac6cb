"""Pictures of findings, drawn from findings of real checks as they are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.examination import examine
from policies.declaration import Feature
from reports.charts import Drawing, to_svg
from reports.charts.scene import ALARM, Label, Line, Rect
from reports.finding_picture import picture_of
from reports.wording import LANGUAGES, Language
from tests.audit.checks import real_data
from tests.audit.checks.factories import of_model, trained


@pytest.fixture(scope="module")
def kept(shared_data: Path) -> list[dict[str, Any]]:
    """All findings about a sound model of the releases, as the registry keeps them."""
    training, evaluation, features = real_data.epa(shared_data)
    evaluation = evaluation.assign(age=np.arange(len(evaluation)) % 70)
    sensors = [Feature(name="wind", sensor=True), Feature(name="temperature", sensor=True)]
    examined = of_model(
        evaluation, trained(training, features, "harmed"), training=training, features=sensors, time="occurred_at"
    )
    found: list[dict[str, Any]] = json.loads(json.dumps([one.as_json() for one in examine(examined)]))
    return found


def pictures(kept: list[dict[str, Any]], check: str, language: Language = "en") -> list[Drawing]:
    drawn = [picture_of(found, language) for found in kept if found["check"] == check]
    return [one for one in drawn if one is not None]


class TestOfRealFindings:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_pictures_where_people_would_rather_look(self, kept: list[dict[str, Any]], language: Language) -> None:
        drawn = {found["check"] for found in kept if picture_of(found, language) is not None}
        assert drawn == {
            "calibration", "performance", "robustness", "coverage", "explanation_fidelity", "deidentification"
        }  # fmt: skip

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("width", [440.0, 216.0])
    def test_nothing_is_cut_off(self, kept: list[dict[str, Any]], language: Language, width: float) -> None:
        for found in kept:
            drawing = picture_of(found, language, width)
            if drawing is None:
                continue
            for label in drawing.labels:
                left, right = label.extent
                assert left >= -0.5 and right <= width + 0.5, label.text
                assert 0 < label.y <= drawing.height
            assert to_svg(drawing).startswith("<svg")

    def test_robustness_shows_every_probe_and_the_distances(self, kept: list[dict[str, Any]]) -> None:
        probes, reach = pictures(kept, "robustness")
        words = " ".join(label.text for label in probes.labels)
        assert all(name in words for name in ("Aged equipment", "Reading beyond its range", "Sensor stuck"))
        assert reach.title == "How far one sensor must move before the answer flips (cases by distance)"

    def test_the_reliability_curve_has_a_mark_per_bin(self, kept: list[dict[str, Any]]) -> None:
        (drawing,) = pictures(kept, "calibration")
        found = next(one for one in kept if one["check"] == "calibration")
        assert f"{len(found['groups'])} groups of cases by score" in drawing.says


def a_probe(probe: str, feature: str | None, lost: float | None, changed: float, **said: object) -> dict[str, object]:
    return {"probe": probe, "feature": feature, "alarms_lost": lost, "verdicts_changed": changed, **said}


class TestMeasuredBars:
    def test_a_probe_beyond_its_limit_stands_out_with_its_limit_marked(self) -> None:
        lines = [
            a_probe("stuck", "gas", 0.9, 0.2, limit=0.5, holds=False),
            a_probe("stuck", "flow", 0.1, 0.1, limit=0.5, holds=True),
            a_probe("noise", None, None, 0.02, limit=0.1, holds=True),
        ]
        drawing = picture_of({"check": "robustness", "groups": lines, "evidence": {}}, "en")
        assert drawing is not None
        bars = [shape for shape in drawing.shapes if isinstance(shape, Rect)]
        assert [bar.fill == ALARM for bar in bars] == [True, False]  # one bar per probe, the worst sensor
        assert sum(isinstance(shape, Line) and shape.width == 1.3 for shape in drawing.shapes) == 2
        texts = [shape.text for shape in drawing.shapes if isinstance(shape, Label)]
        assert "90.0%" in " ".join(texts).replace(" ", "") and drawing.says.endswith("2 bars, 1 beyond their limit.")


class TestNothingToDraw:
    @pytest.mark.parametrize("check", ["calibration", "performance", "robustness", "coverage", "explanation_fidelity"])
    def test_a_finding_that_could_not_conclude(self, check: str) -> None:
        assert picture_of({"check": check, "holds": None, "groups": [], "evidence": {}}, "zh") is None

    def test_checks_that_people_read(self) -> None:
        assert picture_of({"check": "purpose", "groups": [{"word": "bonus"}]}, "en") is None
        assert picture_of({}, "en") is None

    def test_figures_that_are_none_are_left_out(self) -> None:
        lines = [{"column": "a", "psi": None}, {"column": "b", "psi": float("nan")}]
        assert picture_of({"check": "coverage", "groups": lines}, "en") is None

    def test_periods_of_one_year_are_no_picture(self) -> None:
        periods = [{"period": "2025", "positives": 4, "detection_rate": {"value": 0.5, "lo": 0.2, "hi": 0.8}}]
        assert picture_of({"check": "performance", "evidence": {"periods": periods}}, "en") is None
