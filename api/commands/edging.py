"""Edge boxes: pack what one needs for a day, take in what it kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, show_json
from policies.errors import NotFound, Sentence
from policies.roles import Action, Role, require

if TYPE_CHECKING:
    from api.wiring import Service

edges = typer.Typer(help="Edge boxes: pack permits for one, take in what it kept.", no_args_is_help=True)

KINDS = frozenset({"decision", "refuse", "incident", "overload", "health", "clock", "restart"})
"""What a box may have to say. Acts of governance are not among it."""


@edges.command("export")
def export(
    box: Annotated[str, typer.Option("--box", help="Name of the box; its traces are counted under it.")],
    site: Annotated[str, typer.Option("--site", help="Where it stands; every live permit for this site goes along.")],
    output: Annotated[Path, typer.Option("--out", help="File to write.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Write a signed package with which a box decides away from the network, for the rulebook's hours.

    Example: mingjing edge export --box furnace-2 --site plant-07 --out furnace-2.zip
    """
    from api.edge_exports import export_package

    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        require(person, Action.SUSPEND)
        made = export_package(service, box=box, site=site, by=person)
        output.write_bytes(made.package)
    told = {
        "box": box,
        "models": list(made.models),
        "until": made.until.isoformat(),
        "trust": made.fingerprint,
        "out": str(output),
    }
    if as_json:
        show_json(told)
        return
    out.print(f"{output}: {', '.join(made.models)}; valid until {made.until:%Y-%m-%d %H:%M} UTC", markup=False)
    out.print(f"mingjing serve --edge {output} --trust {made.fingerprint}", markup=False)


@edges.command("hand-in")
def hand_in(
    folder: Annotated[Path, typer.Argument(help="Spool folder of a box that is not serving, or a copy of it.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Take a box's traces into the log and report numbers that are missing; then destroy them in the folder.

    Example: mingjing edge hand-in box/spool
    """
    from audit.offline_spool import OfflineSpool

    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        require(person, Action.SUSPEND)
        box = _box_of(service, folder)
        spool = OfflineSpool(folder, service.clock, f"edge-{box}")
        try:
            spool.require_kinds(KINDS)
            taken = spool.hand_in(service.log)
        finally:
            spool.close()
    gaps = [{"after": gap.before, "before": gap.after, "missing": gap.missing} for gap in taken.gaps]
    if as_json:
        show_json({"box": box, "traces": taken.traces, "gaps": gaps})
    else:
        out.print(
            f"{taken.traces} traces of {box} are in the log, {sum(gap.missing for gap in taken.gaps)} are missing"
        )
        for gap in taken.gaps:
            out.print(f"  between {gap.before} and {gap.after}: {gap.missing}", markup=False)
    if gaps:
        raise typer.Exit(1)


def _box_of(service: Service, folder: Path) -> str:
    """Return the box whose folder this is. Raises NotFound for one that no package was ever made for."""
    from api.edge_exports import boxes_of

    file = folder / "box"
    box = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if box not in boxes_of(service):
        raise NotFound(
            Sentence(
                en=f"{folder} is no spool of a box that this house made a package for (found '{box}')",
                zh=f"{folder} 不是本系统曾签发许可包的设备的暂存目录（实际为“{box}”）",
            )
        )
    return box
