"""Many callers, one commit: everyone gets his own answer, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from audit.group_commit import GroupCommit


class SlowDisk:
    """Doubles numbers, slowly, and remembers its turns; refuses 13."""

    def __init__(self) -> None:
        self.turns: list[int] = []

    def __call__(self, asked: Sequence[int]) -> list[int | BaseException]:
        time.sleep(0.005)
        self.turns.append(len(asked))
        return [ValueError("thirteen") if number == 13 else 2 * number for number in asked]


def asked_at_once(group: GroupCommit[int, int], numbers: Sequence[int]) -> dict[int, int | BaseException]:
    answers: dict[int, int | BaseException] = {}

    def ask(number: int) -> None:
        try:
            answers[number] = group.submit(number)
        except ValueError as wrong:
            answers[number] = wrong

    threads = [threading.Thread(target=ask, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    return answers


class TestGroupCommit:
    def test_a_single_caller_is_served_at_once(self) -> None:
        disk = SlowDisk()
        assert GroupCommit(disk).submit(4) == 8
        assert disk.turns == [1]

    def test_everyone_gets_his_own_answer(self) -> None:
        answers = asked_at_once(GroupCommit(SlowDisk()), range(100, 164))
        assert answers == {number: 2 * number for number in range(100, 164)}

    def test_who_comes_while_the_disk_is_busy_shares_the_next_turn(self) -> None:
        disk = SlowDisk()
        asked_at_once(GroupCommit(disk), range(100, 164))
        assert sum(disk.turns) == 64 and len(disk.turns) < 32

    def test_one_callers_fault_is_his_alone(self) -> None:
        answers = asked_at_once(GroupCommit(SlowDisk()), range(8, 20))
        assert isinstance(answers.pop(13), ValueError)
        assert answers == {number: 2 * number for number in range(8, 20) if number != 13}

    def test_a_broken_disk_answers_everyone(self) -> None:
        def broken(asked: Sequence[int]) -> list[int | BaseException]:
            time.sleep(0.002)
            raise ValueError("broken")

        answers = asked_at_once(GroupCommit(broken), range(20))
        assert all(isinstance(answer, ValueError) for answer in answers.values()) and len(answers) == 20

    def test_it_goes_on_after_a_fault(self) -> None:
        group = GroupCommit(SlowDisk())
        with pytest.raises(ValueError, match="thirteen"):
            group.submit(13)
        assert group.submit(1) == 2
