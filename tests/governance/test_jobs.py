"""Long work is done once, by one worker, for one person, and never lost."""

from __future__ import annotations

import threading

import pytest

from governance.jobs import GAVE_UP, SILENT_FOR, TRIES, Cancelled, Job, JobState
from policies.errors import Conflict, NotFound
from policies.roles import Person, Role
from tests.governance.factories import House


@pytest.fixture
def lin(house: House) -> Person:
    return house.service.people.person(house.service.people.add("lin", Role.ML_ENGINEER).user)


def a_job(house: House, by: Person) -> Job:
    book = house.service.jobs
    return book.ask(book.new_id(), "submission", "model.zip", by=by)


class TestClaim:
    def test_takes_the_longest_wait_first(self, house: House, lin: Person) -> None:
        first, second = a_job(house, lin), a_job(house, lin)
        taken = [house.service.jobs.claim("worker") for _ in range(3)]
        assert [job.id if job else None for job in taken] == [first.id, second.id, None]

    def test_of_many_workers_one_gets_it(self, house: House, lin: Person) -> None:
        a_job(house, lin)
        together, taken = threading.Barrier(4), []

        def claim(name: str) -> None:
            together.wait()
            taken.append(house.service.jobs.claim(name))

        threads = [threading.Thread(target=claim, args=(f"worker-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(job is not None for job in taken) == 1


class TestCancel:
    def test_at_once_while_it_waits(self, house: House, lin: Person) -> None:
        job = house.service.jobs.cancel(a_job(house, lin).id, by=lin)
        assert (job.state, job.over) == (JobState.CANCELLED, True)
        assert house.service.jobs.claim("worker") is None

    def test_before_the_next_step_while_it_runs(self, house: House, lin: Person) -> None:
        book, job = house.service.jobs, a_job(house, lin)
        book.claim("worker")
        book.tell(job.id, "worker", "leakage", 0.4)
        assert book.cancel(job.id, by=lin).cancelling
        with pytest.raises(Cancelled):
            book.tell(job.id, "worker", "coverage", 0.5)
        book.end(job.id, "worker", JobState.CANCELLED)
        assert book.get(job.id).state is JobState.CANCELLED

    def test_not_when_it_is_over(self, house: House, lin: Person) -> None:
        job = house.service.jobs.cancel(a_job(house, lin).id, by=lin)
        with pytest.raises(Conflict, match=f"job {job.id} is over; there is nothing left to cancel"):
            house.service.jobs.cancel(job.id, by=lin)

    def test_not_somebody_elses(self, house: House, lin: Person) -> None:
        job = a_job(house, lin)
        other = Person(name="other", role=Role.ML_ENGINEER)
        with pytest.raises(NotFound):
            house.service.jobs.cancel(job.id, by=other)
        assert house.service.jobs.get(job.id).state is JobState.QUEUED


class TestBeginAgain:
    def test_what_a_dead_worker_left(self, house: House, lin: Person) -> None:
        book, job = house.service.jobs, a_job(house, lin)
        book.claim("dead")
        assert book.begin_again() == 0
        house.clock.go(seconds=SILENT_FOR.total_seconds() + 1)
        assert book.begin_again() == 1
        again = book.claim("alive")
        assert again is not None
        assert (again.id, again.tries) == (job.id, 2)

    def test_not_while_the_worker_is_heard_of(self, house: House, lin: Person) -> None:
        book, job = house.service.jobs, a_job(house, lin)
        book.claim("slow")
        house.clock.go(seconds=SILENT_FOR.total_seconds() - 1)
        book.alive(job.id, "slow")
        house.clock.go(seconds=2)
        assert book.begin_again() == 0

    def test_gives_up_what_kills_every_worker(self, house: House, lin: Person) -> None:
        book, job = house.service.jobs, a_job(house, lin)
        for _ in range(TRIES):
            assert book.claim("doomed") is not None
            house.clock.go(seconds=SILENT_FOR.total_seconds() + 1)
            book.begin_again()
        ended = book.get(job.id)
        assert (ended.state, ended.faults) == (JobState.FAILED, (GAVE_UP,))
        assert book.claim("next") is None

    def test_ends_what_was_to_be_cancelled(self, house: House, lin: Person) -> None:
        book, job = house.service.jobs, a_job(house, lin)
        book.claim("dead")
        book.cancel(job.id, by=lin)
        house.clock.go(seconds=SILENT_FOR.total_seconds() + 1)
        book.begin_again()
        assert book.get(job.id).state is JobState.CANCELLED
        assert book.get(job.id).ended_at is not None

    def test_a_worker_that_was_taken_for_dead_ends_nothing(self, house: House, lin: Person) -> None:
        book, job = house.service.jobs, a_job(house, lin)
        book.claim("slow")
        house.clock.go(seconds=SILENT_FOR.total_seconds() + 1)
        book.begin_again()
        book.claim("alive")
        with pytest.raises(Cancelled):
            book.tell(job.id, "slow", "leakage", 0.9)
        book.end(job.id, "slow", JobState.FAILED)
        assert book.get(job.id).state is JobState.RUNNING
