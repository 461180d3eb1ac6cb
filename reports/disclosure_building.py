"""Puts the figures of a quarterly disclosure together from counts, registry, measures and what was published before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from audit.quarter_counts import Drift
from policies.declaration import Source
from policies.quarters import Quarter
from policies.rulebook import Rulebook
from reports.disclosure_figures import (
    DisclosureFigures,
    DriftFigure,
    MeasureFigure,
    ModelLine,
    SourceFigure,
)
from reports.disclosure_table import Counts, Kept, Row, published_rows
from reports.facts import LogFacts


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is known of an earlier number: its figures as published, and what was kept behind them."""

    figures: DisclosureFigures
    kept: Kept


def disclosure_figures(
    *,
    quarter: Quarter,
    counts: Counts,
    rulebook: Rulebook,
    log: LogFacts,
    prepared: datetime,
    models: Sequence[ModelLine] = (),
    drift: Sequence[Drift] = (),
    sources: Mapping[str, Sequence[Source]] | None = None,
    measures: Sequence[MeasureFigure] = (),
    next_measures: Sequence[MeasureFigure] = (),
    earlier: Sequence[Published] = (),
    quarter_before: Published | None = None,
) -> tuple[DisclosureFigures, Kept]:
    """Put the figures of one quarter together; return them with what is kept for later numbers.

    Parameters
    ----------
    counts : mapping
        True counts by site (`reports.disclosure_table.true_counts`).
    sources : mapping, optional
        Data sources by model.
    measures, next_measures : sequence of MeasureFigure
        Those of this quarter, whose results are filled in here, and those of the next.
    earlier : sequence of Published
        Numbers of this quarter that were released already, oldest first.
    quarter_before : Published, optional
        The newest number of the quarter before.
    """
    (group, *sites), kept = published_rows(counts, rulebook.disclosures.least_cell, [one.kept for one in earlier])
    rows = {row.site: row for row in (group, *sites)}
    was = {} if quarter_before is None else _rows_of(quarter_before.figures)
    moved = rulebook.disclosures.moved_psi
    figures = DisclosureFigures(
        quarter=str(quarter),
        number="",
        revision=len(earlier) + 1,
        replaces=earlier[-1].figures.number if earlier else "",
        first_day=quarter.start.date(),
        last_day=quarter.last_day,
        prepared=prepared,
        released=None,
        released_by="",
        entry="",
        group=group,
        sites=tuple(sites),
        before=was.get(None),
        before_number="" if quarter_before is None else quarter_before.figures.number,
        least_cell=rulebook.disclosures.least_cell,
        models=tuple(models),
        drift=tuple(
            DriftFigure(
                model=one.model,
                psi=None if one.psi is None else round(one.psi, 3),
                moved=None if one.psi is None else one.psi >= moved,
            )
            for one in drift
        ),
        moved_psi=moved,
        sources=_sources(sources or {}),
        measures=tuple(_with_result(measure, rows, was) for measure in measures),
        next_measures=tuple(next_measures),
        appeal_within_days=rulebook.reviews.appeal_within_days,
        answer_appeal_days=rulebook.reviews.answer_appeal_days,
        rulebook_version=rulebook.version,
        rulebook_digest=rulebook.digest,
        log=log,
    )
    return figures, kept


def _rows_of(figures: DisclosureFigures) -> dict[str | None, Row]:
    return {row.site: row for row in (figures.group, *figures.sites)}


def _with_result(
    measure: MeasureFigure, rows: Mapping[str | None, Row], was: Mapping[str | None, Row]
) -> MeasureFigure:
    """Hold a measure against the published figure of its indicator."""
    value = _indicator(rows, measure)
    met = None
    if value is not None:
        met = value >= measure.target if measure.more_is_better else value <= measure.target
    return replace(measure, before=_indicator(was, measure), value=value, met=met)


def _indicator(rows: Mapping[str | None, Row], measure: MeasureFigure) -> float | None:
    row = rows.get(measure.site)
    rate = None if row is None else row.rates.get(measure.indicator)
    return None if rate is None else rate.value


def _sources(by_model: Mapping[str, Sequence[Source]]) -> tuple[SourceFigure, ...]:
    users: dict[Source, list[str]] = {}
    for model, sources in sorted(by_model.items()):
        for source in sources:
            users.setdefault(source, []).append(model)
    return tuple(
        SourceFigure(name=source.name, period=source.period, licence=source.licence, models=tuple(models))
        for source, models in users.items()
    )
