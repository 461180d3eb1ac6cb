"""Where the parts meet: one service behind HTTP, the command line and Python."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.clock import system_clock
from api.company import CompanySignIn, provider_of
from api.controls import packs_of, signing_of, surroundings_of
from api.disclosing import Disclosing
from api.identity import People
from api.migrations import upgrade
from api.notifying.outbox import Outbox
from api.notifying.telling_outside import TellingOutside, channels_of
from api.papers import Papers
from api.readiness import Readiness
from api.settings import Settings, keep_libraries_quiet
from api.standing import Standing
from api.telling import Telling
from audit.alarms_only import AlarmsOnly
from audit.database import Database, open_database
from audit.entries import Clock
from audit.forward_clock import ForwardClock
from audit.offline_spool import OfflineSpool
from audit.pseudonym_keys import PseudonymKeys
from audit.retention import Retention
from audit.signed_note import secret_of_file
from audit.trace_log import TraceLog, open_log
from audit.traced_inference import TracedInference
from governance.appeals import Appeals
from governance.approvals import Approvals, Ruling, Verdict
from governance.compliance import Compliance
from governance.delegations import Delegations
from governance.disclosures import DisclosureBook
from governance.drafts import DraftBook
from governance.erasures import Erasures
from governance.inherited_list import list_in_force
from governance.intake import Intake, Progress
from governance.jobs import JobBook
from governance.legal_holds import LegalHolds
from governance.measures import Measures
from governance.models import Models
from governance.monitors import Monitors, reviewed_and_overridden
from governance.outcomes import Outcomes
from governance.pack_revisions import PackRevisions
from governance.permit_acts import Ground
from governance.permits import PermitBook
from governance.publications import Publications
from governance.reading import Reading
from governance.registry_watch import RegistryWatch
from governance.repeats import Repeats
from governance.review_queue import ReviewQueue
from governance.reviews import Reviews
from governance.rule_changes import RuleChanges
from governance.rulebooks import Rulebooks
from governance.serving import Serving
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from governance.suspensions import Suspensions
from governance.tallies import Tallies
from governance.tier_changes import TierChanges
from governance.use_changes import UseChanges
from model_registry.endpoint import Reach
from model_registry.store import ModelStore
from policies.errors import Fault, Malformed, NotFound, Sentence
from policies.negative_list import NegativeList
from policies.permitted_use import PurposeRules
from policies.roles import Action, Person, Role, require
from policies.rulebook import BUILT_IN, Rulebook, read_rulebook
from policies.tiers import Tier

FIRST_YEAR, LAST_YEAR = 1900, 9000
"""Years that a question may name: days can be added to and taken from them, in every zone."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Every part of the house, put together once. Close it when done."""

    settings: Settings
    clock: Clock
    rulebooks: Rulebooks
    rule_changes: RuleChanges
    tier_changes: TierChanges
    use_changes: UseChanges
    erasures: Erasures
    delegations: Delegations
    database: Database
    log: TraceLog
    spool: OfflineSpool
    side_spool: OfflineSpool
    store: ModelStore
    people: People
    keys: PseudonymKeys
    company: CompanySignIn | None
    outside: TellingOutside
    book: SubmissionBook
    permits: PermitBook
    intake: Intake
    registry_watch: RegistryWatch
    approvals: Approvals
    suspensions: Suspensions
    serving: Serving
    monitors: Monitors
    tallies: Tallies
    standing: Standing
    readiness: Readiness
    repeats: Repeats
    reviews: Reviews
    reading: Reading
    review_queue: ReviewQueue
    holds: LegalHolds
    appeals: Appeals
    models: Models
    jobs: JobBook
    drafts: DraftBook
    telling: Telling
    negative_list: NegativeList
    compliance: Compliance
    pack_revisions: PackRevisions
    papers: Papers
    outcomes: Outcomes
    measures: Measures
    disclosing: Disclosing

    @property
    def rulebook(self) -> Rulebook:
        """The rulebook in force now; it can change while the house is open."""
        return self.rulebooks.in_force()

    def submit(self, directory: Path, *, by: Person, progress: Progress | None = None) -> SubmissionRecord:
        """Take a submission in and keep its transparency reports beside the registered version.

        Where everything holds at L1 and the officer delegated that, it is approved by itself.
        """
        record = self.intake.submit(directory, by=by, progress=progress)
        if self.approvals.approve_by_itself(record.id) is not None:
            record = self.book.get(record.id)
        self._keep_reports(record)
        return record

    def give_verdict(
        self,
        submission: str,
        verdict: Verdict,
        *,
        by: Person,
        reason: str,
        until: datetime | None = None,
        conditions: list[Mapping[str, object]] | None = None,
    ) -> Ruling:
        """Give a verdict, then bring the kept reports up to date."""
        ruling = self.approvals.give_verdict(
            submission, verdict, by=by, reason=reason, until=until, conditions=conditions or ()
        )
        self._keep_reports(self.book.get(submission))
        return ruling

    def retention_by_model(self) -> dict[str, Retention]:
        """Return how long the decisions of each model are kept: the rulebook's days, the ceiling of its tier."""
        rules = self.rulebook.retention
        tiers: dict[str, Tier] = {}
        for permit in self.permits.permits():
            tiers[permit.model] = max(permit.tier, tiers.get(permit.model, permit.tier))
        return {
            model: Retention(days=rules.default_days, ceiling=rules.ceiling_days[tier]) for model, tier in tiers.items()
        }

    def change_pseudonym_key(self, *, by: Person) -> None:
        """Begin a new key for pseudonyms, and say so in the log. Traces of before are still found.

        Raises
        ------
        NotAllowed
        """
        require(by, Action.MANAGE_PEOPLE)
        self.log.append([statement("key", by=by.name, body={"what": "pseudonym key"})])
        self.keys.change(self.clock())

    def window(self, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
        """Return the time figures are asked for: by default the 90 days up to and with now. No zone means UTC."""
        last = in_utc(until) or self.clock() + timedelta(microseconds=1)
        return in_utc(since) or last - timedelta(days=90), last

    def warm_up(self) -> None:
        """Load the models that may run; until that is done the process says that it is not ready."""
        with self.readiness.loading():
            self.serving.warm()

    def close(self) -> None:
        """Let go of spools, log and database. A spool that still holds traces stays for the next process."""
        for spool in (self.spool, self.side_spool):
            spool.close()
            if not spool.waiting():
                shutil.rmtree(spool.folder, ignore_errors=True)
        self.log.close()
        self.database.close()

    def _keep_reports(self, record: SubmissionRecord) -> None:
        documents = {
            f"transparency-report.{language}.pdf": self.telling.report(record, language) for language in ("zh", "en")
        }
        self.store.add_documents(record.model, record.version, documents)


def open_service(
    settings: Settings,
    *,
    door: str = "python",
    clock: Clock = system_clock,
    monotonic: Callable[[], float] = time.monotonic,
    tend: bool = False,
    store: ModelStore | None = None,
) -> Service:
    """Open everything the settings name; on first use of a data folder, make it.

    Parameters
    ----------
    door : str
        Which door this process is; becomes part of its name in the log.
    tend : bool
        Sign checkpoints in the background, as a long-running process should.
    store : ModelStore, optional
        Where models are kept; None takes the one the settings name.

    Raises
    ------
    Unavailable, Malformed
        When a part cannot be reached or the rulebook cannot be read.
    """
    first = read_rulebook(settings.rulebook or BUILT_IN)
    negative_list = list_in_force(settings.data, settings.negative_list)
    packs = packs_of(settings, first)
    provider = provider_of(settings)
    channels = channels_of(settings)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = f"{door}-{os.getpid()}"
    upgrade(settings.database)
    database = open_database(settings.database)
    try:
        rulebooks = Rulebooks(database, first, clock, monotonic)
        retention = Retention(rulebooks.in_force().retention.default_days)
        log = open_log(settings.data, database, clock, source, retention=retention, tend=tend)
    except Fault:
        database.close()
        raise
    store = store or model_store(settings)
    keys = PseudonymKeys(settings.data / "keys", monotonic)
    book = SubmissionBook(database)
    permits = PermitBook(database, ForwardClock(clock, monotonic), monotonic)
    reviews = Reviews(log)
    appeals = Appeals(log, reviews, rulebooks.in_force, clock)
    models = Models(store, lambda: rulebooks.in_force().code)
    measures = Measures(log)
    outcomes = Outcomes(log)
    reach = Reach(named=frozenset(settings.endpoint_hosts), anywhere=False, token=settings.endpoint_token)
    intake = Intake(store, log, book, permits, rulebooks, clock, negative_list, reach)

    def purposes() -> PurposeRules:
        return rulebooks.in_force().purposes

    def publish(model: str, version: str, stage: Stage) -> None:
        tier = book.of_version(model, version).tier
        store.set_tags(model, version, {"status": stage.value, "tier": str(tier)})

    people = People(database, clock, log, keys, purposes)

    def has_account_for(action: Action, name: str) -> bool:
        try:
            return people.person(name).may(action)
        except NotFound:
            return False

    def in_office(name: str) -> bool:
        # the local operator has no account
        return name == f"local-{Role.DSO.value}" or has_account_for(Action.DELEGATE, name)

    delegations = Delegations(database, log, rulebooks.in_force, clock, in_office)
    ground = Ground(
        database=database,
        log=log,
        book=book,
        permits=permits,
        rulebooks=rulebooks,
        clock=clock,
        publish=publish,
    )
    approvals = Approvals(ground, models.features, delegations)
    suspensions = Suspensions(ground, models.features)
    tier_changes = TierChanges(ground)
    use_changes = UseChanges(ground)
    registry_watch = RegistryWatch(database, store, log, book, permits, clock)
    erasures = Erasures(database, log, keys, clock, lambda name: has_account_for(Action.ERASE, name))
    approvals.record_unrecorded()
    use_changes.record_unrecorded()
    tier_changes.record_unrecorded()
    intake.finish_unfinished()
    hand_in_left_behind(settings.data / "spool", log, clock)
    tallies = Tallies()
    monitors = Monitors(
        lambda: rulebooks.in_force().monitors,
        lambda model, version: models.background(book.of_version(model, version)),
        lambda model, since, until: reviewed_and_overridden(log, model, since, until),
        lambda reading: suspensions.suspend_by_rule(reading.model, rule=reading.rule, reason=reading.says),
        clock,
    )
    spool, side_spool = (own_spool(settings.data / "spool", clock) for _ in range(2))
    sign = signing_of(settings)
    telling = Telling(
        rulebooks=rulebooks,
        log=log,
        book=book,
        reviews=reviews,
        appeals=appeals,
        outcomes=outcomes,
        models=models,
        clock=clock,
        sign=sign,
    )
    compliance = Compliance(
        log=log,
        book=book,
        rulebook=rulebooks.in_force,
        packs=packs,
        clock=clock,
        surroundings=surroundings_of(settings),
    )
    rule_changes = RuleChanges(database, log, rulebooks, book, permits, models.features, clock, publish)
    return Service(
        settings=settings,
        clock=clock,
        rulebooks=rulebooks,
        rule_changes=rule_changes,
        tier_changes=tier_changes,
        use_changes=use_changes,
        erasures=erasures,
        delegations=delegations,
        database=database,
        log=log,
        spool=spool,
        side_spool=side_spool,
        store=store,
        people=people,
        keys=keys,
        company=CompanySignIn(provider, people, clock) if provider is not None else None,
        outside=TellingOutside(Outbox(database, clock, channels), log, permits, appeals, clock),
        book=book,
        permits=permits,
        intake=intake,
        registry_watch=registry_watch,
        approvals=approvals,
        suspensions=suspensions,
        serving=Serving(
            permits=permits,
            book=book,
            models=models,
            log=log,
            inference=TracedInference(log, purposes, spool=spool, hand_in=lambda: spool.hand_in(log)),
            monitors=monitors,
            tallies=tallies,
            hurried=AlarmsOnly(side_spool, purposes, hand_in=lambda: side_spool.hand_in(log)),
            rulebook=rulebooks.in_force,
            clock=clock,
            monotonic=monotonic,
            keys=keys,
            altered=registry_watch.altered,
        ),
        monitors=monitors,
        tallies=tallies,
        standing=Standing(settings.data / "standing", tallies),
        readiness=Readiness(lambda: log.stopped, log.size, permits.permits),
        repeats=Repeats(database, log, clock, secret_of_file(settings.data / "keys" / "repeats.key")),
        reviews=reviews,
        reading=Reading(log, rulebooks.in_force),
        review_queue=ReviewQueue(log, permits, rulebooks.in_force, clock),
        holds=LegalHolds(log, permits, book),
        appeals=appeals,
        models=models,
        jobs=JobBook(database, clock),
        drafts=DraftBook(database, settings.data / "drafts", clock),
        negative_list=negative_list,
        telling=telling,
        compliance=compliance,
        pack_revisions=PackRevisions(log=log, compliance=compliance, permits=permits, clock=clock),
        papers=Papers(
            telling=telling,
            log=log,
            book=book,
            store=store,
            compliance=compliance,
            publications=Publications(log),
            rulebooks=rulebooks,
            rule_changes=rule_changes,
            clock=clock,
            sign=sign,
        ),
        outcomes=outcomes,
        measures=measures,
        disclosing=Disclosing(
            rulebook=rulebooks.in_force,
            database=database,
            log=log,
            book=book,
            disclosures=DisclosureBook(database, log),
            measures=measures,
            clock=clock,
            sign=sign,
        ),
    )


def in_utc(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC; one without a zone is. Raises Malformed outside the years one can reckon with."""
    if moment is None:
        return None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Malformed(
            Sentence(
                en=f"{moment.isoformat()} is no moment of the years {FIRST_YEAR} to {LAST_YEAR}",
                zh=f"{moment.isoformat()} 不在 {FIRST_YEAR} 至 {LAST_YEAR} 年之间",
            )
        )
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def own_spool(folder: Path, clock: Clock) -> OfflineSpool:
    """Return a spool for this process alone; its name is never used again, so neither are its numbers."""
    name = f"{os.getpid()}-{secrets.token_hex(8)}"
    return OfflineSpool(folder / name, clock, f"spool-{name}")


def hand_in_left_behind(folder: Path, log: TraceLog, clock: Clock) -> int:
    """Hand in what processes that are gone left in their spools; return how many traces that were.

    Of several processes that start together one does it, and the others go on.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "handing-in.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        return _hand_in_all(folder, log, clock)


def _hand_in_all(folder: Path, log: TraceLog, clock: Clock) -> int:
    traces = 0
    for left in sorted(item for item in folder.iterdir() if item.is_dir()):
        if Path("/proc", left.name.partition("-")[0]).exists():
            continue
        spool = OfflineSpool(left, clock, f"spool-{left.name}")
        traces += spool.hand_in(log).traces
        spool.close()
        shutil.rmtree(left)
    return traces


def model_store(settings: Settings) -> ModelStore:
    """Return the model store the settings name."""
    keep_libraries_quiet()
    # Importing MLflow takes seconds, so only a process that opens a store pays for it.
    from model_registry.mlflow_store import MlflowStore, embedded_store

    if settings.mlflow_uri is None:
        return embedded_store(settings.data)
    return MlflowStore(settings.mlflow_uri, settings.mlflow_uri, settings.data / "cache")
