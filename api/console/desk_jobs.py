"""How far long work is, where it led or why it failed, and the button that stops it. Everyone sees his own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.console.pages import PageRoute, done, language_of, page
from api.console.sessions import signed_in
from api.console.wording import name_of, say
from api.routes.shared import service_of
from api.work import SUBMISSION
from audit.examination import CHECKS
from governance.jobs import Job, JobState
from policies.roles import Person
from reports.wording import Language

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/jobs/{job}")
def job(request: Request, job: str, person: Visitor) -> Response:
    """Tell how far a job is; one that is done leads on."""
    service = service_of(request)
    found = service.jobs.seen_by(job, person)
    if found.state is JobState.DONE:
        return done(_led_to(found), "submitted")
    draft = service.drafts.of_job(job, person)
    return page(request, "job.html", job=found, draft=draft, faults=found.faults, steps=_steps(language_of(request)))


@router.post("/jobs/{job}/cancel")
def cancel(request: Request, job: str, person: Visitor) -> Response:
    """Stop a job."""
    service_of(request).jobs.cancel(job, by=person)
    return done(f"/jobs/{job}")


def _led_to(job: Job) -> str:
    return f"/submissions/{job.result}" if job.kind == SUBMISSION and job.result else "/"


def _steps(language: Language) -> dict[str, str]:
    """Return what each step is called; "" before the first one."""
    own = {step: say(language, f"job.step_{step}") for step in ("reading", "loading", "done")}
    checks = {
        check.name: say(language, "job.step_check", check=name_of(language, "check", check.name)) for check in CHECKS
    }
    return {"": say(language, "job.waits"), **own, **checks}
