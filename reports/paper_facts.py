"""What the papers about one model version stand on: its figures, its history, standards, digests, environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from policies.errors import Sentence
from reports.model_figures import ModelFigures


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """One version of the model as the registry knows it."""

    version: str
    stage: str
    submitted: datetime
    artifact_digest: str


@dataclass(frozen=True, kw_only=True)
class VerdictLine:
    """One verdict on this version."""

    outcome: str
    role: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class StandardLine:
    """One clause of a standard, and how the house stands to it for this model: a state of the coverage matrix."""

    pack: Sentence
    article: Sentence
    state: str
    because: Sentence


@dataclass(frozen=True, kw_only=True)
class PaperFacts:
    """Everything the papers show of one version. `environment` is package name to version, `data_digests` role to
    SHA-256."""

    figures: ModelFigures
    versions: tuple[VersionLine, ...]
    verdicts: tuple[VerdictLine, ...]
    standards: tuple[StandardLine, ...]
    data_digests: Mapping[str, str]
    environment: Mapping[str, str]
