"""The technical file of one model version under the headings of the EU AI Act's Annex IV, and the evaluation record.

Every line is either held by registry, findings or log, or the file says that it is not held here: a hole is shown, not
filled. The headings are ours; so are the lines of the evaluation record, which follow ISO/IEC TS 4213, 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from policies.errors import Sentence
from reports.cells import table_of_lines
from reports.model_figures import FeatureFigure, FindingFigure, ModelFigures
from reports.model_summary import outcome
from reports.paper_facts import PaperFacts
from reports.pdf import Cover, Pages
from reports.states import SIGNS
from reports.wording import LANGUAGES, Language, name_of, say

FORMAT = 1
"""Format of `TechnicalFile.as_json`. Raise it when a key changes its meaning."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One field of a heading. `values` is empty where nothing here holds it; `source` says where it is from."""

    field: str
    label: Sentence
    values: tuple[Sentence, ...]
    source: str

    def as_json(self) -> dict[str, object]:
        """Return the line as JSON."""
        return {
            "field": self.field,
            "label": self.label.as_json(),
            "held": bool(self.values),
            "values": [value.as_json() for value in self.values],
            "from": self.source,
        }


@dataclass(frozen=True, kw_only=True)
class Heading:
    """One heading with its lines; `id` is its number in Annex IV, or "TS 4213"."""

    id: str
    title: Sentence
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class TechnicalFile:
    """The whole file: one value for page, PDF and JSON."""

    figures: ModelFigures
    headings: tuple[Heading, ...]
    format: int = field(default=FORMAT)

    def as_json(self) -> dict[str, object]:
        """Return the file as JSON."""
        version = self.figures.version
        return {
            "format": self.format,
            "model": version.name,
            "version": version.version,
            "artifact_digest": version.artifact_digest,
            "prepared": self.figures.prepared.isoformat(),
            "log": None if self.figures.log is None else {"root": self.figures.log.root, "size": self.figures.log.size},
            "headings": [
                {
                    "id": heading.id,
                    "title": heading.title.as_json(),
                    "lines": [line.as_json() for line in heading.lines],
                }
                for heading in self.headings
            ],
            "not_held": [
                f"{heading.id}: {line.field}" for heading in self.headings for line in heading.lines if not line.values
            ],
        }


def technical_file(facts: PaperFacts) -> TechnicalFile:
    """Return the technical file of one version."""
    return TechnicalFile(
        figures=facts.figures,
        headings=tuple(
            Heading(id=name, title=both(f"technical.heading_{key}"), lines=tuple(lines(facts)))
            for name, key, lines in HEADINGS
        ),
    )


def technical_file_pdf(file: TechnicalFile, language: Language) -> bytes:
    """Return the file as PDF bytes; the same file gives the same bytes."""
    version = file.figures.version
    pages = Pages(
        language,
        Cover(
            kind=say(language, "technical.kind"),
            title=version.name,
            lines=(
                say(language, "technical.version", version=version.version, digest=version.artifact_digest),
                say(
                    language, "report.prepared", prepared=file.figures.prepared, rulebook=file.figures.rulebook_version
                ),
            ),
            running=say(language, "technical.running", name=version.name, version=version.version),
        ),
        subject=say(language, "technical.subject"),
        notice=say(language, "technical.notice"),
    )
    pages.write(say(language, "technical.lead"), "lead")
    missing = [line for heading in file.headings for line in heading.lines if not line.values]
    if missing:
        names = say(language, "list.comma").join(line.label.in_language(language) for line in missing)
        pages.note(say(language, "technical.missing", n=len(missing), names=names), tone="open")
    for heading in file.headings:
        pages.section(heading.title.in_language(language))
        table_of_lines(
            pages,
            [say(language, f"technical.{key}") for key in ("field", "content", "source")],
            [_row(line, language) for line in heading.lines],
            (22, 60, 18),
        )
    return pages.finish()


def _row(line: Line, language: Language) -> list[str]:
    held = "\n".join(value.in_language(language) for value in line.values)
    return [
        line.label.in_language(language),
        held or say(language, "technical.not_held"),
        name_of(language, "source", line.source),
    ]


def both(key: str, **values: object) -> Sentence:
    """Return a phrase in both languages."""
    en, zh = (say(language, key, **values) for language in ("en", "zh"))
    return Sentence(en=en, zh=zh)


def plainly(text: str) -> Sentence:
    """Return words of a team or an officer: they stand in the language they were written in."""
    return Sentence(en=text, zh=text)


def _line(key: str, values: Sequence[Sentence | str], source: str) -> Line:
    told = tuple(plainly(value) if isinstance(value, str) else value for value in values)
    return Line(
        field=key,
        label=both(f"technical.{key}"),
        values=tuple(value for value in told if value.en.strip()),
        source=source,
    )


# ── The headings ──────────────────────────────────────────────────────────────────────────────────────────────────


def _general(facts: PaperFacts) -> list[Line]:
    figures = facts.figures
    version = figures.version
    earlier = [
        both("technical.earlier_line", version=line.version, at=line.submitted, digest=line.artifact_digest)
        for line in facts.versions
        if line.version != version.version
    ]
    return [
        _line("purpose", [figures.purpose_says, figures.description], "declaration"),
        _line("provider", [figures.owner], "declaration"),
        _line("place", [figures.site], "declaration"),
        _line("artifact", [version.artifact_digest], "registry"),
        _line("earlier", earlier or [both("technical.first_version")], "registry"),
        _line(
            "form",
            [both("technical.form_text", flavour=figures.flavour, task=named("task", figures.task))],
            "declaration",
        ),
        _line("output", [both(f"summary.alarm_{figures.protective}", threshold=figures.threshold)], "declaration"),
        _line("reach", [both("technical.reach_text")], "house"),
        _line("instructions", [both("technical.instructions_text")], "house"),
    ]


def _development(facts: PaperFacts) -> list[Line]:
    figures = facts.figures
    features = [_feature(feature) for feature in figures.features]
    sources = [both("list.source_line", name=s.name, period=s.period, licence=s.licence) for s in figures.sources]
    labels = [both("data.label_row", who=who, column=column) for who, column in figures.labels_by.items()]
    return [
        _line("method", [], "declaration"),
        _line("features", features, "declaration"),
        _line("data_sources", sources, "declaration"),
        _line("data_digests", [f"{role}: {digest}" for role, digest in facts.data_digests.items()], "registry"),
        _line("labelling", labels or [both("data.single_label")], "declaration"),
        _line("data_checks", _told(figures, "data_quality", "coverage"), "findings"),
        _line("personal", _told(figures, "deidentification"), "findings"),
        _line("oversight", [both("technical.oversight_text"), *_conditions(figures)], "verdict"),
        _line("validation", _performance(figures), "findings"),
        _line("robustness", _told(figures, "robustness"), "findings"),
        _line("cybersecurity", _told(figures, "artifact_safety"), "findings"),
    ]


def _control(facts: PaperFacts) -> list[Line]:
    figures = facts.figures
    return [
        _line("limits", _told(figures, "performance", "calibration"), "findings"),
        _line("groups", _told(figures, "group_bias"), "findings"),
        _line("caps", _told(figures, "weight_caps"), "findings"),
        _line("explanations", _told(figures, "explanation_fidelity"), "findings"),
        _line("stopping", [both("technical.stopping_text")], "house"),
    ]


def _metrics(facts: PaperFacts) -> list[Line]:
    figures = facts.figures
    limits = {} if figures.performance is None else figures.performance.limits
    return [
        _line("metrics_why", [both("technical.metrics_text")], "house"),
        _line("metrics_limits", [f"{name} = {value:g}" for name, value in limits.items()], "rulebook"),
    ]


def _risk(facts: PaperFacts) -> list[Line]:
    figures = facts.figures
    cells = [cell.says for cell in figures.cells if cell.decides] or [cell.says for cell in figures.cells]
    return [
        _line("tier", [both("technical.tier_text", tier=figures.tier, points=figures.tier_points), *cells], "rulebook"),
        _line("failing", _findings_that(figures, False), "findings"),
        _line("open", _findings_that(figures, None), "findings"),
        _line("conditions", _conditions(figures), "verdict"),
    ]


def _changes(facts: PaperFacts) -> list[Line]:
    verdicts = [
        both(
            "technical.verdict_line",
            outcome=named("outcome", line.outcome),
            role=named("role", line.role),
            by=line.by,
            at=line.at,
            reason=line.reason,
        )
        for line in facts.verdicts
    ]
    versions = [
        both("technical.version_line", version=line.version, at=line.submitted, stage=_stage(line.stage))
        for line in facts.versions
    ]
    return [_line("verdicts", verdicts, "verdict"), _line("versions", versions, "registry")]


def _standards(facts: PaperFacts) -> list[Line]:
    told = [
        both("list.standard_line", article=line.article, state=named("coverage", line.state), because=line.because)
        for line in facts.standards
    ]
    return [_line("standards", told, "regulations")]


def _conformity(facts: PaperFacts) -> list[Line]:
    return [_line("declaration_of_conformity", [], "company")]


def _monitoring(facts: PaperFacts) -> list[Line]:
    figures = facts.figures
    counts = figures.counts
    told: list[Sentence] = []
    if counts is not None and counts.decisions:
        told = [
            both(
                "technical.counts_text",
                since=counts.since,
                until=counts.until,
                decisions=counts.decisions,
                alarms=counts.alarms,
                overridden=counts.overridden,
                appeals=counts.appeals,
            )
        ]
    log = [] if figures.log is None else [both("technical.log_text", size=figures.log.size, root=figures.log.root)]
    return [
        _line("monitoring", [both("technical.monitoring_text")], "house"),
        _line("in_use", told, "log"),
        _line("log", log, "log"),
    ]


def _evaluation(facts: PaperFacts) -> list[Line]:
    """The record of the evaluation, in the fields of ISO/IEC TS 4213, 5.3, each in a line of ours."""
    figures = facts.figures
    performance = figures.performance
    baseline: list[Sentence | str] = []
    if performance is not None and performance.baseline:
        baseline = [f"{performance.baseline_name}: {name} = {value:g}" for name, value in performance.baseline.items()]
    sizes = [] if performance is None else [both("technical.sizes_text", n=performance.n, left=performance.unlabelled)]
    bands = [f"{name}: {width:g}" for name, width in figures.bands.items()]
    return [
        _line("representativeness", _told(figures, "coverage"), "findings"),
        _line("preprocessing", bands or [both("personal.no_bands")], "rulebook"),
        _line("separation", sizes, "findings"),
        _line("leakage", _told(figures, "leakage"), "findings"),
        _line("channel_effects", [], "company"),
        _line("ground_truth", [both("technical.truth_text", label=figures.label)], "declaration"),
        _line("hyper_parameters", [both("technical.parameters_text")], "registry"),
        _line("environment", [f"{name} {version}" for name, version in facts.environment.items()], "house"),
        _line("baselines", baseline, "findings"),
    ]


HEADINGS: tuple[tuple[str, str, Callable[[PaperFacts], list[Line]]], ...] = (
    ("1", "general", _general),
    ("2", "development", _development),
    ("3", "control", _control),
    ("4", "metrics", _metrics),
    ("5", "risk", _risk),
    ("6", "changes", _changes),
    ("7", "standards", _standards),
    ("8", "conformity", _conformity),
    ("9", "monitoring", _monitoring),
    ("TS 4213", "evaluation", _evaluation),
)
"""Number in Annex IV, name of the phrase, what fills it."""


def _told(figures: ModelFigures, *checks: str) -> list[Sentence]:
    """Return what checks found, each with its sign and its name."""
    return [_finding(found) for found in figures.findings if found.check in checks]


def _findings_that(figures: ModelFigures, holds: bool | None) -> list[Sentence]:
    """Return the findings of one outcome; where others were made and none is such, that is said."""
    found = [_finding(finding) for finding in figures.findings if finding.holds is holds]
    return found or ([both("technical.none_such")] if figures.findings else [])


def _feature(feature: FeatureFigure) -> Sentence:
    if feature.name in (feature.label.en, feature.label.zh):
        return both("list.feature_bare", name=feature.name, range=_range_told(feature))
    return both("list.feature_line", name=feature.label, column=feature.name, range=_range_told(feature))


def _range_told(feature: FeatureFigure) -> str:
    if feature.range is None:
        return "–"
    return f"{feature.range[0]:g} … {feature.range[1]:g} {feature.unit}".strip()


def _finding(found: FindingFigure) -> Sentence:
    return both("list.finding_line", sign=SIGNS[found.holds], check=named("check", found.check), says=found.says)


def _performance(figures: ModelFigures) -> list[Sentence]:
    if figures.performance is None:
        return []
    return [
        both(
            "list.rate_line",
            name=named("rate", name),
            rate=_rate_told(rate.value, rate.lo, rate.hi),
        )
        for name, rate in figures.performance.rates.items()
    ]


def _rate_told(value: float, lo: float | None, hi: float | None) -> Sentence:
    if lo is None or hi is None:
        return both("number.percent", value=value)
    return both("number.rate_with_interval", value=value, lo=lo, hi=hi)


def _conditions(figures: ModelFigures) -> list[Sentence]:
    if figures.verdict is None:
        return []
    told = [Sentence(**{language: outcome(figures, language) for language in LANGUAGES})]
    return told + [plainly(c) if isinstance(c, str) else c for c in figures.verdict.conditions]


def named(family: str, name: str) -> Sentence:
    """Return what people call a name, in both languages."""
    return Sentence(**{language: name_of(language, family, name) for language in LANGUAGES})


def _stage(stage: str) -> Sentence:
    return Sentence(**{language: name_of(language, "stage", stage) for language in LANGUAGES})
