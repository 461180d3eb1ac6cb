"""Readers: which reports there are, and the reports themselves."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.routes.shared import HouseService, Language
from governance.stages import Stage
from governance.submissions import SubmissionRecord
from policies.roles import absent

router = APIRouter(prefix="/v1/reports", tags=["reports"])

PUBLIC = (Stage.APPROVED, Stage.SUSPENDED)
"""A report is public while its model may act on people; what was refused acts on nobody."""


@router.get("")
def reports(service: HouseService) -> dict[str, object]:
    """List the transparency reports anyone may read, without login."""
    records: list[SubmissionRecord] = []
    for stage in PUBLIC:
        found, _ = service.book.search(stage=stage, limit=200)
        records.extend(found)
    return {
        "reports": [
            {
                "model": record.model,
                "version": record.version,
                "tier": str(record.tier),
                "site": record.site,
                "zh": f"/v1/reports/{record.model}/{record.version}.pdf?lang=zh",
                "en": f"/v1/reports/{record.model}/{record.version}.pdf?lang=en",
                "json": f"/v1/reports/{record.model}/{record.version}.json",
            }
            for record in sorted(records, key=lambda record: record.id, reverse=True)
        ]
    }


@router.get("/{model}/{version}.pdf")
def report_pdf(model: str, version: str, service: HouseService, language: Language = "en") -> Response:
    """Hand out one transparency report as PDF."""
    return Response(service.telling.report(_public(service, model, version), language), media_type="application/pdf")


@router.get("/{model}/{version}.json")
def report_json(model: str, version: str, service: HouseService) -> dict[str, object]:
    """Hand out the same figures as JSON."""
    return service.telling.model_figures(_public(service, model, version)).as_json()


def _public(service: HouseService, model: str, version: str) -> SubmissionRecord:
    record = service.book.of_version(model, version)
    if record.stage not in PUBLIC:
        raise absent("model version", f"{model}:{version}")
    return record
