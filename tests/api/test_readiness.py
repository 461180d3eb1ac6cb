"""Ready is said only when decisions can be made, and what is missing is said to people and written down."""

from __future__ import annotations

import logging

import pytest

from api.readiness import COLD, NO_LOG, NO_PERMITS, STOPPED, Readiness


def broken() -> None:
    raise OSError("the disk is gone")


def fine() -> None:
    """Answer."""


class TestMissing:
    def test_nothing(self) -> None:
        assert Readiness(lambda: False, fine, fine).missing() == ()

    def test_a_log_that_stopped(self) -> None:
        assert Readiness(lambda: True, fine, fine).missing() == (STOPPED,)

    def test_what_does_not_answer_and_why_is_written_down(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, logger="mingjing.readiness"):
            assert Readiness(lambda: False, broken, broken).missing() == (NO_LOG, NO_PERMITS)
        assert [record.message for record in caplog.records] == [
            "not ready, the log does not answer: OSError",
            "not ready, the permits cannot be read: OSError",
        ]


class TestLoading:
    def test_is_cold_until_the_models_are_loaded(self) -> None:
        readiness = Readiness(lambda: False, fine, fine)
        with readiness.loading():
            assert readiness.missing() == (COLD,)
        assert readiness.missing() == ()

    def test_a_model_that_breaks_leaves_nobody_waiting_for_ever(self) -> None:
        readiness = Readiness(lambda: False, fine, fine)
        with pytest.raises(OSError), readiness.loading():
            broken()
        assert readiness.missing() == ()
