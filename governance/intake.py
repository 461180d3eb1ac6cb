"""A submission comes in: complete or refused whole, examined, registered, and put before the officer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from audit.checks.check import Finding
from audit.entries import Clock, TraceSink, identifier_text, microseconds_of, new_identifier
from audit.examination import examine, examined_from
from governance.permits import MayNotRun, PermitBook
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from model_registry.loading import LoadedModel, load_predictor
from model_registry.store import ModelStore
from model_registry.submission import Submission, read_submission
from policies.errors import Conflict, Sentence
from policies.feature_caps import FeatureCaps
from policies.impact_matrix import Assessment, assess
from policies.permitted_use import PurposeRefused, require_permitted
from policies.roles import Action, Person, require, require_site
from policies.rulebook import Rulebook

SEED = 20260101
"""Seed of every sample the examination draws; committed, so that no submitter chooses his background."""

Progress = Callable[[str, float], None]
"""Told what is being done, and how far it is, from 0 to 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """A submission that was read, tiered and put through every check. Nothing is stored yet."""

    submission: Submission
    loaded: LoadedModel | None
    assessment: Assessment
    caps: FeatureCaps
    findings: tuple[Finding, ...]
    rulebook: Rulebook

    @property
    def holds(self) -> bool | None:
        """False when any finding fails, None when some cannot conclude, True when all hold."""
        verdicts = {finding.holds for finding in self.findings}
        return False if False in verdicts else (None if None in verdicts else True)

    def as_json(self) -> dict[str, Any]:
        """Return what `mingjing check --json` prints."""
        return {
            "submission": str(self.submission.directory),
            "model": self.submission.declaration.model.name,
            "artifact_digest": self.submission.artifact_digest,
            "rulebook_digest": self.rulebook.digest,
            "tier": str(self.assessment.tier),
            "tier_because": [cell.as_json() for cell in self.assessment.because],
            "holds": self.holds,
            "findings": [finding.as_json() for finding in self.findings],
        }


def examine_directory(directory: Path, rulebook: Rulebook, progress: Progress | None = None) -> Examination:
    """Read a submission directory and run every check. Needs no server and no registry, stores nothing.

    Raises
    ------
    Malformed
        With everything that is missing or wrong, at once.
    """
    tell = progress or (lambda _what, _share: None)
    tell("reading", 0.02)
    return _examine(read_submission(directory), rulebook, tell)


def _examine(submission: Submission, rulebook: Rulebook, tell: Progress) -> Examination:
    declaration = submission.declaration
    assessment = assess(rulebook.impact, declaration.impact)
    tell("loading", 0.08)
    loaded = None
    if submission.artifact is not None:
        loaded = load_predictor(submission.artifact, declaration, evaluation=submission.evaluation)
    examined = examined_from(
        declaration=declaration,
        rulebook=rulebook,
        tier=assessment.tier,
        evaluation=submission.evaluation,
        training=submission.training,
        predictor=loaded.predictor if loaded is not None else None,
        artifact=loaded.facts if loaded is not None else {"digest": submission.artifact_digest},
        seed=SEED,
    )
    findings = examine(examined, lambda name, done, total: tell(name, 0.1 + 0.85 * done / total))
    tell("done", 1.0)
    return Examination(
        submission=submission,
        loaded=loaded,
        assessment=assessment,
        caps=examined.caps,
        findings=findings,
        rulebook=rulebook,
    )


class Intake:
    """Takes submissions in."""

    def __init__(
        self,
        store: ModelStore,
        log: TraceSink,
        book: SubmissionBook,
        permit_book: PermitBook,
        rulebook: Rulebook,
        clock: Clock,
    ) -> None:
        self._store = store
        self._log = log
        self._book = book
        self._permits = permit_book
        self._rulebook = rulebook
        self._clock = clock

    def submit(self, directory: Path, *, by: Person, progress: Progress | None = None) -> SubmissionRecord:
        """Register a submission directory, tier it, run the checks and put it before the officer.

        All that can be refused is refused before anything is written.

        Raises
        ------
        NotAllowed, Malformed, PurposeRefused, Conflict
        """
        require(by, Action.SUBMIT)
        submission = read_submission(directory)
        self._require_welcome(submission, by)
        examination = _examine(submission, self._rulebook, progress or (lambda _what, _share: None))
        return self._register(examination, by)

    def _require_welcome(self, submission: Submission, by: Person) -> None:
        declaration = submission.declaration
        require_site(by, declaration.use.site or None, "site", declaration.use.site)
        try:
            require_permitted(declaration.use.purpose, self._rulebook.purposes)
        except PurposeRefused as refused:
            self._log.append(
                [
                    statement(
                        "refuse",
                        by=by.name,
                        body={"what": "submission", "purpose": refused.purpose, "why": refused.says.as_json()},
                        model=declaration.model.name,
                        artifact_digest=submission.artifact_digest,
                        rulebook_digest=self._rulebook.digest,
                    )
                ]
            )
            raise
        try:
            self._permits.require_unvetoed(declaration.model.name, submission.artifact_digest)
        except MayNotRun as refused:
            raise Conflict(
                Sentence(
                    en=f"{refused.says.en}; a veto is final for an artifact, submit another one",
                    zh=f"{refused.says.zh}；否决对该模型文件是终局的，请提交新的模型文件",
                )
            ) from refused

    def _register(self, examination: Examination, by: Person) -> SubmissionRecord:
        submission = examination.submission
        declaration = submission.declaration
        now = self._clock()
        identifier = identifier_text(new_identifier(microseconds_of(now)))
        findings = tuple(finding.as_json() for finding in examination.findings)
        version = self._store.register(
            submission,
            submission_id=identifier,
            tier=examination.assessment.tier,
            tags={"status": Stage.EXAMINED.value, "rulebook_digest": self._rulebook.digest},
            documents={
                "findings.json": orjson.dumps(examination.as_json(), option=orjson.OPT_INDENT_2),
                "submission.toml": submission.toml,
            },
        )
        record = SubmissionRecord(
            id=identifier,
            model=version.name,
            version=version.version,
            artifact_digest=submission.artifact_digest,
            rulebook_digest=self._rulebook.digest,
            tier=examination.assessment.tier,
            stage=Stage.EXAMINED,
            site=declaration.use.site,
            owner=declaration.use.owner,
            submitted_by=by.name,
            submitted_at=now,
            toml=submission.toml.decode(),
            assessment=_assessment_json(examination.assessment),
            findings=findings,
            holds=examination.holds,
        )
        self._log.append(self._entries(record))
        self._book.add(record)
        self._permits.forget()
        return record

    def _entries(self, record: SubmissionRecord) -> list[Any]:
        columns: Mapping[str, Any] = {
            "model": record.model,
            "version": record.version,
            "artifact_digest": record.artifact_digest,
            "rulebook_digest": record.rulebook_digest,
            "site": record.site or None,
        }
        return [
            statement("submit", by=record.submitted_by, body={"submission": record.id, "toml": record.toml}, **columns),
            statement(
                "examine",
                by="mingjing",
                body={"submission": record.id, "assessment": record.assessment, "findings": list(record.findings)},
                **columns,
            ),
        ]


def _assessment_json(assessment: Assessment) -> dict[str, Any]:
    return {
        "tier": str(assessment.tier),
        "points": assessment.points,
        "because": [cell.as_json() for cell in assessment.because],
        "cells": [cell.as_json() for cell in assessment.cells],
    }
