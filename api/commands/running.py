"""Running the house: demo, serve, doctor."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.shared import Data, Json, err, opened, out, say, settings_for, show_json
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
    data: Data = None,
) -> None:
    """Serve the API and the console; prints the address and a one-time login.

    Example: mingjing serve --port 8400
    """
    import uvicorn

    from api.app import create_app
    from api.rounds import Rounds
    from api.wiring import open_service
    from api.work import WorkerProcess

    settings = settings_for(data)
    at, on = host or settings.host, port or settings.port
    service = open_service(settings, door="serve", tend=True)
    name = user or _first_officer(service)
    once = service.people.once(name)
    out.print(f"Mingjing listens on http://{at}:{on}", markup=False)
    out.print(f"One-time login as {name}: http://{at}:{on}/login/once?token={once}", markup=False)
    worker = WorkerProcess(settings.data)
    rounds = Rounds(service, time.monotonic, worker.ensure)
    rounds.start()

    def before_close() -> None:
        rounds.stop()
        worker.stop()

    app = create_app(service, before_close)
    uvicorn.run(app, host=at, port=on, log_level="warning", server_header=False, access_log=False)


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
