"""The predict path: a live permit for this artifact's digest, or a refusal that says what to fall back to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from audit.alarms_only import NO_TIME, AlarmsOnly
from audit.decided import Decided
from audit.deidentify import IdentifierPresent, require_no_identifiers
from audit.entries import Clock, Draft, TraceSink
from audit.pseudonym_keys import PseudonymKeys
from audit.served_model import Asked, ServedModel
from audit.traced_inference import TracedInference
from explainers.matrix import as_matrix
from explainers.predictor import Predictor
from governance.callers_rows import (
    NamedRows,
    categories_of,
    is_absent,
    require_length,
    require_numbers,
    without_context,
)
from governance.group_thresholds import GroupThreshold, decide_in_groups, thresholds_of
from governance.models import Models
from governance.monitors import Monitors
from governance.permits import FALLBACK, MayNotRun, Permit, PermitBook, PermitState, unknown, unreachable
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from governance.tallies import Tallies
from model_registry.version import ArtifactAltered, ArtifactGone
from policies.declaration import DataPart
from policies.deidentification import plan_for
from policies.errors import Fault, Malformed, Sentence, Unavailable
from policies.feature_caps import caps_for
from policies.permitted_use import PurposeRefused, WrongPurpose, require_permitted
from policies.roles import Action, Person, covers, require
from policies.rulebook import Rulebook

logger = logging.getLogger("mingjing.serving")

VERIFY_EVERY = 1.0
"""Seconds after which the registered artifact is compared with its digest again, beside the traffic."""

WARMING_ROWS = 64
"""Rows that a model explains when it is loaded: enough for the kernels of one row and of many."""

VERIFY_LATEST = 5.0
"""Seconds after which a call waits for that comparison: a registry that hangs must not keep old leave alive."""


@dataclass
class _Loaded:
    """A permitted version in memory, and when its artifact was last seen unaltered."""

    served: ServedModel
    record: SubmissionRecord
    data: DataPart
    verified: float


class NoTime(Unavailable):
    """Too many requests wait, or this one waited too long, and it holds no alarm."""

    fallback = FALLBACK

    def __init__(self) -> None:
        super().__init__(NO_TIME)


class Serving:
    """Decides rows for callers. The same object stands behind HTTP, command line and Python."""

    def __init__(
        self,
        *,
        permits: PermitBook,
        book: SubmissionBook,
        models: Models,
        log: TraceSink,
        inference: TracedInference,
        hurried: AlarmsOnly,
        monitors: Monitors,
        tallies: Tallies,
        rulebook: Callable[[], Rulebook],
        clock: Clock,
        monotonic: Callable[[], float],
        keys: PseudonymKeys,
        altered: Callable[[SubmissionRecord, Sentence], object] | None = None,
    ) -> None:
        self._permits = permits
        self._book = book
        self._models = models
        self._log = log
        self._inference = inference
        self._hurried = hurried
        self._monitors = monitors
        self._tallies = tallies
        self._rulebook = rulebook
        self._clock = clock
        self._monotonic = monotonic
        self._keys = keys
        self._altered = altered
        self._loaded: dict[str, _Loaded] = {}
        self._sampled: set[str] = set()
        self._in_flight: set[str] = set()
        self._verifying = threading.Lock()

    def decide(
        self,
        model: str,
        X: object,
        *,
        purpose: str | None,
        by: Person,
        subjects: Sequence[object] | None = None,
        times: Sequence[datetime] | None = None,
    ) -> Decided:
        """Decide every row of `X` with the version of `model` that holds a live permit.

        Parameters
        ----------
        X : DataFrame, NamedRows or array
            Columns by name, or in the order of the model's features.
        purpose : str or None
            What the answers are for; None takes the purpose bound to the caller.
        subjects : sequence, optional
            Raw ids of the persons concerned, one per row; only their pseudonyms are kept.
        times : sequence of datetime, optional
            A declared replay clock, one moment per row.

        Raises
        ------
        MayNotRun
            When no live permit exists. The refusal is logged and names `manual_control` as fallback.
        PurposeRefused, WrongPurpose, NotAllowed, Malformed
        """
        return self.decide_with(model, X, purpose=purpose, by=by, subjects=subjects, times=times)[1]

    def decide_with(
        self,
        model: str,
        X: object,
        *,
        purpose: str | None,
        by: Person,
        subjects: Sequence[object] | None = None,
        times: Sequence[datetime] | None = None,
    ) -> tuple[ServedModel, Decided]:
        """Decide like `decide`, and say which version did."""
        require(by, Action.PREDICT)
        began = self._monotonic()
        try:
            asked_for = self._purpose(purpose, by)
            served, data, groups = self._permitted(model, by)
        except (MayNotRun, PurposeRefused, WrongPurpose) as refused:
            self._tallies.refused(refused.reason if isinstance(refused, MayNotRun) else "purpose")
            self._log_refusal(model, by, purpose, refused)
            raise
        matrix, asked, thresholds = self._read(served, data, groups, X, asked_for, by, subjects, times)
        decided = _in_groups(self._inference.decide, served, matrix, asked, thresholds)
        seconds = self._monotonic() - began
        self._tallies.decided(served, decided, seconds)
        self._monitors.saw(served, matrix, decided, seconds)
        if decided.problems:
            self._log_unanswered(served, by, asked_for, decided)
        return served, decided

    def alarms_only(
        self,
        model: str,
        X: object,
        *,
        purpose: str | None,
        by: Person,
        subjects: Sequence[object] | None = None,
    ) -> tuple[ServedModel, Decided]:
        """Answer only the alarms, at once: without explanation, without the log, flagged.

        For callers who cannot wait any longer. What else is among the rows goes to a person.

        Raises
        ------
        NoTime
            When none of the rows is an alarm.
        MayNotRun, PurposeRefused, WrongPurpose, NotAllowed, Malformed
        """
        require(by, Action.PREDICT)
        asked_for = self._purpose(purpose, by)
        served, data, groups = self._permitted(model, by)
        matrix, asked, thresholds = self._read(served, data, groups, X, asked_for, by, subjects, None)
        began = self._monotonic()
        decided = _in_groups(self._hurried.decide, served, matrix, asked, thresholds)
        self._tallies.decided(served, decided, self._monotonic() - began)
        if not decided.answered.any():
            raise NoTime
        return served, decided

    def _read(
        self,
        served: ServedModel,
        data: DataPart,
        groups: tuple[GroupThreshold, ...],
        X: object,
        purpose: str,
        by: Person,
        subjects: Sequence[object] | None,
        times: Sequence[datetime] | None,
    ) -> tuple[npt.NDArray[np.float64], Asked, npt.NDArray[np.float64] | None]:
        """Return the rows as the model sees them, who asks what for, and each row's threshold where groups have their
        own. Raises Malformed, IdentifierPresent."""
        features = served.predictor.feature_names
        if isinstance(X, NamedRows):
            X = X.for_model(features)
        whole = X if isinstance(X, pd.DataFrame) else None
        if isinstance(X, pd.DataFrame):
            X, subjects = without_context(X, data, features, subjects)
            X = self._without_identifiers(X, served, by)
            require_numbers(X, features, served.predictor)
        matrix = as_matrix(X, features, categories_of(served.predictor))
        rows = len(matrix)
        require_length("subjects", subjects, rows)
        require_length("times", times, rows)
        asked = Asked(purpose=purpose, caller=by.name, subjects=self._pseudonyms(subjects), times=times)
        if not groups:
            return matrix, asked, None
        whole = pd.DataFrame(matrix, columns=list(features)) if whole is None else whole
        return matrix, asked, thresholds_of(whole, rows, groups, served)

    def served(self, model: str, by: Person) -> ServedModel:
        """Return the permitted version of a model, loaded and verified against its digest.

        Raises
        ------
        MayNotRun
            When there is no live permit, the caller's site is not among the permitted ones, or the
            artifact is no longer the one that was approved.
        NotAllowed
            When the caller may not call models.
        """
        require(by, Action.PREDICT)
        return self._permitted(model, by)[0]

    def _permitted(self, model: str, by: Person) -> tuple[ServedModel, DataPart, tuple[GroupThreshold, ...]]:
        grace = timedelta(hours=self._rulebook().permits.grace_hours)
        if not by.sees_model(model):
            raise unknown(model)
        permit, lapsed = self._permits.live(model, grace, by.site)
        loaded = self._of_these_rules(permit)
        age = self._monotonic() - loaded.verified if loaded is not None else float("inf")
        if loaded is None or age > VERIFY_LATEST:
            loaded, away = self._verified(permit, grace)
            lapsed = lapsed or away
        elif age > VERIFY_EVERY:
            self._verify_beside(permit, grace)
        served = loaded.served
        sites = permit.conditions.sites if permit.conditions.sites is not None else (served.site,)
        here = _place_of(by, served.site, sites)
        if here not in sites or not by.sees_site(here):
            raise MayNotRun(
                model,
                Sentence(
                    en=f"the permit covers {', '.join(sites)}, not {here}",
                    zh=f"许可仅限 {'、'.join(sites)}，不含 {here}",
                ),
                "site",
            )
        if lapsed or here != served.site:
            served = replace(served, lapsed=lapsed, site=here)
        return served, loaded.data, permit.conditions.groups

    def recheck(self, model: str) -> bool:
        """Compare the artifacts of a model's live permits with their digests now; return whether all are unaltered.

        For hints from outside that something changed. What was altered is refused from then on and is an incident.
        """
        self._permits.forget()
        grace, sound = timedelta(hours=self._rulebook().permits.grace_hours), True
        for permit in self._permits.permits():
            if permit.model == model and permit.state is PermitState.LIVE:
                try:
                    sound = not self._verified(permit, grace)[1] and sound
                except MayNotRun:
                    sound = False
        return sound

    def _of_these_rules(self, permit: Permit) -> _Loaded | None:
        """Return the loaded version; under a rulebook that came into force since, with its caps and its digest."""
        known = self._loaded.get(permit.id)
        if known is not None and known.served.rulebook_digest != self._rulebook().digest:
            known = replace(known, served=self._served(permit, known.record, known.served.predictor))
            self._loaded[permit.id] = known
        return known

    def warm(self) -> None:
        """Load every model that may run now, and have it explain a few rows, so that nobody waits for that later.

        What cannot be loaded is logged; the call that needs it says why.
        """
        for model in dict.fromkeys(permit.model for permit in self._permits.permits()):
            try:
                permit, _ = self._permits.live(model, timedelta(hours=self._rulebook().permits.grace_hours))
                loaded, _ = self._verified(permit, timedelta(0))
                rows = self._models.background(loaded.record)
                for few in (rows[:1], rows[:WARMING_ROWS]):
                    if len(few):
                        loaded.served.predictor.explain(few)
            except Fault as fault:
                logger.warning("%s was not warmed: %s", model, fault)
            except Exception as error:  # noqa: BLE001 - one model that breaks must not keep the others cold
                logger.error("%s could not be warmed: %s", model, type(error).__name__)

    def catch_up(self) -> None:
        """Hand in the alarms that waited while the log was away or slow, also when no further call comes."""
        self._inference.empty_spool()
        self._hurried.catch_up(self._log)

    def takes_long(self, model: str) -> bool:
        """Return whether the model now in memory is asked many times for one answer: nobody should wait behind it."""
        return model in self._sampled

    def pseudonym_of(self, subject: object) -> str:
        """Return the pseudonym that new decisions about a person carry.

        A number that a table with gaps turned into 1234.0 is the same person as 1234.
        """
        return self._keys.of(subject)

    def pseudonyms_of(self, subject: object) -> tuple[str, ...]:
        """Return every pseudonym under which a person's decisions are found, newest first."""
        return self._keys.every(subject)

    def _purpose(self, stated: str | None, by: Person) -> str:
        if by.purpose is not None and stated is not None and stated != by.purpose:
            raise WrongPurpose(by.purpose, stated)
        wanted = stated if stated is not None else by.purpose
        if not by.may_state(wanted):
            good = sorted({purpose for scope in by.scopes for purpose in scope.purposes or ()})
            raise WrongPurpose(", ".join(good), wanted or "–")
        return require_permitted(wanted, self._rulebook().purposes)

    def _without_identifiers(self, frame: pd.DataFrame, served: ServedModel, by: Person) -> pd.DataFrame:
        """Drop columns that name a person, or refuse the call, as the rulebook says. Neither is scored or kept.

        Raises
        ------
        IdentifierPresent
            The refusal is logged with the names of the columns, never with what they hold.
        """
        rules = self._rulebook().deidentification
        beside = [str(column) for column in frame.columns if column not in served.predictor.feature_names]
        plan = plan_for(beside, rules)
        if not plan.forbidden:
            return frame
        if rules.on_forbidden == "drop":
            return frame.drop(columns=list(plan.forbidden))
        try:
            require_no_identifiers(plan)
        except IdentifierPresent as refused:
            self._log_refusal(served.name, by, None, refused)
            raise
        return frame

    def _pseudonyms(self, subjects: Sequence[object] | None) -> list[str | None] | None:
        if subjects is None:
            return None
        strange = sorted({type(subject).__name__ for subject in subjects if isinstance(subject, bool | list | dict)})
        if strange:
            raise Malformed(
                Sentence(
                    en=f"a subject is an id, text or a number; found {', '.join(strange)}",
                    zh=f"对象编号应为文本或数字，实际为 {'、'.join(strange)}",
                )
            )
        return [None if is_absent(subject) else self.pseudonym_of(subject) for subject in subjects]

    def _verify_beside(self, permit: Permit, grace: timedelta) -> None:
        """Compare the artifact with its digest in a thread of its own; what was altered is refused from then on."""
        with self._verifying:
            if permit.id in self._in_flight:
                return
            self._in_flight.add(permit.id)

        def verify() -> None:
            try:
                self._verified(permit, grace)
            except Exception as error:  # noqa: BLE001 - the next call verifies in its own thread and says why
                self._loaded.pop(permit.id, None)
                logger.error("the artifact of %s could not be verified: %s", permit.model, type(error).__name__)
            finally:
                self._in_flight.discard(permit.id)

        threading.Thread(target=verify, name="mingjing-verify", daemon=True).start()

    def _verified(self, permit: Permit, grace: timedelta) -> tuple[_Loaded, bool]:
        """Return the version once its artifact is seen unaltered, and whether that could not be looked at now.

        While registry or database are away, what was seen unaltered within the grace still raises alarms.
        """
        known = self._loaded.get(permit.id)
        try:
            record = known.record if known is not None else self._book.get(permit.submission)
            predictor = self._models.predictor(record)
        except (ArtifactAltered, ArtifactGone) as altered:
            self._loaded.pop(permit.id, None)
            self._report(permit, record, altered)
            raise MayNotRun(permit.model, altered.says, "altered") from altered
        except (Unavailable, SQLAlchemyError) as away:
            if known is None or self._monotonic() - known.verified > grace.total_seconds():
                raise unreachable(permit.model) from away
            logger.error("the artifact of %s cannot be verified; only flagged alarms leave", permit.model)
            return known, True
        served = known.served if known is not None else self._served(permit, record, predictor)
        loaded = _Loaded(served=served, record=record, data=record.declaration.data, verified=self._monotonic())
        self._loaded[permit.id] = loaded
        return loaded, False

    def _served(self, permit: Permit, record: SubmissionRecord, predictor: Predictor) -> ServedModel:
        (self._sampled.discard if predictor.exact else self._sampled.add)(permit.model)
        declaration = record.declaration
        names = predictor.feature_names
        threshold = permit.conditions.threshold
        return ServedModel(
            name=permit.model,
            version=permit.version,
            artifact_digest=permit.artifact_digest,
            rulebook_digest=self._rulebook().digest,
            tier=permit.tier,
            site=record.site,
            predictor=predictor,
            threshold=declaration.model.threshold if threshold is None else threshold,
            protective=declaration.model.protective,
            caps=caps_for(names, self._rulebook().caps, declaration),
            plan=plan_for(names, self._rulebook().deidentification),
            review_alarms=permit.conditions.review_alarms,
        )

    def _report(self, permit: Permit, record: SubmissionRecord, altered: Fault) -> None:
        """Report an altered artifact to who knows whether it is reported already; without one, into the log."""
        if self._altered is not None:
            try:
                self._altered(record, altered.says)
            except Exception as error:  # noqa: BLE001 - the refusal stands whether or not it could be logged
                logger.error("an altered artifact could not be reported: %s", type(error).__name__)
            return
        self._keep(
            statement(
                "incident",
                by="mingjing",
                body={"what": "artifact altered", "says": altered.says.as_json()},
                model=permit.model,
                version=permit.version,
                artifact_digest=permit.artifact_digest,
                rulebook_digest=self._rulebook().digest,
            )
        )

    def _log_refusal(self, model: str, by: Person, purpose: str | None, refused: Fault) -> None:
        self._keep(
            statement(
                "refuse",
                by=by.name,
                body={"what": "prediction", "model": model, "purpose": purpose, "why": refused.says.as_json()},
                model=model,
                rulebook_digest=self._rulebook().digest,
                site=by.site,
            )
        )

    def _log_unanswered(self, served: ServedModel, by: Person, purpose: str, decided: Decided) -> None:
        """Keep in the log which rows of a call were left to people, and why."""
        why = [{"row": problem.row, "why": problem.says.as_json()} for problem in decided.problems]
        self._keep(
            statement(
                "refuse",
                by=by.name,
                body={"what": "rows", "rows": len(decided.decisions), "purpose": purpose, "refused": why},
                model=served.name,
                version=served.version,
                artifact_digest=served.artifact_digest,
                rulebook_digest=served.rulebook_digest,
                site=served.site or None,
            )
        )

    def _keep(self, draft: Draft) -> None:
        """Log a refusal or an incident. A log that is away turns no refusal into an answer."""
        try:
            self._log.append([draft])
        except Exception as error:  # noqa: BLE001 - the refusal stands whether or not it could be logged
            logger.error("a refusal could not be logged: %s", type(error).__name__)


def _place_of(by: Person, home: str, permitted: Sequence[str]) -> str:
    """Return where a call comes from: a caller of a whole subsidiary speaks for the site the model is permitted at."""
    if by.site is None or covers(by.site, home):
        return home
    return next((site for site in permitted if covers(by.site, site)), by.site)


def _in_groups(
    decide: Callable[[ServedModel, npt.NDArray[np.float64], Asked], Decided],
    served: ServedModel,
    matrix: npt.NDArray[np.float64],
    asked: Asked,
    thresholds: npt.NDArray[np.float64] | None,
) -> Decided:
    return (
        decide(served, matrix, asked)
        if thresholds is None
        else decide_in_groups(decide, served, matrix, asked, thresholds)
    )
