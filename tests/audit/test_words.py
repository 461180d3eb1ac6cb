"""Words come with their decisions, in the order of the log, within the scope asked for; what is gone says nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.entries import Draft, Receipt
from audit.expiry import expire, forget_subject
from audit.log_reader import Wanted
from audit.payload_store import ASKED_AT_ONCE
from audit.trace_log import TraceLog
from audit.words import sealed_in, words
from tests.audit.conftest import StandingClock
from tests.audit.logs import a_decision


def said(log: TraceLog, about: Receipt, kind: str = "review", words: bytes = b"well", **fields: str) -> Receipt:
    """One word about a decision."""
    draft = Draft(kind=kind, payload=words, about=about.id, actor="zhao", model="gas-leak", site="plant-07", **fields)
    return log.append([draft])[0]


class TestWords:
    def test_bring_their_decision_along(self, log: TraceLog, clock: StandingClock) -> None:
        first, second = log.append([a_decision(verdict=True), a_decision(verdict=False)])
        clock.go(hours=3)
        later = [said(log, second), said(log, first), said(log, second)]
        found = words(log.database, Wanted(kind="review"))
        assert [word.index for word in found] == [receipt.index for receipt in later]
        assert [word.decision for word in found] == [second.index, first.index, second.index]
        assert [word.verdict for word in found] == [False, True, False]
        assert {word.time - word.decided for word in found} == {timedelta(hours=3)}
        assert {(word.kind, word.model, word.actor) for word in found} == {("review", "gas-leak", "zhao")}

    def test_about_anything_but_a_decision_are_left_out(self, log: TraceLog) -> None:
        asked = said(log, log.append([a_decision()])[0], "appeal")
        said(log, asked, "answer")
        assert words(log.database, Wanted(kind="answer")) == []

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (Wanted(kind="override"), 0),
            (Wanted(kind="review", site="plant-08"), 0),
            (Wanted(kind="review", model="gas-leak", site="plant-07"), 1),
            (Wanted(kind="review", places=(("plant-08",),)), 0),
            (Wanted(kind="review", models=("gas-peak",)), 0),
        ],
    )
    def test_outside_the_scope_are_not_found(self, wanted: Wanted, found: int, log: TraceLog) -> None:
        said(log, log.append([a_decision()])[0])
        assert len(words(log.database, wanted)) == found

    def test_say_what_was_said(self, log: TraceLog) -> None:
        decision = log.append([a_decision()])[0]
        count = ASKED_AT_ONCE + 3
        log.append([Draft(kind="review", payload=f"{n}".encode(), about=decision.id) for n in range(count)])
        found = words(log.database, Wanted(kind="review"))
        told = sealed_in(log, found)
        assert [told[word.index] for word in found] == [f"{n}".encode() for n in range(count)]

    def test_say_nothing_once_restricted_or_erased(self, log: TraceLog, clock: StandingClock) -> None:
        decision = log.append([a_decision()])[0]
        said(log, decision, subject="p-2")
        stays = said(log, decision)
        forget_subject(log, "p-2", approvers=("a", "b"), reason="left the plant")
        found = words(log.database, Wanted(kind="review"))
        assert len(found) == 2
        assert sealed_in(log, found) == {stays.index: b"well"}
        for _ in range(28):
            clock.go(days=7)
            log.append([Draft(kind="health", payload=b"{}")])
            log.checkpoint()
        expire(log)
        found = words(log.database, Wanted(kind="review"))
        assert [(word.actor, word.verdict) for word in found] == [(None, None)] * 2
        assert sealed_in(log, found) == {}
