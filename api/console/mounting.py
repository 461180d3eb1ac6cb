"""Puts the console's pages and its style into the application."""

from __future__ import annotations

from fastapi import FastAPI, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.console import (
    desk_account,
    desk_decisions,
    desk_delegations,
    desk_disclosures,
    desk_drafts,
    desk_jobs,
    desk_keeping,
    desk_law,
    desk_models,
    desk_people,
    desk_person,
    desk_quarters,
    desk_reports,
    desk_reviews,
    desk_rules,
    desk_submissions,
    desk_tiers,
    desk_versions,
    signing_in,
)
from api.console.pages import STATIC

DESKS = (
    signing_in,
    desk_submissions,
    desk_drafts,
    desk_tiers,
    desk_delegations,
    desk_jobs,
    desk_versions,
    desk_models,
    desk_decisions,
    desk_reviews,
    desk_disclosures,
    desk_quarters,
    desk_reports,
    desk_rules,
    desk_law,
    desk_keeping,
    desk_people,
    desk_person,
    desk_account,
)
"""Where the pages of the console are, one file per desk."""

KEPT = "public, max-age=31536000, immutable"


class KeptFiles(StaticFiles):
    """Files whose address changes with their content, so that a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file with leave to keep it."""
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = KEPT
        return response


def add_console(app: FastAPI) -> None:
    """Add every page of the console, none of them in the machine-readable description of the API."""
    for pages in DESKS:
        app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", KeptFiles(directory=STATIC), name="static")
