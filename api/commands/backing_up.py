"""Copies of the house, and a house from a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.shared import Data, Json, out, say, settings_for, show_json

Keys = Annotated[Path, typer.Option("--keys", help="Folder for the keys, apart from the data.")]


def backup(
    output: Annotated[Path, typer.Option("--out", help="Folder for the data; it must not exist.")],
    keys: Keys,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Copy the house while it serves: database, models and documents to one folder, keys to another.

    Example: mingjing backup --out /backup/2026-03-02 --keys /safe/2026-03-02
    """
    from api.backups import back_up
    from api.clock import system_clock

    made = back_up(settings_for(data), output, keys, clock=system_clock)
    if as_json:
        show_json({"out": str(made.folder), "keys": str(made.keys), "files": made.files, "bytes": made.bytes})
    else:
        out.print(f"{made.files} files, {made.bytes / 1e6:.1f} MB in {made.folder}; keys in {made.keys}", markup=False)


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `mingjing backup` wrote.")],
    keys: Keys,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a house from a copy and its keys in an empty data folder, and compute its log again.

    Example: mingjing restore /backup/2026-03-02 --keys /safe/2026-03-02 --data ./restored
    """
    from api import backups
    from api.wiring import open_service

    settings = settings_for(data)
    files = backups.restore(settings, folder, keys)
    service = open_service(settings, door="cli")
    try:
        found = service.log.recheck()
    finally:
        service.close()
    if as_json:
        show_json({"files": files, "entries": found.entries, "faults": [fault.as_json() for fault in found.faults]})
    else:
        out.print(f"{files} files in {settings.data}; {found.entries} entries computed again", markup=False)
        for fault in found.faults:
            out.print(f"  {say(fault)}", markup=False)
    if found.faults:
        raise typer.Exit(1)
