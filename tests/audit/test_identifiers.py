"""Identifiers sort as they were drawn, also where the clock stands still, and nobody guesses the next."""

from __future__ import annotations

import itertools
import re
import threading

from audit.entries import identifier_text, new_identifier

NOW = 1_772_438_400_123_456
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_drawn_in_one_moment_ascend() -> None:
    drawn = [new_identifier(NOW) for _ in range(10_000)]
    assert drawn == sorted(set(drawn))
    assert all(UUID7.fullmatch(identifier_text(one)) for one in drawn[:: len(drawn) // 10])


def test_follow_the_clock_to_the_microsecond() -> None:
    drawn = [new_identifier(NOW + step) for step in range(2_000)]
    assert drawn == sorted(drawn)


def test_drawn_by_many_threads_are_all_different() -> None:
    drawn: list[bytes] = []

    def draw() -> None:
        drawn.extend([new_identifier(NOW) for _ in range(2_000)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 8_000


def test_steps_between_neighbours_are_not_the_same() -> None:
    drawn = [int.from_bytes(new_identifier(NOW), "big") for _ in range(200)]
    steps = {after - before for before, after in itertools.pairwise(drawn)}
    assert len(steps) > 190


def test_takes_random_bytes_that_were_drawn_already() -> None:
    assert new_identifier(NOW, bytes(8)) == new_identifier(NOW, bytes(8))
