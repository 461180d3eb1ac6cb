"""The picture that belongs to a finding, drawn from the evidence kept with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reports import evidence
from reports.charts import Bin, Drawing, GroupRate, Measured, group_rates, measured_bars, reliability_curve
from reports.wording import Language, name_of, say

Finding = Mapping[str, object]

MOST_ROWS = 12
"""Rows of a picture; the table beside it has all."""


def picture_of(finding: Finding, language: Language, width: float = 440.0) -> Drawing | None:
    """Return the picture of a finding as it was kept, or None where people would rather read.

    Parameters
    ----------
    finding : mapping
        One finding in the form of `mingjing check --json`. What is missing from its evidence is not drawn.
    width : float
        In points.
    """
    drawn = _DRAWN.get(evidence.text(finding.get("check")))
    return None if drawn is None else drawn(finding, language, width)


def _calibration(finding: Finding, language: Language, width: float) -> Drawing | None:
    bins = []
    for row in evidence.rows(finding.get("groups")):
        score, observed = evidence.number(row.get("mean_score")), evidence.rate(row.get("observed"))
        if score is not None and observed is not None:
            bins.append(Bin(score=score, observed=observed.value, low=observed.lo, high=observed.hi))
    return reliability_curve(bins, language=language, width=width, height=0.4 * width + 60) if bins else None


def _performance(finding: Finding, language: Language, width: float) -> Drawing | None:
    """Detection rate per period; nothing without times."""
    rows = []
    for row in evidence.rows(evidence.table(finding.get("evidence")).get("periods")):
        found = evidence.rate(row.get("detection_rate"))
        rows.append(
            GroupRate(
                name=evidence.text(row.get("period")),
                n=evidence.count(row.get("positives")),
                value=None if found is None else found.value,
                low=None if found is None else found.lo,
                high=None if found is None else found.hi,
            )
        )
    if len(rows) < 2:
        return None
    title = say(language, "picture.periods")
    return group_rates(
        rows[-MOST_ROWS:], title=title, language=language, overall=evidence.number(finding.get("measured")), width=width
    )


def _robustness(finding: Finding, language: Language, width: float) -> Drawing | None:
    """Probes with their worst sensor, or the distances to the other verdict, whichever the finding carries."""
    bands = list(evidence.rows(evidence.table(finding.get("evidence")).get("reach")))
    if bands:
        return _bands(bands, "picture.reach", language, width, lambda band: _span(band, "σ"))
    worst: dict[str, Measured] = {}
    for row in evidence.rows(finding.get("groups")):
        probe, feature = evidence.text(row.get("probe")), evidence.text(row.get("feature"))
        lost = evidence.number(row.get("alarms_lost"))
        value = evidence.number(row.get("verdicts_changed")) if lost is None or probe in _BY_CHANGE else lost
        if value is None or (probe in worst and worst[probe].value >= value):
            continue
        name = name_of(language, "probe", probe)
        worst[probe] = Measured(
            name=f"{name} · {feature}" if feature else name,
            value=value,
            written=say(language, "number.percent", value=value),
            limit=evidence.number(row.get("limit")),
            beyond=evidence.verdict(row.get("holds")) is False,
        )
    rows = sorted(worst.values(), key=lambda row: -row.value)[:MOST_ROWS]
    if not rows:
        return None
    title, mark = say(language, "picture.probes"), say(language, "picture.limit_mark")
    return measured_bars(rows, title=title, language=language, mark=mark, width=width)


_BY_CHANGE = ("noise", "coarse")
"""Probes that are held to the share of verdicts they change, not to the alarms they lose."""


def _coverage(finding: Finding, language: Language, width: float) -> Drawing | None:
    """How far the columns moved, the farthest first."""
    rows = [
        Measured(name=evidence.text(row.get("column")), value=psi, written=say(language, "number.number", value=psi))
        for row in evidence.rows(finding.get("groups"))
        if (psi := evidence.number(row.get("psi"))) is not None
    ]
    rows = sorted(rows, key=lambda row: -row.value)[:MOST_ROWS]
    return measured_bars(rows, title=say(language, "picture.drift"), language=language, width=width) if rows else None


def _fidelity(finding: Finding, language: Language, width: float) -> Drawing | None:
    """What swapping each feature does, with a mark at what the explanation says it does."""
    rows = []
    for row in evidence.rows(finding.get("groups")):
        real, told = evidence.number(row.get("real_effect")), evidence.number(row.get("explained_effect"))
        if real is not None and told is not None:
            written = say(language, "number.percent", value=real)
            rows.append(Measured(name=evidence.text(row.get("feature")), value=real, written=written, limit=told))
    if not rows:
        return None
    title, mark = say(language, "picture.effects"), say(language, "picture.effects_mark")
    return measured_bars(rows[:MOST_ROWS], title=title, language=language, mark=mark, width=width)


def _deidentification(finding: Finding, language: Language, width: float) -> Drawing | None:
    bands = list(evidence.rows(evidence.table(finding.get("evidence")).get("class_sizes")))
    return _bands(bands, "picture.class_sizes", language, width, lambda band: _span(band, "")) if bands else None


def _bands(
    bands: Sequence[Finding], title: str, language: Language, width: float, named: Callable[[Finding], str]
) -> Drawing:
    """A histogram lying down: rows per band."""
    rows = [
        Measured(name=named(band), value=n, written=say(language, "number.count", value=round(n)))
        for band in bands
        if (n := evidence.number(band.get("rows"))) is not None
    ]
    return measured_bars(rows, title=say(language, title), language=language, width=width)


def _span(band: Finding, unit: str) -> str:
    """The name of a band, such as '0.1–0.3 σ' or '≥ 50'."""
    low, high = evidence.number(band.get("from")), evidence.number(band.get("to"))
    name = f"≥ {low:g}" if high is None or low is None else f"{low:g}" if low == high else f"{low:g}–{high:g}"
    return f"{name} {unit}".strip()


_DRAWN: Mapping[str, Callable[[Finding, Language, float], Drawing | None]] = {
    "calibration": _calibration,
    "performance": _performance,
    "robustness": _robustness,
    "coverage": _coverage,
    "explanation_fidelity": _fidelity,
    "deidentification": _deidentification,
}
"""What draws the findings of each check; group rates, importance and trade-off are drawn from the whole report."""
