"""Does the registry still show what was decided? A status or a file changed by hand binds nothing, and is reported."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from audit.entries import TraceSink
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from model_registry.store import ModelStore
from model_registry.version import ArtifactAltered, ArtifactGone
from policies.declaration import WITHOUT_ARTIFACT
from policies.errors import NotFound, Sentence

logger = logging.getLogger("mingjing.registry")

RUNS = (Stage.APPROVED, Stage.SUSPENDED)
"""Stages whose artifact is compared with its digest: the others run nowhere."""


class RegistryWatch:
    """Compares the registry with what governance decided. What was changed by hand is an incident in the log, once."""

    def __init__(self, store: ModelStore, log: TraceSink, book: SubmissionBook) -> None:
        self._store = store
        self._log = log
        self._book = book
        self._told: set[tuple[str, str]] = set()

    def look(self) -> int:
        """Compare every version; put a status that was changed back; return how many incidents that made.

        Raises
        ------
        Unavailable
            When the registry is away.
        """
        found = 0
        for record in self._records():
            for what, says in self._faults(record):
                if (record.id, what) in self._told:
                    continue
                self._told.add((record.id, what))
                self._report(record, what, says)
                found += 1
        return found

    def _records(self) -> Iterator[SubmissionRecord]:
        after: str | None = None
        while True:
            page, after = self._book.search(after=after, limit=200)
            yield from page
            if after is None:
                return

    def _faults(self, record: SubmissionRecord) -> Iterator[tuple[str, Sentence]]:
        try:
            status = self._store.version(record.model, record.version).status
        except NotFound as gone:
            yield "version gone from the registry", gone.says
            return
        if status != record.stage.value:
            yield (
                f"status changed to {status[:40]}",
                Sentence(
                    en=f"the registry showed {record.model}:{record.version} as '{status}', decided was "
                    f"'{record.stage}'; it was put back, and nothing ran by it",
                    zh=f"登记库将 {record.model}:{record.version} 显示为“{status}”，而裁定为“{record.stage}”；"
                    "已恢复，且未因此运行任何模型",
                ),
            )
            self._store.set_tags(record.model, record.version, {"status": record.stage.value})
        if record.stage in RUNS and record.declaration.model.flavour not in WITHOUT_ARTIFACT:
            try:
                self._store.artifact(record.model, record.version)
            except (ArtifactAltered, ArtifactGone) as altered:
                yield "artifact altered", altered.says

    def _report(self, record: SubmissionRecord, what: str, says: Sentence) -> None:
        logger.error("%s:%s: %s", record.model, record.version, what)
        self._log.append(
            [
                statement(
                    "incident",
                    by="mingjing",
                    body={"what": what, "submission": record.id, "says": says.as_json()},
                    model=record.model,
                    version=record.version,
                    artifact_digest=record.artifact_digest,
                    rulebook_digest=record.rulebook_digest,
                    site=record.site or None,
                )
            ]
        )
