"""One's own account: how far one sees, what it is signed in with, a token of one's own, the password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.console.confirming import Step, second_step, was_confirmed
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import end_session, signed_in
from api.console.signing_in import Posted
from api.console.token_forms import latest_day, purposes_of, read_token, require_listed, typed
from api.console.wording import say
from api.routes.shared import SESSION, address_of, service_of
from api.tokens import NotSignedIn
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Person

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/account")
def account(request: Request, person: Visitor) -> Response:
    """Show who one is here, and every token and session of one's own."""
    return _shown(request, person)


@router.post("/account/tokens")
def make_token(request: Request, person: Visitor, form: Posted) -> Response:
    """Make a token of one's own; it is on this one answer and nowhere else. A token makes no tokens."""
    people = service_of(request).people
    people.require_session(request.cookies.get(SESSION, ""))
    given = typed(form)
    try:
        wanted = read_token(form)
        token = people.new_token(person.name, scope=wanted.scope, until=wanted.until, note=wanted.note, by=person.name)
    except Fault as fault:
        return _shown(request, person, 422, faults=fault.faults, given=given)
    return _shown(request, person, 201, made=token)


@router.post("/account/tokens/revoke")
def revoke(request: Request, person: Visitor, form: Posted) -> Response:
    """End one of one's own tokens or sessions; asked twice."""
    people, language, token = service_of(request).people, language_of(request), text_of(form, "token", 40)
    require_listed(people.tokens(person.name), token)
    if not was_confirmed(form):
        step = Step(
            title=say(language, "token.end_of", token=token),
            does=say(language, "token.end_does"),
            give=say(language, "token.end"),
            address="/account/tokens/revoke",
            back="/account",
            fields={"token": token},
            danger=True,
        )
        return second_step(request, step)
    people.revoke(person.name, token, by=person.name)
    return done("/account", "revoked")


@router.post("/account/password")
def change_password(request: Request, person: Visitor, form: Posted) -> Response:
    """Replace one's own password; every session and token ends, this one too."""
    old, new, again = (str(form.get(name, "")) for name in ("old", "new", "again"))
    try:
        if new != again:
            raise Malformed(Sentence(en="the two new passwords differ", zh="两次输入的新密码不一致"))
        service_of(request).people.change_password(person.name, old, new, address_of(request))
    except NotSignedIn:
        wrong = Sentence(
            en="the old password is not right, or there were too many tries; wait a minute and try again",
            zh="原密码不正确，或尝试次数过多，请稍候再试",
        )
        return _shown(request, person, 422, faults=[wrong])
    except Fault as fault:
        return _shown(request, person, 422, faults=fault.faults)
    response = done("/login")
    end_session(request, response)
    return response


def _shown(
    request: Request,
    person: Person,
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    given: dict[str, str] | None = None,
    made: str = "",
) -> Response:
    service = service_of(request)
    known = service.people.account(person.name)
    return page(
        request,
        "account.html",
        status,
        account=known,
        lines=service.people.tokens(person.name),
        purposes=purposes_of(service),
        now=service.clock(),
        latest=latest_day(service, known),
        faults=faults,
        given=given or {},
        made=made,
    )
