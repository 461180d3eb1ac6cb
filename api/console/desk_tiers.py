"""The tier of one submission: why it is what it is, what people changed, and changing it, down only by two people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.console.confirming import Step, second_step, was_confirmed
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.console.wording import name_of, say
from api.routes.shared import service_of
from api.wiring import Service
from governance.stages import Stage
from governance.submissions import SubmissionRecord
from governance.tier_changes import ChangeState, TierChange
from policies.errors import Fault, Malformed, Sentence
from policies.impact_matrix import lowest_tier
from policies.roles import Action, Person, require
from policies.tiers import Tier
from reports.wording import Language

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

OPEN_STAGES = (Stage.EXAMINED, Stage.APPROVED, Stage.SUSPENDED)
"""Stages in which a tier still matters."""


@router.get("/submissions/{submission}/tier")
def tier(request: Request, submission: str, person: Visitor) -> Response:
    """Show the tier, the cells that decided it, and every change people made."""
    return _shown(request, person, service_of(request).book.seen_by(submission, person))


@router.post("/submissions/{submission}/tier")
def change_tier(request: Request, submission: str, person: Visitor, form: Posted) -> Response:
    """First step: say what another tier would do. Second step: raise it now, or ask for a lower one."""
    require(person, Action.ASSESS)
    service = service_of(request)
    record = service.book.seen_by(submission, person)
    given = {name: text_of(form, name) for name in ("tier", "reason")}
    try:
        wanted = _tier(given["tier"])
        if not was_confirmed(form):
            service.tier_changes.consider(submission, wanted, by=person, reason=given["reason"])
            return second_step(request, _change_step(service, record, wanted, given, language_of(request)))
        made = service.tier_changes.change(submission, wanted, by=person, reason=given["reason"])
    except Fault as fault:
        return _shown(request, person, record, 422, faults=fault.faults, given=given)
    return done(f"/submissions/{submission}/tier", "raised" if made.state is ChangeState.DONE else "asked_lower")


@router.post("/tier-changes/{change}/confirm")
def confirm(request: Request, change: str, person: Visitor, form: Posted) -> Response:
    """Let a lower tier count, as the second person; asked twice."""
    service, reason = service_of(request), text_of(form, "reason")
    found, record = _change(service, change, person)
    try:
        if not was_confirmed(form):
            service.tier_changes.consider_confirming(change, by=person, reason=reason)
            return second_step(request, _confirm_step(service, record, found, reason, language_of(request)))
        service.tier_changes.confirm(change, by=person, reason=reason)
    except Fault as fault:
        return _shown(request, person, record, 422, faults=fault.faults)
    return done(f"/submissions/{record.id}/tier", "lowered")


@router.post("/tier-changes/{change}/decline")
def decline(request: Request, change: str, person: Visitor, form: Posted) -> Response:
    """Leave the tier as it is."""
    service = service_of(request)
    _, record = _change(service, change, person)
    try:
        service.tier_changes.decline(change, by=person, reason=text_of(form, "reason"))
    except Fault as fault:
        return _shown(request, person, record, 422, faults=fault.faults)
    return done(f"/submissions/{record.id}/tier", "tier_declined")


def _change(service: Service, change: str, person: Person) -> tuple[TierChange, SubmissionRecord]:
    """Return a change and its submission. Raises NotAllowed; NotFound for foreign and absent alike."""
    found = service.tier_changes.seen_by(change, person)
    return found, service.book.get(found.submission)


def _tier(name: str) -> Tier:
    if name not in Tier.__members__:
        raise Malformed(Sentence(en="choose a tier first", zh="请先选择等级"))
    return Tier[name]


def _deciders(service: Service, tier: Tier, language: Language) -> str:
    names = [name_of(language, "role", role) for role in service.rulebook.permits.deciders[tier]]
    return say(
        language, "verdict.deciders", tier=str(tier), n=len(names), names=say(language, "list.comma").join(names)
    )


def _change_step(
    service: Service, record: SubmissionRecord, wanted: Tier, given: Mapping[str, str], language: Language
) -> Step:
    raised = wanted > record.tier
    at_work = record.stage is not Stage.EXAMINED
    raising = "tierchange.raise_at_work_does" if at_work else "tierchange.raise_does"
    does = raising if raised else "tierchange.lower_does"
    return Step(
        title=say(
            language,
            "tierchange.raise_title" if raised else "tierchange.lower_title",
            model=record.model,
            version=record.version,
            old=str(record.tier),
            new=str(wanted),
        ),
        does=say(language, does),
        give=say(language, "tierchange.raise" if raised else "tierchange.lower"),
        address=f"/submissions/{record.id}/tier",
        back=f"/submissions/{record.id}/tier",
        fields=given,
        facts=[
            (say(language, "verdict.reason"), given["reason"]),
            (say(language, "tierchange.then"), _deciders(service, wanted, language)),
        ],
        danger=raised and at_work,
    )


def _confirm_step(
    service: Service, record: SubmissionRecord, found: TierChange, reason: str, language: Language
) -> Step:
    return Step(
        title=say(
            language,
            "tierchange.confirm_title",
            model=record.model,
            version=record.version,
            old=str(found.old),
            new=str(found.new),
        ),
        does=say(language, "tierchange.confirm_does"),
        give=say(language, "tierchange.confirm"),
        address=f"/tier-changes/{found.id}/confirm",
        back=f"/submissions/{record.id}/tier",
        fields={"reason": reason},
        facts=[
            (say(language, "tierchange.asked_by", by=found.by), found.reason),
            (say(language, "verdict.reason"), reason),
            (say(language, "tierchange.then"), _deciders(service, found.new, language)),
        ],
    )


def _shown(
    request: Request,
    person: Person,
    record: SubmissionRecord,
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
) -> Response:
    service = service_of(request)
    floor = lowest_tier(service.rulebook.impact, record.declaration.impact)
    may = person.may(Action.ASSESS) and person.name != record.submitted_by and record.stage in OPEN_STAGES
    lowerable = record.stage is Stage.EXAMINED and not record.approvals
    return page(
        request,
        "tier.html",
        status,
        record=record,
        floor=floor,
        changes=service.tier_changes.of(record.id, person),
        choices=[one for one in Tier if one > record.tier or (lowerable and floor <= one < record.tier)] if may else [],
        may=may,
        own=person.may(Action.ASSESS) and person.name == record.submitted_by,
        faults=faults,
        given=given or {},
    )
