"""Anchoring outside: run a witness, print its key, have the log cosigned and dated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, show_json
from audit.anchors import Anchor, anchor_with_timestamp, anchor_with_witness, anchors
from audit.cosignatures import COSIGNATURE, LOG_KEY, NamedKey
from audit.key_change import change_signing_key
from audit.signed_note import SigningKey
from policies.errors import NotFound, Sentence
from policies.roles import Action, Role, require

witnessing = typer.Typer(help="Outside words about the log: witnesses and time stamps.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--folder", help="Where the witness keeps its key and what it has seen.")]
Name = Annotated[str, typer.Option("--name", help="Name the witness signs by, such as regulator.example/east.")]


@witnessing.command("serve")
def serve(
    log: Annotated[list[str], typer.Option("--log", help="Key of a log to watch, as `witness log-key` prints it.")],
    name: Name,
    folder: Folder = Path("mingjing-witness"),
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = 8401,
) -> None:
    """Run a witness: it cosigns what continues the log it has seen, and nothing else.

    Example: mingjing witness serve --name regulator.example --log "$(mingjing witness log-key)"
    """
    import uvicorn

    from api.clock import system_clock
    from api.witness_app import create_witness_app
    from audit.witness import Witness

    keys = [NamedKey.of_text(text) for text in log]
    witness = Witness(
        folder, SigningKey.of_file(folder / "witness.key"), name, {key.name: key for key in keys}, system_clock
    )
    out.print(f"witness {name} listens on http://{host}:{port}/add-checkpoint", markup=False)
    uvicorn.run(create_witness_app(witness), host=host, port=port, log_level="warning", server_header=False)


@witnessing.command("key")
def key(name: Name, folder: Folder = Path("mingjing-witness")) -> None:
    """Print the witness's public key, made on first use.

    Example: mingjing witness key --name regulator.example
    """
    made = SigningKey.of_file(folder / "witness.key")
    out.print(NamedKey(name, COSIGNATURE, made.public).text(), markup=False)


@witnessing.command("log-key")
def log_key(data: Data = None) -> None:
    """Print the public key of this log, for those who watch it.

    Example: mingjing witness log-key
    """
    with opened(data) as service:
        head = service.log.checkpoint()
        newest = service.log.key_chain()[-1].public
    out.print(NamedKey(head.origin, LOG_KEY, newest).text(), markup=False)


@witnessing.command("change-log-key")
def change_log_key(data: Data = None, as_user: Acting = None) -> None:
    """Hand the log over to a fresh signing key, by the old key's signature, and print the new public key.

    Bundles carry the chain of keys, so who trusts the first key can follow it. Witnesses need the new one.

    Example: mingjing witness change-log-key
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.ADMIN)
        require(person, Action.MANAGE_PEOPLE)
        change_signing_key(service.log, person.name)
        newest = service.log.key_chain()[-1].public
        out.print(NamedKey(service.log.origin, LOG_KEY, newest).text(), markup=False)


@witnessing.command("ask")
def ask(
    url: Annotated[str, typer.Argument(help="Address of the witness's add-checkpoint.")],
    witness_key: Annotated[str, typer.Option("--key", help="The witness's key, as `witness key` prints it.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Have a witness cosign the log's head now, and keep its word.

    Example: mingjing witness ask http://127.0.0.1:8401/add-checkpoint --key "$(mingjing witness key --name w)"
    """
    witness = NamedKey.of_text(witness_key)
    with opened(data) as service:
        made = anchor_with_witness(service.log, url, witness)
    _show([made], as_json)


@witnessing.command("timestamp")
def timestamp(
    url: Annotated[str, typer.Argument(help="Address of the time-stamping authority (RFC 3161).")],
    authority: Annotated[Path, typer.Option("--authority", help="PEM file with the authority's root certificate.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Have the log's head dated by a time-stamping authority, check its answer, and keep it.

    Example: mingjing witness timestamp https://tsa.example/tsr --authority tsa-root.pem
    """
    if not authority.is_file():
        raise NotFound(Sentence(en=f"there is no file {authority}", zh=f"没有文件 {authority}"))
    with opened(data) as service:
        made = anchor_with_timestamp(service.log, url, authority.read_bytes())
    _show([made], as_json)


@witnessing.command("list")
def listed(data: Data = None, as_json: Json = False) -> None:
    """List every outside word about the log.

    Example: mingjing witness list --json
    """
    with opened(data) as service:
        found = anchors(service.log)
    _show(list(found), as_json)


def _show(found: list[Anchor], as_json: bool) -> None:
    if as_json:
        show_json(
            [
                {"size": a.size, "root": a.root.hex(), "kind": a.kind, "who": a.who, "time": a.time.isoformat()}
                for a in found
            ]
        )
        return
    for a in found:
        out.print(
            f"{a.time:%Y-%m-%d %H:%M:%S}  {a.kind:<8} {a.who}  {a.size} entries, root {a.root.hex()[:16]}", markup=False
        )
