"""What officers decide about tiers and about what may be approved without them."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, end_of_day, opened, out, show_json
from policies.errors import Malformed, Sentence
from policies.roles import Role
from policies.tiers import Tier

delegating = typer.Typer(help="What may be approved without the officer.", no_args_is_help=True)
tiering = typer.Typer(help="Tiers, raised and lowered by people.", no_args_is_help=True)

Reason = Annotated[str, typer.Option("--reason", help="Why, in words others can follow.")]
Identifier = Annotated[str, typer.Argument(metavar="CHANGE_ID", help="Id of the change.")]


@delegating.command("add")
def add(
    tier: Annotated[str, typer.Argument(metavar="L1|L2", help="L1: by itself when everything holds. L2: a reviewer.")],
    until: Annotated[str, typer.Option("--until", help="Last day, YYYY-MM-DD.")],
    reason: Reason = "",
    model: Annotated[list[str] | None, typer.Option("--model", help="Only this model. Repeatable.")] = None,
    site: Annotated[list[str] | None, typer.Option("--site", help="Only this site. Repeatable.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Let models be approved without the officer, until a day; his veto remains.

    Example: mingjing delegation add L2 --until 2026-12-31 --reason "small models" --site plant-07
    """
    with opened(data) as service:
        given = service.delegations.give(
            _tier(tier),
            by=acting(service, as_user, Role.DSO),
            reason=reason,
            until=end_of_day(until),
            models=model,
            sites=site,
        )
    if as_json:
        show_json(given.as_json())
        return
    out.print(f"delegation {given.id} at {given.tier} until {given.until:%Y-%m-%d}", markup=False)


@delegating.command("list")
def everything(data: Data = None, as_user: Acting = None, as_json: Json = False) -> None:
    """List the delegations; a reviewer sees those he may use.

    Example: mingjing delegation list
    """
    with opened(data) as service:
        found = service.delegations.list(acting(service, as_user, Role.DSO))
    if as_json:
        show_json({"delegations": [given.as_json() for given in found]})
        return
    for given in found:
        end = "revoked" if given.revoked_at is not None else f"until {given.until:%Y-%m-%d}"
        scope = ", ".join([*(given.models or ("every model",)), *(given.sites or ("every site",))])
        out.print(f"{given.id}  {given.tier}  {end}  by {given.by}: {scope}", markup=False)


@delegating.command("revoke")
def revoke(
    delegation: Annotated[str, typer.Argument(metavar="DELEGATION_ID", help="Id of the delegation.")],
    reason: Reason = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """End a delegation now. What was approved under it stays approved.

    Example: mingjing delegation revoke 0192… --reason "the reviewers changed"
    """
    with opened(data) as service:
        given = service.delegations.revoke(delegation, by=acting(service, as_user, Role.DSO), reason=reason)
    if as_json:
        show_json(given.as_json())
        return
    out.print(f"delegation {given.id} is revoked", markup=False)


@tiering.command("change")
def change(
    submission: Annotated[str, typer.Argument(help="Id of the submission.")],
    tier: Annotated[str, typer.Argument(metavar="L1|L2|L3|L4", help="The tier it should have.")],
    reason: Reason = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Raise a tier at once, or ask for a lower one, which a second person confirms.

    Example: mingjing tier change 0192… L4 --reason "the plant is beside a school"
    """
    with opened(data) as service:
        made = service.tier_changes.change(
            submission, _tier(tier), by=acting(service, as_user, Role.DSO), reason=reason
        )
    if as_json:
        show_json(made.as_json())
        return
    out.print(f"change {made.id}: {made.old} to {made.new}, {made.state}", markup=False)


@tiering.command("confirm")
def confirm(
    change: Identifier,
    reason: Reason = "",
    decline: Annotated[bool, typer.Option("--decline", help="Leave the tier as it is.")] = False,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Let a lower tier count, as the second person.

    Example: mingjing tier confirm 0192… --reason "nobody is near when it runs"
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.COMMITTEE)
        settle = service.tier_changes.decline if decline else service.tier_changes.confirm
        made = settle(change, by=person, reason=reason)
    if as_json:
        show_json(made.as_json())
        return
    out.print(f"change {made.id}: {made.old} to {made.new}, {made.state}", markup=False)


def _tier(text: str) -> Tier:
    if text not in Tier.__members__:
        raise Malformed(
            Sentence(
                en=f"'{text}' is no tier; expected one of {', '.join(Tier.__members__)}",
                zh=f"“{text}”不是等级，应为 {'、'.join(Tier.__members__)} 之一",
            )
        )
    return Tier[text]
