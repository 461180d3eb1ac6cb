"""Quarterly disclosures: prepared and released by the officer, read by anyone; outcomes and measures handed in."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.disclosing import MEDIA
from api.routes.shared import Asking, HouseService, Language
from api.wiring import Service
from governance.disclosures import Released, require_discloser
from governance.outcomes import Outcome
from policies.errors import Sentence
from policies.quarters import Quarter, read_quarter
from reports.disclosure_figures import json_schema

router = APIRouter(prefix="/v1", tags=["disclosures"])

Revision = Annotated[int | None, Query(ge=1, description="Which number of the quarter; without it the newest.")]
IMMUTABLE = "public, max-age=31536000, immutable"


class OutcomeIn(BaseModel):
    """What really happened after one decision."""

    decision: str
    harmed: bool
    source: str
    observed: date | None = None


class OutcomesIn(BaseModel):
    """Outcomes that are kept together, or not at all."""

    outcomes: list[OutcomeIn]


class MeasureIn(BaseModel):
    """An improvement that the figures of a quarter will be held against; one language stands in for the other."""

    en: str = ""
    zh: str = ""
    indicator: str
    target: float = Field(allow_inf_nan=False)
    owner: str
    site: str | None = None


class ReleaseIn(BaseModel):
    """The draft that was looked at, by its SHA-256."""

    digest: str


@router.post("/outcomes", status_code=201)
def outcomes(said: OutcomesIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Hand in what really happened, for decisions of the log: all of a call are kept, or none."""
    receipts = service.outcomes.hand_in([Outcome(**each.model_dump()) for each in said.outcomes], by=person)
    return {"kept": len(receipts), "ids": [receipt.id for receipt in receipts]}


@router.get("/disclosures")
def disclosures(service: HouseService) -> dict[str, object]:
    """List every released number, newest first, without login."""
    return {"disclosures": [_line(released) for released in service.disclosing.disclosures.numbers()]}


@router.get("/disclosures/schema.json")
def schema() -> dict[str, Any]:
    """Hand out the JSON schema of a disclosure's JSON."""
    return dict(json_schema())


@router.get("/disclosures/{quarter}.pdf")
def disclosure_pdf(
    quarter: str, service: HouseService, language: Language = "en", revision: Revision = None
) -> Response:
    """Hand out a released number as the PDF that was frozen."""
    return _document(service, quarter, f"disclosure.{language}.pdf", revision)


@router.get("/disclosures/{quarter}.json")
def disclosure_json(quarter: str, service: HouseService, revision: Revision = None) -> Response:
    """Hand out the same figures as JSON."""
    return _document(service, quarter, "disclosure.json", revision)


@router.get("/disclosures/{quarter}.csv")
def disclosure_csv(quarter: str, service: HouseService, revision: Revision = None) -> Response:
    """Hand out counts and rates as CSV."""
    return _document(service, quarter, "disclosure.csv", revision)


@router.get("/disclosures/{quarter}/draft")
def draft(quarter: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show the draft that waits for its release, with the digest by which it is released."""
    found, figures = service.disclosing.draft_figures(read_quarter(quarter), person)
    return {"digest": found.digest, "prepared_by": found.by, "figures": figures.as_json()}


@router.post("/disclosures/{quarter}/draft", status_code=201)
def prepare(quarter: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Count the quarter as it is known now; the draft takes the place of the one before."""
    made = service.disclosing.prepare(read_quarter(quarter), by=person)
    return {"quarter": quarter, "digest": made.digest, "counted_to": made.size}


@router.post("/disclosures/{quarter}/release", status_code=201)
def release(quarter: str, said: ReleaseIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Freeze the draft under the next number and seal it into the log."""
    return _line(service.disclosing.release(read_quarter(quarter), by=person, digest=said.digest))


@router.get("/disclosures/{quarter}/measures")
def measures(quarter: str, service: HouseService, person: Asking) -> dict[str, object]:
    """List the measures recorded for a quarter."""
    require_discloser(person)
    return {"measures": [measure.as_json() for measure in service.measures.of(read_quarter(quarter))]}


@router.post("/disclosures/{quarter}/measures", status_code=201)
def record_measure(quarter: str, said: MeasureIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Record a measure for a quarter that is not over."""
    measure = service.measures.record(
        read_quarter(quarter),
        by=person,
        says=Sentence(en=said.en or said.zh, zh=said.zh or said.en),
        indicator=said.indicator,
        target=said.target,
        owner=said.owner,
        site=said.site,
    )
    return measure.as_json()


@router.get("/disclosures/{quarter}/evidence")
def evidence(quarter: str, service: HouseService, revision: Revision = None) -> dict[str, Any]:
    """Hand out the proof that a number is sealed in the log; `mingjing verify` checks it offline."""
    released = service.disclosing.disclosures.find(read_quarter(quarter), revision)
    return service.log.evidence(released.entry)


@router.get("/disclosures/{quarter}")
def disclosure(quarter: str, service: HouseService) -> dict[str, object]:
    """Show the numbers of one quarter, newest first, with the digests of their documents."""
    read = read_quarter(quarter)
    service.disclosing.disclosures.find(read)
    return {"quarter": quarter, "numbers": [_line(one) for one in service.disclosing.disclosures.numbers(read)]}


def _document(service: Service, quarter: str, name: str, revision: int | None) -> Response:
    read = read_quarter(quarter)
    body = service.disclosing.document(read, name, revision)
    kind = name.rpartition(".")[2]
    headers = {"Content-Disposition": f'inline; filename="{read}.{kind}"'}
    if revision is not None:  # a number never changes; without one the newest is asked for, and that may
        headers["Cache-Control"] = IMMUTABLE
    return Response(body, media_type=MEDIA[name], headers=headers)


def _line(released: Released) -> dict[str, object]:
    return {**released.as_json(), "addresses": addresses(released.quarter, released.revision)}


def addresses(quarter: Quarter, revision: int) -> dict[str, str]:
    """Return where the documents of a number are."""
    at = f"/v1/disclosures/{quarter}"
    return {
        "page": f"/disclosures/{quarter}?revision={revision}",
        "zh": f"{at}.pdf?lang=zh&revision={revision}",
        "en": f"{at}.pdf?lang=en&revision={revision}",
        "json": f"{at}.json?revision={revision}",
        "csv": f"{at}.csv?revision={revision}",
        "evidence": f"{at}/evidence?revision={revision}",
    }
