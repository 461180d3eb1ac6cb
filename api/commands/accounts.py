"""Accounts: who may sign in, in which role."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, moment, opened, out, show_json
from policies.errors import Malformed, Sentence
from policies.roles import Action, Role, Scope, require, require_site

users = typer.Typer(help="Accounts and their roles.", no_args_is_help=True)


@users.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Account name.")],
    role: Annotated[str, typer.Option("--role", help=", ".join(role.value for role in Role))],
    site: Annotated[str | None, typer.Option("--site", help="Only objects of this site.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="The employee's id in the data.")] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help="Purpose bound to the token.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="When the account ends; a regulator's: 30 days.")] = None,
    models: Annotated[list[str] | None, typer.Option("--model", help="Only this model; may be repeated.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Make an account; password and token are printed this once.

    Example: mingjing user add mei --role dso --site plant-07
    """
    wanted = _role(role)
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        require_site(admin, site, "site", site or "")
        made = service.people.add(
            name,
            wanted,
            site=site,
            subject=subject,
            purpose=purpose,
            until=moment(until),
            scope=Scope(models=tuple(models) if models else None),
            by=admin.name,
        )
    if as_json:
        show_json({"user": made.user, "password": made.password, "token": made.token})
        return
    out.print(f"account {made.user} ({role}). Shown this once:", markup=False)
    out.print(f"  password  {made.password}", markup=False)
    out.print(f"  token     {made.token}", markup=False)


@users.command("list")
def everyone(data: Data = None, as_user: Acting = None, as_json: Json = False) -> None:
    """List the accounts.

    Example: mingjing user list --json
    """
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        accounts = [account for account in service.people.accounts() if admin.sees_site(account.person.site)]
    if as_json:
        show_json([account.as_json() for account in accounts])
        return
    for account in accounts:
        person = account.person
        ends = f"  until {account.until.date()}" if account.until is not None else ""
        out.print(f"{person.name:<24}{person.role.value:<14}{person.site or 'every site'}{ends}", markup=False)


@users.command("disable")
def disable(
    name: Annotated[str, typer.Argument(help="Account name.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """End an account and everything it is signed in with.

    Example: mingjing user disable mei
    """
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        service.people.seen_by(name, admin)
        service.people.disable(name, by=admin.name)
    if as_json:
        show_json({"user": name, "disabled": True})
        return
    out.print(f"account {name} is disabled", markup=False)


@users.command("new-key")
def new_key(data: Data = None, as_user: Acting = None, as_json: Json = False) -> None:
    """Begin a new key for pseudonyms. Old decisions are still found; an old key goes when no trace needs it.

    Example: mingjing user new-key
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.ADMIN)
        require(person, Action.MANAGE_PEOPLE)
        service.change_pseudonym_key(by=person)
    if as_json:
        show_json({"changed": True})
        return
    out.print("a new key makes the pseudonyms from now on", markup=False)


@users.command("change")
def change(
    name: Annotated[str, typer.Argument(help="Account name.")],
    role: Annotated[str | None, typer.Option("--role", help="The new role.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="The new site; '' for every site.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="When the account ends.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Give an account another role, site or end; whatever it is signed in with ends.

    Example: mingjing user change mei --role reviewer
    """
    values: dict[str, object] = {}
    if role is not None:
        values["role"] = _role(role)
    if site is not None:
        values["site"] = site or None
    if until is not None:
        values["until"] = moment(until)
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        service.people.seen_by(name, admin)
        if site is not None:
            require_site(admin, site or None, "site", site)
        account = service.people.change(name, by=admin.name, **values)
    if as_json:
        show_json(account.as_json())
        return
    out.print(f"account {name} is {account.person.role.value} now; what it was signed in with has ended", markup=False)


@users.command("password")
def password(
    name: Annotated[str, typer.Argument(help="Account name.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Give an account a fresh password, printed this once.

    Example: mingjing user password mei
    """
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        service.people.seen_by(name, admin)
        fresh = service.people.reset_password(name, by=admin.name)
    if as_json:
        show_json({"user": name, "password": fresh})
        return
    out.print(f"password of {name}, shown this once: {fresh}", markup=False)


tokens = typer.Typer(help="Tokens of accounts: scoped, with an end, kept as digests.", no_args_is_help=True)
users.add_typer(tokens, name="token")


@tokens.command("add")
def add_token(
    name: Annotated[str, typer.Argument(help="Account name.")],
    purposes: Annotated[list[str] | None, typer.Option("--purpose", help="Good for this purpose.")] = None,
    models: Annotated[list[str] | None, typer.Option("--model", help="Good for this model.")] = None,
    sites: Annotated[list[str] | None, typer.Option("--site", help="Good for this site or subsidiary.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Its end; at most 90 days away.")] = None,
    note: Annotated[str, typer.Option("--note", help="What it is for.")] = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Make a token, printed this once. Each option may be repeated; what is left out is as wide as the account.

    Example: mingjing user token add dcs-gateway --model gas-leak --site plant-07 --until 2026-12-31
    """
    scope = Scope(**{part: tuple(named) for part, named in _given(sites, models, purposes).items()})
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        service.people.seen_by(name, admin)
        token = service.people.new_token(name, scope=scope, until=moment(until), note=note, by=admin.name)
    if as_json:
        show_json({"user": name, "token": token})
        return
    out.print(f"token of {name}, shown this once: {token}", markup=False)


@tokens.command("list")
def list_tokens(
    name: Annotated[str, typer.Argument(help="Account name.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """List what an account is signed in with.

    Example: mingjing user token list dcs-gateway
    """
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        service.people.seen_by(name, admin)
        lines = service.people.tokens(name)
    if as_json:
        show_json([line.as_json() for line in lines])
        return
    for line in lines:
        narrowed = " ".join(",".join(part) for part in (line.scope.models, line.scope.sites) if part is not None)
        out.print(f"{line.id}  {line.kind:<8} until {line.expires.date()}  {narrowed}  {line.note}", markup=False)


@tokens.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(help="Account name.")],
    token: Annotated[str, typer.Argument(help="Id, as the list shows it.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """End one token or session; the next call with it is refused within a second.

    Example: mingjing user token revoke dcs-gateway 3f1c0a9be2d47788
    """
    with opened(data) as service:
        admin = acting(service, as_user, Role.ADMIN)
        require(admin, Action.MANAGE_PEOPLE)
        service.people.seen_by(name, admin)
        service.people.revoke(name, token, by=admin.name)
    if as_json:
        show_json({"user": name, "revoked": token})
        return
    out.print(f"token {token} of {name} has ended", markup=False)


def _role(role: str) -> Role:
    if role not in list(Role):
        raise Malformed(
            Sentence(
                en=f"there is no role '{role}'; expected one of {', '.join(Role)}",
                zh=f"没有角色“{role}”，应为 {'、'.join(Role)} 之一",
            )
        )
    return Role(role)


def _given(sites: list[str] | None, models: list[str] | None, purposes: list[str] | None) -> dict[str, list[str]]:
    named = {"sites": sites, "models": models, "purposes": purposes}
    return {part: values for part, values in named.items() if values}
