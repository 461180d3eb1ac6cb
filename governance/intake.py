"""A submission comes in: complete or refused whole, examined, registered, and put before the officer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from audit.checks.check import Finding
from audit.entries import Clock, TraceSink, identifier_text, microseconds_of, new_identifier
from audit.examination import Examined, examine, examined_from
from explainers.predictor import ModelAway
from explainers.weight_shares import hold_caps
from governance.background import DOCUMENT, SEED, draw_background, write_background
from governance.permits import MayNotRun, PermitBook
from governance.rulebooks import Rulebooks
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from governance.tables import UNREGISTERED
from model_registry.addresses import NothingThere
from model_registry.endpoint import ANYWHERE, Reach, endpoint_scores
from model_registry.fetching import fetcher
from model_registry.inputs import inputs_of
from model_registry.loading import LoadedModel, against, compare_with_library, load_predictor
from model_registry.store import ModelStore
from model_registry.submission import Resolver, Submission, read_submission
from model_registry.version import ArtifactAltered
from policies.declaration import Flavour
from policies.errors import Conflict, Refused, Sentence
from policies.feature_caps import FeatureCaps, OnExceed
from policies.impact_matrix import Assessment, assess
from policies.negative_list import NegativeList
from policies.permitted_use import PurposeRefused, require_permitted
from policies.roles import Action, Person, require, require_in_scope
from policies.rulebook import Rulebook
from policies.scenario_files import built_in_list

REGISTERING_LASTS = timedelta(minutes=10)
"""After this time without a version, the process that registered a submission is taken for dead."""

AGAINST_BACKGROUND = {Flavour.SKLEARN, Flavour.ONNX}
"""Flavours loaded again once their background is drawn: a line stands on its mean, and a model that can only be asked
is explained against its rows."""

Progress = Callable[[str, float], None]
"""Told what is being done, and how far it is, from 0 to 1."""


class RulesChanged(Conflict):
    """Another rulebook came into force between examination and registration."""

    def __init__(self, examined: Rulebook, now: Rulebook) -> None:
        super().__init__(
            Sentence(
                en=f"this was examined under rulebook {examined.version} ({examined.digest[:12]}), and {now.version} "
                f"({now.digest[:12]}) is in force now; examine it again",
                zh=f"检查依据的规则为 {examined.version}（{examined.digest[:12]}），现行规则已为 {now.version}"
                f"（{now.digest[:12]}），请重新检查",
            )
        )


class BreaksDown(Refused):
    """The model crashed or hung while it was examined, on rows that may come any day."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Sentence(
                en=f"{name} crashed or hung while the checks asked it; the model is refused, nothing else was touched",
                zh=f"检查过程中 {name} 崩溃或无响应；该模型被拒绝，其他部分未受影响",
            )
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """A submission that was read, tiered and put through every check. Nothing is stored yet."""

    submission: Submission
    loaded: LoadedModel | None
    assessment: Assessment
    caps: FeatureCaps
    findings: tuple[Finding, ...]
    rulebook: Rulebook
    shares_after: Mapping[str, float]
    background: bytes

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


def examine_directory(
    directory: Path,
    rulebook: Rulebook,
    progress: Progress | None = None,
    *,
    negative_list: NegativeList | None = None,
    reach: Reach = ANYWHERE,
    resolve: Resolver | None = None,
) -> Examination:
    """Read a submission directory and run every check. Needs no server and no registry, stores nothing.

    Parameters
    ----------
    negative_list : NegativeList or None
        Known failures to try; None takes the product's own.
    reach : Reach
        Which endpoints may be asked.
    resolve : function from address to Path, or None
        Fetches an artifact that is named by its place in a registry.

    Raises
    ------
    Malformed
        With everything that is missing or wrong, at once.
    """
    tell = progress or (lambda _what, _share: None)
    tell("reading", 0.02)
    submission = read_submission(directory, resolve=resolve)
    return _examine(submission, rulebook, tell, negative_list or built_in_list(), reach)


def _examine(
    submission: Submission, rulebook: Rulebook, tell: Progress, negative_list: NegativeList, reach: Reach
) -> Examination:
    declaration = submission.declaration
    assessment = assess(rulebook.impact, declaration.impact)
    tell("loading", 0.08)
    loaded, background, scores = None, b"", None
    if declaration.model.flavour is Flavour.ENDPOINT:
        scores = endpoint_scores(declaration, submission.evaluation, rulebook.deidentification, reach)
    if submission.artifact is not None:
        tier = assessment.tier
        loaded = load_predictor(submission.artifact, declaration, code=rulebook.code, tier=tier)
        rows = draw_background(submission, loaded.predictor, rulebook)
        background = write_background(rows)
        if loaded.flavour in AGAINST_BACKGROUND:
            loaded = load_predictor(submission.artifact, declaration, background=rows)
        if loaded.artifact_digest != submission.artifact_digest:
            what = declaration.model.name
            raise ArtifactAltered(what, submission.artifact_digest, loaded.artifact_digest)
        if loaded.flavour is Flavour.PYTHON:
            loaded = against(loaded, rows)  # what runs in its box is its own library: there is nothing to compare
        else:
            loaded = compare_with_library(loaded, inputs_of(submission.evaluation, loaded.predictor))
    try:
        examined = examined_from(
            declaration=declaration,
            rulebook=rulebook,
            tier=assessment.tier,
            evaluation=submission.evaluation,
            training=submission.training,
            predictor=loaded.predictor if loaded is not None else None,
            scores=scores,
            artifact=loaded.facts if loaded is not None else {"digest": submission.artifact_digest},
            seed=SEED,
            negative_list=negative_list,
        )
        findings = examine(examined, lambda name, done, total: tell(name, 0.1 + 0.85 * done / total))
    except ModelAway as away:
        raise BreaksDown(declaration.model.name) from away
    tell("done", 1.0)
    return Examination(
        submission=submission,
        loaded=loaded,
        assessment=assessment,
        caps=examined.caps,
        findings=findings,
        rulebook=rulebook,
        shares_after=_shares_after(examined),
        background=background,
    )


class Intake:
    """Takes submissions in."""

    def __init__(
        self,
        store: ModelStore,
        log: TraceSink,
        book: SubmissionBook,
        permit_book: PermitBook,
        rulebooks: Rulebooks,
        clock: Clock,
        negative_list: NegativeList,
        reach: Reach,
    ) -> None:
        self._store = store
        self._log = log
        self._book = book
        self._permits = permit_book
        self._rulebooks = rulebooks
        self._clock = clock
        self._negative_list = negative_list
        self._reach = reach

    @property
    def _rulebook(self) -> Rulebook:
        return self._rulebooks.in_force()

    def submit(self, directory: Path, *, by: Person, progress: Progress | None = None) -> SubmissionRecord:
        """Register a submission directory, tier it, run the checks and put it before the officer.

        All that can be refused is refused before anything is written.

        Raises
        ------
        NotAllowed, Malformed, PurposeRefused, Conflict
        """
        require(by, Action.SUBMIT)
        with TemporaryDirectory() as fetched:
            resolve = fetcher(self._store, Path(fetched), lambda address, model: self._admit(address, model, by))
            submission = read_submission(directory, resolve=resolve)
            self._require_welcome(submission, by)
            tell = progress or (lambda _what, _share: None)
            examination = _examine(submission, self._rulebook, tell, self._negative_list, self._reach)
            return self.take_in(examination, by=by)

    def take_in(self, examination: Examination, *, by: Person) -> SubmissionRecord:
        """Register what was examined under the rulebook in force and put it before the officer.

        Raises
        ------
        NotAllowed, PurposeRefused, Conflict, Unavailable
        RulesChanged
            When another rulebook came into force since it was examined.
        """
        require(by, Action.SUBMIT)
        if examination.rulebook.digest != self._rulebook.digest:
            raise RulesChanged(examination.rulebook, self._rulebook)
        self._require_welcome(examination.submission, by)
        return self._register(examination, by)

    def finish_unfinished(self) -> int:
        """Complete or take back what a dead process left half registered; return how many there were."""
        left = self._book.reserved(self._clock() - REGISTERING_LASTS)
        for record in left:
            versions = [v for v in self._store.versions(record.model) if v.submission_id == record.id]
            if versions:
                self._book.complete(record.id, versions[0].version)
            else:
                self._take_back(record)
        return len(left)

    def _admit(self, address: str, model: str, by: Person) -> None:
        """Let a model of this house be fetched by those who may know of it; for others there is nothing."""
        site = self._book.site_of(model)
        if site is not None and not by.sees(site or None, model):
            raise NothingThere(address)

    def _require_welcome(self, submission: Submission, by: Person) -> None:
        declaration = submission.declaration
        require_in_scope(by, declaration.use.site or None, declaration.model.name, "site", declaration.use.site)
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
                        site=declaration.use.site or None,
                    )
                ]
            )
            raise
        self._book.require_free(declaration.model.name, declaration.use.site)
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
        # What can fail for want of disk or network comes before the version exists:
        #   1. the name is reserved in the database, where one of several at a time succeeds,
        #   2. the submission is in the log,
        #   3. the registry keeps it, whole or not at all,
        #   4. the record learns its version; a crash before that is made good by `finish_unfinished`.
        record = self._recorded(examination, by)
        self._book.reserve(record)  # (1)
        try:
            self._log.append(self._entries(record))  # (2)
        except BaseException:
            self._book.drop(record.id)
            raise
        try:
            version = self._store.register(  # (3)
                examination.submission,
                submission_id=record.id,
                tier=record.tier,
                tags={"status": Stage.EXAMINED.value, "rulebook_digest": examination.rulebook.digest},
                documents={
                    "findings.json": orjson.dumps(examination.as_json(), option=orjson.OPT_INDENT_2),
                    DOCUMENT: examination.background,
                },
            )
        except BaseException:
            self._take_back(record)
            raise
        self._book.complete(record.id, version.version)  # (4)
        self._permits.forget()
        return self._book.get(record.id)

    def _recorded(self, examination: Examination, by: Person) -> SubmissionRecord:
        submission = examination.submission
        use = submission.declaration.use
        now = self._clock()
        return SubmissionRecord(
            id=identifier_text(new_identifier(microseconds_of(now))),
            model=submission.declaration.model.name,
            version=UNREGISTERED,
            artifact_digest=submission.artifact_digest,
            rulebook_digest=examination.rulebook.digest,
            tier=examination.assessment.tier,
            stage=Stage.SUBMITTED,
            site=use.site,
            owner=use.owner,
            submitted_by=by.name,
            submitted_at=now,
            toml=submission.toml.decode(),
            assessment=examination.assessment,
            findings=tuple(finding.as_json() for finding in examination.findings),
            shares_after=examination.shares_after,
            holds=examination.holds,
        )

    def _take_back(self, record: SubmissionRecord) -> None:
        """Drop a reserved record, and say in the log that the submission it holds was never registered."""
        self._book.drop(record.id)
        why = {"what": "registration", "submission": record.id, "why": "the registry did not take it"}
        self._log.append(
            [
                statement(
                    "refuse",
                    by="mingjing",
                    body=why,
                    model=record.model,
                    artifact_digest=record.artifact_digest,
                    rulebook_digest=record.rulebook_digest,
                    site=record.site or None,
                )
            ]
        )

    def _entries(self, record: SubmissionRecord) -> list[Any]:
        columns: Mapping[str, Any] = {
            "model": record.model,
            "artifact_digest": record.artifact_digest,
            "rulebook_digest": record.rulebook_digest,
            "site": record.site or None,
        }
        return [
            statement("submit", by=record.submitted_by, body={"submission": record.id, "toml": record.toml}, **columns),
            statement(
                "examine",
                by="mingjing",
                body={
                    "submission": record.id,
                    "assessment": record.assessment.as_json(),
                    "findings": list(record.findings),
                },
                **columns,
            ),
        ]


def _shares_after(examined: Examined) -> dict[str, float]:
    """Return the mean share of each capped feature once caps are enforced, all of them together under ""."""
    caps = examined.caps
    if examined.explanation is None or not caps.caps:
        return {}
    held = hold_caps(examined.explanation, replace(caps, on_exceed=OnExceed.CLIP))
    mean = held.shares_after.mean(axis=0)
    names = examined.explanation.feature_names
    places = {name: names.index(name) for name in caps.caps if name in names}
    after = {name: float(mean[place]) for name, place in places.items()}
    return {**after, "": sum(after.values())}
