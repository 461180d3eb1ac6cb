"""Turns are taken in the order of asking, also by who asks in a loop."""

from __future__ import annotations

import threading

import pytest

from model_registry.turns import Turns


class TestTurns:
    def test_who_asked_first_is_served_first(self) -> None:
        turns, served, asked = Turns(), [], threading.Semaphore(0)

        def take(number: int) -> None:
            with turns:
                served.append(number)

        with turns:
            threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
            for place, thread in enumerate(threads):
                thread.start()
                while len(turns._waiting) < place + 2:  # each stands in the row before the next one comes
                    asked.acquire(timeout=0.001)
        for thread in threads:
            thread.join()
        assert served == [0, 1, 2, 3, 4]

    def test_who_asks_again_stands_behind_who_waits(self) -> None:
        turns, order = Turns(), []
        waits = threading.Event()

        def once() -> None:
            waits.set()
            with turns:
                order.append("once")

        with turns:
            order.append("first")
            other = threading.Thread(target=once)
            other.start()
            waits.wait()
            while len(turns._waiting) < 2:
                pass
        with turns:
            order.append("again")
        other.join()
        assert order == ["first", "once", "again"]

    def test_an_error_gives_the_turn_back(self) -> None:
        turns = Turns()
        with pytest.raises(ValueError, match="inside"), turns:
            raise ValueError("inside")
        with turns:
            pass
