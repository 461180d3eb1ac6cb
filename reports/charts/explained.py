"""What `explainers.explain` returns, drawn: three lines in a notebook, no server."""

from __future__ import annotations

import numpy as np

from explainers.explanation import Explanation
from reports.charts.contributions import Step, waterfall
from reports.charts.scene import Drawing
from reports.wording import Language

LEADING = 10


def drawing_of(why: Explanation, row: int = 0, *, language: Language = "en", leading: int = LEADING) -> Drawing:
    """Return the waterfall of one row: from the base over its leading contributions to the score.

    Parameters
    ----------
    why : Explanation
        With one output; choose one of several with `.output(k)`.
    row : int
        Which row.
    leading : int
        How many contributions are drawn by name; the rest is one bar.

    Examples
    --------
    >>> from reports.charts import to_svg
    >>> why = Explanation(contributions=np.array([[1.0, -0.5]]), base=np.array(0.25), scores=np.array([0.75]),
    ...                   feature_names=("gas", "wind"), unit="log-odds", method="linear")
    >>> to_svg(drawing_of(why)).startswith("<svg")
    True
    """
    contributions = why.contributions[row]
    order = np.argsort(-np.abs(contributions), kind="stable")[:leading].tolist()
    base = why.base if why.base.ndim == 0 else why.base[row]
    return waterfall(
        [Step(name=why.feature_names[j], value=float(contributions[j])) for j in order],
        base=float(base),
        score=float(why.scores[row]),
        unit=why.unit,
        language=language,
    )
