"""Early erasure of one person's records, by two accounts that each prove who they are."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Data, Json, opened, out, proven, show_json
from governance.erasures import Erasure

erasing = typer.Typer(help="Early erasure of one person's records, by two people.", no_args_is_help=True)

Proven = Annotated[
    str | None,
    typer.Option("--as", help="Account that acts; its password is asked for. Without it, MINGJING_TOKEN's holder."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words others can follow.")]
Identifier = Annotated[str, typer.Argument(metavar="ERASURE_ID", help="Id of the request.")]


@erasing.command("ask")
def ask(
    subject: Annotated[str, typer.Argument(help="The person's id in the data.")],
    reason: Reason = "",
    data: Data = None,
    as_user: Proven = None,
    as_json: Json = False,
) -> None:
    """Ask that one person's records go before their time; nothing goes before another account approves.

    Example: mingjing erasure ask w-17 --as mei --reason "asked for by the person on 3 March"
    """
    with opened(data) as service:
        made = service.erasures.ask(subject, by=proven(service, as_user), reason=reason)
    _show(made, as_json)


@erasing.command("approve")
def approve(
    erasure: Identifier,
    reason: Reason = "",
    decline: Annotated[bool, typer.Option("--decline", help="Let the records stay.")] = False,
    data: Data = None,
    as_user: Proven = None,
    as_json: Json = False,
) -> None:
    """Let the records go, as the second person; below a legal floor they are restricted until then.

    Example: mingjing erasure approve 0192… --as zhao --reason "nothing stands against it"
    """
    with opened(data) as service:
        settle = service.erasures.decline if decline else service.erasures.approve
        made = settle(erasure, by=proven(service, as_user), reason=reason)
    _show(made, as_json)


@erasing.command("list")
def everything(data: Data = None, as_user: Proven = None, as_json: Json = False) -> None:
    """List the requests for early erasure.

    Example: mingjing erasure list --as mei
    """
    with opened(data) as service:
        found = service.erasures.known_to(proven(service, as_user))
    if as_json:
        show_json({"erasures": [one.as_json() for one in found]})
        return
    for one in found:
        _show(one, as_json=False)


def _show(one: Erasure, as_json: bool) -> None:
    if as_json:
        show_json(one.as_json())
        return
    counts = one.as_json()["result"]
    gone = ", ".join(f"{count} {what}" for what, count in counts.items()) if isinstance(counts, dict) else ""
    out.print(f"erasure {one.id}, asked by {one.by}: {one.state}{f' ({gone})' if gone else ''}", markup=False)
