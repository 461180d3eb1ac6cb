"""Several serving processes behind one address: started together, replaced when one dies, stopped in order."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from api.listening import DRAIN_SECONDS
from api.server import serve_on
from api.settings import Settings

logger = logging.getLogger("mingjing.server")

SHORT_LIFE = 5.0
"""Seconds; a process that lived shorter is started again only after as long a pause."""


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    started: float


class Supervisor:
    """Keeps a number of processes serving on one socket. The first of them also keeps house."""

    def __init__(self, door: socket.socket, settings: Settings, workers: int) -> None:
        self._door = door
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")  # a fork would take threads and connections along
        self._stopping = False
        self._workers = [self._start(number) for number in range(workers)]

    def run(self) -> int:
        """Serve until told to stop; return the exit code: 0 when every process ended in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            wait([worker.process.sentinel for worker in self._workers], timeout=1.0)
            for place, worker in enumerate(self._workers):
                if not worker.process.is_alive() and not self._stopping:
                    self._workers[place] = self._again(worker)
        return self._end()

    def _start(self, number: int) -> _Worker:
        process = self._context.Process(
            target=serve_on,
            args=(self._door, self._settings),
            kwargs={"keeper": number == 0},
            name=f"mingjing-serve-{number}",
        )
        process.start()
        return _Worker(number, process, time.monotonic())

    def _again(self, worker: _Worker) -> _Worker:
        logger.error("serving process %d ended with %s; starting another", worker.number, worker.process.exitcode)
        if time.monotonic() - worker.started < SHORT_LIFE:
            time.sleep(SHORT_LIFE)
        return self._start(worker.number)

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.process.terminate()

    def _end(self) -> int:
        until = time.monotonic() + DRAIN_SECONDS + 15
        for worker in self._workers:
            worker.process.terminate()  # once more: it may have been started while the others were told
            worker.process.join(max(0.0, until - time.monotonic()))
        late = [worker for worker in self._workers if worker.process.is_alive()]
        for worker in late:
            logger.error("serving process %d did not end; it is killed", worker.number)
            worker.process.kill()
            worker.process.join()
        return 1 if late or any(worker.process.exitcode not in (0, -signal.SIGTERM) for worker in self._workers) else 0
