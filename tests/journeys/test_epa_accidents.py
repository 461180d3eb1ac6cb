"""7,211 real chemical accidents: what is known at the release, judged on ten later years, and proven."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from api.cli import run
from audit.verify import verify_bundle
from governance.approvals import Verdict
from governance.submissions import SubmissionRecord
from policies.tiers import Tier
from tests.governance.factories import ENGINEER, OFFICER, PLANT, PURPOSE, House, a_house
from tests.journeys.real_data import epa


@dataclass
class Epa:
    """The house with the approved model, and the rows it was not trained on."""

    house: House
    record: SubmissionRecord
    directory: Path
    rows: pd.DataFrame

    def finding(self, check: str, words: str = "") -> Mapping[str, Any]:
        """The first finding of a check whose sentence holds some words."""
        return next(f for f in self.record.findings if f["check"] == check and words in f["says"]["en"])


@pytest.fixture(scope="module")
def at_work(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epa]:
    """Submit the release model and let the officer approve it."""
    folder = tmp_path_factory.mktemp("epa")
    directory = epa(shared_data, folder / "handed")
    with a_house(folder / "house") as house:
        record = house.service.submit(directory, by=ENGINEER)
        house.service.give_verdict(
            record.id,
            Verdict.APPROVE,
            by=OFFICER,
            reason="finds two of three; the miss gap by size is answered by review of large plants",
            conditions=[{"kind": "review_alarms"}],
        )
        yield Epa(house, house.service.book.get(record.id), directory, pd.read_csv(directory / "evaluation.csv"))


class TestFindings:
    def test_the_honest_figure_is_that_of_the_data_card(self, at_work: Epa) -> None:
        rates = at_work.finding("performance")["evidence"]["rates"]
        assert rates["roc_auc"]["value"] == pytest.approx(0.77, abs=0.015)
        assert rates["accuracy"]["value"] == pytest.approx(0.709, abs=0.02)
        assert rates["false_alarm_rate"]["value"] == pytest.approx(0.261, abs=0.03)

    def test_death_is_never_below_l3(self, at_work: Epa) -> None:
        assert at_work.record.tier is Tier.L3

    def test_the_miss_gap_by_size_is_claimed_and_the_false_alarm_gap_is_not(self, at_work: Epa) -> None:
        finding = at_work.finding("group_bias", "missed harm")
        compared = {c["metric"]: c["conclusion"] for c in finding["evidence"]["comparisons"]}
        assert compared["miss_rate"] == "gap"
        assert compared["false_alarm_rate"] != "gap"
        assert finding["holds"] is False
        assert "'300 and more' lies" in finding["says"]["en"]

    def test_size_unknown_is_said_and_not_guessed(self, at_work: Epa) -> None:
        assert at_work.finding("group_bias", "unknown")["evidence"]["unknown"] == {"enterprise_size": 674}

    def test_what_is_known_afterwards_is_found(self, shared_data: Path, tmp_path: Path) -> None:
        from governance.intake import examine_directory
        from policies.rulebook import read_rulebook

        examination = examine_directory(epa(shared_data, tmp_path / "hindsight", hindsight=True), read_rulebook())
        (leak,) = [f for f in examination.findings if f.check == "leakage" and f.holds is False]
        assert "'CF_EquipmentFailure'" in leak.says.en
        assert "known only after the event" in leak.says.en

    def test_the_accident_of_the_year_2202_is_found(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["check", str(epa(shared_data, tmp_path / "every", every_year=True)), "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        said = [f["says"]["en"] for f in report["findings"] if f["check"] == "data_quality" and f["holds"] is False]
        assert any("2202-11-21" in sentence for sentence in said)


class TestDecisions:
    def test_of_the_later_years_are_made_traced_and_proven(self, at_work: Epa) -> None:
        service = at_work.house.service
        decided = service.serving.decide("chemical-release-harm", at_work.rows, purpose=PURPOSE, by=PLANT)
        assert decided.problems == ()
        assert len(decided.decisions) == len(at_work.rows) == 1355
        scores = np.array([decision.score for decision in decided.decisions if decision])
        alarms = np.array([decision.verdict for decision in decided.decisions if decision])
        assert (alarms == (scores >= 0.5)).all()
        truth = at_work.rows["harmed"].to_numpy(dtype=bool)
        rates = at_work.finding("performance")["evidence"]["rates"]
        assert alarms[truth].mean() == pytest.approx(rates["detection_rate"]["value"])

        for decision in decided.decisions[::271]:
            assert decision is not None
            trace = service.log.trace(str(decision.id))
            assert trace is not None
            assert trace.base + trace.contributions.sum(dtype=float) == pytest.approx(trace.margin, abs=1e-5)
            assert service.telling.replay(str(decision.id))["same"] is True
            assert verify_bundle(json.loads(json.dumps(service.telling.evidence(str(decision.id))))).holds
