"""The worker takes what was handed in to the registry, says why it could not, and outlives what it works on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from api.settings import Settings
from api.wiring import open_service
from api.work import BROKE, Worker, ask_for_submission, worker_beside, zip_of_job
from governance.jobs import Job, JobState
from governance.stages import Stage
from policies.roles import Person, Role
from tests.api.doors import Doors
from tests.governance.factories import House, a_directory


@pytest.fixture
def lin(house: House) -> Person:
    return house.service.people.person(house.service.people.add("lin", Role.ML_ENGINEER).user)


def zipped(folder: Path, **changes: object) -> bytes:
    raw = io.BytesIO()
    a_directory(folder, **changes)
    with zipfile.ZipFile(raw, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return raw.getvalue()


def asked(house: House, folder: Path, by: Person, **changes: object) -> Job:
    content = zipped(folder / "handed", **changes)
    return ask_for_submission(house.service, content, "gas-leak.zip", by=by)


class TestWorkOnce:
    def test_a_submission_ends_before_the_officer(self, house: House, lin: Person, tmp_path: Path) -> None:
        job = asked(house, tmp_path, lin)
        ended = Worker(house.service).work_once()
        assert ended is not None
        assert (ended.state, ended.share, ended.faults) == (JobState.DONE, 1.0, ())
        record = house.service.book.get(str(ended.result))
        assert (record.stage, record.submitted_by) == (Stage.EXAMINED, "lin")
        assert not zip_of_job(house.service, job.id).exists()

    def test_nothing_waits(self, house: House) -> None:
        assert Worker(house.service).work_once() is None

    def test_what_is_wrong_is_said_whole(self, house: House, lin: Person) -> None:
        job = ask_for_submission(house.service, b"no zip at all", "notes.txt", by=lin)
        ended = Worker(house.service).work_once()
        assert ended is not None
        assert ended.state is JobState.FAILED
        assert "not a zip" in ended.faults[0].en
        assert not zip_of_job(house.service, job.id).exists()

    def test_an_account_that_ended_meanwhile_submits_nothing(self, house: House, lin: Person, tmp_path: Path) -> None:
        asked(house, tmp_path, lin)
        house.service.people.disable("lin")
        ended = Worker(house.service).work_once()
        assert ended is not None
        assert ended.state is JobState.FAILED
        assert "there is no account 'lin'" in ended.faults[0].en
        assert house.service.store.versions() == ()

    def test_a_cancelled_job_registers_nothing(self, house: House, lin: Person, tmp_path: Path) -> None:
        job = asked(house, tmp_path, lin)
        worker, book = Worker(house.service), house.service.jobs
        told = book.tell

        def tell_and_cancel(job: str, worker: str, step: str, share: float) -> None:
            if step == "leakage":
                book.cancel(job, by=lin)
            told(job, worker, step, share)

        book.tell = tell_and_cancel  # type: ignore[method-assign]
        ended = worker.work_once()
        assert ended is not None
        assert (ended.id, ended.state) == (job.id, JobState.CANCELLED)
        assert house.service.store.versions() == ()

    def test_a_bug_is_one_failed_job(self, house: House, lin: Person, tmp_path: Path) -> None:
        asked(house, tmp_path, lin)
        worker = Worker(house.service)
        worker._kinds = {"submission": lambda *_: str(1 / 0)}
        ended = worker.work_once()
        assert ended is not None
        assert (ended.state, ended.faults) == (JobState.FAILED, (BROKE,))


class TestOverHttp:
    def test_answers_at_once_and_tells_how_far(self, own_doors: Doors, tmp_path: Path) -> None:
        content = zipped(tmp_path / "handed", name="gas-hour", seed=5)
        files = {"file": ("gas-hour.zip", content)}
        headers = {"Prefer": "respond-async"}
        answer = own_doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, files=files, headers=headers)
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        assert answer.headers["preference-applied"] == "respond-async"
        address = answer.headers["location"]
        worker = Worker(own_doors.house.service)
        while own_doors.ask("get", address, Role.ML_ENGINEER).json()["state"] == "queued":
            worker.work_once()
        told = own_doors.ask("get", f"{address}/events", Role.ML_ENGINEER)
        assert told.headers["content-type"].startswith("text/event-stream")
        name, _, data = told.text.strip().partition("\ndata: ")
        assert name == "event: job"
        assert json.loads(data)["state"] == "done"
        late = own_doors.ask("delete", address, Role.ML_ENGINEER)
        assert late.status_code == 409


class TestProcess:
    def test_works_beside_a_server_and_ends_with_it(self, tmp_path: Path) -> None:
        settings = Settings(data=tmp_path / "data")
        service = open_service(settings)
        try:
            lin = service.people.person(service.people.add("lin", Role.ML_ENGINEER).user)
            job = ask_for_submission(service, b"no zip at all", "notes.txt", by=lin)
            process = worker_beside(settings.data)
            process.ensure()
            running = process._process
            assert running is not None
            for _ in range(600):
                if service.jobs.get(job.id).over:
                    break
                time.sleep(0.1)
            assert service.jobs.get(job.id).state is JobState.FAILED
            process.ensure()
            assert process._process is running
            process.stop()
            assert running.returncode == 0
        finally:
            service.close()

    def test_the_command_does_what_waits(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "api.cli", "work", "--json", "--data", str(tmp_path / "data")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        assert json.loads(done.stdout) == {"jobs": []}
