"""One serving process of head office: opens the house, answers on a socket it is given, drains and seals at the end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import threading
import time

from api.app import create_app
from api.beside import ProcessBeside
from api.listening import serve_app
from api.logs import log_as_json
from api.rounds import Rounds
from api.settings import Settings
from api.signing import LATE
from api.wiring import Service, open_service
from api.work import worker_beside


def serve_on(door: socket.socket, settings: Settings, *, keeper: bool, service: Service | None = None) -> None:
    """Serve until the process is told to stop (SIGTERM, SIGINT); then answer what is under way, sign, and close.

    Parameters
    ----------
    door : socket
        Already listening; several processes may share it.
    keeper : bool
        Whether this process also does what one of several has to: recheck, expire, ask witnesses, examine.
    service : Service, optional
        An opened house to take over; None opens one.
    """
    if settings.log_format == "json":
        log_as_json()
    service = service or open_service(settings, door="serve", tend=True)
    beside = (worker_beside(settings.data), ProcessBeside("api.signing", str(settings.data))) if keeper else ()

    def keep_running() -> None:
        for one in beside:
            one.ensure()

    rounds = Rounds(service, time.monotonic, keep_running, keeper=keeper)
    rounds.start()
    service.log.leave_signing(LATE)
    _end_with_parent()
    service.readiness.warming()
    threading.Thread(target=_warm_up, args=(service,), name="mingjing-warm", daemon=True).start()

    def before_close() -> None:
        rounds.stop()
        for one in beside:
            one.stop()

    serve_app(door, create_app(service, before_close))


def _warm_up(service: Service) -> None:
    """Load what will be needed, then take it out of the collector's sight.

    A full collection walks everything that is loaded and stops every answer meanwhile, a quarter of a second long.
    """
    service.warm_up()
    gc.collect()
    gc.freeze()


def _end_with_parent() -> None:
    """Where a supervisor started this process and is gone, stop as if it had said so."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="mingjing-parent", daemon=True).start()
