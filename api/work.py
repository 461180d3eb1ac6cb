"""The worker: does the long work that people asked for, in a process of its own, one job after the other.

Checks keep a core busy for many seconds. In the process that answers plant systems they would hold up alarms, so
`mingjing serve` starts a worker beside itself and ends it with itself.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.beside import ProcessBeside
from api.problems import away
from api.wiring import Service
from governance.jobs import Cancelled, Job, JobState
from model_registry.unpacking import unpack_submission
from policies.errors import Fault, Sentence
from policies.roles import Person

logger = logging.getLogger("mingjing.work")

LOOK_EVERY = 0.5
HEARD_EVERY = 10.0
SUBMISSION = "submission"

BROKE = Sentence(
    en="something broke on our side and was written down, nothing was registered; try again or tell the operator",
    zh="系统内部出错并已记录，未登记任何内容；请重新提交或联系运维人员",
)

Tell = Callable[[str, float], None]


def ask_for_submission(service: Service, zipped: bytes, title: str, *, by: Person) -> Job:
    """Queue the examination of a zipped submission directory."""
    return ask_for_packed(service, lambda file: file.write(zipped), title, by=by)


def ask_for_packed(
    service: Service,
    pack: Callable[[BinaryIO], object],
    title: str,
    *,
    by: Person,
    along: Callable[[Connection, str], None] = lambda _connection, _job: None,
) -> Job:
    """Queue the examination of the zip that `pack` writes. It is on the disk before the job is asked for.

    `along` is done in the transaction that asks, and told the id of the job; what it raises leaves no job.
    """
    job = service.jobs.new_id()
    kept = zip_of_job(service, job)
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with kept.open("xb") as file:
            pack(file)
        return service.jobs.ask(job, SUBMISSION, title[:200], by=by, along=lambda connection: along(connection, job))
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


def zip_of_job(service: Service, job: str) -> Path:
    """Return where the zip of a job waits. It goes when the job is over."""
    return service.settings.data / "jobs" / f"{job}.zip"


class Worker:
    """Takes jobs and does them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._kinds: Mapping[str, Callable[[Job, Person, Tell], str]] = {SUBMISSION: self._submit}

    def work_once(self) -> Job | None:
        """Do the job that waits longest; return it as it ended, None when nothing waits."""
        self._service.jobs.begin_again()
        job = self._service.jobs.claim(self._name)
        if job is None:
            return None
        with self._heard_of(job.id):
            self._do(job)
        ended = self._service.jobs.get(job.id)
        if ended.over:
            zip_of_job(self._service, job.id).unlink(missing_ok=True)
            self._service.drafts.settle(ended)
        return ended

    def work_until(self, stop: threading.Event) -> None:
        """Work until told to stop. A database that is away is waited for."""
        while not stop.is_set():
            try:
                if self.work_once() is not None:
                    continue
            except (OSError, SQLAlchemyError, Fault) as error:
                logger.warning("no job could be taken: %s", type(error).__name__)
            stop.wait(LOOK_EVERY)

    def _do(self, job: Job) -> None:
        jobs = self._service.jobs
        try:
            # The account may have lost its role, or ended, since it asked.
            by = self._service.people.person(job.by)
            result = self._kinds[job.kind](job, by, lambda step, share: jobs.tell(job.id, self._name, step, share))
        except Cancelled:
            jobs.end(job.id, self._name, JobState.CANCELLED)
        except Fault as fault:
            jobs.end(job.id, self._name, JobState.FAILED, faults=fault.faults)
        except (OSError, SQLAlchemyError) as error:
            jobs.end(job.id, self._name, JobState.FAILED, faults=away(error).faults)
        except Exception as error:
            logger.error("a job failed", exc_info=error)
            jobs.end(job.id, self._name, JobState.FAILED, faults=(BROKE,))
        else:
            jobs.end(job.id, self._name, JobState.DONE, result=result)

    def _submit(self, job: Job, by: Person, tell: Tell) -> str:
        tell("reading", 0.01)
        with tempfile.TemporaryDirectory() as folder:
            zipped = zip_of_job(self._service, job.id).read_bytes()
            directory = unpack_submission(zipped, Path(folder) / "submission")
            return self._service.submit(directory, by=by, progress=tell).id

    @contextmanager
    def _heard_of(self, job: str) -> Iterator[None]:
        done = threading.Event()

        def say_so() -> None:
            while not done.wait(HEARD_EVERY):
                try:
                    self._service.jobs.alive(job, self._name)
                except SQLAlchemyError as error:
                    logger.warning("a sign of life was lost: %s", type(error).__name__)

        thread = threading.Thread(target=say_so, name="mingjing-heard-of", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def worker_beside(data: Path) -> ProcessBeside:
    """Return the worker of a data folder, to run beside a process that serves."""
    return ProcessBeside("api.cli", "work", "--until-input-ends", "--data", str(data))
