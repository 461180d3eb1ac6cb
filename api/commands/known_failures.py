"""The negative list at the command line: show it, sign it for subsidiaries, adopt the group's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, say, settings_for, show_json
from audit.cosignatures import NamedKey
from audit.shared_list import SharedList, named_key, sign_list
from audit.signed_note import SigningKey
from governance.inherited_list import adopt as adopt_list
from governance.inherited_list import list_in_force, met_another_list
from policies.errors import Malformed, Sentence
from policies.roles import Role

negative_list = typer.Typer(help="Known failures every model is tried on: show, sign, adopt.", no_args_is_help=True)


@negative_list.command("show")
def show(
    scenario: Annotated[str | None, typer.Argument(help="Name of one scenario.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show the scenarios in force, or one of them in full.

    Example: mingjing negative-list show stuck_sensor_read_as_calm
    """
    settings = settings_for(data)
    known = list_in_force(settings.data, settings.negative_list)
    found = known.scenario(scenario) if scenario else None
    if scenario and found is None:
        raise Malformed(
            Sentence(
                en=f"there is no scenario '{scenario}' on the list; `mingjing negative-list show` names them",
                zh=f"清单中没有情景“{scenario}”；`mingjing negative-list show` 可列出全部",
            )
        )
    if as_json:
        show_json(known.as_json() if found is None else found.as_json())
        return
    if found is None:
        out.print(f"{len(known.scenarios)} scenarios, digest {known.digest[:12]}", markup=False)
        for one in known.scenarios:
            out.print(f"  {one.origin:<9} {one.name:<40} {say(one.title)}", markup=False)
        return
    for said in (found.title, found.story, found.happened, found.remedy):
        out.print(say(said), markup=False)
    for probe in found.probes:
        told = ", ".join(f"{key} = {value}" for key, value in probe.parameters.items())
        out.print(f"  {probe.name}: {probe.kind} on {probe.on or '-'}, at most {probe.most:g}; {told}", markup=False)


@negative_list.command("sign")
def sign(
    folder: Annotated[Path, typer.Argument(help="Folder of scenario files, *.toml.")],
    group: Annotated[str, typer.Option("--group", help="Name of the group, for people.")],
    edition: Annotated[int, typer.Option("--edition", help="Number of this edition; each is higher than the last.")],
    key: Annotated[Path, typer.Option("--key", help="File of the signing key, made on first use.")],
    target: Annotated[Path, typer.Option("--out", help="Where the signed list goes.")],
    name: Annotated[str, typer.Option("--name", help="Name the key signs by, without spaces.")] = "negative-list",
) -> None:
    """Sign a group's scenarios for its subsidiaries, and print the key they need.

    Example: mingjing negative-list sign scenarios/ --group "Example Group" --edition 3 --key group.key --out list.note
    """
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    if not files or edition < 1 or not name or set(name) & set(" +\n"):
        raise Malformed(
            Sentence(
                en=f"a list needs scenario files (found {len(files)} in {folder}), an edition of 1 or more, and a name "
                "without spaces and '+'",
                zh=f"清单须有情景文件（{folder} 中有 {len(files)} 个）、不小于 1 的版次，以及不含空格和“+”的名称",
            )
        )
    signing = SigningKey.of_file(key)
    target.write_text(sign_list(SharedList(group=group, edition=edition, files=files), name, signing), encoding="utf-8")
    out.print(named_key(name, signing).text(), markup=False)


@negative_list.command("adopt")
def adopt(
    note: Annotated[Path, typer.Argument(help="The signed list.")],
    key: Annotated[str | None, typer.Option("--key", help="The group's public key; needed the first time.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Adopt the group's signed list. A running service takes it up at its next start.

    Example: mingjing negative-list adopt list.note --key "negative-list+0a1b2c3d+AQ…"
    """
    text = note.read_bytes().decode("utf-8", errors="replace")
    with opened(data) as service:
        done = adopt_list(
            text,
            by=acting(service, as_user, Role.DSO),
            data=service.settings.data,
            own=service.settings.negative_list,
            log=service.log,
            key=NamedKey.of_text(key) if key else None,
        )
        known = list_in_force(service.settings.data, service.settings.negative_list)
        older = met_another_list(service.permits, service.book, known)
    told = {**vars(done), "added": list(done.added), "withdrawn": list(done.withdrawn)}
    if as_json:
        show_json({**told, "met_another_list": list(older)})
        return
    out.print(f"edition {done.edition} of {done.group} is in force, digest {done.digest[:12]}", markup=False)
    out.print(f"  added: {', '.join(done.added) or '-'}", markup=False)
    out.print(f"  withdrawn by the group: {', '.join(done.withdrawn) or '-'}", markup=False)
    out.print(f"  at work, tried on another list: {', '.join(older) or '-'}", markup=False)
