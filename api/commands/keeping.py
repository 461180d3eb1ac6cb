"""How long records are kept: expire, hold, forget, and the daily recheck of the whole log."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, moment, opened, out, say, show_json
from audit.expiry import expire as expire_log
from audit.holds import holds
from policies.errors import Malformed, Sentence
from policies.roles import Role

holding = typer.Typer(help="Legal holds: what must stay whatever its age.", no_args_is_help=True)


def expire(
    clock_confirmed_by: Annotated[
        str | None, typer.Option("--clock-confirmed-by", help="Who vouches for the clock after a long standstill.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Destroy payloads, salts and keys whose days are over; proofs of all else stay valid. Run it daily.

    Example: mingjing expire
    """
    with opened(data) as service:
        ran = expire_log(service.log, by_model=service.retention_by_model(), clock_confirmed_by=clock_confirmed_by)
        result = {"erased": ran.erased, "held": ran.held}
    if as_json:
        show_json(result)
    else:
        out.print(", ".join(f"{count} {what}" for what, count in result.items()), markup=False)


@holding.command("add")
def add(
    since: Annotated[str, typer.Option("--from", help="First day or moment held (UTC).")],
    until: Annotated[str, typer.Option("--to", help="End of what is held (UTC, not included).")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for instance a case number.")],
    model: Annotated[str | None, typer.Option("--model", help="Only this model.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Only this person (raw id).")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Keep entries from expiring until the hold is lifted.

    Example: mingjing hold add --model gas-leak --from 2026-05-01 --to 2026-06-01 --reason "inquiry 17"
    """
    begin, end = moment(since), moment(until)
    if begin is None or end is None:
        raise Malformed(Sentence(en="a hold needs --from and --to", zh="法定保全须给出 --from 与 --to"))
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        under: tuple[str | None, ...] = service.serving.pseudonyms_of(subject) if subject is not None else (None,)
        made = [
            service.holds.place(by=person, since=begin, until=end, reason=reason, model=model, subject=pseudonym).id
            for pseudonym in under
        ]
    if as_json:
        said = {"model": model, "from": begin.isoformat(), "to": end.isoformat(), "reason": reason}
        show_json({"hold": made[0], "holds": made, **said})
    else:
        out.print(f"hold {' '.join(made)} stands", markup=False)


@holding.command("lift")
def lift(
    hold: Annotated[str, typer.Argument(help="Id of the hold.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may go.")],
    data: Data = None,
    as_user: Acting = None,
) -> None:
    """Lift a hold; what is overdue goes with the next expiry.

    Example: mingjing hold lift 0192… --reason "inquiry closed"
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        service.holds.lift(hold, by=person, reason=reason)
    out.print(f"hold {hold} is lifted", markup=False)


@holding.command("list")
def standing(data: Data = None, as_json: Json = False) -> None:
    """List the holds that stand.

    Example: mingjing hold list --json
    """
    with opened(data) as service:
        found = holds(service.database)
    if as_json:
        show_json(
            [
                {
                    "hold": hold.id,
                    "model": hold.model,
                    "from": hold.since.isoformat(),
                    "to": hold.until.isoformat(),
                    "reason": hold.reason,
                }
                for hold in found
            ]
        )
        return
    for hold in found:
        out.print(
            f"{hold.id}  {hold.model or 'every model'}  {hold.since:%Y-%m-%d} to {hold.until:%Y-%m-%d}  {hold.reason}",
            markup=False,
        )


def recheck(data: Data = None, as_json: Json = False) -> None:
    """Compute the whole log again from its stored bytes and compare, as is due once a day.

    Example: mingjing recheck --json
    """
    with opened(data) as service:
        found = service.log.recheck()
    if as_json:
        show_json({"holds": not found.faults, "entries": found.entries, "faults": [f.as_json() for f in found.faults]})
    else:
        out.print(f"{found.entries} entries computed again, {len(found.faults)} faults", markup=False)
        for fault in found.faults:
            out.print(f"  {say(fault)}", markup=False)
    if found.faults:
        raise typer.Exit(1)
