"""An explanation, drawn without anything around it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from explainers import explain
from reports.charts import to_svg
from reports.charts.explained import drawing_of


class TestDrawingOf:
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_a_forest_is_drawn_with_its_leading_features_and_the_rest(self, language: str) -> None:
        X, y = make_classification(n_samples=200, n_features=14, n_informative=8, random_state=0)
        names = [f"sensor {number}" for number in range(14)]
        forest = RandomForestClassifier(n_estimators=10, max_depth=4, random_state=0).fit(X, y)
        why = explain(forest, X[:3], feature_names=names)
        drawing = drawing_of(why, 2, language=language, leading=4)  # type: ignore[arg-type]
        shown = {label.text for label in drawing.labels}
        order = np.argsort(-np.abs(why.contributions[2]))
        assert {names[j] for j in order[:4]} <= shown
        assert not {names[j] for j in order[4:]} & shown
        assert to_svg(drawing).startswith("<svg")
