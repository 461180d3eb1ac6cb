"""The worker on the command line: examine what was handed in through the browser or the API."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Data, Json, opened, out, show_json


def work(
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="Go on until standard input ends, as `serve` starts it.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Do the long work that waits, such as examining what was handed in by browser. `serve` starts one itself.

    Example: mingjing work --json
    """
    from api.beside import end_of_input
    from api.work import Worker

    with opened(data) as service:
        worker = Worker(service)
        if until_input_ends:
            worker.work_until(end_of_input())
            return
        ended = []
        while (job := worker.work_once()) is not None:
            ended.append(job)
            if not as_json:
                out.print(f"  {job.state}  {job.title}", markup=False)
    if as_json:
        show_json({"jobs": [job.as_json() for job in ended]})
