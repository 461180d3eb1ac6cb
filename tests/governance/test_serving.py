"""The predict path: purpose, permit, artifact, rows, subjects, and conditions carried out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import OperationalError

from audit.deidentify import IdentifierPresent
from governance.callers_rows import NamedRows
from governance.micro_batches import MicroBatches, Request
from governance.permits import MayNotRun
from model_registry.mlflow_store import MlflowStore, embedded_store
from policies.errors import Malformed, Unavailable
from policies.permitted_use import PurposeRefused, WrongPurpose
from policies.roles import NotAllowed, Role
from policies.rulebook import read_rulebook
from tests.governance.factories import (
    ENGINEER,
    OFFICER,
    PLANT,
    SENSORS,
    SITE,
    WITH_AGE,
    House,
    a_house,
    an_examination,
    rows,
    someone,
)

FRAME = rows(40, seed=9)[list(SENSORS)]


class TestPurpose:
    @pytest.mark.parametrize("purpose", ["reward", "punishment", "ranking", "dismissal"])
    def test_refused_ones_are_refused_and_logged(self, house: House, purpose: str) -> None:
        house.approved()
        with pytest.raises(PurposeRefused, match=f"purpose '{purpose}' is refused"):
            house.decide(purpose=purpose)
        assert house.kinds()[-1] == "refuse"
        assert "decision" not in house.kinds()

    @pytest.mark.parametrize("purpose", [None, "", "profit", "Risk_Intervention"])
    def test_not_stated_or_not_known_is_refused(self, house: House, purpose: str | None) -> None:
        house.approved()
        with pytest.raises(PurposeRefused):
            house.decide(purpose=purpose)

    def test_is_taken_from_the_caller_when_not_stated(self, house: House) -> None:
        house.approved()
        decided = house.decide(purpose=None, by=someone(Role.SERVICE, purpose="risk_intervention"))
        assert all(decision is not None for decision in decided.decisions)

    def test_cannot_leave_what_the_caller_is_bound_to(self, house: House) -> None:
        house.approved()
        with pytest.raises(WrongPurpose, match="this caller is bound to the purpose 'risk_intervention'"):
            house.decide(purpose="reward", by=someone(Role.SERVICE, purpose="risk_intervention"))
        assert house.kinds()[-1] == "refuse"


class TestCallers:
    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.SERVICE, Role.TESTER)])
    def test_only_programs_and_testers_call(self, house: House, role: Role) -> None:
        house.approved()
        with pytest.raises(NotAllowed):
            house.decide(by=someone(role))

    def test_of_another_site_learn_nothing(self, house: House) -> None:
        house.approved()
        with pytest.raises(MayNotRun) as foreign:
            house.decide(by=someone(Role.SERVICE, site="plant-08"))
        with pytest.raises(MayNotRun) as absent:
            house.decide("no-such-model", by=someone(Role.SERVICE, site="plant-08"))
        assert foreign.value.says.en.replace("gas-leak", "no-such-model") == absent.value.says.en

    def test_of_the_same_site_are_answered(self, house: House) -> None:
        house.approved()
        house.decide(by=someone(Role.SERVICE, site=SITE))
        assert {entry.site for entry in house.service.log.search(kind="decision").entries} == {SITE}


class TestConditions:
    def test_a_threshold_replaces_the_declared_one(self, house: House) -> None:
        house.approved()
        before = [decision.verdict for decision in house.decide(X=FRAME).decisions]
        house.approved(seed=1, conditions=[{"kind": "threshold", "value": 0.0}])
        after = house.decide(X=FRAME).decisions
        assert not all(before)
        assert all(decision.verdict for decision in after)
        assert house.service.log.trace(after[0].id).threshold == 0.0  # type: ignore[union-attr]

    def test_a_group_has_a_threshold_of_its_own(self, house: House) -> None:
        plain = house.approved()
        frame = rows(30, seed=9)[[*SENSORS, "sex"]]
        scores = [d.score for d in house.decide(X=frame).decisions]
        house.veto(plain)
        house.approved([{"kind": "group_threshold", "column": "sex", "value": "f", "threshold": 0.1}], seed=1)
        decided = house.decide(X=frame)
        traces = [house.service.log.trace(d.id) for d in decided.decisions]
        assert [trace.threshold for trace in traces if trace] == [0.1 if sex == "f" else 0.5 for sex in frame.sex]
        for decision, sex in zip(decided.decisions, frame.sex, strict=True):
            assert decision.verdict == (decision.score >= (0.1 if sex == "f" else 0.5))
        assert len(scores) == len(decided)

    def test_who_does_not_say_his_group_gets_the_most_protective_threshold(self, house: House) -> None:
        house.approved([{"kind": "group_threshold", "column": "sex", "value": "f", "threshold": 0.1}])
        for frame in (FRAME, FRAME.assign(sex=None)):
            decided = house.decide(X=frame).decisions
            assert [d.verdict for d in decided] == [d.score >= 0.1 for d in decided]

    def test_a_group_may_be_of_a_feature(self, house: House) -> None:
        conditions = [{"kind": "group_threshold", "column": "age", "value": "30", "threshold": 0.9}]
        house.approved(conditions, features=WITH_AGE)
        frame = rows(20, seed=9)[list(WITH_AGE)]
        traces = [house.service.log.trace(d.id) for d in house.decide(X=frame, subjects=range(20)).decisions]
        assert [trace.threshold for trace in traces if trace] == [0.9 if age == 30 else 0.5 for age in frame.age]
        of = house.service.serving.pseudonym_of
        assert [trace.subject for trace in traces if trace] == [of(place) for place in range(20)]

    def test_every_alarm_goes_to_a_person(self, house: House) -> None:
        house.approved(conditions=[{"kind": "review_alarms"}])
        for decision in house.decide(X=FRAME).decisions:
            assert ("review_required" in decision.flags) is decision.verdict

    def test_other_sites_than_the_permitted_are_refused(self, house: House) -> None:
        house.approved(conditions=[{"kind": "sites", "sites": ["plant-08"]}])
        with pytest.raises(MayNotRun, match="the permit covers plant-08, not plant-07"):
            house.decide()
        with pytest.raises(MayNotRun, match="there is no model of this name here"):
            house.decide(by=someone(Role.SERVICE, site="plant-09"))

    def test_a_permitted_site_is_answered_and_named_in_the_log(self, house: House) -> None:
        house.approved(conditions=[{"kind": "sites", "sites": ["plant-07", "plant-08"]}])
        house.decide(by=someone(Role.SERVICE, site="plant-08"), X=FRAME[:1])
        assert house.service.log.search(kind="decision").entries[0].site == "plant-08"


class TestPermit:
    def test_a_refusal_is_logged_with_its_reason(self, house: House) -> None:
        with pytest.raises(MayNotRun):
            house.decide("no-such-model")
        (entry,) = house.service.log.search(kind="refuse").entries
        assert entry.actor == PLANT.name
        assert b"no-such-model" in (house.service.log.payload(entry.id) or b"")

    def test_that_lapsed_lets_flagged_alarms_through_and_nothing_else(self, house: House) -> None:
        permit = house.approve(house.submitted()).permit
        assert permit is not None
        fresh = house.decide(X=FRAME).decisions
        house.clock.now = permit.until
        late = house.decide(X=FRAME)
        for before, after in zip(fresh, late.decisions, strict=True):
            assert (after is not None) is before.verdict
            assert after is None or after.flags == ("permit_lapsed",)
        assert {problem.says.en for problem in late.problems} == {
            "the permit has lapsed; within its grace only flagged alarms are answered; fall back to manual control"
        }

    def test_when_the_database_is_gone_alarms_leave_and_nothing_else(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.approved()
        fresh = house.decide(X=FRAME).decisions

        def away(*_: Any) -> Any:
            raise OperationalError("SELECT", {}, OSError("connection refused"))

        monkeypatch.setattr(type(house.service.database), "reading", away)
        monkeypatch.setattr(house.service.serving._inference, "_sink", _Away())
        house.clock.go(seconds=30)
        late = house.decide(X=FRAME)
        for before, after in zip(fresh, late.decisions, strict=True):
            assert (after is not None) is before.verdict
            assert after is None or set(after.flags) == {"permit_lapsed", "spooled"}
        house.clock.go(hours=25)
        with pytest.raises(MayNotRun, match="the permits cannot be reached"):
            house.decide(X=FRAME)


class _Away:
    def append(self, drafts: Any) -> Any:
        raise OperationalError("INSERT", {}, OSError("connection refused"))


class TestArtifact:
    def test_altered_on_disk_is_refused_and_reported(self, house: House) -> None:
        record = house.approved()
        house.decide()
        path = house.service.store.artifact(record.model, record.version)
        path.write_bytes(path.read_bytes() + b" ")
        house.clock.go(seconds=6)
        with pytest.raises(MayNotRun, match="was altered: registered with SHA-256") as refused:
            house.decide()
        assert (refused.value.reason, refused.value.fallback) == ("altered", "manual_control")
        assert house.kinds()[-2:] == ["incident", "refuse"]

    def test_that_is_gone_is_refused_and_reported(self, house: House) -> None:
        record = house.approved()
        house.decide()
        house.service.store.artifact(record.model, record.version).unlink()
        house.clock.go(seconds=6)
        with pytest.raises(MayNotRun, match="is no longer in the registry"):
            house.decide()
        assert house.kinds()[-2:] == ["incident", "refuse"]

    def test_when_the_registry_is_away_alarms_leave_within_the_grace(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.approved()
        fresh = house.decide(X=FRAME).decisions

        def away(*_: Any) -> Any:
            from policies.errors import Sentence

            raise Unavailable(Sentence(en="away", zh="不在"))

        monkeypatch.setattr(house.service.store, "artifact", away)
        house.clock.go(seconds=6)
        for before, after in zip(fresh, house.decide(X=FRAME).decisions, strict=True):
            assert (after is not None) is before.verdict
        house.clock.go(hours=25)
        with pytest.raises(MayNotRun, match="the permits cannot be reached"):
            house.decide(X=FRAME)

    def test_that_was_never_loaded_does_not_run_while_the_registry_is_away(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.approved()

        def away(*_: Any) -> Any:
            from policies.errors import Sentence

            raise Unavailable(Sentence(en="away", zh="不在"))

        monkeypatch.setattr(house.service.store, "artifact", away)
        with pytest.raises(MayNotRun):
            house.decide()


class TestArtifactInMlflow:
    """The same with the real registry, its files and its aliases in the hands of an attacker."""

    @pytest.fixture
    def mlflow_house(self, tmp_path: Path) -> Any:
        store: MlflowStore = embedded_store(tmp_path / "registry")
        with a_house(tmp_path / "house", store=store) as house:
            yield house, store

    def test_files_aliases_and_stages_moved_by_hand_change_nothing_or_are_refused(self, mlflow_house: Any) -> None:
        house, store = mlflow_house
        first = house.approved()
        second = house.submitted(seed=1)
        store.client.set_registered_model_alias("gas-leak", "champion", second.version)
        store.client.set_model_version_tag("gas-leak", second.version, "mingjing.status", "approved")
        decided = house.decide(X=FRAME)
        assert {house.service.log.entry(d.id).version for d in decided.decisions} == {first.version}

        place = next(house.folder.parent.glob("registry/**/artifact/model.ubj"), None)
        assert place is not None
        for path in house.folder.parent.glob("registry/mlflow-artifacts/**/artifact/model.ubj"):
            path.write_bytes(b"something else")
        house.clock.go(seconds=6)
        with pytest.raises(MayNotRun) as refused:
            house.decide()
        assert refused.value.reason == "altered"
        assert "incident" in house.kinds()


class TestRows:
    def test_in_another_order_give_the_same_scores(self, house: House) -> None:
        house.approved()
        straight = [decision.score for decision in house.decide(X=FRAME).decisions]
        turned = [decision.score for decision in house.decide(X=FRAME[list(SENSORS[::-1])]).decisions]
        named = [d.score for d in house.decide(X=NamedRows(SENSORS, FRAME.to_numpy())).decisions]
        assert straight == turned == named

    def test_none_at_all_are_answered_with_nothing(self, house: House) -> None:
        house.approved()
        decided = house.decide(X=FRAME[:0])
        assert (decided.decisions, decided.problems) == ((), ())

    @pytest.mark.parametrize(
        ("X", "sentence"),
        [
            (FRAME.drop(columns="pressure"), "column 'pressure' is missing; the model was trained with it"),
            (FRAME.assign(salary=1.0), "column 'salary' is unknown to the model; leave it out"),
            (
                FRAME.assign(pressure="high"),
                "'pressure' holds 'high'; expected a number, or null for a missing reading",
            ),
            (FRAME.assign(pressure="1.5"), "'pressure' holds '1.5'; expected a number, or null for a missing reading"),
            (FRAME.assign(pressure=True), "'pressure' holds True; expected a number, or null for a missing reading"),
            (FRAME.assign(pressure=np.inf), "'pressure' is infinite in 40 rows; expected a number or missing"),
            (np.ones((3, 5)), "expected rows of 2 features, found an array of shape (3, 5)"),
            (np.ones(2), "expected rows of 2 features, found an array of shape (2,)"),
            (pd.concat([FRAME, FRAME[["pressure"]]], axis=1), "column 'pressure' appears 2 times"),
        ],
        ids=["missing", "extra", "text", "digits", "yes", "infinite", "wide", "flat", "twice"],
    )
    def test_that_do_not_fit_are_refused_in_a_sentence(self, house: House, X: Any, sentence: str) -> None:
        house.approved()
        with pytest.raises(Malformed) as refused:
            house.decide(X=X)
        assert refused.value.says.en == sentence
        assert "decision" not in house.kinds()

    def test_with_a_missing_reading_are_decided(self, house: House) -> None:
        house.approved()
        decided = house.decide(X=FRAME.assign(pressure=np.nan))
        assert all(decision is not None for decision in decided.decisions)

    def test_that_break_the_model_fall_back_to_manual_control(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = house.approved()
        predictor = house.service.models.predictor(record)

        def broken(_: Any) -> Any:
            raise RuntimeError("out of memory")

        monkeypatch.setattr(type(predictor), "explain", lambda *_: broken(_))
        monkeypatch.setattr(type(predictor), "margins", lambda *_: broken(_))
        decided = house.decide()
        assert all(decision is None for decision in decided.decisions)
        assert {problem.says.en for problem in decided.problems} == {
            "the model broke down on this row; fall back to manual control and hand this case to a person"
        }
        assert house.kinds()[-1] == "refuse"
        assert "decision" not in house.kinds()


class TestSubjects:
    def test_are_found_by_pseudonym_and_never_kept_in_the_clear(self, house: House) -> None:
        house.approved()
        house.decide(X=FRAME[:2], subjects=["w-0042", "w-0043"])
        found = house.service.log.search(subject=house.service.serving.pseudonym_of("w-0042")).entries
        assert len(found) == 1
        for file in house.folder.rglob("*"):
            if file.is_file() and "handed" not in str(file):
                assert b"w-0042" not in file.read_bytes(), file

    def test_come_from_the_declared_column(self, house: House) -> None:
        house.approved()
        house.decide(X=FRAME[:2].assign(worker_id=["w-1", "w-2"]))
        assert len(house.service.log.search(subject=house.service.serving.pseudonym_of("w-2")).entries) == 1

    @pytest.mark.parametrize("absent", [None, float("nan"), np.float64("nan"), "", "  ", pd.NA, pd.NaT])
    def test_absent_ones_are_nobody(self, house: House, absent: object) -> None:
        house.approved()
        house.decide(X=FRAME[:1], subjects=[absent])
        assert house.service.log.search(kind="decision").entries[0].subject is None

    def test_a_number_is_the_same_person_with_and_without_gaps_in_its_column(self, house: House) -> None:
        of = house.service.serving.pseudonym_of
        assert of(1234) == of(1234.0) == of("1234") == of(np.int64(1234)) == of(" 1234 ")
        assert of(1234) != of(12340)

    @pytest.mark.parametrize("strange", [[], {}, True, ["w-1"]])
    def test_what_names_nobody_is_refused(self, house: House, strange: object) -> None:
        house.approved()
        with pytest.raises(Malformed, match="a subject is an id, text or a number; found"):
            house.decide(X=FRAME[:1], subjects=[strange])

    def test_one_per_row(self, house: House) -> None:
        house.approved()
        with pytest.raises(Malformed, match="3 subjects were given for 2 rows; give one per row"):
            house.decide(X=FRAME[:2], subjects=["a", "b", "c"])

    def test_columns_that_repeat_name_nobody(self, house: House) -> None:
        house.approved()
        twice = FRAME[:2].assign(worker_id=["w-1", "w-2"])
        twice = pd.concat([twice, twice[["worker_id"]]], axis=1)
        with pytest.raises(Malformed, match="column 'worker_id' appears 2 times"):
            house.decide(X=twice)


class TestIdentifiers:
    FRAME = rows(2, seed=9)[list(SENSORS)].assign(worker_name=["Zhang Wei", "Li Na"])

    def test_that_should_not_be_there_stop_the_call_and_are_not_kept(self, house: House) -> None:
        house.approved()
        with pytest.raises(IdentifierPresent, match="column 'worker_name' identifies a person directly; remove it"):
            house.decide(X=self.FRAME)
        newest = house.service.log.search(limit=1).entries[0]
        said = house.service.log.payload(newest.id) or b""
        assert newest.kind == "refuse"
        assert b"worker_name" in said and b"Zhang" not in said

    def test_are_dropped_before_anything_is_scored_where_the_rulebook_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "rules.toml"
        file.write_bytes(read_rulebook().source.replace(b'on_forbidden = "refuse"', b'on_forbidden = "drop"'))
        with a_house(tmp_path / "house", rulebook=file) as house:
            examination = replace(an_examination(house.folder / "handed"), rulebook=house.service.rulebook)
            house.approve(house.service.intake.take_in(examination, by=ENGINEER))
            decided = house.decide(X=self.FRAME).decisions
            assert len(decided) == 2
            assert b"Zhang" not in (house.service.log.payload(decided[0].id) or b"")


class TestBesideOthers:
    def test_a_caller_whose_subjects_do_not_fit_gives_nobody_elses_rows_a_name(self, house: House) -> None:
        """Requests that wait are decided together; lengths that are wrong must not shift the names of another."""
        house.approved()
        answers: dict[str, Any] = {}
        batches = MicroBatches(house.service.serving)
        batches.ask(Request("gas-leak", _named(1), None, _bound(), ["w-0"]), lambda _: _wait(answers))
        for name, rows_asked, subjects in (
            ("short", 2, ["w-1"]),
            ("long", 1, ["w-2", "w-3"]),
            ("good", 2, ["w-4", "w-5"]),
        ):
            request = Request("gas-leak", _named(rows_asked), None, _bound(), subjects)
            batches.ask(request, partial(answers.__setitem__, name))
        batches.close()
        assert isinstance(answers["short"], Malformed)
        assert isinstance(answers["long"], Malformed)
        subjects = [entry.subject for entry in house.service.log.search(kind="decision").entries][::-1]
        assert subjects == [house.service.serving.pseudonym_of(name) for name in ("w-0", "w-4", "w-5")]


def _named(n: int) -> NamedRows:
    return NamedRows(SENSORS, FRAME.to_numpy()[:n])


def _bound() -> Any:
    return someone(Role.SERVICE, purpose="risk_intervention")


def _wait(answers: dict[str, Any]) -> None:
    import time

    for _ in itertools.repeat(None, 20):
        time.sleep(0.005)
    answers["hold"] = True


class TestServed:
    def test_gives_the_permitted_version(self, house: House) -> None:
        record = house.approved()
        assert house.service.serving.served("gas-leak", PLANT).artifact_digest == record.artifact_digest

    def test_refuses_like_a_decision(self, house: House) -> None:
        house.veto(house.approved(), OFFICER)
        with pytest.raises(MayNotRun):
            house.service.serving.served("gas-leak", PLANT)
