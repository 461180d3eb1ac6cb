"""The rules in force, those before them with their differences, and the officer's proposal before the committee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import UploadFile

from api.console.confirming import Step, second_step, was_confirmed
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in, visitor
from api.console.signing_in import Posted
from api.console.wording import say
from api.routes.shared import service_of
from api.wiring import Service
from governance.rejudging import Standing
from governance.rulebooks import Revision
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, NotAllowed, Person, require

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/rules")
def rules(request: Request) -> Response:
    """Show the rulebook in force and those before it to anyone; what is proposed to those who may know of it."""
    return _shown(request)


@router.post("/rules")
def propose(request: Request, person: Visitor, form: Posted) -> Response:
    """Put a rulebook before the committee."""
    require(person, Action.PROPOSE_RULES)
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Malformed(Sentence(en="choose the rulebook's TOML file first", zh="请先选择规则文件（TOML）"))
        made = service_of(request).rule_changes.propose(file.file.read(), by=person, reason=text_of(form, "reason"))
    except Fault as fault:
        return _shown(request, 422, fault.faults)
    return done(f"/rules/{made.id}", "proposed")


@router.get("/rules/{revision}")
def one(request: Request, revision: str, person: Visitor) -> Response:
    """Show one rulebook, how it differs from the one before it, and the permits it touches."""
    require(person, Action.READ_SUBMISSIONS)
    return _one(request, revision, person)


@router.post("/rules/{revision}/{act}")
def decide(request: Request, revision: str, act: str, person: Visitor, form: Posted) -> Response:
    """Adopt a proposed rulebook, asked twice, or decline it. Who proposed it does not adopt it."""
    changes, reason = service_of(request).rule_changes, text_of(form, "reason")
    try:
        if act == "adopt" and not was_confirmed(form):
            changes.consider(revision, by=person, reason=reason)
            return second_step(request, _adopt_step(request, revision, person, reason))
        if act == "adopt":
            changes.adopt(revision, by=person, reason=reason)
        else:
            changes.decline(revision, by=person, reason=reason)
    except NotAllowed:
        raise
    except Fault as fault:
        return _one(request, revision, person, 422, fault.faults)
    return done(f"/rules/{revision}", "adopted" if act == "adopt" else "declined")


def _adopt_step(request: Request, revision: str, person: Person, reason: str) -> Step:
    service, language = service_of(request), language_of(request)
    found = service.rulebooks.get(revision)
    stops = [
        f"{one.model} {say(language, 'sub.version', n=one.version)}"
        for one in _touched(service, found, person)
        if one.fails
    ]
    return Step(
        title=say(language, "rules.adopt_title", edition=found.book.version),
        does=say(language, "rules.adopt_does"),
        give=say(language, "rules.adopt"),
        address=f"/rules/{revision}/adopt",
        back=f"/rules/{revision}",
        fields={"reason": reason},
        facts=[
            (say(language, "rules.would_stop"), say(language, "list.comma").join(stops) or "–"),
            (say(language, "verdict.reason"), reason),
            (say(language, "rules.digest"), found.digest),
        ],
        danger=bool(stops),
    )


def _touched(service: Service, revision: Revision, person: Person) -> list[Standing]:
    """Return the permits this person may know of that a rulebook touches."""
    return [one for one in service.rule_changes.touched_by(revision.book) if person.sees(one.site or None, one.model)]


def _shown(request: Request, status: int = 200, faults: Sequence[Sentence] = ()) -> Response:
    service, person = service_of(request), visitor(request)
    insider = person is not None and person.may(Action.READ_SUBMISSIONS)
    return page(
        request,
        "rules.html",
        status,
        book=service.rulebook,
        history=service.rulebooks.history(),
        proposed=service.rulebooks.proposals() if insider else (),
        insider=insider,
        may_propose=person is not None and person.may(Action.PROPOSE_RULES),
        faults=faults,
    )


def _one(
    request: Request, revision: str, person: Person, status: int = 200, faults: Sequence[Sentence] = ()
) -> Response:
    service = service_of(request)
    found = service.rulebooks.get(revision)
    open_still = found.decided_at is None
    return page(
        request,
        "rule.html",
        status,
        revision=found,
        differences=service.rule_changes.differences(found),
        touched=_touched(service, found, person),
        may_adopt=open_still and person.may(Action.ADOPT_RULES) and person.name != found.proposed_by,
        may_decline=open_still and (person.may(Action.ADOPT_RULES) or person.name == found.proposed_by),
        faults=faults,
    )
