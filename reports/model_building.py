"""Puts the figures of one model version together from what was declared, found, decided and logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from policies.declaration import Declaration
from policies.deidentification import DeidentificationPlan
from policies.errors import Sentence
from policies.impact_matrix import Assessment
from policies.rulebook import Rulebook
from policies.tiers import Tier
from reports import evidence
from reports.facts import DecisionCounts, LogFacts, VerdictFacts, VersionFacts
from reports.failure_figures import failure_figures
from reports.model_figures import (
    CapFigure,
    CellFigure,
    Comparison,
    CurvePoint,
    FeatureFigure,
    FindingFigure,
    GroupFigure,
    ModelFigures,
    Performance,
    ProbeFigure,
)


def model_figures(
    *,
    declaration: Declaration,
    rulebook: Rulebook,
    assessment: Assessment,
    findings: Sequence[Mapping[str, object]],
    version: VersionFacts,
    prepared: datetime,
    verdict: VerdictFacts | None = None,
    log: LogFacts | None = None,
    counts: DecisionCounts | None = None,
    deidentification: DeidentificationPlan | None = None,
    shares_after: Mapping[str, float] | None = None,
) -> ModelFigures:
    """Put the figures of one model version together.

    Parameters
    ----------
    findings : sequence of mappings
        Findings as JSON. A finding that could not conclude leaves its figures out; nothing is made up for it.
    shares_after : mapping, optional
        Mean share of each capped feature after enforcement, by feature name, and of all together under "".
    prepared : datetime
        When the report was asked for, with time zone. Reports read no clock.
    """
    by_check = _by_check(findings)
    importance = _importance(by_check.get("weight_caps", ()))
    plan = deidentification or DeidentificationPlan(forbidden=(), bands={})
    caps, total, over = _caps(by_check.get("weight_caps", ()), shares_after or {})
    groups, comparisons, unknown = _groups(by_check.get("group_bias", ()))
    failures, aside = failure_figures(by_check.get("negative_list", ()))
    purpose = declaration.use.purpose
    shown = tuple(_finding(found) for found in findings)
    return ModelFigures(
        version=version,
        site=declaration.use.site,
        owner=declaration.use.owner,
        purpose=purpose,
        purpose_says=_purpose(purpose, rulebook),
        description=declaration.use.description,
        flavour=declaration.model.flavour.value,
        task=declaration.model.task.value,
        threshold=declaration.model.threshold,
        protective=declaration.model.protective.value,
        label=declaration.data.label,
        prepared=prepared,
        tier=str(assessment.tier),
        tier_points=assessment.points,
        cells=tuple(CellFigure(says=cell.says, points=cell.points, decides=cell.decides) for cell in assessment.cells),
        sources=declaration.data.sources,
        labels_by=dict(declaration.data.labels_by),
        group_columns=declaration.data.groups,
        features=_features(declaration, importance, caps),
        forbidden_columns=plan.forbidden,
        bands=dict(plan.bands),
        performance=_performance(by_check.get("performance", ()), _limits(rulebook, assessment.tier)),
        groups=groups,
        comparisons=comparisons,
        unknown_groups=unknown,
        caps=caps,
        caps_total=total,
        decisions_over_cap=over,
        on_exceed=rulebook.caps.on_exceed.value,
        probes=tuple(
            _probe(row) for found in by_check.get("robustness", ()) for row in evidence.rows(found.get("groups"))
        ),
        known_failures=failures,
        known_failures_aside=aside,
        findings=shown,
        holds=_all_hold(shown),
        verdict=verdict,
        counts=counts,
        log=log,
        rulebook_version=rulebook.version,
        rulebook_digest=rulebook.digest,
        appeal_within_days=rulebook.reviews.appeal_within_days,
        answer_appeal_days=rulebook.reviews.answer_appeal_days,
        explain_within_days=rulebook.reviews.explain_within_days,
    )


Findings = Sequence[Mapping[str, object]]


def _by_check(findings: Findings) -> dict[str, list[Mapping[str, object]]]:
    sorted_by: dict[str, list[Mapping[str, object]]] = {}
    for found in findings:
        sorted_by.setdefault(evidence.text(found.get("check")), []).append(found)
    return sorted_by


def _all_hold(findings: Sequence[FindingFigure]) -> bool | None:
    if any(found.holds is False for found in findings):
        return False
    return None if any(found.holds is None for found in findings) else True


def _purpose(purpose: str, rulebook: Rulebook) -> Sentence:
    said = rulebook.purposes.allowed.get(purpose) or rulebook.purposes.refused.get(purpose)
    return said or Sentence(en=purpose, zh=purpose)


def _limits(rulebook: Rulebook, tier: Tier) -> Mapping[str, float]:
    if "performance" not in rulebook.checks:
        return {}
    limits = rulebook.limits("performance", tier)
    return {name: float(value) for name, value in limits.items() if evidence.number(value) is not None}


def _performance(found: Findings, limits: Mapping[str, float]) -> Performance | None:
    """Return the figures of the finding that carries the confusion table; None when no finding does."""
    for finding in found:
        shown = evidence.table(finding.get("evidence"))
        cells = evidence.table(shown.get("confusion"))
        if not cells:
            continue
        tp, fp, fn, tn = (evidence.count(cells.get(name)) for name in ("tp", "fp", "fn", "tn"))
        baseline = evidence.table(shown.get("baseline"))
        rates = {name: evidence.rate(value) for name, value in evidence.table(shown.get("rates")).items()}
        return Performance(
            holds=_all_hold([_finding(each) for each in found]),
            says=tuple(evidence.sentence(each.get("says")) for each in found),
            unlabelled=evidence.count(shown.get("unlabelled")),
            n=tp + fp + fn + tn,
            tp=tp,
            fp=fp,
            fn=fn,
            tn=tn,
            of_100_alarms_false=_of_100(fp, tp + fp),
            of_100_harms_missed=_of_100(fn, tp + fn),
            of_100_harmless_alarmed=_of_100(fp, fp + tn),
            rates={name: value for name, value in rates.items() if value is not None},
            baseline={k: n for k, v in baseline.items() if (n := evidence.number(v)) is not None},
            baseline_name=evidence.text(baseline.get("name")),
            limits=limits,
            curve=_curve(shown.get("curve")),
        )
    return None


def _of_100(part: int, whole: int) -> int | None:
    return None if whole == 0 else round(100 * part / whole)


def _curve(value: object) -> tuple[CurvePoint, ...]:
    points = []
    for row in evidence.rows(value):
        threshold, detected, false = (
            evidence.number(row.get(k)) for k in ("threshold", "detection_rate", "false_alarm_rate")
        )
        if threshold is not None and detected is not None and false is not None:
            points.append(CurvePoint(threshold=threshold, detection_rate=detected, false_alarm_rate=false))
    return tuple(points)


def _groups(found: Findings) -> tuple[tuple[GroupFigure, ...], tuple[Comparison, ...], dict[str, int]]:
    groups = [_group(row) for finding in found for row in evidence.rows(finding.get("groups")) if "group" in row]
    shown = [evidence.table(finding.get("evidence")) for finding in found]
    comparisons = [_comparison(row) for each in shown for row in evidence.rows(each.get("comparisons"))]
    unknown = {
        str(column): evidence.count(n) for each in shown for column, n in evidence.table(each.get("unknown")).items()
    }
    return tuple(groups), tuple(comparisons), unknown


def _group(row: Mapping[str, object]) -> GroupFigure:
    return GroupFigure(
        column=evidence.text(row.get("column")),
        group=evidence.text(row.get("group")),
        n=evidence.count(row.get("n")),
        positives=evidence.count(row.get("positives")),
        selection_rate=evidence.number(row.get("selection_rate")),
        impact_ratio=evidence.number(row.get("impact_ratio")),
        false_alarm_rate=evidence.rate(row.get("false_alarm_rate")),
        miss_rate=evidence.rate(row.get("miss_rate")),
        conclusion=evidence.text(row.get("conclusion")) or "cannot_conclude",
    )


def _comparison(row: Mapping[str, object]) -> Comparison:
    return Comparison(
        column=evidence.text(row.get("column")),
        metric=evidence.text(row.get("metric")),
        low_group=evidence.text(row.get("low_group")),
        high_group=evidence.text(row.get("high_group")),
        gap=evidence.number(row.get("gap")),
        lo=evidence.number(row.get("lo")),
        hi=evidence.number(row.get("hi")),
        p=evidence.number(row.get("p")),
        conclusion=evidence.text(row.get("conclusion")) or "cannot_conclude",
    )


def _caps(found: Findings, after: Mapping[str, float]) -> tuple[tuple[CapFigure, ...], CapFigure | None, float | None]:
    caps = [
        _cap(row, evidence.text(row.get("feature")), after) for f in found for row in evidence.rows(f.get("groups"))
    ]
    total, over = None, None
    for finding in found:
        shown = evidence.table(finding.get("evidence"))
        total = _cap(evidence.table(shown.get("total")), "", after) or total
        over = evidence.number(shown.get("decisions_over")) if "decisions_over" in shown else over
    return tuple(cap for cap in caps if cap is not None), total, over


def _cap(row: Mapping[str, object], feature: str, after: Mapping[str, float]) -> CapFigure | None:
    share, cap = evidence.number(row.get("share")), evidence.number(row.get("cap"))
    if share is None or cap is None:
        return None
    holds = evidence.verdict(row.get("holds")) if "holds" in row else share <= cap
    return CapFigure(
        feature=feature,
        share=share,
        lo=evidence.number(row.get("lo")),
        hi=evidence.number(row.get("hi")),
        cap=cap,
        after=after.get(feature),
        holds=holds,
        proxies=tuple(evidence.text(proxy.get("feature")) for proxy in evidence.rows(row.get("proxies"))),
    )


def _importance(found: Findings) -> dict[str, float]:
    shares = {}
    for finding in found:
        for row in evidence.rows(evidence.table(finding.get("evidence")).get("importance")):
            share = evidence.number(row.get("share"))
            if share is not None:
                shares[evidence.text(row.get("feature"))] = share
    return shares


def _features(
    declaration: Declaration, importance: Mapping[str, float], caps: Sequence[CapFigure]
) -> tuple[FeatureFigure, ...]:
    """Return the features in order of importance, then as declared."""
    limits = {cap.feature: cap.cap for cap in caps}
    names = [*importance, *(name for name in declaration.features if name not in importance)]
    figures = []
    for name in names:
        declared = declaration.feature(name)
        figures.append(
            FeatureFigure(
                name=name,
                label=declared.label or Sentence(en=name, zh=name),
                unit=declared.unit or "",
                range=declared.range,
                sensor=declared.sensor,
                immutable=declared.immutable,
                cap=limits.get(name, declared.cap),
                share=importance.get(name),
            )
        )
    return tuple(figures)


def _probe(row: Mapping[str, object]) -> ProbeFigure:
    return ProbeFigure(
        probe=evidence.text(row.get("probe")),
        feature=evidence.text(row.get("feature")),
        verdicts_changed=evidence.number(row.get("verdicts_changed")),
        alarms_lost=evidence.number(row.get("alarms_lost")),
        limit=evidence.number(row.get("limit")),
        holds=evidence.verdict(row.get("holds")),
    )


def _finding(found: Mapping[str, object]) -> FindingFigure:
    n = evidence.number(found.get("n"))
    details = (evidence.sentence(row["says"]) for row in evidence.rows(found.get("groups")) if "says" in row)
    return FindingFigure(
        check=evidence.text(found.get("check")),
        holds=evidence.verdict(found.get("holds")),
        says=evidence.sentence(found.get("says")),
        measured=evidence.number(found.get("measured")),
        limit=evidence.number(found.get("limit")),
        unit=evidence.text(found.get("unit")),
        n=None if n is None else round(n),
        details=tuple(details),
    )
