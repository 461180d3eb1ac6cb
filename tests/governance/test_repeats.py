"""The same key with the same request decides once; with another request it is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from audit.decided import Decided
from audit.expiry import forget_subject
from governance.repeats import ERASED, KeyReused, Repeats, StillDeciding
from policies.errors import Malformed
from policies.roles import Role
from tests.governance.factories import PLANT, SENSORS, House, rows, someone

FRAME = rows(3, seed=9)[list(SENSORS)]


def deciding(house: House) -> Callable[[], Decided]:
    """A decision that has not been made yet."""
    return lambda: house.decide(X=FRAME)


class TestOnce:
    def test_gives_the_same_decisions_and_leaves_one_trace(self, house: House) -> None:
        house.approved()
        repeats = house.service.repeats
        first, before = repeats.once("k-1", b"rows", PLANT, deciding(house))
        again, after = repeats.once("k-1", b"rows", PLANT, deciding(house))
        assert (before, after) == (False, True)
        assert house.kinds().count("decision") == 3
        for one, other in zip(first.decisions, again.decisions, strict=True):
            assert one is not None and other is not None
            assert (one.id, one.score, one.verdict, one.flags, one.base, one.unit) == (
                *(other.id, other.score, other.verdict, other.flags, pytest.approx(other.base), other.unit),
            )
            assert other.contributions == pytest.approx(one.contributions, rel=1e-6)

    def test_another_request_under_the_key_is_refused(self, house: House) -> None:
        house.approved()
        house.service.repeats.once("k-1", b"rows", PLANT, deciding(house))
        with pytest.raises(KeyReused, match="this Idempotency-Key was used for another request"):
            house.service.repeats.once("k-1", b"other rows", PLANT, deciding(house))

    def test_a_key_is_its_callers_own(self, house: House) -> None:
        house.approved()
        house.service.repeats.once("k-1", b"rows", PLANT, deciding(house))
        other = someone(Role.SERVICE, "another-plant")
        assert not house.service.repeats.once("k-1", b"other rows", other, deciding(house))[1]

    def test_while_the_first_is_under_way_the_second_is_told_to_wait(self, house: House) -> None:
        house.approved()
        repeats = house.service.repeats

        def decide() -> Decided:
            with pytest.raises(StillDeciding, match="still being decided; ask again in a moment"):
                repeats.once("k-1", b"rows", PLANT, deciding(house))
            return house.decide(X=FRAME)  # type: ignore[no-any-return]

        repeats.once("k-1", b"rows", PLANT, decide)
        assert house.kinds().count("decision") == 3

    def test_many_at_once_decide_once(self, house: House) -> None:
        house.approved()
        answers: list[Any] = []
        start = threading.Barrier(8)

        def ask() -> None:
            start.wait()
            try:
                answers.append(house.service.repeats.once("k-1", b"rows", PLANT, deciding(house))[1])
            except StillDeciding as told:
                answers.append(told)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers.count(False) == 1
        assert house.kinds().count("decision") == 3

    def test_a_failed_request_frees_its_key(self, house: House) -> None:
        house.approved()

        def broken() -> Decided:
            raise ValueError("broke")

        with pytest.raises(ValueError, match="broke"):
            house.service.repeats.once("k-1", b"rows", PLANT, broken)
        assert not house.service.repeats.once("k-1", b"rows", PLANT, deciding(house))[1]

    def test_one_whose_process_died_is_free_after_a_minute(self, house: House) -> None:
        house.approved()

        class Killed(BaseException):
            pass

        repeats = house.service.repeats
        dead = Repeats(house.service.database, house.service.log, house.clock, repeats._secret)
        dead._forget = lambda *_: None  # type: ignore[method-assign]  # a process that was killed frees nothing

        def dies() -> Decided:
            raise Killed

        with pytest.raises(Killed):
            dead.once("k-1", b"rows", PLANT, dies)
        with pytest.raises(StillDeciding):
            repeats.once("k-1", b"rows", PLANT, deciding(house))
        house.clock.go(seconds=61)
        assert not repeats.once("k-1", b"rows", PLANT, deciding(house))[1]

    def test_what_was_erased_since_is_not_given_again(self, house: House) -> None:
        house.approved()
        named = lambda: house.decide(X=FRAME, subjects=["w-1", "w-2", "w-3"])  # noqa: E731
        house.service.repeats.once("k-1", b"rows", PLANT, named)
        gone = house.service.serving.pseudonym_of("w-2")
        forget_subject(house.service.log, gone, approvers=("officer", "committee"), reason="he asked for it")
        again, _ = house.service.repeats.once("k-1", b"rows", PLANT, deciding(house))
        assert [decision is None for decision in again.decisions] == [False, True, False]
        assert again.problems[0].says.en == ERASED.en

    @pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", "a\nb"])
    def test_a_key_nobody_could_write_down_is_refused(self, house: House, key: str) -> None:
        with pytest.raises(Malformed, match="an Idempotency-Key has 1 to 255 printable ASCII characters"):
            house.service.repeats.once(key, b"rows", PLANT, deciding(house))

    def test_without_the_database_every_request_is_decided(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.approved()
        decided = house.decide(X=FRAME)

        def away() -> Any:
            raise OperationalError("BEGIN", {}, Exception("database is locked"))

        monkeypatch.setattr(type(house.service.database), "writing", lambda _: away())
        assert house.service.repeats.once("k-1", b"rows", PLANT, lambda: decided)[0] is decided


class TestExpire:
    def test_forgets_after_a_day(self, house: House) -> None:
        house.approved()
        house.service.repeats.once("k-1", b"rows", PLANT, deciding(house))
        house.clock.go(hours=23)
        assert house.service.repeats.expire() == 0
        house.clock.go(hours=2)
        assert house.service.repeats.expire() == 1
