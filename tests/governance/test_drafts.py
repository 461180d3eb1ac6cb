"""Drafts: their author's alone, bounded in number, size and age, handed in once, gone when they became a submission."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from api.work import Worker, ask_for_packed, zip_of_job
from governance.drafts import BeingExamined, DraftBook, DraftLimits, DraftsFull
from governance.jobs import Job, JobState
from model_registry.unpacking import pack_submission
from policies.errors import Malformed, NotFound, field_of
from policies.roles import NotAllowed, Person, Role
from tests.governance.factories import OFFICER, House, a_directory


@pytest.fixture
def lin(house: House) -> Person:
    return house.service.people.person(house.service.people.add("lin", Role.ML_ENGINEER).user)


@pytest.fixture
def wang(house: House) -> Person:
    return house.service.people.person(house.service.people.add("wang", Role.ML_ENGINEER).user)


@pytest.fixture
def book(house: House) -> DraftBook:
    limits = DraftLimits(count=2, bytes=100, days=30, text_bytes=200)
    return DraftBook(house.service.database, house.folder / "drafts", house.clock, limits)


def a_file(size: int, name: str = "rows.csv") -> tuple[str, io.BytesIO]:
    return name, io.BytesIO(b"x" * size)


def hand_in(house: House, draft: str, folder: Path, by: Person) -> Job:
    """Queue what lies in a folder as if the draft's form had written it."""
    files = {path.name: path for path in folder.iterdir() if path.name != "submission.toml"}
    toml = (folder / "submission.toml").read_bytes()
    return ask_for_packed(
        house.service,
        lambda file: pack_submission(toml, files, file),
        "from a draft",
        by=by,
        along=lambda connection, job: house.service.drafts.claim(connection, draft, job),
    )


class TestBegin:
    def test_keeps_what_was_typed(self, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin, fields={"model.name": "燃气"})
        assert book.seen_by(draft.id, lin).fields == {"model.name": "燃气"}
        assert draft.stage == "draft"

    def test_is_for_who_submits(self, book: DraftBook) -> None:
        with pytest.raises(NotAllowed):
            book.begin(by=OFFICER)

    def test_no_more_than_there_is_room_for_also_at_one_moment(self, book: DraftBook, lin: Person) -> None:
        barrier, refused = threading.Barrier(5), []

        def begin() -> None:
            barrier.wait()
            try:
                book.begin(by=lin)
            except DraftsFull as full:
                refused.append(full.says.en)

        threads = [threading.Thread(target=begin) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(book.of(lin)) == 2
        assert refused == ["you keep 2 drafts, and at most 2 are kept; throw one away or hand it in"] * 3


class TestSeenBy:
    def test_others_see_neither_the_draft_nor_that_there_is_one(
        self, book: DraftBook, lin: Person, wang: Person
    ) -> None:
        draft = book.begin(by=lin).id
        absent = draft[:-4] + "0000"
        said = []
        acts: tuple[Callable[[str], object], ...] = (
            lambda which: book.seen_by(which, wang),
            lambda which: book.save(which, {}, by=wang),
            lambda which: book.discard(which, by=wang),
        )
        for act in acts:
            for which in (draft, absent):
                with pytest.raises(NotFound) as refused:
                    act(which)
                said.append(refused.value.says.en.replace(which, "X"))
        assert len(set(said)) == 1
        assert book.of(wang) == ()
        assert book.seen_by(draft, lin).id == draft


class TestSave:
    def test_too_much_text(self, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin).id
        with pytest.raises(Malformed, match="at most 200 are kept"):
            book.save(draft, {"model.name": "x" * 300}, by=lin)
        assert book.seen_by(draft, lin).fields == {}

    def test_all_drafts_share_their_room(self, book: DraftBook, lin: Person) -> None:
        one, two = (book.begin(by=lin).id for _ in range(2))
        book.save(one, {}, by=lin, files={"evaluation": a_file(60)})
        with pytest.raises(DraftsFull, match="more than 100 bytes"):
            book.save(two, {"model.name": "kept"}, by=lin, files={"artifact": a_file(41)})
        assert book.seen_by(two, lin).fields == {"model.name": "kept"}
        assert book.seen_by(two, lin).files == {}
        assert list(book.path(two, "artifact").parent.iterdir()) == []
        book.save(two, {}, by=lin, files={"artifact": a_file(40)})

    def test_a_file_in_another_s_place_gives_its_room_back(self, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin).id
        for size in (90, 80, 100):
            book.save(draft, {}, by=lin, files={"evaluation": a_file(size)})
        assert book.seen_by(draft, lin).size == book.path(draft, "evaluation").stat().st_size == 100

    def test_what_is_refused_leaves_the_file_before(self, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin).id
        book.save(draft, {}, by=lin, files={"evaluation": a_file(10)})
        with pytest.raises(DraftsFull):
            book.save(draft, {}, by=lin, files={"evaluation": a_file(101)})
        assert book.seen_by(draft, lin).size == book.path(draft, "evaluation").stat().st_size == 10

    def test_drops_a_file(self, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin).id
        book.save(draft, {}, by=lin, files={"evaluation": a_file(10)})
        assert book.save(draft, {}, by=lin, drop={"evaluation"}).files == {}
        assert not book.path(draft, "evaluation").exists()


class TestRestored:
    def test_a_file_that_a_backup_left_out_is_chosen_anew(self, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin, fields={"model.name": "kept"}).id
        book.save(draft, {"model.name": "kept"}, by=lin, files={"evaluation": a_file(10)})
        book.path(draft, "evaluation").unlink()
        restored = book.seen_by(draft, lin)
        assert (restored.fields, restored.files) == ({"model.name": "kept"}, {})


class TestExpire:
    def test_what_nobody_changed_goes_with_its_files(self, house: House, book: DraftBook, lin: Person) -> None:
        old = book.begin(by=lin).id
        book.save(old, {}, by=lin, files={"evaluation": a_file(10)})
        house.clock.go(days=20)
        young = book.begin(by=lin).id
        house.clock.go(days=10, seconds=1)
        assert [draft.id for draft in book.of(lin)] == [young]
        book.expire()
        assert not book.path(old, "evaluation").parent.exists()

    def test_a_change_begins_the_days_anew(self, house: House, book: DraftBook, lin: Person) -> None:
        draft = book.begin(by=lin).id
        house.clock.go(days=20)
        book.save(draft, {}, by=lin)
        house.clock.go(days=20)
        book.expire()
        assert [kept.id for kept in book.of(lin)] == [draft]

    def test_files_of_no_draft_go(self, house: House, book: DraftBook, lin: Person) -> None:
        kept = book.begin(by=lin).id
        book.save(kept, {}, by=lin, files={"evaluation": a_file(10)})
        (house.folder / "drafts" / "left-behind").mkdir()
        book.expire()
        assert [path.name for path in (house.folder / "drafts").iterdir()] == [kept]


class TestHandIn:
    def test_a_draft_that_became_a_submission_is_gone(self, house: House, lin: Person, tmp_path: Path) -> None:
        drafts = house.service.drafts
        draft = drafts.begin(by=lin).id
        drafts.save(draft, {}, by=lin, files={"evaluation": a_file(10)})
        job = hand_in(house, draft, a_directory(tmp_path / "handed"), lin)
        ended = Worker(house.service).work_once()
        assert ended is not None
        assert (ended.id, ended.state) == (job.id, JobState.DONE)
        assert drafts.of(lin) == ()
        assert not drafts.path(draft, "evaluation").parent.exists()

    def test_one_that_failed_stays_and_remembers_why(self, house: House, lin: Person, tmp_path: Path) -> None:
        drafts = house.service.drafts
        draft = drafts.begin(by=lin).id
        folder = a_directory(tmp_path / "handed", lines={'label = "harmed"': 'label = "age"'})
        job = hand_in(house, draft, folder, lin)
        Worker(house.service).work_once()
        assert drafts.seen_by(draft, lin).job == job.id
        assert [field_of(fault) for fault in house.service.jobs.get(job.id).faults] == ["data.label", "data.label"]

    def test_while_it_is_examined_nothing_changes(self, house: House, lin: Person, tmp_path: Path) -> None:
        drafts = house.service.drafts
        draft = drafts.begin(by=lin).id
        folder = a_directory(tmp_path / "handed")
        job = hand_in(house, draft, folder, lin)
        acts: tuple[Callable[[], object], ...] = (
            lambda: drafts.save(draft, {}, by=lin),
            lambda: drafts.discard(draft, by=lin),
            lambda: hand_in(house, draft, folder, lin),
        )
        for act in acts:
            with pytest.raises(BeingExamined):
                act()
        house.clock.go(days=31)
        drafts.expire()
        assert [found.id for found in house.service.jobs.of(lin)] == [job.id]
        assert [path.name for path in zip_of_job(house.service, job.id).parent.iterdir()] == [f"{job.id}.zip"]
        house.service.jobs.cancel(job.id, by=lin)
        drafts.expire()
        assert house.service.jobs.get(job.id).state is JobState.CANCELLED
        with pytest.raises(NotFound):
            drafts.seen_by(draft, lin)

    def test_one_of_several_at_one_moment_wins(self, house: House, lin: Person, tmp_path: Path) -> None:
        draft = house.service.drafts.begin(by=lin).id
        folder = a_directory(tmp_path / "handed")
        barrier, refused = threading.Barrier(4), []

        def act() -> None:
            barrier.wait()
            try:
                hand_in(house, draft, folder, lin)
            except BeingExamined as busy:
                refused.append(busy)

        threads = [threading.Thread(target=act) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(house.service.jobs.of(lin)), len(refused)) == (1, 3)
