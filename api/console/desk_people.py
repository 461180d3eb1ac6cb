"""The admin's desk: accounts made and ended. It shows people and roles, and no decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.accounts import NewAccount, OwnAccount
from api.console.pages import PageRoute, done, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.routes.shared import service_of
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, Person, Role, require, require_site

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/people")
def people(request: Request, person: Visitor) -> Response:
    """List the accounts."""
    require(person, Action.MANAGE_PEOPLE)
    return _shown(request, person)


@router.post("/people")
def add(request: Request, person: Visitor, form: Posted) -> Response:
    """Make an account; its password and token are on this one answer and nowhere else."""
    require(person, Action.MANAGE_PEOPLE)
    given = {name: text_of(form, name, 200) for name in ("name", "role", "site", "subject")}
    require_site(person, given["site"] or None, "site", given["site"])
    try:
        made = service_of(request).people.add(
            given["name"],
            _role(given["role"]),
            site=given["site"] or None,
            subject=given["subject"] or None,
            by=person.name,
        )
    except Fault as fault:
        return _shown(request, person, 422, faults=fault.faults, given=given)
    return _shown(request, person, 201, made=made)


@router.post("/people/disable")
def disable(request: Request, person: Visitor, form: Posted) -> Response:
    """End an account and everything it is signed in with; asked twice."""
    require(person, Action.MANAGE_PEOPLE)
    name = text_of(form, "name", 200)
    known = service_of(request).people.seen_by(name, person).person
    if known.name == person.name:
        raise OwnAccount()
    if form.get("step") != "give":
        return page(request, "disable.html", account=known)
    service_of(request).people.disable(name, by=person.name)
    return done("/people", "disabled")


def _shown(
    request: Request,
    person: Person,
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
    made: NewAccount | None = None,
) -> Response:
    accounts = [each for each in service_of(request).people.everyone() if person.sees_site(each.site)]
    return page(
        request,
        "people.html",
        status,
        accounts=accounts,
        roles=list(Role),
        faults=faults,
        given=given or {},
        made=made,
    )


def _role(name: str) -> Role:
    if name not in list(Role):
        raise Malformed(Sentence(en="choose a role first", zh="请先选择角色"))
    return Role(name)
