"""What anyone may read without signing in: reports of the models that act on people, and the head of the log."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.console import pictures
from api.console.pages import PageRoute, language_of, page
from api.routes.reports import PUBLIC
from api.routes.shared import service_of
from audit.anchors import anchors
from governance.submissions import SubmissionRecord
from policies.roles import absent

router = APIRouter(route_class=PageRoute)


@router.get("/reports")
def reports(request: Request) -> Response:
    """List the transparency reports."""
    service = service_of(request)
    records: list[SubmissionRecord] = []
    for stage in PUBLIC:
        found, _ = service.book.search(stage=stage, limit=200)
        records.extend(found)
    records.sort(key=lambda record: record.id, reverse=True)
    return page(request, "reports.html", records=records)


@router.get("/reports/{model}/{version}")
def report(request: Request, model: str, version: str) -> Response:
    """Show one transparency report: the same figures as the PDF, readable by everyone."""
    service, language = service_of(request), language_of(request)
    record = service.book.of_version(model, version)
    if record.stage not in PUBLIC:
        raise absent("model version", f"{model}:{version}")
    figures = service.telling.model_figures(record)
    return page(
        request,
        "report.html",
        record=record,
        figures=figures,
        drawn=pictures.of_model(figures, language),
    )


@router.get("/log")
def log(request: Request) -> Response:
    """Show the head of the log: what a verifier needs, and nothing about anyone."""
    service = service_of(request)
    return page(
        request,
        "log.html",
        head=service.telling.log_facts(),
        keys=service.log.key_chain(),
        anchors=anchors(service.log)[::-1][:20],
    )
