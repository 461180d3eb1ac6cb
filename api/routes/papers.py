"""Papers about one model version: technical file and bill for those inside, card and published audit for anyone."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.routes.reports import PUBLIC
from api.routes.shared import Asking, HouseService, Language
from governance.submissions import SubmissionRecord
from policies.roles import Action, Person, absent, require, require_in_scope

router = APIRouter(prefix="/v1/reports/{model}/{version}", tags=["reports"])

BOM_TYPE = "application/vnd.cyclonedx+json; version=1.6"


class AuditIn(BaseModel):
    """What people have to say for a bias audit to be published. Whatever is missing is named at once."""

    audit_date: date | str | None = None
    auditor: str | None = None
    data_kind: str | None = None
    data_source: str | None = None
    data_why: str | None = None
    distribution_date: date | str | None = None
    selected: str | None = None
    sex: str | None = None
    race_ethnicity: str | None = None
    left_out_why: str | None = None

    def words(self) -> dict[str, Any]:
        """Return what was said; what was not is left out."""
        return {key: value for key, value in self.model_dump().items() if value is not None}


@router.get("/technical-file.json")
def technical_file_json(model: str, version: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show the technical file under the headings of Annex IV."""
    return service.papers.technical_file_json(_inside(service, model, version, person))


@router.get("/technical-file.pdf")
def technical_file_pdf(
    model: str, version: str, service: HouseService, person: Asking, language: Language = "en"
) -> Response:
    """Hand out the technical file as PDF."""
    made = service.papers.technical_file(_inside(service, model, version, person), language)
    return Response(made, media_type="application/pdf")


@router.get("/model-card.md")
def model_card(model: str, version: str, service: HouseService, language: Language = "en") -> Response:
    """Show the model card as Markdown, with metadata as Hugging Face reads it."""
    made = service.papers.model_card(_public(service, model, version), language)
    return Response(made, media_type="text/markdown; charset=utf-8")


@router.get("/model-card.json")
def model_card_json(model: str, version: str, service: HouseService) -> dict[str, object]:
    """Show the model card as JSON."""
    return service.papers.model_card_json(_public(service, model, version))


@router.get("/bom.json")
def bom(model: str, version: str, service: HouseService, person: Asking) -> Response:
    """Hand out the bill of materials, CycloneDX 1.6."""
    made = service.papers.bill_of_materials(_inside(service, model, version, person))
    return Response(service.papers.json(made), media_type=BOM_TYPE)


@router.post("/bias-audit", status_code=201)
def publish_bias_audit(
    model: str, version: str, said: AuditIn, service: HouseService, person: Asking
) -> dict[str, object]:
    """Publish a bias audit: it is sealed into the log, and anyone may read it while the model is at work."""
    require(person, Action.DISCLOSE)
    record = service.book.of_version(model, version)
    audit, published = service.papers.publish_bias_audit(record, said.words(), by=person)
    return {**audit.as_json(), "published": published.head()}


@router.get("/bias-audit.json")
def bias_audit_json(model: str, version: str, service: HouseService) -> dict[str, object]:
    """Show the published bias audit."""
    audit, published = service.papers.published_bias_audit(_public(service, model, version))
    return {**audit.as_json(), "published": published.head()}


@router.get("/bias-audit.csv")
def bias_audit_csv(model: str, version: str, service: HouseService) -> Response:
    """Hand out the published bias audit as CSV."""
    audit, _ = service.papers.published_bias_audit(_public(service, model, version))
    return Response(service.papers.bias_audit_csv(audit), media_type="text/csv; charset=utf-8")


@router.get("/bias-audit.pdf")
def bias_audit_pdf(model: str, version: str, service: HouseService, language: Language = "en") -> Response:
    """Hand out the published bias audit as PDF."""
    audit, _ = service.papers.published_bias_audit(_public(service, model, version))
    return Response(service.papers.bias_audit_pdf(audit, language), media_type="application/pdf")


def _public(service: HouseService, model: str, version: str) -> SubmissionRecord:
    record = service.book.of_version(model, version)
    if record.stage not in PUBLIC:
        raise absent("model version", f"{model}:{version}")
    return record


def _inside(service: HouseService, model: str, version: str, person: Person) -> SubmissionRecord:
    """Return a version, at work or not, to those who may read submissions at its site."""
    require(person, Action.READ_SUBMISSIONS)
    record = service.book.of_version(model, version)
    require_in_scope(person, record.site or None, record.model, "model version", f"{model}:{version}")
    return record
