"""Signing in, one's own account and tokens, and the accounts that admins look after."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from api.accounts import Account, NewAccount
from api.routes.shared import Asking, HouseService, address_of, token_of
from api.wiring import in_utc
from policies.errors import Malformed, Sentence
from policies.roles import Action, Person, Role, Scope, require, require_site

router = APIRouter(prefix="/v1", tags=["people"])

Text = Annotated[str, Field(max_length=200)]


class SignIn(BaseModel):
    """Name and password of a local account."""

    name: Text
    password: Annotated[str, Field(max_length=1000)]


class Passwords(BaseModel):
    """The password that holds and the one that shall."""

    old: Annotated[str, Field(max_length=1000)]
    new: Annotated[str, Field(max_length=1000)]


class Narrowed(BaseModel):
    """What an account or token is narrowed to; null or absent leaves a part as wide as it is."""

    sites: list[Text] | None = None
    models: list[Text] | None = None


class TokenIn(Narrowed):
    """A token wanted: its scope, its end (at most 90 days away) and what it is for."""

    purposes: list[Text] | None = None
    until: datetime | None = None
    note: Text = ""

    def scope(self) -> Scope:
        """Return the scope asked for."""
        return Scope(sites=_parts(self.sites), models=_parts(self.models), purposes=_parts(self.purposes))


class AccountIn(Narrowed):
    """An account wanted. `subject` is an employee's id in the data; only its pseudonym is kept."""

    user: Text
    role: Role
    site: Text | None = None
    subject: Text | None = None
    purpose: Text | None = None
    until: datetime | None = None


class ChangeIn(Narrowed):
    """What shall change; what is left out stays as it is."""

    role: Role | None = None
    site: Text | None = None
    until: datetime | None = None


def admin_of(person: Asking) -> Person:
    """Return who asks if he manages people."""
    require(person, Action.MANAGE_PEOPLE)
    return person


def in_session(request: Request, service: HouseService, person: Asking) -> Person:
    """Return who asks if he asks in a session, not with a token."""
    return service.people.require_session(token_of(request))


Admin = Annotated[Person, Depends(admin_of)]


def account_of(user: str, service: HouseService, admin: Admin) -> Account:
    """Return the account an admin asks about; one of another site looks absent."""
    return service.people.seen_by(user, admin)


Known = Annotated[Account, Depends(account_of)]
InSession = Annotated[Person, Depends(in_session)]


@router.post("/sessions", status_code=201)
def sign_in(said: SignIn, request: Request, service: HouseService) -> dict[str, object]:
    """Begin a session with name and password; it is used like a token, as `Bearer`."""
    session = service.people.sign_in(said.name, said.password, address_of(request))
    person = service.people.by_token(session)
    return {"session": session, "user": person.name, "role": person.role.value}


@router.delete("/sessions", status_code=204)
def sign_out(request: Request, service: HouseService, person: Asking) -> Response:
    """End the session or token this request was sent with."""
    service.people.sign_out(token_of(request))
    return Response(status_code=204)


@router.get("/me")
def me(service: HouseService, person: Asking) -> dict[str, object]:
    """Say who asks, and how far he sees."""
    return {
        **service.people.account(person.name).as_json(),
        "purpose": person.purpose,
        "models": list(person.only_models) if person.only_models is not None else None,
        "places": [list(group) for group in person.places],
    }


@router.post("/me/password", status_code=204)
def change_password(said: Passwords, request: Request, service: HouseService, person: Asking) -> Response:
    """Replace one's own password; every session and token of the account ends."""
    service.people.change_password(person.name, said.old, said.new, address_of(request))
    return Response(status_code=204)


@router.get("/me/tokens")
def own_tokens(service: HouseService, person: Asking) -> dict[str, object]:
    """List one's own tokens and sessions, never the tokens themselves."""
    return {"tokens": [line.as_json() for line in service.people.tokens(person.name)]}


@router.post("/me/tokens", status_code=201)
def make_own_token(said: TokenIn, service: HouseService, person: InSession) -> dict[str, object]:
    """Make a token of one's own, as narrow as asked; shown once. Needs a session: a token makes no tokens."""
    return {"token": _token(service, person.name, said, by=person.name)}


@router.delete("/me/tokens/{token}", status_code=204)
def revoke_own_token(token: str, service: HouseService, person: Asking) -> Response:
    """End one of one's own tokens or sessions."""
    service.people.revoke(person.name, token, by=person.name)
    return Response(status_code=204)


@router.get("/people")
def accounts(service: HouseService, admin: Admin) -> dict[str, object]:
    """List the accounts."""
    mine = [account for account in service.people.accounts() if admin.sees_site(account.person.site)]
    return {"people": [account.as_json() for account in mine]}


@router.post("/people", status_code=201)
def add(said: AccountIn, service: HouseService, admin: Admin) -> dict[str, object]:
    """Make an account; its password and token are in this answer and nowhere else."""
    require_site(admin, said.site, "site", said.site or "")
    made: NewAccount = service.people.add(
        said.user,
        said.role,
        site=said.site,
        subject=said.subject,
        purpose=said.purpose,
        until=in_utc(said.until),
        scope=Scope(sites=_parts(said.sites), models=_parts(said.models)),
        by=admin.name,
    )
    return {"user": made.user, "password": made.password, "token": made.token}


@router.get("/people/{user}")
def account(user: str, known: Known) -> dict[str, object]:
    """Show one account."""
    return known.as_json()


@router.patch("/people/{user}")
def change(user: str, said: ChangeIn, service: HouseService, admin: Admin, known: Known) -> dict[str, object]:
    """Change role, site, end or scope of an account; whatever it is signed in with ends."""
    given = said.model_fields_set
    values: dict[str, object] = {name: getattr(said, name) for name in ("role", "site") if name in given}
    if values.get("role", Role.ADMIN) is None:
        raise Malformed(
            Sentence(en="an account has a role; name one, or leave it out", zh="账号必须有角色，请填写或不填")
        )
    if "until" in given:
        values["until"] = in_utc(said.until)
    if given & {"sites", "models"}:
        values["scope"] = _narrowed(known, said)
    if "site" in values:
        require_site(admin, said.site, "site", said.site or "")
    return service.people.change(user, by=admin.name, **values).as_json()


@router.delete("/people/{user}", status_code=204)
def disable(user: str, service: HouseService, admin: Admin, known: Known) -> Response:
    """End an account and everything it is signed in with."""
    service.people.disable(user, by=admin.name)
    return Response(status_code=204)


@router.post("/people/{user}/password")
def reset_password(user: str, service: HouseService, admin: Admin, known: Known) -> dict[str, object]:
    """Give a local account a fresh password, shown once; the log names who did it."""
    return {"user": user, "password": service.people.reset_password(user, by=admin.name)}


@router.get("/people/{user}/tokens")
def tokens(user: str, service: HouseService, admin: Admin, known: Known) -> dict[str, object]:
    """List what an account is signed in with."""
    return {"tokens": [line.as_json() for line in service.people.tokens(user)]}


@router.post("/people/{user}/tokens", status_code=201)
def make_token(user: str, said: TokenIn, service: HouseService, admin: Admin, known: Known) -> dict[str, object]:
    """Make a token for a service or tester; shown once. People make theirs themselves."""
    return {"token": _token(service, user, said, by=admin.name)}


@router.delete("/people/{user}/tokens/{token}", status_code=204)
def revoke_token(user: str, token: str, service: HouseService, admin: Admin, known: Known) -> Response:
    """End one token or session of an account."""
    service.people.revoke(user, token, by=admin.name)
    return Response(status_code=204)


def _token(service: HouseService, user: str, said: TokenIn, *, by: str) -> str:
    return service.people.new_token(user, scope=said.scope(), until=in_utc(said.until), note=said.note, by=by)


def _narrowed(known: Account, said: ChangeIn) -> Scope:
    scope = known.person.scopes[0] if known.person.scopes else Scope()
    given = said.model_fields_set
    return Scope(
        sites=_parts(said.sites) if "sites" in given else scope.sites,
        models=_parts(said.models) if "models" in given else scope.models,
    )


def _parts(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
