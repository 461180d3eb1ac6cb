"""The bill of materials of one model version: CycloneDX 1.6 with its model card, written by hand in its schema's words.

The same version gives the same bytes: the serial number is derived from the artifact's digest.
"""

from __future__ import annotations

import uuid
from typing import Any

from reports.model_figures import ModelFigures
from reports.paper_facts import PaperFacts
from reports.plain_text import visible
from reports.wording import say

SPECIFICATION = "1.6"
SERIAL_SPACE = uuid.UUID("6f0f4a52-1f4e-5b7e-9d0a-5f4b8a2d9c11")
"""Space of the serial numbers, drawn once for this house."""

APPROACHES = {"classification": "supervised", "regression": "supervised", "anomaly": "unsupervised"}


def bill_of_materials(facts: PaperFacts) -> dict[str, Any]:
    """Return the bill as JSON values that satisfy the schema of CycloneDX 1.6."""
    figures = facts.figures
    version = figures.version
    reference = f"model:{version.name}:{version.version}"
    libraries = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{found}",
            "name": name,
            "version": found,
            "purl": f"pkg:pypi/{name}@{found}",
        }
        for name, found in facts.environment.items()
    ]
    data = _data(facts)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(SERIAL_SPACE, f'{reference}:{version.artifact_digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": figures.prepared.isoformat().replace("+00:00", "Z"),
            "tools": {"components": [{"type": "application", "name": "mingjing"}]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": reference,
                "name": visible(version.name),
                "version": version.version,
                "description": visible(figures.description) or visible(figures.purpose_says.en),
                "hashes": [{"alg": "SHA-256", "content": version.artifact_digest}],
                "modelCard": _card(facts, [part["bom-ref"] for part in data]),
                "properties": _properties(figures),
            },
        },
        "components": [*data, *libraries],
        "dependencies": [
            {"ref": reference, "dependsOn": [part["bom-ref"] for part in (*data, *libraries)]},
            *({"ref": part["bom-ref"]} for part in (*data, *libraries)),
        ],
    }


def _data(facts: PaperFacts) -> list[dict[str, Any]]:
    """Return the data sets handed in, with their digests, as components."""
    sources = "; ".join(f"{s.name}, {s.period}, {s.licence}" for s in facts.figures.sources)
    return [
        {
            "type": "data",
            "bom-ref": f"data:{role}:{digest[:16]}",
            "name": f"{role} rows",
            "description": visible(sources) or say("en", "technical.not_held"),
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "data": [{"type": "dataset", "name": role}],
        }
        for role, digest in facts.data_digests.items()
    ]


def _card(facts: PaperFacts, data: list[str]) -> dict[str, Any]:
    figures = facts.figures
    approach = APPROACHES.get(figures.task)
    parameters: dict[str, Any] = {
        "task": figures.task,
        "modelArchitecture": figures.flavour,
        "datasets": [{"ref": reference} for reference in data],
        "inputs": [{"format": "number"}],
        "outputs": [{"format": "number"}],
    }
    if approach is not None:
        parameters["approach"] = {"type": approach}
    card: dict[str, Any] = {
        "modelParameters": parameters,
        "considerations": {
            "users": [visible(figures.owner)] if figures.owner else [],
            "useCases": [
                visible(figures.purpose_says.en),
                *([visible(figures.description)] if figures.description else []),
            ],
            "technicalLimitations": [say("en", f"limits.{key}") for key in ("one", "three", "five")],
            "ethicalConsiderations": [
                {"name": found.check, "mitigationStrategy": visible(found.says.en)}
                for found in figures.findings
                if found.check in ("group_bias", "weight_caps", "deidentification")
            ],
        },
    }
    if figures.performance is not None:
        card["quantitativeAnalysis"] = {"performanceMetrics": _metrics(figures)}
    return card


def _metrics(figures: ModelFigures) -> list[dict[str, Any]]:
    metrics = []
    for name, rate in figures.performance.rates.items() if figures.performance is not None else ():
        metric: dict[str, Any] = {"type": name, "value": f"{rate.value:.6g}"}
        if rate.lo is not None and rate.hi is not None:
            metric["confidenceInterval"] = {"lowerBound": f"{rate.lo:.6g}", "upperBound": f"{rate.hi:.6g}"}
        metrics.append(metric)
    return metrics


def _properties(figures: ModelFigures) -> list[dict[str, str]]:
    told = {
        "mingjing:tier": figures.tier,
        "mingjing:status": figures.version.status,
        "mingjing:threshold": f"{figures.threshold:g}",
        "mingjing:protective": figures.protective,
        "mingjing:rulebook": figures.rulebook_digest,
        "mingjing:log_root": "" if figures.log is None else figures.log.root,
    }
    return [{"name": name, "value": value} for name, value in told.items() if value]
