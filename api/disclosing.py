"""Quarterly disclosures from end to end: counted, drafted, released by the officer, handed out as they were frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from audit.database import Database
from audit.entries import Clock
from audit.quarter_counts import QuarterCounts, Span, count_quarter
from audit.trace_log import TraceLog
from governance.disclosures import DisclosureBook, DisclosureDraft, Numbered, Released, require_discloser
from governance.measures import Measure, Measures
from governance.submissions import SubmissionBook, SubmissionRecord
from policies.declaration import Source
from policies.errors import NotFound, Refused, Sentence
from policies.quarters import Quarter, quarter_of
from policies.roles import Person
from policies.rulebook import Rulebook
from reports.disclosure import disclosure_report
from reports.disclosure_building import Published, disclosure_figures
from reports.disclosure_csv import disclosure_csv
from reports.disclosure_figures import DisclosureFigures, MeasureFigure, ModelLine, read_figures
from reports.disclosure_table import Kept, true_counts
from reports.facts import LogFacts
from reports.signing import Sign, unsigned

MEDIA: Mapping[str, str] = {
    "disclosure.json": "application/json",
    "disclosure.zh.pdf": "application/pdf",
    "disclosure.en.pdf": "application/pdf",
    "disclosure.csv": "text/csv; charset=utf-8",
}
"""The documents of a released number and what they are."""

LATE = timedelta(days=30)
"""How long after its day a report that nobody prepared is still prepared by itself."""


class NothingLogged(Refused):
    """The log is empty: there is no state that figures could be known as of."""

    def __init__(self) -> None:
        super().__init__(Sentence(en="the log is empty; there is nothing to disclose", zh="日志为空，没有可披露的内容"))


@dataclass(frozen=True)
class Prepared:
    """A draft as it is kept: figures without a number, and the true counts behind them."""

    figures: DisclosureFigures
    kept: Kept

    def as_bytes(self) -> bytes:
        """Return the draft as bytes that `read_prepared` reads."""
        return msgspec.json.encode({"figures": self.figures.as_json(), "kept": kept_plain(self.kept)})


def kept_plain(kept: Kept) -> dict[str, object]:
    """Return what is kept behind a number as JSON values."""
    cells = sorted(kept.withheld, key=lambda cell: (cell[0] is not None, *cell))
    return {"format": 1, "counts": kept.counts, "withheld": [list(cell) for cell in cells]}


def read_kept(document: bytes) -> Kept:
    """Return what `kept_plain` wrote."""
    said = msgspec.json.decode(document)
    return Kept(counts=said["counts"], withheld=frozenset((site, column) for site, column in said["withheld"]))


def read_prepared(document: bytes) -> Prepared:
    """Return the draft that `Prepared.as_bytes` wrote."""
    said: dict[str, msgspec.Raw] = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    return Prepared(read_figures(bytes(said["figures"])), read_kept(bytes(said["kept"])))


@dataclass(frozen=True, kw_only=True)
class Disclosing:
    """Prepares, releases and hands out quarterly disclosures."""

    rulebook: Callable[[], Rulebook]
    database: Database
    log: TraceLog
    book: SubmissionBook
    disclosures: DisclosureBook
    measures: Measures
    clock: Clock
    sign: Sign = unsigned

    def prepare(self, quarter: Quarter, *, by: Person) -> DisclosureDraft:
        """Count a quarter as it is known now and keep it as the draft.

        Raises
        ------
        NotAllowed, OneSiteOnly, QuarterNotOver, NothingLogged
        """
        require_discloser(by)
        return self._prepare(quarter, by.name)

    def prepare_when_due(self) -> DisclosureDraft | None:
        """Prepare the quarter that ended last from its first working day on, once; return the draft made."""
        now = self.clock()
        quarter = quarter_of(now).before
        due = quarter.report_due(self.rulebook().disclosures.days_off)
        if not due <= now.date() <= due + LATE or not self.log.size():
            return None
        if self.disclosures.draft(quarter) is not None or self.disclosures.numbers(quarter):
            return None
        return self._prepare(quarter, "mingjing")

    def release(self, quarter: Quarter, *, by: Person, digest: str) -> Released:
        """Freeze the draft with this digest under the next number.

        Raises
        ------
        NotAllowed, OneSiteOnly, NothingPrepared, DraftReplaced
        """
        return self.disclosures.release(
            quarter,
            by=by,
            digest=digest,
            kept=lambda draft: msgspec.json.encode(kept_plain(read_prepared(draft.body).kept)),
            writes=lambda draft, numbered: _documents(draft, numbered, self.sign),
        )

    def draft_figures(self, quarter: Quarter, by: Person) -> tuple[DisclosureDraft, DisclosureFigures]:
        """Return the draft and its figures, for who may release it. Raises NotAllowed, NotFound."""
        require_discloser(by)
        draft = self.disclosures.draft(quarter)
        if draft is None:
            raise NotFound(
                Sentence(en=f"there is no draft of {quarter}; prepare it first", zh=f"没有 {quarter} 的草案，请先编制")
            )
        return draft, read_prepared(draft.body).figures

    def figures(self, quarter: Quarter, revision: int | None = None) -> DisclosureFigures:
        """Return the figures of a released number, the newest unless another is named. Raises NotDisclosed."""
        return read_figures(self.document(quarter, "disclosure.json", revision))

    def document(self, quarter: Quarter, name: str, revision: int | None = None) -> bytes:
        """Return one document of a released number as it was frozen. Raises NotDisclosed."""
        return self.disclosures.document(self.disclosures.find(quarter, revision), name)

    def _prepare(self, quarter: Quarter, by: str) -> DisclosureDraft:
        now = self.clock()
        quarter.require_over(now)
        log = self._log_facts(now)
        figures, kept = self._figures(quarter, log, now)
        body = Prepared(figures, kept).as_bytes()
        draft = DisclosureDraft(quarter=quarter, prepared=now, by=by, size=log.size, body=body)
        self.disclosures.keep_draft(draft)
        return draft

    def _log_facts(self, now: datetime) -> LogFacts:
        if not self.log.size():
            raise NothingLogged()
        head = self.log.checkpoint()
        return LogFacts(root=head.root.hex(), size=head.size, time=head.time or now, checkpoint=head.note)

    def _figures(self, quarter: Quarter, log: LogFacts, now: datetime) -> tuple[DisclosureFigures, Kept]:
        span, before = (Span(each.start, each.end, log.size) for each in (quarter, quarter.before))
        counted = count_quarter(self.database, span, before)
        records = self._records(counted)
        return disclosure_figures(
            quarter=quarter,
            counts=true_counts(counted.sites, self.book.sites_before(quarter.end)),
            rulebook=self.rulebook(),
            log=log,
            prepared=now,
            models=[_model_line(record) for record in records],
            drift=counted.drift,
            sources=_sources(records),
            measures=[_measure(one) for one in self.measures.of(quarter, log.size)],
            next_measures=[_measure(one) for one in self.measures.of(quarter.following, log.size)],
            earlier=[self._published(one) for one in reversed(self.disclosures.numbers(quarter))],
            quarter_before=next(map(self._published, self.disclosures.numbers(quarter.before)), None),
        )

    def _published(self, released: Released) -> Published:
        document = self.disclosures.document(released, "disclosure.json")
        return Published(figures=read_figures(document), kept=read_kept(released.kept))

    def _records(self, counted: QuarterCounts) -> list[SubmissionRecord]:
        found = []
        for model, version in counted.versions:
            try:
                found.append(self.book.of_version(model, version))
            except NotFound:
                continue  # decided before it was kept here, such as decisions that were handed in from elsewhere
        return found


def _documents(draft: DisclosureDraft, numbered: Numbered, sign: Sign) -> Mapping[str, bytes]:
    figures = replace(
        read_prepared(draft.body).figures,
        number=numbered.number,
        revision=numbered.revision,
        released=numbered.released,
        released_by=numbered.by,
        entry=numbered.entry,
    )
    return {
        "disclosure.json": figures.as_bytes(),
        "disclosure.zh.pdf": sign(disclosure_report(figures, "zh"), "zh"),
        "disclosure.en.pdf": sign(disclosure_report(figures, "en"), "en"),
        "disclosure.csv": disclosure_csv(figures),
    }


def _model_line(record: SubmissionRecord) -> ModelLine:
    return ModelLine(
        name=record.model,
        version=record.version,
        tier=str(record.tier),
        status=record.stage.value,
        site=record.site,
        description=record.declaration.use.description,
    )


def _sources(records: list[SubmissionRecord]) -> dict[str, list[Source]]:
    sources: dict[str, list[Source]] = {}
    for record in records:
        into = sources.setdefault(record.model, [])
        into += [source for source in record.declaration.data.sources if source not in into]
    return sources


def _measure(measure: Measure) -> MeasureFigure:
    return MeasureFigure(
        says=measure.says,
        indicator=measure.indicator,
        target=measure.target,
        more_is_better=measure.more_is_better,
        owner=measure.owner,
        site=measure.site,
    )
