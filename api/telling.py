"""From log, registry and governance to what a page, a PDF and a JSON file show of one model or decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from audit.entries import Clock, Entry
from audit.log_reader import Wanted
from audit.trace import DecisionTrace
from audit.trace_log import TraceLog
from explainers.boundary import DecisionMap, FlipPoint, decision_map, flip_points
from explainers.counterfactual import Counterfactual, nearest_flip
from explainers.predictor import Predictor
from governance.appeals import Appeals, Asks
from governance.approvals import Verdict
from governance.conditions import read_conditions
from governance.late_explanations import with_late_explanation
from governance.models import Models
from governance.outcomes import Known, Outcomes
from governance.reviews import Review, Reviews
from governance.rulebooks import Rulebooks
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord, VerdictRecord
from policies.declaration import Declaration
from policies.deidentification import plan_for
from policies.errors import Refused, Sentence
from policies.roles import absent
from policies.rulebook import Rulebook
from reports.charts.stacked import stacked
from reports.charts.svg import to_svg
from reports.decision_letter import boundary_drawings, decision_letter
from reports.figures import (
    DecisionCounts,
    DecisionFigures,
    EntryFacts,
    LogFacts,
    ModelFigures,
    OutcomeFacts,
    ReviewFacts,
    VerdictFacts,
    VersionFacts,
    View,
    decision_figures,
    model_figures,
)
from reports.signing import Sign, unsigned
from reports.transparency import transparency_report


class Erased(Refused):
    """The payload of this decision was erased when its time was over; its proof remains."""

    def __init__(self, identifier: str) -> None:
        super().__init__(
            Sentence(
                en=f"decision {identifier} was erased at the end of its retention; only its proof remains",
                zh=f"决策 {identifier} 已在保存期满后销毁，仅保留其存证",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Puts figures together. Nothing here decides anything."""

    rulebooks: Rulebooks
    log: TraceLog
    book: SubmissionBook
    reviews: Reviews
    appeals: Appeals
    outcomes: Outcomes
    models: Models
    clock: Clock
    sign: Sign = unsigned

    @property
    def rulebook(self) -> Rulebook:
        """The rulebook in force."""
        return self.rulebooks.in_force()

    def rules_of(self, digest: str | None) -> Rulebook:
        """Return the rulebook that an entry or a submission names; the one in force where it is not kept here."""
        return (self.rulebooks.by_digest(digest) if digest is not None else None) or self.rulebook

    # ── Models ────────────────────────────────────────────────────────────────────────────────────

    def record_of(self, model: str, version: str | None = None) -> SubmissionRecord:
        """Return the submission behind a model: the version named, else the approved one, else the newest."""
        if version is not None:
            return self.book.of_version(model, version)
        found, _ = self.book.search(model=model, limit=200)
        if not found:
            raise absent("model", model)
        approved = [record for record in found if record.stage in (Stage.APPROVED, Stage.SUSPENDED)]
        return (approved or list(found))[0]

    def model_figures(self, record: SubmissionRecord) -> ModelFigures:
        """Return all figures of one model version, as page, PDF and JSON show them."""
        declaration = record.declaration
        return model_figures(
            declaration=declaration,
            rulebook=self.rules_of(record.rulebook_digest),
            assessment=record.assessment_now,
            findings=record.findings,
            version=VersionFacts(
                name=record.model,
                version=record.version,
                artifact_digest=record.artifact_digest,
                status=record.stage.value,
                registered=record.submitted_at,
            ),
            prepared=self.clock(),
            verdict=_verdict_facts(record.verdicts),
            log=self.log_facts(),
            counts=self._counts(record),
            deidentification=plan_for(declaration.features, self.rules_of(record.rulebook_digest).deidentification),
            shares_after=record.shares_after or None,
        )

    def report(self, record: SubmissionRecord, language: str) -> bytes:
        """Return the transparency report of one model version as PDF."""
        made = transparency_report(self.model_figures(record), _language(language))
        return self.sign(made, _language(language))

    def log_facts(self) -> LogFacts | None:
        """Return the head of the log, signing a checkpoint when entries wait for one."""
        if not self.log.size():
            return None
        head = self.log.checkpoint_when_due() or self.log.latest_checkpoint() or self.log.checkpoint()
        return LogFacts(root=head.root.hex(), size=head.size, time=head.time or self.clock(), checkpoint=head.note)

    # ── Decisions ─────────────────────────────────────────────────────────────────────────────────

    def line(self, entry: Entry) -> dict[str, Any]:
        """Return one decision as a list shows it."""
        return {
            "id": entry.id,
            "time": entry.time.isoformat(),
            "model": entry.model,
            "version": entry.version,
            "site": entry.site,
            "score": entry.score,
            "verdict": entry.verdict,
            "flags": list(entry.flags),
            "erased": entry.erased,
        }

    def trace_of(self, identifier: str) -> tuple[Entry, DecisionTrace]:
        """Return a decision's entry and its trace. Raises NotFound, Erased."""
        entry = self.log.entry(identifier)
        if entry.kind != "decision":
            raise absent("decision", identifier)
        trace = self.log.trace(identifier)
        if trace is None:
            raise Erased(identifier)
        return entry, with_late_explanation(self.log, identifier, trace)

    def decision(self, identifier: str) -> dict[str, Any]:
        """Return one decision with its explanation and everything people said about it."""
        entry, trace = self.trace_of(identifier)
        return {
            **self.line(entry),
            "artifact_digest": entry.artifact_digest,
            "rulebook_digest": entry.rulebook_digest,
            "purpose": trace.purpose,
            "caller": trace.caller,
            "subject": trace.subject,
            "threshold": trace.threshold,
            "index": entry.index,
            "leaf": entry.leaf.hex(),
            "explanation": explanation_of(trace),
            "reviews": [review.as_json() for review in self.reviews.about(identifier)],
            "outcome": _outcome_json(self.outcomes.of(identifier)),
        }

    def decision_figures(self, identifier: str) -> DecisionFigures:
        """Return all figures of one decision, with its boundary and the smallest change that flips it."""
        entry, trace = self.trace_of(identifier)
        record = self.book.of_version(trace.model, trace.version)
        picture = self._picture(record, trace)
        return decision_figures(
            trace=trace,
            entry=EntryFacts(id=entry.id, index=entry.index, time=entry.time, leaf=entry.leaf.hex()),
            declaration=record.declaration,
            rulebook=self.rules_of(entry.rulebook_digest),
            prepared=self.clock(),
            flips=picture.flips,
            plane=picture.plane,
            change=picture.change,
            threshold_margin=picture.threshold_margin,
            reviews=[_review_facts(review) for review in self.reviews.about(identifier)],
            outcome=_outcome_facts(self.outcomes.of(identifier)),
            log=self.log_facts(),
        )

    def letter(self, identifier: str, language: str, view: View) -> bytes:
        """Return the decision letter as PDF, holding only what this reader may see."""
        made = decision_letter(self.decision_figures(identifier), _language(language), view)
        return self.sign(made, _language(language))

    def boundary_svg(self, identifier: str, language: str, view: View) -> str:
        """Return the boundary picture of one decision as SVG."""
        figures = self.decision_figures(identifier).for_view(view)
        return to_svg(stacked(boundary_drawings(figures, _language(language))))

    def replay(self, identifier: str) -> dict[str, Any]:
        """Run the sealed input through the artifact again and compare.

        Trees and linear models give the same bits; elsewhere the difference is held against 1e-6. A mismatch
        becomes an incident in the log.
        """
        entry, trace = self.trace_of(identifier)
        record = self.book.of_version(trace.model, trace.version)
        predictor = self.models.predictor(record)
        again = float(predictor.scores(np.asarray(trace.inputs, dtype=np.float64)[None, :])[0])
        tolerance = 0.0 if predictor.exact else 1e-6
        same = abs(again - trace.score) <= tolerance
        if not same:
            self._report_mismatch(entry, trace.score, again)
        return {
            "id": entry.id,
            "score": trace.score,
            "replayed": again,
            "tolerance": tolerance,
            "same": same,
            "artifact_digest": record.artifact_digest,
        }

    def _report_mismatch(self, entry: Entry, traced: float, again: float) -> None:
        self.log.append(
            [
                statement(
                    "incident",
                    by="mingjing",
                    body={"what": "replay differs", "decision": entry.id, "traced": traced, "replayed": again},
                    model=entry.model,
                    version=entry.version,
                    artifact_digest=entry.artifact_digest,
                    site=entry.site,
                )
            ]
        )

    def evidence(self, identifier: str) -> dict[str, Any]:
        """Return the evidence bundle of one decision."""
        entry = self.log.entry(identifier)
        book = self.rulebooks.by_digest(entry.rulebook_digest) if entry.rulebook_digest is not None else None
        return self.log.evidence(identifier, rulebook=book.source if book is not None else None)

    # ── Inside ────────────────────────────────────────────────────────────────────────────────────

    def _counts(self, record: SubmissionRecord) -> DecisionCounts | None:
        def of(kind: str, **narrowed: Any) -> int:
            return self.log.tally(Wanted(model=record.model, version=record.version, kind=kind, **narrowed)).count

        decided = self.log.tally(Wanted(model=record.model, version=record.version, kind="decision"))
        newest = decided.newest
        if newest is None:
            return None
        reviewed, overridden = of("review"), of("override")
        until = max(newest, record.submitted_at, self.clock()) + timedelta(microseconds=1)
        asked = self.appeals.statistics(record.submitted_at, until, model=record.model, version=record.version)
        contested = [figures for figures in asked if figures.asks is not Asks.EXPLANATION]
        return DecisionCounts(
            since=record.submitted_at,
            until=max(newest, record.submitted_at) + timedelta(microseconds=1),
            decisions=decided.count,
            alarms=decided.protective,
            capped=of("decision", flag="capped"),
            handed_over=of("decision", flag="handed_over"),
            reviewed=reviewed + overridden,
            overridden=overridden,
            appeals=sum(figures.received for figures in contested),
            appeals_upheld=sum(figures.changed for figures in contested),
        )

    def _picture(self, record: SubmissionRecord, trace: DecisionTrace) -> _Picture:
        predictor = self.models.predictor(record)
        background = self.models.background(record)
        declaration = record.declaration
        row = np.asarray(trace.inputs, dtype=np.float64)
        ranges = _ranges(declaration, predictor, background, row)
        flips = flip_points(
            predictor, row, threshold=trace.threshold, ranges=ranges, protective=declaration.model.protective.value
        )
        plane = None
        drawable = [
            flip.feature for flip in flips if np.isfinite(flip.value) and _varies(flip.feature, background, predictor)
        ]
        if len(drawable) >= 2:
            plane = decision_map(
                predictor,
                row,
                drawable[0],
                drawable[1],
                ranges={name: _around(name, ranges, background, predictor) for name in drawable[:2]},
                threshold=trace.threshold,
                data=background,
            )
        immutable = {name for name, feature in declaration.features.items() if feature.immutable}
        change = nearest_flip(
            predictor,
            row,
            threshold=trace.threshold,
            ranges=ranges,
            immutable=immutable | set(trace.cap_shares),
            steps=_whole_steps(background, predictor),
        )
        margin = float(predictor.margin_of(np.array([trace.threshold]))[0])
        return _Picture(flips=flips[:6], plane=plane, change=change, threshold_margin=margin)


@dataclass(frozen=True, kw_only=True)
class _Picture:
    flips: tuple[FlipPoint, ...]
    plane: DecisionMap | None
    change: Counterfactual | None
    threshold_margin: float


def explanation_of(trace: DecisionTrace) -> dict[str, Any]:
    """Return a decision's contributions, largest first, with the clipped ones beside them where caps clipped."""
    order = np.argsort(-np.abs(trace.contributions)).tolist()
    capped = trace.capped_contributions
    lines = [
        {
            "feature": trace.feature_names[j],
            "value": _number(trace.inputs[j]),
            "contribution": float(trace.contributions[j]),
            "capped_contribution": float(capped[j]) if capped is not None else None,
        }
        for j in order
    ]
    return {
        "method": trace.method,
        "unit": trace.unit,
        "base": trace.base,
        "margin": trace.margin,
        "score": trace.score,
        "capped_score": trace.capped_score,
        "cap_shares": dict(trace.cap_shares),
        "contributions": lines,
    }


def _ranges(
    declaration: Declaration, predictor: Predictor, background: np.ndarray[Any, Any], row: np.ndarray[Any, Any]
) -> dict[str, tuple[float, float]]:
    """Return the physical range of each feature: as declared, else as far as the kept rows reach."""
    ranges: dict[str, tuple[float, float]] = {}
    for j, name in enumerate(predictor.feature_names):
        declared = declaration.feature(name).range
        if declared is not None:
            ranges[name] = declared
            continue
        seen = np.append(background[:, j], row[j])
        seen = seen[np.isfinite(seen)]
        if len(seen) and seen.min() < seen.max():
            ranges[name] = (float(seen.min()), float(seen.max()))
    return ranges


def _around(
    name: str,
    ranges: Mapping[str, tuple[float, float]],
    background: np.ndarray[Any, Any],
    predictor: Predictor,
) -> tuple[float, float]:
    """Return the part of a range in which 98 % of the kept rows lie, so that a picture shows where data are."""
    low, high = ranges[name]
    seen = background[:, predictor.feature_names.index(name)]
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return low, high
    near = float(np.quantile(seen, 0.01)), float(np.quantile(seen, 0.99))
    return near if near[0] < near[1] else (low, high)


def _whole_steps(background: np.ndarray[Any, Any], predictor: Predictor) -> dict[str, float]:
    """Return a step of one for every feature that only ever takes whole numbers, such as counts, codes and yes-no."""
    steps = {}
    for j, name in enumerate(predictor.feature_names):
        seen = background[np.isfinite(background[:, j]), j]
        if len(seen) and (seen == np.round(seen)).all():
            steps[name] = 1.0
    return steps


def _varies(name: str, background: np.ndarray[Any, Any], predictor: Predictor) -> bool:
    """Whether a feature takes more than two values, so that a plane over it shows more than two lines."""
    seen = background[:, predictor.feature_names.index(name)]
    return len(np.unique(seen[np.isfinite(seen)])) > 2


def _verdict_facts(said: Sequence[VerdictRecord]) -> VerdictFacts | None:
    if not said:
        return None
    last = said[-1]
    together = [verdict for verdict in said if verdict.verdict == last.verdict]
    conditions = read_conditions([c for verdict in together for c in verdict.conditions])
    ends = [verdict.until for verdict in together if verdict.until is not None]
    return VerdictFacts(
        outcome=Verdict(last.verdict).value,
        reason=last.reason,
        decided_by=tuple(f"{verdict.role}: {verdict.by}" for verdict in together),
        decided=last.at,
        until=min(ends) if ends else None,
        conditions=conditions.says(),
    )


def _outcome_json(known: Known | None) -> dict[str, object] | None:
    return None if known is None else {"harmed": known.harmed, "source": known.source, "at": known.at.isoformat()}


def _outcome_facts(known: Known | None) -> OutcomeFacts | None:
    return None if known is None else OutcomeFacts(harmed=known.harmed, source=known.source, time=known.at)


def _review_facts(review: Review) -> ReviewFacts:
    kind = review.asks if review.kind == "appeal" and review.asks else review.kind
    return ReviewFacts(
        kind=kind,
        time=review.at,
        actor=review.by or "",
        says=review.reason,
        outcome=review.outcome or review.judgement or "",
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _language(language: str) -> Any:
    return "zh" if language.lower().startswith("zh") else "en"
