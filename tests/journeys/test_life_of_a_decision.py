"""One decision, from a sensor's reading to a proof that holds without us."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from audit.verify import verify_bundle
from governance.appeals import Asks
from governance.permits import MayNotRun
from governance.reviews import Judgement
from policies.errors import NotFound
from policies.roles import Role
from tests.governance.factories import EMPLOYEE, OFFICER, REVIEWER, SENSORS, WITH_AGE, House, rows, someone


class TestLifeOfADecision:
    def test_is_made_explained_kept_contested_and_proven(self, house: House) -> None:
        record = house.approved(features=WITH_AGE, conditions=[{"kind": "review_alarms"}])
        service = house.service
        frame = rows(12, seed=9)[list(WITH_AGE)]

        # It is made: an answer with an id, in the order of the rows.
        decided = house.decide(X=frame, subjects=[f"w-{i}" for i in range(12)])
        assert decided.problems == ()
        alarm = next(decision for decision in decided.decisions if decision.verdict)
        place = decided.decisions.index(alarm)
        assert "review_required" in alarm.flags

        # It is kept, exactly as it was decided, under a pseudonym.
        trace = service.log.trace(alarm.id)
        assert trace is not None
        assert (trace.score, trace.capped_score or trace.score, trace.verdict) == (alarm.raw_score, alarm.score, True)
        assert trace.subject == service.serving.pseudonym_of(f"w-{place}")
        assert f"w-{place}" not in json.dumps(service.telling.decision(alarm.id))

        # It is explained: base and contributions give the margin; age stays within its cap.
        assert trace.base + trace.contributions.sum(dtype=float) == pytest.approx(trace.margin, abs=1e-5)
        size = np.abs(alarm.contributions)
        assert size[2] <= 0.1 * size.sum() + 1e-6

        # It replays to the same bits.
        assert service.telling.replay(alarm.id)["same"] is True

        # Who it concerns finds it, and nobody else does.
        worker = someone(Role.EMPLOYEE, subject=service.serving.pseudonym_of(f"w-{place}"))
        assert service.reviews.decision(alarm.id, worker).id == alarm.id
        with pytest.raises(NotFound):
            service.reviews.decision(alarm.id, EMPLOYEE)
        assert service.telling.letter(alarm.id, "zh", "employee").startswith(b"%PDF")

        # He contests it; a reviewer overrides it; the decision stays as it was.
        service.appeals.ask(alarm.id, Asks.APPEAL, by=worker, reason="the reading was taken before the repair")
        service.reviews.review(alarm.id, Judgement.OVERRIDE, by=REVIEWER, reason="the valve was being replaced")
        assert [said.kind for said in service.reviews.about(alarm.id)] == ["appeal", "override"]
        assert service.log.entry(alarm.id).verdict is True

        # It is proven without us, and every change is seen.
        bundle = json.loads(json.dumps(service.telling.evidence(alarm.id)))
        assert verify_bundle(bundle).holds
        assert not verify_bundle(_with_another_payload(bundle)).holds

        # The officer ends the model; the decision can still be shown and proven.
        house.veto(record, OFFICER)
        with pytest.raises(MayNotRun):
            house.decide(X=frame)
        assert verify_bundle(service.telling.evidence(alarm.id)).holds
        assert service.telling.decision(alarm.id)["reviews"][0]["kind"] == "appeal"

    def test_found_by_every_way_to_look(self, house: House) -> None:
        house.approved()
        first = house.decide(X=rows(3, seed=9)[list(SENSORS)], subjects=["a", "b", "a"]).decisions
        house.clock.go(days=1)
        second = house.decide(X=rows(2, seed=8)[list(SENSORS)]).decisions
        log = house.service.log

        def found(**wanted: Any) -> set[str]:
            return {entry.id for entry in log.search(kind="decision", **wanted).entries}

        everything = {decision.id for decision in (*first, *second)}
        assert found() == found(model="gas-leak") == found(version="1") == found(site="plant-07") == everything
        assert found(model="none") == found(flag="capped") == found(site="plant-08") == set()
        assert found(subject=house.service.serving.pseudonym_of("a")) == {first[0].id, first[2].id}
        assert found(since=house.clock.now) == {decision.id for decision in second}
        assert found(until=house.clock.now) == {decision.id for decision in first}
        assert found(verdict=True) == {decision.id for decision in (*first, *second) if decision.verdict}

    def test_pages_without_losing_or_repeating_any(self, house: House) -> None:
        house.approved()
        made = [decision.id for decision in house.decide(X=rows(25, seed=9)[list(SENSORS)]).decisions]
        seen: list[str] = []
        after = None
        while True:
            page = house.service.log.search(kind="decision", after=after, limit=4)
            seen += [entry.id for entry in page.entries]
            after = page.next
            if after is None:
                break
        assert sorted(seen) == sorted(made)


def _with_another_payload(bundle: dict[str, Any]) -> dict[str, Any]:
    payload = bundle["entry"]["payload"]
    changed = payload[:-8] + ("A" if payload[-8] != "A" else "B") + payload[-7:]
    return {**bundle, "entry": {**bundle["entry"], "payload": changed}}
