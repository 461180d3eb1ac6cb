"""One account as an admin looks after it: its tokens, its role and reach, a fresh password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from api.accounts import MACHINES, Account, OwnAccount
from api.console.confirming import Step, second_step, was_confirmed
from api.console.days import day_of
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.console.token_forms import latest_day, listed, purposes_of, read_token, require_listed, typed
from api.console.wording import name_of, say
from api.routes.shared import service_of
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, Person, Role, Scope, require, require_site

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

CHANGED = ("role", "site", "until", "sites", "models")


@router.get("/people/account")
def account(request: Request, person: Visitor, name: str = "") -> Response:
    """Show one account with its tokens and sessions."""
    return _shown(request, person, _looked_after(request, person, name))


@router.post("/people/tokens")
def make_token(request: Request, person: Visitor, form: Posted) -> Response:
    """Make a token for a service or tester; it is on this one answer and nowhere else."""
    known = _looked_after(request, person, text_of(form, "name", 200))
    given = typed(form)
    try:
        wanted = read_token(form)
        token = service_of(request).people.new_token(
            known.person.name, scope=wanted.scope, until=wanted.until, note=wanted.note, by=person.name
        )
    except Fault as fault:
        return _shown(request, person, known, 422, faults=fault.faults, given=given)
    return _shown(request, person, known, 201, made=token)


@router.post("/people/tokens/revoke")
def revoke(request: Request, person: Visitor, form: Posted) -> Response:
    """End one token or session of an account; asked twice."""
    name, token = text_of(form, "name", 200), text_of(form, "token", 40)
    _looked_after(request, person, name)
    people, language = service_of(request).people, language_of(request)
    require_listed(people.tokens(name), token)
    if not was_confirmed(form):
        step = Step(
            title=say(language, "token.end_of", token=token),
            does=say(language, "token.end_does"),
            give=say(language, "token.end"),
            address="/people/tokens/revoke",
            back=_address(name),
            fields={"name": name, "token": token},
            facts=[(say(language, "login.name"), name)],
            danger=True,
        )
        return second_step(request, step)
    people.revoke(name, token, by=person.name)
    return done("/people/account", "revoked", name=name)


@router.post("/people/change")
def change(request: Request, person: Visitor, form: Posted) -> Response:
    """Give an account another role, site, end or reach; asked twice, for it ends whatever it is signed in with."""
    known = _looked_after(request, person, text_of(form, "name", 200))
    given = {field: text_of(form, field) for field in CHANGED}
    if known.person.name == person.name:
        raise OwnAccount()
    require_site(person, given["site"] or None, "site", given["site"])
    try:
        values = _changes(given, known)
    except Fault as fault:
        return _shown(request, person, known, 422, faults=fault.faults)
    if not was_confirmed(form):
        return second_step(request, _change_step(request, known, given))
    try:
        service_of(request).people.change(known.person.name, by=person.name, **values)
    except Fault as fault:
        return _shown(request, person, known, 422, faults=fault.faults)
    return done("/people/account", "changed", name=known.person.name)


@router.post("/people/password")
def reset_password(request: Request, person: Visitor, form: Posted) -> Response:
    """Give a local account a fresh password, shown once; asked twice."""
    known = _looked_after(request, person, text_of(form, "name", 200))
    name, language = known.person.name, language_of(request)
    if not was_confirmed(form):
        step = Step(
            title=say(language, "account.password_of", name=name),
            does=say(language, "account.password_does"),
            give=say(language, "account.password_give"),
            address="/people/password",
            back=_address(name),
            fields={"name": name},
        )
        return second_step(request, step)
    try:
        fresh = service_of(request).people.reset_password(name, by=person.name)
    except Fault as fault:
        return _shown(request, person, known, 422, faults=fault.faults)
    return _shown(request, person, known, password=fresh)


def _address(name: str) -> str:
    return f"/people/account?{urlencode({'name': name})}"


def _looked_after(request: Request, person: Person, name: str) -> Account:
    require(person, Action.MANAGE_PEOPLE)
    return service_of(request).people.seen_by(name, person)


def _fields(known: Account) -> dict[str, str]:
    """Return an account as the form writes it."""
    scope = known.person.scopes[0] if known.person.scopes else Scope()
    return {
        "role": known.person.role.value,
        "site": known.person.site or "",
        "until": f"{known.until:%Y-%m-%d}" if known.until is not None else "",
        "sites": ", ".join(scope.sites or ()),
        "models": ", ".join(scope.models or ()),
    }


def _changes(given: dict[str, str], known: Account) -> dict[str, Any]:
    """Return what the form changes, as `People.change` takes it. Raises Malformed where it changes nothing."""
    if given["role"] not in list(Role):
        raise Malformed(Sentence(en="choose a role first", zh="请先选择角色"))
    before = _fields(known)
    changed = {field for field in CHANGED if given[field] != before[field]}
    if not changed:
        raise Malformed(Sentence(en="nothing is changed; change a field first", zh="没有任何改动，请先修改某一栏"))
    values: dict[str, Any] = {}
    if "role" in changed:
        values["role"] = Role(given["role"])
    if "site" in changed:
        values["site"] = given["site"] or None
    if "until" in changed:
        values["until"] = day_of(given["until"], after=1) if given["until"] else None
    if changed & {"sites", "models"}:
        values["scope"] = Scope(sites=listed(given["sites"]), models=listed(given["models"]))
    return values


def _change_step(request: Request, known: Account, given: dict[str, str]) -> Step:
    language, before = language_of(request), _fields(known)
    titles = {
        "role": say(language, "people.role"),
        "site": say(language, "sub.site"),
        "until": say(language, "account.until"),
        "sites": say(language, "account.sites"),
        "models": say(language, "account.models"),
    }
    empty = say(language, "account.no_limit")

    def words(field: str, value: str) -> str:
        return name_of(language, "role", value) if field == "role" else value or empty

    return Step(
        title=say(language, "account.change_of", name=known.person.name),
        does=say(language, "account.change_does"),
        give=say(language, "account.change"),
        address="/people/change",
        back=_address(known.person.name),
        fields={"name": known.person.name, **given},
        facts=[
            (titles[field], f"{words(field, before[field])} → {words(field, given[field])}")
            for field in CHANGED
            if given[field] != before[field]
        ],
    )


def _shown(
    request: Request,
    person: Person,
    known: Account,
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    given: dict[str, str] | None = None,
    made: str = "",
    password: str = "",
) -> Response:
    service = service_of(request)
    return page(
        request,
        "person.html",
        status,
        account=known,
        fields=_fields(known),
        roles=list(Role),
        lines=service.people.tokens(known.person.name),
        may_make=known.person.role in MACHINES,
        is_self=known.person.name == person.name,
        purposes=purposes_of(service),
        now=service.clock(),
        latest=latest_day(service, known),
        faults=faults,
        given=given or {},
        made=made,
        password=password,
    )
