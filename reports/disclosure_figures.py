"""Everything a quarterly disclosure shows: one value for page, PDF, JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, cast

import msgspec
import orjson

from policies.errors import Sentence
from reports.disclosure_table import Row
from reports.facts import LogFacts
from reports.plain_json import plain

FORMAT = 1
"""Format of the JSON of a disclosure. Raise it when a key changes its meaning or goes, and keep the schema of the old
one under `reports/schemas`: what was released is read for years."""


@dataclass(frozen=True, kw_only=True)
class ModelLine:
    """One model version that decided in the quarter."""

    name: str
    version: str
    tier: str
    status: str
    site: str
    description: str


@dataclass(frozen=True, kw_only=True)
class DriftFigure:
    """How far one model's scores moved against the quarter before; `psi` None: too few scores to say."""

    model: str
    psi: float | None
    moved: bool | None


@dataclass(frozen=True, kw_only=True)
class SourceFigure:
    """One source of the data the models were judged on, and which of them name it."""

    name: str
    period: str
    licence: str
    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MeasureFigure:
    """One measure and, for those of this quarter, whether its target was met (None: it cannot be told).

    `before` is the indicator in the quarter before, as it was published then.
    """

    says: Sentence
    indicator: str
    target: float
    more_is_better: bool
    owner: str
    site: str | None
    before: float | None = None
    value: float | None = None
    met: bool | None = None


@dataclass(frozen=True, kw_only=True)
class DisclosureFigures:
    """All figures of one quarterly disclosure.

    `number` is empty for a draft. `replaces` is the number that this one corrects. `first_day` and `last_day` are in
    UTC. `before` are the group's figures of the quarter before, as published in `before_number`.
    """

    quarter: str
    number: str
    revision: int
    replaces: str
    first_day: date
    last_day: date
    prepared: datetime
    released: datetime | None
    released_by: str
    entry: str
    group: Row
    sites: tuple[Row, ...]
    before: Row | None
    before_number: str
    least_cell: int
    models: tuple[ModelLine, ...]
    drift: tuple[DriftFigure, ...]
    moved_psi: float
    sources: tuple[SourceFigure, ...]
    measures: tuple[MeasureFigure, ...]
    next_measures: tuple[MeasureFigure, ...]
    appeal_within_days: int
    answer_appeal_days: int
    rulebook_version: str
    rulebook_digest: str
    log: LogFacts
    format: int = FORMAT

    def as_json(self) -> dict[str, object]:
        """Return every figure as plain JSON values; page, PDF and CSV show these and no others."""
        return cast(dict[str, object], plain(self))

    def as_bytes(self) -> bytes:
        """Return the JSON document as it is frozen."""
        return orjson.dumps(self.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def read_figures(document: bytes) -> DisclosureFigures:
    """Return the figures of a JSON document that `as_bytes` wrote."""
    return msgspec.json.decode(document, type=DisclosureFigures)


@cache
def json_schema() -> Mapping[str, Any]:
    """Return the JSON schema (draft 2020-12) of a disclosure's JSON."""
    described = msgspec.json.schema(DisclosureFigures)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:mingjing:disclosure:{FORMAT}",
        "title": "Quarterly Safety Prediction Transparency Report",
        **described,
    }
