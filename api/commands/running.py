"""Running the house: demo, serve, doctor."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.shared import Data, Json, err, opened, out, say, settings_for, show_json
from api.settings import Settings
from policies.errors import Conflict, Sentence
from policies.roles import Role

if TYPE_CHECKING:
    from api.wiring import Service


def demo(data: Data = None) -> None:
    """Show the main job end to end on real data: veto, return, approve, decide, override, prove, report.

    Example: mingjing demo
    """
    from api.demo.story import MARKER, tell_story

    settings = settings_for(data)
    marker = settings.data / MARKER
    if marker.is_file():
        told = json.loads(marker.read_text(encoding="utf-8"))
        if told == BEGUN:
            raise Conflict(
                Sentence(
                    en=f"the demo was interrupted in {settings.data}; remove that folder and run it again",
                    zh=f"{settings.data} 中的演示曾被中断，请删除该目录后重新运行",
                )
            )
        out.print(say(_ran(str(settings.data), told)), markup=False)
        return
    if settings.data.exists() and any(settings.data.iterdir()):
        raise Conflict(
            Sentence(
                en=f"{settings.data} holds data that are not the demo's; name another folder with --data",
                zh=f"{settings.data} 中已有非演示数据，请用 --data 指定其他目录",
            )
        )
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    marker.write_text(json.dumps(BEGUN), encoding="utf-8")
    with opened(data) as service:
        result = tell_story(service, settings.data / "demo", lambda said: out.print(say(said)), time.monotonic)
    marker.write_text(json.dumps(result.as_json(), indent=1), encoding="utf-8")


BEGUN = {"state": "begun"}
"""What the marker of a demo says that has not come to its end."""


def _ran(folder: str, told: dict[str, object]) -> Sentence:
    return Sentence(
        en=f"The demo has run in {folder}: {told['decisions']} decisions, {told['alarms']} alarms.\n"
        "See it with: make serve      Run it anew: remove the folder first.",
        zh=f"演示已在 {folder} 运行过：{told['decisions']} 次判定，{told['alarms']} 次报警。\n"
        "查看：make serve      重新运行：先删除该目录。",
    )


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on.")] = None,
    user: Annotated[str, typer.Option("--user", help="Account of the one-time login.")] = "",
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Serving processes on this address.")] = 1,
    edge: Annotated[Path | None, typer.Option("--edge", help="Package of an edge box; needs no registry.")] = None,
    trust: Annotated[str | None, typer.Option("--trust", help="Fingerprint of head office's log key; once.")] = None,
    data: Data = None,
) -> None:
    """Serve the API and the console; prints the address and a one-time login.

    Example: mingjing serve --port 8400
    """
    if edge is not None:
        _serve_edge(edge, trust, settings_for(data), host, port)
        return
    from api.listening import listen
    from api.server import serve_on
    from api.wiring import open_service

    settings = settings_for(data)
    at, on = host or settings.host, port if port is not None else settings.port
    service = open_service(settings, door="serve", tend=workers == 1)
    service.standing.clear()
    name = user or _first_officer(service)
    once = service.people.once(name)
    door = listen(at, on)
    on = door.getsockname()[1]
    out.print(f"Mingjing listens on http://{at}:{on}", markup=False)
    out.print(f"One-time login as {name}: http://{at}:{on}/login/once?token={once}", markup=False)
    if workers == 1:
        serve_on(door, settings, keeper=True, service=service)
        return
    from api.supervisor import Supervisor

    service.close()
    raise typer.Exit(Supervisor(door, settings, workers).run())


def _serve_edge(package: Path, trust: str | None, settings: Settings, host: str | None, port: int | None) -> None:
    from api.clock import system_clock
    from api.edge import create_edge_app, open_edge
    from api.listening import listen, serve_app

    house = open_edge(package, settings.data, trusted=trust, clock=system_clock, monotonic=time.monotonic)
    door = listen(host or settings.host, port if port is not None else settings.port)
    until = f"{house.package.until:%Y-%m-%d %H:%M} UTC"
    out.print(
        f"Edge box {house.package.box} listens on http://{':'.join(map(str, door.getsockname()[:2]))}", markup=False
    )
    out.print(f"Its package is valid until {until}; after that only flagged alarms, then nothing.", markup=False)
    threading.Thread(target=house.warm_up, name="mingjing-warm", daemon=True).start()
    serve_app(door, create_edge_app(house))


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Look whether this installation is sound: packages, folders, database, log, registry, fonts.

    Example: mingjing doctor --json
    """
    from api.doctor import examine_installation

    ailments = examine_installation(settings_for(data))
    if as_json:
        show_json({"sound": all(a.holds for a in ailments), "checks": [a.as_json() for a in ailments]})
    else:
        for ailment in ailments:
            mark = "[green]sound[/]" if ailment.holds else "[red]ails[/] "
            out.print(f"  {mark}  {ailment.name:<12}", end=" ")
            out.print(ailment.says, markup=False)
    if not all(ailment.holds for ailment in ailments):
        raise typer.Exit(1)


def _first_officer(service: Service) -> str:
    officers = [person.name for person in service.people.everyone() if person.role is Role.DSO]
    if officers:
        return officers[0]
    made = service.people.add("officer", Role.DSO)
    err.print(f"made the account 'officer' (dso); its password, shown once: {made.password}", markup=False)
    return made.user
