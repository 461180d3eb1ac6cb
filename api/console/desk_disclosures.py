"""The quarterly disclosures for everyone: which numbers there are, and one of them with pictures and tables."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.console.pages import PageRoute, language_of, page
from api.console.pictures import NARROW, PAIRED, WIDE, Picture
from api.routes.disclosures import addresses
from api.routes.shared import service_of
from policies.quarters import read_quarter
from reports.disclosure_figures import DisclosureFigures
from reports.disclosure_sections import (
    PICTURED,
    before_words,
    confusion_drawing,
    limit_words,
    proof_facts,
    site_drawing,
    site_pages,
)
from reports.disclosure_summary import summary_words
from reports.disclosure_tables import (
    ALARMS,
    PEOPLE,
    QUIET,
    REQUESTS,
    changed_table,
    counts_table,
    drift_table,
    group_table,
    measures_table,
    models_table,
    next_table,
    rates_table,
    sources_table,
)
from reports.disclosure_words import CHANGED, quarter_words, standing_words
from reports.wording import Language

router = APIRouter(route_class=PageRoute)


@router.get("/disclosures")
def disclosures(request: Request) -> Response:
    """List every released number, newest first."""
    language = language_of(request)
    numbers = [
        (quarter_words(str(released.quarter), language), released, addresses(released.quarter, released.revision))
        for released in service_of(request).disclosing.disclosures.numbers()
    ]
    return page(request, "disclosures.html", numbers=numbers)


@router.get("/disclosures/{quarter}")
def disclosure(request: Request, quarter: str, revision: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """Show one number: the same figures as its PDF, readable by everyone."""
    service, language = service_of(request), language_of(request)
    read = read_quarter(quarter)
    figures = service.disclosing.figures(read, revision)
    return page(
        request,
        "disclosure.html",
        quarter=quarter_words(quarter, language),
        standing=standing_words(figures, language),
        newer=next((one.number for one in service.disclosing.disclosures.numbers(read)), figures.number),
        links=addresses(read, figures.revision),
        **figure_values(figures, language),
    )


def figure_values(figures: DisclosureFigures, language: Language) -> dict[str, Any]:
    """Return what the sections of a number show, released or drafted: sentences, pictures and tables."""
    return {
        "figures": figures,
        "summary": summary_words(figures, language),
        "confusion": _confusion(figures, language),
        "sites": _site_pictures(figures, language),
        "before": before_words(figures, language),
        "mark": CHANGED,
        "limits": limit_words(figures, language),
        "facts": proof_facts(figures, language),
        "tables": {
            "changed": changed_table(figures, language),
            "group": group_table(figures, language),
            "rates": rates_table(figures, language),
            "alarms": counts_table(figures, ALARMS, language),
            "quiet": counts_table(figures, QUIET, language),
            "people": counts_table(figures, PEOPLE, language),
            "requests": counts_table(figures, REQUESTS, language),
            "drift": drift_table(figures, language),
            "models": models_table(figures, language),
            "sources": sources_table(figures, language),
            "measures": measures_table(figures, language),
            "next": next_table(figures, language),
        },
    }


def _confusion(figures: DisclosureFigures, language: Language) -> Picture | None:
    """Return right and wrong answers of the group, for a wide window and for a phone."""
    wide, narrow = (confusion_drawing(figures, language, width) for width in (WIDE, NARROW))
    return None if wide is None or narrow is None else Picture(wide=wide, narrow=narrow)


def _site_pictures(figures: DisclosureFigures, language: Language) -> list[tuple[Picture, ...]]:
    """Return the pictures of the sites, each for a wide window and for a phone."""
    return [
        tuple(
            Picture(
                wide=site_drawing(rows, name, figures, language, PAIRED),
                narrow=site_drawing(rows, name, figures, language, NARROW),
            )
            for name in PICTURED
        )
        for rows in site_pages(figures)
    ]
