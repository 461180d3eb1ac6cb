"""The model card: Markdown with the metadata Hugging Face reads, and the same as JSON."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]  # it has no types of its own

from reports.model_figures import ModelFigures
from reports.model_summary import outcome, output, wrong
from reports.paper_facts import PaperFacts
from reports.plain_text import visible
from reports.states import SIGNS, word_of
from reports.wording import Language, as_percent, name_of, say

PIPELINES = {
    "classification": "tabular-classification",
    "regression": "tabular-regression",
    "anomaly": "tabular-classification",
}
"""The field's names for what a model does; others have none."""

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "precision": "precision",
    "detection_rate": "recall",
    "false_alarm_rate": "false_positive_rate",
    "roc_auc": "roc_auc",
    "auc_pr": "average_precision",
}
"""What the card shows, and what the field calls it."""
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def card_metadata(facts: PaperFacts, language: Language) -> dict[str, Any]:
    """Return the metadata block as Hugging Face defines it: language, library, task, and results by data set."""
    figures = facts.figures
    data = [visible(source.name) for source in figures.sources]
    task: dict[str, Any] = {"type": PIPELINES.get(figures.task, "other")}
    found: dict[str, Any] = {
        "language": [language],
        "library_name": figures.flavour,
        "tags": ["industrial-safety", "mingjing", f"tier-{figures.tier}"],
    }
    if figures.task in PIPELINES:
        found["pipeline_tag"] = PIPELINES[figures.task]
    if figures.performance is not None:
        metrics = [
            {"type": kind, "name": name_of(language, "rate", name), "value": figures.performance.rates[name].value}
            for name, kind in METRICS.items()
            if name in figures.performance.rates
        ]
        evaluated = {"name": data[0] if data else "evaluation rows", "type": "tabular"}
        result = {"task": task, "dataset": evaluated, "metrics": metrics}
        found["model-index"] = [{"name": figures.version.name, "results": [result]}]
    return found


def model_card_json(facts: PaperFacts) -> dict[str, object]:
    """Return the card as JSON: its metadata and the figures it shows."""
    figures = facts.figures
    version = figures.version
    return {
        "metadata": card_metadata(facts, "en"),
        "model": version.name,
        "version": version.version,
        "artifact_digest": version.artifact_digest,
        "status": version.status,
        "tier": figures.tier,
        "purpose": figures.purpose_says.as_json(),
        "description": figures.description,
        "owner": figures.owner,
        "site": figures.site,
        "threshold": figures.threshold,
        "protective": figures.protective,
        "sources": [vars(source) for source in figures.sources],
        "features": [
            {"name": feature.name, "label": feature.label.as_json(), "unit": feature.unit, "cap": feature.cap}
            for feature in figures.features
        ],
        "performance": None
        if figures.performance is None
        else {
            "n": figures.performance.n,
            "tp": figures.performance.tp,
            "fp": figures.performance.fp,
            "fn": figures.performance.fn,
            "tn": figures.performance.tn,
            "rates": {name: vars(rate) for name, rate in figures.performance.rates.items()},
        },
        "findings": [
            {"check": found.check, "holds": found.holds, "says": found.says.as_json()} for found in figures.findings
        ],
        "limits": [
            {"en": say("en", f"limits.{key}"), "zh": say("zh", f"limits.{key}")}
            for key in ("one", "two", "three", "four", "five", "six")
        ],
    }


def model_card(facts: PaperFacts, language: Language) -> str:
    """Return the card as Markdown. What teams wrote is shown as text, never as markup."""
    figures = facts.figures
    head = yaml.safe_dump(card_metadata(facts, language), allow_unicode=True, sort_keys=False)
    sections = [
        f"# {_plain(figures.version.name)}",
        _plain(
            say(language, "card_page.lead", version=figures.version.version, digest=figures.version.artifact_digest)
        ),
        *_use(figures, language),
        *_errors(figures, language),
        *_data(figures, language),
        *_findings(figures, language),
        f"## {say(language, 'limits.title')}",
        "\n".join(f"- {say(language, f'limits.{key}')}" for key in ("one", "two", "three", "four", "five", "six")),
        f"## {say(language, 'object.title')}",
        "\n".join(f"- {line}" for line in _objecting(figures, language)),
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def _use(figures: ModelFigures, language: Language) -> list[str]:
    purpose = figures.purpose_says.in_language(language)
    lines = [
        (say(language, "technical.purpose"), purpose),
        (say(language, "card_page.question"), figures.description),
        (say(language, "technical.output"), output(figures, language)),
        (say(language, "card_page.state"), outcome(figures, language)),
        (say(language, "card_page.tier"), figures.tier),
        (say(language, "technical.provider"), figures.owner),
        (say(language, "technical.place"), figures.site),
    ]
    told = "\n".join(f"- **{name}**: {_plain(value)}" for name, value in lines if value)
    return ["## " + say(language, "card_page.use"), told]


def _errors(figures: ModelFigures, language: Language) -> list[str]:
    told = ["## " + say(language, "card_page.errors"), _plain(wrong(figures.performance, language))]
    if figures.performance is None:
        return told
    rows = []
    for name in METRICS:
        rate = figures.performance.rates.get(name)
        if rate is not None:
            between = "" if rate.lo is None or rate.hi is None else f"{as_percent(rate.lo)} – {as_percent(rate.hi)}"
            rows.append(f"| {name_of(language, 'rate', name)} | {as_percent(rate.value)} | {between} |")
    head = [say(language, f"card_page.{key}") for key in ("measure", "value", "interval")]
    return [*told, "\n".join([f"| {' | '.join(head)} |", "|---|---|---|", *rows])]


def _data(figures: ModelFigures, language: Language) -> list[str]:
    sources = [f"- {_plain(f'{s.name}, {s.period}, {s.licence}')}" for s in figures.sources]
    features = [
        f"- {_plain(feature.label.in_language(language))} (`{visible(feature.name).replace('`', '')}`)"
        for feature in figures.features
    ]
    return [
        f"## {say(language, 'technical.data_sources')}",
        "\n".join(sources) or say(language, "technical.not_held"),
        f"## {say(language, 'technical.features')}",
        "\n".join(features) or say(language, "technical.not_held"),
    ]


def _findings(figures: ModelFigures, language: Language) -> list[str]:
    rows = [
        f"- {SIGNS[found.holds]} **{name_of(language, 'check', found.check)}** ({word_of(found.holds, language)}): "
        f"{_plain(found.says.in_language(language))}"
        for found in figures.findings
    ]
    return [f"## {say(language, 'findings.title')}", "\n".join(rows) or say(language, "findings.none")]


def _objecting(figures: ModelFigures, language: Language) -> list[str]:
    days = {"within": figures.appeal_within_days, "answer": figures.answer_appeal_days}
    return [say(language, f"object.{key}", **days) for key in ("one", "two", "three", "four")]


def _plain(text: str) -> str:
    """Return text in which nothing is markup."""
    return SPECIAL.sub(r"\\\1", visible(text))
