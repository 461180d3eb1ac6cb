"""What may be approved without the officer: his delegations, signed and withdrawn, and the reviewer who uses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.console import pictures
from api.console.confirming import Step, second_step, was_confirmed
from api.console.days import day_of
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.console.token_forms import listed
from api.console.wording import say
from api.routes.shared import service_of
from api.wiring import Service
from governance.approvals import Verdict
from governance.delegations import DELEGABLE
from governance.submissions import SubmissionRecord
from policies.errors import Fault, Malformed, NotFound, Sentence
from policies.roles import Action, Person, Role, require
from policies.tiers import Tier
from reports.wording import Language

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

FIELDS = ("tier", "models", "sites", "until", "reason")


@router.get("/delegations")
def delegations(request: Request, person: Visitor) -> Response:
    """List the delegations; a reviewer sees those he may use, and what waits for him under them."""
    return _shown(request, person)


@router.post("/delegations")
def give(request: Request, person: Visitor, form: Posted) -> Response:
    """First step: say what the delegation would allow. Second step: sign it."""
    require(person, Action.DELEGATE)
    service, language = service_of(request), language_of(request)
    given = {name: text_of(form, name) for name in FIELDS}
    try:
        tier, until = _tier(given["tier"]), _until(service, given["until"])
        reach = {"models": listed(given["models"]), "sites": listed(given["sites"])}
        if not was_confirmed(form):
            end = service.delegations.consider(tier, by=person, reason=given["reason"], until=until, **reach)
            empty = say(language, "delegation.all")
            step = Step(
                title=say(language, "delegation.confirm_title", tier=str(tier)),
                does=say(language, "delegation.automatic_does" if tier is Tier.L1 else "delegation.reviewer_does"),
                give=say(language, "delegation.sign"),
                address="/delegations",
                back="/delegations",
                fields=given,
                facts=[
                    (say(language, "delegation.models"), given["models"] or empty),
                    (say(language, "delegation.sites"), given["sites"] or person.site or empty),
                    (say(language, "delegation.until"), say(language, "delegation.until_is", moment=end)),
                    (say(language, "verdict.reason"), given["reason"]),
                ],
            )
            return second_step(request, step)
        service.delegations.give(tier, by=person, reason=given["reason"], until=until, **reach)
    except Fault as fault:
        return _shown(request, person, 422, fault.faults, given)
    return done("/delegations", "delegated")


@router.post("/delegations/{delegation}/revoke")
def revoke(request: Request, delegation: str, person: Visitor, form: Posted) -> Response:
    """Withdraw a delegation now. What was approved under it stays approved."""
    try:
        service_of(request).delegations.revoke(delegation, by=person, reason=text_of(form, "reason"))
    except Malformed as fault:
        return _shown(request, person, 422, fault.faults)
    return done("/delegations", "withdrawn")


@router.get("/delegated/{submission}")
def delegated(request: Request, submission: str, person: Visitor) -> Response:
    """Show a reviewer a submission that he may decide on; what no delegation covers looks absent."""
    return _one(request, person, service_of(request).approvals.delegated(submission, person))


@router.post("/delegated/{submission}/verdict")
def verdict(request: Request, submission: str, person: Visitor, form: Posted) -> Response:
    """First step: show what the reviewer's word would do. Second step: give it. A veto is never his."""
    service, language = service_of(request), language_of(request)
    record = service.approvals.delegated(submission, person)
    given = {name: text_of(form, name) for name in ("verdict", "reason")}
    try:
        said = _verdict(given["verdict"])
        if not was_confirmed(form):
            service.approvals.consider(submission, said, by=person, reason=given["reason"])
            step = Step(
                title=_title(record, said, language),
                does=say(language, "verdict.approve_does" if said is Verdict.APPROVE else "verdict.return_does"),
                give=say(language, "verdict.give_approve" if said is Verdict.APPROVE else "verdict.give_return"),
                address=f"/delegated/{submission}/verdict",
                back=f"/delegated/{submission}",
                fields=given,
                facts=[
                    (say(language, "verdict.reason"), given["reason"]),
                    (say(language, "purpose.digest"), record.artifact_digest),
                ],
            )
            return second_step(request, step)
        service.give_verdict(submission, said, by=person, reason=given["reason"])
    except NotFound:
        raise
    except Fault as fault:
        return _one(request, person, record, 422, faults=fault.faults, given=given)
    return done("/delegations", said.value)


def _title(record: SubmissionRecord, said: Verdict, language: Language) -> str:
    key = "verdict.confirm_approve" if said is Verdict.APPROVE else "verdict.confirm_return"
    return say(language, key, model=record.model, version=record.version)


def _tier(name: str) -> Tier:
    if name not in Tier.__members__:
        raise Malformed(Sentence(en="choose a tier first", zh="请先选择等级"))
    return Tier[name]


def _verdict(name: str) -> Verdict:
    if name not in (Verdict.APPROVE, Verdict.RETURN):
        raise Malformed(Sentence(en="choose to approve or to return first", zh="请先选择批准或退回"))
    return Verdict(name)


def _until(service: Service, text: str) -> datetime:
    if not text:
        raise Malformed(Sentence(en="a delegation needs its last day", zh="授权须写明截止日"))
    return day_of(text, after=1) - timedelta(microseconds=1)


def _shown(
    request: Request,
    person: Person,
    status: int = 200,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
) -> Response:
    service = service_of(request)
    now = service.clock()
    found = service.delegations.list(person)
    return page(
        request,
        "delegations.html",
        status,
        standing=[one for one in found if one.revoked_at is None and now < one.until],
        over=[one for one in found if one.revoked_at is not None or one.until <= now],
        waiting=service.approvals.waiting_for(person) if person.role is Role.REVIEWER else (),
        tiers=DELEGABLE,
        may_give=person.may(Action.DELEGATE),
        now=now,
        faults=faults,
        given=given or {},
    )


def _one(
    request: Request,
    person: Person,
    record: SubmissionRecord,
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
) -> Response:
    service, language = service_of(request), language_of(request)
    figures = service.telling.model_figures(record)
    return page(
        request,
        "delegated.html",
        status,
        record=record,
        figures=figures,
        drawn={**pictures.of_model(figures, language), "findings": pictures.findings(record.findings, language)},
        obstacles=service.approvals.in_the_way(record),
        own=person.name == record.submitted_by,
        faults=faults,
        given=given or {},
    )
