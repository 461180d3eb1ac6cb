"""What left without its explanation gets it, once, as a statement; and everyone who reads the decision sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.rounds import Rounds
from governance.late_explanations import explain_pending
from tests.governance.factories import REGULATOR, SENSORS, House, rows

FRAME = rows(12, seed=9)[list(SENSORS)]


def broken(*_: object) -> Any:
    """An explainer without memory."""
    raise MemoryError


@pytest.fixture
def pending(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Alarms that left while the explainer was broken; it is mended now."""
    record = house.approved()
    with monkeypatch.context() as breaking:
        breaking.setattr(type(house.service.models.predictor(record)), "explain", broken)
        decided = house.decide(X=FRAME)
    return [str(id) for id, given in zip(decided.ids, decided.answered, strict=True) if given]


def explained(house: House) -> int:
    """Explain what is pending."""
    service = house.service
    return explain_pending(service.log, service.book, service.models)


class TestExplainPending:
    def test_adds_what_an_ordinary_decision_would_have_had(self, house: House, pending: list[str]) -> None:
        assert explained(house) == len(pending) > 0
        ordinary = {decision.score: decision for decision in house.decide(X=FRAME).decisions}
        for id in pending:
            entry, trace = house.service.telling.trace_of(id)
            twin = ordinary[trace.score]
            assert trace.contributions == pytest.approx(twin.contributions, rel=1e-5)
            assert trace.base + trace.contributions.sum() == pytest.approx(trace.margin, rel=1e-5)
            assert "explanation_pending" in entry.flags
        assert house.service.log.recheck().faults == []

    def test_does_it_once(self, house: House, pending: list[str]) -> None:
        assert (explained(house), explained(house)) == (len(pending), 0)

    def test_a_round_does_it(self, house: House, pending: list[str]) -> None:
        Rounds(house.service, house.clock.seconds).once()
        assert house.kinds().count("explain") == len(pending)

    def test_goes_into_the_evidence_and_is_nobodys_review(self, house: House, pending: list[str]) -> None:
        explained(house)
        bundle = house.service.telling.evidence(pending[0])
        assert len(bundle["statements"]) == 1
        assert house.service.reviews.about(pending[0]) == ()
        shown = house.service.telling.decision(pending[0])
        assert shown["explanation"]
        assert house.service.reviews.decision(pending[0], REGULATOR).id == pending[0]

    def test_leaves_what_still_cannot_be_explained(
        self, house: House, pending: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = house.service.telling.record_of("gas-leak")
        with monkeypatch.context() as breaking:
            breaking.setattr(type(house.service.models.predictor(record)), "explain", broken)
            assert explained(house) == 0
        assert explained(house) == len(pending)

    def test_adds_nothing_that_does_not_give_the_sealed_margin(
        self, house: House, pending: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = house.service.telling.record_of("gas-leak")
        predictor = house.service.models.predictor(record)
        whole = type(predictor).explain
        monkeypatch.setattr(type(predictor), "explain", lambda self, X: whole(self, np.zeros_like(X)))
        assert explained(house) == 0

    def test_explains_nothing_that_was_explained(self, house: House) -> None:
        house.approved()
        house.decide(X=FRAME)
        assert explained(house) == 0
