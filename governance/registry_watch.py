"""Does the registry still show what was decided? What was changed there by hand binds nothing, and is reported once."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit.database import Database
from audit.entries import Clock, TraceSink, microseconds_of, moment_of
from governance.permits import PermitBook, PermitState
from governance.stages import IN_CHINESE, Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from governance.tables import registry_faults
from model_registry.store import ModelStore
from model_registry.version import ArtifactAltered, ArtifactGone, ModelVersion
from policies.declaration import WITHOUT_ARTIFACT, read_declaration
from policies.errors import NotFound, Sentence
from policies.roles import Action, Person, require

logger = logging.getLogger("mingjing.registry")

RUNS = (Stage.APPROVED, Stage.SUSPENDED)
"""Stages whose artifact is compared with its digest: the others run nowhere."""

ARCHIVED = "Archived"
"""The one stage of old that says of a version without a permit what is so."""

ALTERED = "artifact altered"
LOGGING_LASTS = timedelta(minutes=10)
"""After this time a fault without an entry is taken for one whose process died before it was logged."""


@dataclass(frozen=True, kw_only=True)
class RegistryFault:
    """One way in which the registry shows something else than was decided; it stands until somebody puts it right.

    `key` names model, version and what is wrong, so that the same fault found again is the same fault.
    """

    key: str
    model: str
    version: str
    site: str
    says: Sentence
    found: datetime
    entry: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the fault as lists show it."""
        return {
            "model": self.model,
            "version": self.version,
            "site": self.site,
            "says": self.says.as_json(),
            "found": self.found.isoformat(),
            "entry": self.entry,
        }


class RegistryWatch:
    """Compares the registry with what governance decided.

    What was changed by hand is an incident in the log, once; what can be put back is put back. Once it is right again
    the log says that too, and the fault is no longer shown.
    """

    def __init__(
        self,
        database: Database,
        store: ModelStore,
        log: TraceSink,
        book: SubmissionBook,
        permit_book: PermitBook,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._log = log
        self._book = book
        self._permits = permit_book
        self._clock = clock

    def look(self, model: str | None = None) -> int:
        """Compare every version, or those of one model; return how many incidents that made.

        Raises
        ------
        Unavailable
            When the registry is away.
        """
        found: dict[str, tuple[RegistryFault, SubmissionRecord]] = {}
        records: dict[str, dict[str, SubmissionRecord]] = {}
        for record in self._records(model):
            records.setdefault(record.model, {})[record.version] = record
            for what, says in self._faults(record):
                fault = self._fault(record, record.version, what, says)
                found[fault.key] = fault, record
        for name, versions in records.items():
            newest = versions[max(versions, key=int)]
            for version, what, says in self._pointed(name, versions):
                fault = self._fault(versions.get(version, newest), version, what, says)
                found[fault.key] = fault, versions.get(version, newest)
        known = {fault.key: fault for fault in self._standing() if model in (None, fault.model)}
        for key in known.keys() - found.keys():
            self._put_right(known[key])
        return sum(self._report(fault, record, known.get(key)) for key, (fault, record) in found.items())

    def altered(self, record: SubmissionRecord, says: Sentence) -> bool:
        """Report an artifact that was found altered elsewhere, as when it was to run; return whether that was news."""
        fault = self._fault(record, record.version, ALTERED, says)
        known = {standing.key: standing for standing in self._standing()}
        return self._report(fault, record, known.get(fault.key))

    def standing(self, by: Person) -> tuple[RegistryFault, ...]:
        """Return the faults this person may know of that nobody has put right yet, oldest first. Raises NotAllowed."""
        require(by, Action.READ_SUBMISSIONS)
        return tuple(fault for fault in self._standing() if by.sees(fault.site or None, fault.model))

    def _records(self, model: str | None) -> Iterator[SubmissionRecord]:
        after: str | None = None
        while True:
            page, after = self._book.search(model=model, after=after, limit=200)
            yield from page
            if after is None:
                return

    def _faults(self, record: SubmissionRecord) -> Iterator[tuple[str, Sentence]]:
        try:
            shown = self._store.version(record.model, record.version)
        except NotFound as gone:
            yield "version gone from the registry", gone.says
            return
        if shown.status != record.stage.value:
            yield f"status changed to {shown.status[:40]}", _put_back(record, shown.status, record.stage.value)
        if shown.tier not in (record.tier, record.assessment.tier):
            yield f"tier changed to {shown.tier}", _put_back(record, str(shown.tier), str(record.tier))
        if (shown.status, shown.tier) != (record.stage.value, record.tier):
            tags = {"status": record.stage.value, "tier": str(record.tier)}
            self._store.set_tags(record.model, record.version, tags)
        yield from _fixed_tags(record, shown)
        if record.stage in RUNS and record.declaration.model.flavour not in WITHOUT_ARTIFACT:
            try:
                self._store.artifact(record.model, record.version)
            except (ArtifactAltered, ArtifactGone) as altered:
                yield ALTERED, altered.says

    def _pointed(self, name: str, versions: Mapping[str, SubmissionRecord]) -> Iterator[tuple[str, str, Sentence]]:
        """Yield what points at a version as if it might run, and says so without a permit."""
        now = self._clock()
        live = {
            permit.version
            for permit in self._permits.permits()
            if permit.model == name and permit.state is PermitState.LIVE and now < permit.until
        }
        shown = self._store.pointers(name)
        for alias, version in shown.aliases.items():
            if version not in live:
                yield version, f"alias {alias[:80]}", _alias(name, alias, version, versions.get(version))
        for version, stage in shown.stages.items():
            if stage != ARCHIVED or version in live:
                yield version, f"stage {stage[:40]}", _stage(name, stage, version)

    def _fault(self, record: SubmissionRecord, version: str, what: str, says: Sentence) -> RegistryFault:
        return RegistryFault(
            key=f"{record.model}:{version}: {what}",
            model=record.model,
            version=version,
            site=record.site,
            says=says,
            found=self._clock(),
        )

    def _report(self, fault: RegistryFault, record: SubmissionRecord, known: RegistryFault | None) -> bool:
        """Log a fault unless it is known; one process of several does."""
        if known is not None:
            if known.entry is not None or self._clock() - known.found < LOGGING_LASTS:
                return False
        elif not self._keep(fault):
            return False
        logger.error("the registry shows something else than was decided: %s", fault.key)
        body = {"what": fault.key.partition(": ")[2], "submission": record.id, "says": fault.says.as_json()}
        entry = self._log.append(
            [
                statement(
                    "incident",
                    by="mingjing",
                    body=body,
                    model=record.model,
                    version=fault.version,
                    artifact_digest=record.artifact_digest if fault.version == record.version else None,
                    rulebook_digest=record.rulebook_digest,
                    site=record.site or None,
                )
            ]
        )[0]
        with self._database.writing() as connection:
            known_by_key = registry_faults.c.key == fault.key
            connection.execute(update(registry_faults).where(known_by_key).values(entry=entry.id))
        return True

    def _keep(self, fault: RegistryFault) -> bool:
        try:
            with self._database.writing() as connection:
                connection.execute(
                    insert(registry_faults).values(
                        key=fault.key,
                        model=fault.model,
                        version=fault.version,
                        site=fault.site or None,
                        says=json.dumps(fault.says.as_json(), ensure_ascii=False),
                        found=microseconds_of(fault.found),
                    )
                )
        except IntegrityError:  # another process was quicker
            return False
        return True

    def _put_right(self, fault: RegistryFault) -> None:
        with self._database.writing() as connection:
            gone = connection.execute(delete(registry_faults).where(registry_faults.c.key == fault.key))
        if gone.rowcount:
            body = {"what": "registry put right", "fault": fault.key.partition(": ")[2], "says": fault.says.as_json()}
            columns = {"model": fault.model, "version": fault.version, "site": fault.site or None}
            self._log.append([statement("health", by="mingjing", body=body, about=fault.entry, **columns)])

    def _standing(self) -> tuple[RegistryFault, ...]:
        return standing_faults(self._database)


def standing_faults(database: Database) -> tuple[RegistryFault, ...]:
    """Return every fault that nobody has put right yet, oldest first."""
    wanted = select(registry_faults).order_by(registry_faults.c.found, registry_faults.c.key)
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
    return tuple(
        RegistryFault(
            key=row.key,
            model=row.model,
            version=row.version,
            site=row.site or "",
            says=Sentence(**json.loads(row.says)),
            found=moment_of(row.found),
            entry=row.entry,
        )
        for row in rows
    )


def _put_back(record: SubmissionRecord, shown: str, decided: str) -> Sentence:
    return Sentence(
        en=f"the registry showed {record.model}:{record.version} as '{shown}', decided was '{decided}'; it was put "
        "back, and nothing ran by it",
        zh=f"登记库将 {record.model}:{record.version} 显示为“{shown}”，而裁定为“{decided}”；"
        "已恢复，且未因此运行任何模型",
    )


def _fixed_tags(record: SubmissionRecord, shown: ModelVersion) -> Iterator[tuple[str, Sentence]]:
    """Yield tags that are said once, at registration, and say something else now."""
    declared = read_declaration(record.toml).use
    for tag, says, registered in (
        ("artifact_digest", shown.artifact_digest, record.artifact_digest),
        ("submission_id", shown.submission_id, record.id),
        ("owner", shown.owner, declared.owner),
        ("site", shown.site, declared.site),
    ):
        if says != registered:
            yield (
                f"tag {tag} changed",
                Sentence(
                    en=f"the registry's tag '{tag}' of {record.model}:{record.version} says '{says[:80]}', registered "
                    f"was '{registered}'; nothing runs by it, put it right in the registry",
                    zh=f"登记库中 {record.model}:{record.version} 的标签“{tag}”为“{says[:80]}”，"
                    f"登记时为“{registered}”；模型运行不以其为准，请在登记库中改正",
                ),
            )


def _alias(name: str, alias: str, version: str, record: SubmissionRecord | None) -> Sentence:
    stands = (record.stage.value, IN_CHINESE[record.stage]) if record is not None else ("not known here", "未在此登记")
    return Sentence(
        en=f"the alias '{alias}' of {name} points at version {version}, which has no live permit ({stands[0]}); "
        "nothing runs by an alias, move it back in the registry",
        zh=f"{name} 的别名“{alias}”指向第 {version} 版，该版本没有有效许可（{stands[1]}）；模型运行不以别名为准，"
        "请在登记库中移回",
    )


def _stage(name: str, stage: str, version: str) -> Sentence:
    return Sentence(
        en=f"somebody gave version {version} of {name} the registry's stage '{stage}'; stages decide nothing here, "
        "take it away in the registry",
        zh=f"有人将 {name} 第 {version} 版在登记库中的阶段设为“{stage}”；阶段在此不起作用，请在登记库中取消",
    )
