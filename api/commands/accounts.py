"""Accounts: who may sign in, in which role."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, show_json
from policies.errors import Malformed, Sentence
from policies.roles import Action, Role, require

users = typer.Typer(help="Accounts and their roles.", no_args_is_help=True)


@users.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Account name.")],
    role: Annotated[str, typer.Option("--role", help=", ".join(role.value for role in Role))],
    site: Annotated[str | None, typer.Option("--site", help="Only objects of this site.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="The employee's id in the data.")] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help="Purpose bound to the token.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Make an account; password and token are printed this once.

    Example: mingjing user add mei --role dso --site plant-07
    """
    if role not in list(Role):
        raise Malformed(
            Sentence(
                en=f"there is no role '{role}'; expected one of {', '.join(Role)}",
                zh=f"没有角色“{role}”，应为 {'、'.join(Role)} 之一",
            )
        )
    with opened(data) as service:
        require(acting(service, as_user, Role.ADMIN), Action.MANAGE_PEOPLE)
        made = service.people.add(name, Role(role), site=site, subject=subject, purpose=purpose)
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
        require(acting(service, as_user, Role.ADMIN), Action.MANAGE_PEOPLE)
        people = service.people.everyone()
    if as_json:
        show_json([{"user": person.name, "role": person.role.value, "site": person.site} for person in people])
        return
    for person in people:
        out.print(f"{person.name:<24}{person.role.value:<14}{person.site or 'every site'}", markup=False)


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
        require(acting(service, as_user, Role.ADMIN), Action.MANAGE_PEOPLE)
        service.people.disable(name)
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
