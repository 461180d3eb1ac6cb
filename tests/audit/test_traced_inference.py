"""One governed decision: every way to fail, and in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from audit.decided import Decided
from audit.entries import Draft, Receipt, identifier_text, microseconds_of, new_identifier
from audit.served_model import Asked, ServedModel
from audit.trace import DecisionTrace, decode_trace
from audit.traced_inference import TracedInference
from explainers.explanation import Explanation
from explainers.linear import LinearModel
from explainers.links import Link
from policies.declaration import Protective
from policies.deidentification import DeidentificationPlan
from policies.errors import Sentence
from policies.feature_caps import FeatureCaps, OnExceed
from policies.permitted_use import PurposeRefused, PurposeRules
from policies.tiers import Tier

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NAMES = ("gas", "age")
SAID = Sentence(en="so it is", zh="如此")
PURPOSES = PurposeRules(allowed={"risk_intervention": SAID}, refused={"reward": SAID})
ASKED = Asked(purpose="risk_intervention", caller="plant")
ROWS = arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(2)), elements=st.floats(-30, 30))


class Kept:
    """A sink that is a list; it breaks when told to."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.broken: Exception | None = None
        self.appends = 0

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        self.appends += 1
        if self.broken is not None:
            raise self.broken
        self.drafts.extend(drafts)
        return tuple(_receipt(draft) for draft in drafts)

    def trace(self, place: int = 0) -> DecisionTrace:
        """The trace as it reads back."""
        draft = self.drafts[place]
        return decode_trace(draft.payload, draft.shared_layout or b"")


def _receipt(draft: Draft) -> Receipt:
    id = draft.id or identifier_text(new_identifier(microseconds_of(NOW)))
    return Receipt(id, 0, NOW, sha256(draft.payload).digest())


class Breaking(LinearModel):
    """A linear model whose explainer, or whose score, breaks on the rows in which gas is as told."""

    explains_not: float | None = None
    scores_not: float | None = None

    def explain(self, X: Any) -> Explanation:
        if self.explains_not is not None and (X[:, 0] == self.explains_not).any():
            raise ZeroDivisionError
        return super().explain(X)

    def margins(self, X: Any) -> Any:
        if self.scores_not is not None and (X[:, 0] == self.scores_not).any():
            raise MemoryError
        return super().margins(X)


def a_model(**broken: float) -> Breaking:
    """The score rises with gas and with age."""
    made = Breaking(
        weights=np.array([1.0, 0.5]),
        intercept=np.array(0.0),
        reference=np.zeros(2),
        feature_names=NAMES,
        link=Link("logistic"),
    )
    for name, value in broken.items():
        object.__setattr__(made, name, value)
    return made


def served(**changes: Any) -> ServedModel:
    """A permitted version; a test changes only what it is about."""
    plain: dict[str, Any] = {
        "name": "gas-leak",
        "version": "1",
        "artifact_digest": "a" * 64,
        "rulebook_digest": "b" * 64,
        "tier": Tier.L2,
        "site": "plant-07",
        "predictor": a_model(),
        "threshold": 0.5,
        "protective": Protective.AT_OR_ABOVE,
        "caps": FeatureCaps(),
        "plan": DeidentificationPlan(forbidden=(), bands={}),
    }
    return ServedModel(**{**plain, **changes})


def purposes() -> PurposeRules:
    """The rules about purposes, as they are asked for at each decision."""
    return PURPOSES


def decide(X: Any, kept: Kept | None = None, asked: Asked = ASKED, **changes: Any) -> Decided:
    """Decide rows with a sink that is a list."""
    return TracedInference(kept or Kept(), purposes).decide(served(**changes), np.asarray(X, dtype=float), asked)


CAP_AGE = FeatureCaps({"age": 0.2}, None, OnExceed.CLIP)
HAND_OVER = FeatureCaps({"age": 0.2}, None, OnExceed.HAND_OVER)
ALARM, QUIET = [2.0, 0.1], [-2.0, 0.1]
AGE_ALARMS = [-0.5, 2.0]
"""Raw: -0.5 + 1.0 = 0.5, an alarm. With age held to 20 %: -0.5 + 0.125 = -0.375, none."""
AGE_CALMS = [0.5, -2.0]
"""The other way round: the clip raises an alarm that age would hide."""


class TestPurpose:
    @pytest.mark.parametrize("purpose", ["reward", "", "profit"])
    def test_comes_first(self, purpose: str) -> None:
        kept = Kept()
        with pytest.raises(PurposeRefused):
            decide([ALARM], kept, Asked(purpose=purpose, caller="plant"))
        assert kept.drafts == []


class TestTrace:
    def test_is_kept_before_the_answer_and_names_it(self) -> None:
        kept = Kept()
        decided = decide([ALARM, QUIET], kept)
        assert [decision.verdict for decision in decided.decisions if decision] == [True, False]
        assert len(kept.drafts) == 2
        assert kept.appends == 1

    def test_reads_back_as_it_was_decided(self) -> None:
        kept = Kept()
        asked = replace(ASKED, subjects=["s" * 32], times=[NOW])
        (decision,) = decide([ALARM], kept, asked).decisions
        trace = kept.trace()
        assert decision is not None
        assert (trace.score, trace.verdict, trace.threshold) == (decision.score, True, 0.5)
        assert trace.inputs.tolist() == [2.0, np.float32(0.1)] or trace.inputs.tolist() == ALARM
        assert (trace.caller, trace.subject, trace.purpose, trace.site) == (
            "plant",
            "s" * 32,
            "risk_intervention",
            "plant-07",
        )
        assert trace.feature_names == NAMES
        assert trace.flags == ("replay_clock",)
        assert kept.drafts[0].time == NOW

    @settings(deadline=None)
    @given(ROWS)
    def test_adds_up(self, X: np.ndarray) -> None:
        kept = Kept()
        decide(X, kept, caps=CAP_AGE)
        for place in range(len(kept.drafts)):
            trace = kept.trace(place)
            size = abs(trace.base) + np.abs(trace.contributions).sum() + abs(trace.margin)
            assert abs(trace.base + trace.contributions.sum(dtype=float) - trace.margin) <= 1e-6 * size + 1e-12

    @settings(deadline=None)
    @given(ROWS)
    def test_replays_from_its_own_inputs(self, X: np.ndarray) -> None:
        kept = Kept()
        decide(X, kept)
        for place in range(len(kept.drafts)):
            trace = kept.trace(place)
            again = a_model().scores(trace.inputs.astype(np.float64)[None, :])[0]
            assert again == trace.score

    def test_holds_what_the_model_saw_after_deidentification(self) -> None:
        kept = Kept()
        decide([[2.0, 47.0]], kept, plan=DeidentificationPlan(forbidden=(), bands={"age": 5.0}))
        assert kept.trace().inputs.tolist() == [2.0, 45.0]


class TestVerdict:
    @pytest.mark.parametrize(("protective", "verdicts"), [("at_or_above", [True, False]), ("below", [False, True])])
    def test_is_on_the_declared_side(self, protective: str, verdicts: list[bool]) -> None:
        decided = decide([ALARM, QUIET], protective=Protective(protective))
        assert [d.verdict for d in decided.decisions if d] == verdicts

    def test_the_threshold_itself_alarms(self) -> None:
        assert served().alarms(np.array([0.5])).all()
        assert not served(protective=Protective.BELOW).alarms(np.array([0.5])).any()

    @pytest.mark.parametrize("protective", list(Protective))
    @pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_no_number_alarms(self, protective: Protective, score: float) -> None:
        assert served(protective=protective).alarms(np.array([score])).all()


class TestInfinite:
    @pytest.mark.parametrize("value", [float("inf"), float("-inf")])
    def test_rows_are_refused_and_the_others_answered(self, value: float) -> None:
        decided = decide([ALARM, [value, 1.0], QUIET])
        assert [d is not None for d in decided.decisions] == [True, False, True]
        assert [(p.row, p.says.en) for p in decided.problems] == [
            (1, "a reading is infinite; send a finite number, or null for a missing reading")
        ]

    def test_no_rows_are_no_answers(self) -> None:
        decided = decide(np.zeros((0, 2)))
        assert (decided.decisions, decided.problems) == ((), ())


class TestExplainerBroken:
    def test_an_alarm_leaves_pending_and_traced(self) -> None:
        kept = Kept()
        (decision,) = decide([ALARM], kept, predictor=a_model(explains_not=2.0)).decisions
        assert decision is not None
        assert (decision.verdict, decision.flags) == (True, ("explanation_pending",))
        assert kept.trace().method == "pending"
        assert kept.trace().contributions.shape == (0,)

    def test_all_else_is_refused(self) -> None:
        kept = Kept()
        decided = decide([QUIET], kept, predictor=a_model(explains_not=-2.0))
        assert decided.decisions == (None,)
        assert decided.problems[0].says.en == (
            "no explanation could be made, so only alarms are answered; hand this case to a person"
        )
        assert kept.drafts == []

    def test_on_one_row_does_not_touch_the_others(self) -> None:
        rows = [QUIET, [-1.0, 0.0], QUIET, ALARM, QUIET]
        decided = decide(rows, predictor=a_model(explains_not=-1.0))
        assert [d is not None for d in decided.decisions] == [True, False, True, True, True]
        assert [d.flags for d in decided.decisions if d] == [(), (), (), ()]

    def test_the_others_are_traced_together(self) -> None:
        kept = Kept()
        decide([QUIET, [-1.0, 0.0], QUIET, ALARM], kept, predictor=a_model(explains_not=-1.0))
        assert kept.appends == 1

    def test_a_score_that_is_no_number_alarms_and_is_traced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = Kept()
        monkeypatch.setattr(Breaking, "margins", lambda _, X: np.full(len(X), np.nan))
        (decision,) = decide([QUIET], kept, predictor=a_model(explains_not=-2.0)).decisions
        assert decision is not None
        assert (decision.verdict, decision.flags) == (True, ("explanation_pending",))
        assert np.isnan(kept.trace().score)
        assert kept.drafts[0].score is None

    def test_an_explanation_that_does_not_add_up_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def lying(self: LinearModel, X: Any) -> Explanation:
            why = LinearModel.explain(self, X)
            return replace(why, contributions=why.contributions * 1.01)

        monkeypatch.setattr(Breaking, "explain", lying)
        decided = decide([ALARM, QUIET])
        assert [None if d is None else d.flags for d in decided.decisions] == [("explanation_pending",), None]


class TestModelBroken:
    def test_the_row_goes_to_a_person_and_the_others_are_answered(self) -> None:
        broken = a_model(explains_not=-1.0, scores_not=-1.0)
        decided = decide([ALARM, [-1.0, 0.0], QUIET], predictor=broken)
        assert [d is not None for d in decided.decisions] == [True, False, True]
        assert "fall back to manual control" in decided.problems[0].says.en

    def test_a_missing_reading_it_cannot_take_is_named(self) -> None:
        decided = decide([ALARM, [np.nan, 1.0], QUIET])
        assert [d is not None for d in decided.decisions] == [True, False, True]
        assert decided.problems[0].says.en == (
            "'gas' is missing in 1 rows; a linear model has no answer for missing values"
        )


class TestLogBroken:
    def test_alarms_leave_unlogged_and_all_else_is_refused(self) -> None:
        kept = Kept()
        kept.broken = OSError("no space left on device")
        decided = decide([ALARM, QUIET], kept)
        alarm, quiet = decided.decisions
        assert alarm is not None
        assert (alarm.flags, alarm.id, quiet) == (("unlogged",), None, None)
        assert decided.problems[0].says.en == (
            "the trace could not be kept, so only alarms are answered now; hand this case to a person"
        )

    def test_with_a_spool_alarms_are_kept_there_under_an_id(self) -> None:
        log, spool = Kept(), Kept()
        log.broken = OSError("no space left on device")
        inference = TracedInference(log, purposes, spool=spool)
        alarm, quiet = inference.decide(served(), np.array([ALARM, QUIET]), ASKED).decisions
        assert alarm is not None
        assert alarm.flags == ("spooled",)
        assert alarm.id is not None
        assert quiet is None
        assert len(spool.drafts) == 1

    def test_with_the_spool_broken_too_alarms_still_leave(self) -> None:
        log, spool = Kept(), Kept()
        log.broken = spool.broken = OSError("no space left on device")
        inference = TracedInference(log, purposes, spool=spool)
        (alarm,) = inference.decide(served(), np.array([ALARM]), ASKED).decisions
        assert alarm is not None
        assert alarm.flags == ("unlogged",)

    def test_the_spool_is_emptied_once_the_log_is_back(self) -> None:
        log, spool, emptied = Kept(), Kept(), []
        inference = TracedInference(log, purposes, spool=spool, hand_in=lambda: emptied.append(len(spool.drafts)))
        inference.decide(served(), np.array([ALARM]), ASKED)
        assert emptied == []
        log.broken = OSError("away")
        inference.decide(served(), np.array([ALARM]), ASKED)
        log.broken = None
        inference.decide(served(), np.array([QUIET]), ASKED)
        inference.decide(served(), np.array([QUIET]), ASKED)
        assert emptied == [1]

    def test_a_spool_that_cannot_be_emptied_is_tried_again(self) -> None:
        log, spool, tries = Kept(), Kept(), []

        def refuses() -> None:
            tries.append(1)
            raise OSError("still away")

        inference = TracedInference(log, purposes, spool=spool, hand_in=refuses)
        log.broken = OSError("away")
        inference.decide(served(), np.array([ALARM]), ASKED)
        log.broken = None
        for _ in range(3):
            (quiet,) = inference.decide(served(), np.array([QUIET]), ASKED).decisions
            assert quiet is not None
        assert len(tries) == 3

    def test_both_explainer_and_log_broken_still_lets_alarms_leave(self) -> None:
        kept = Kept()
        kept.broken = OSError("away")
        (alarm,) = decide([ALARM], kept, predictor=a_model(explains_not=2.0)).decisions
        assert alarm is not None
        assert alarm.flags == ("explanation_pending", "unlogged")


class TestCaps:
    def test_a_clip_that_would_clear_an_alarm_leaves_it_standing_and_calls_a_person(self) -> None:
        kept = Kept()
        (decision,) = decide([AGE_ALARMS], kept, caps=CAP_AGE).decisions
        assert decision is not None
        assert decision.raw_score > 0.5 > decision.score
        assert decision.verdict is True
        assert decision.flags == ("capped", "clip_kept_alarm", "handed_over")
        trace = kept.trace()
        assert (trace.score, trace.capped_score, trace.verdict) == (decision.raw_score, decision.score, True)
        assert trace.cap_shares == {"age": pytest.approx(2 / 3)}

    def test_a_clip_that_raises_an_alarm_counts(self) -> None:
        (decision,) = decide([AGE_CALMS], caps=CAP_AGE).decisions
        assert decision is not None
        assert decision.raw_score < 0.5 < decision.score
        assert decision.verdict is True
        assert decision.flags == ("capped",)

    def test_under_the_cap_nothing_is_touched(self) -> None:
        (decision,) = decide([ALARM], caps=CAP_AGE).decisions
        assert decision is not None
        assert (decision.flags, decision.score) == ((), decision.raw_score)

    @settings(deadline=None)
    @given(ROWS)
    def test_after_the_clip_every_share_is_held(self, X: np.ndarray) -> None:
        kept = Kept()
        decided = decide(X, kept, caps=CAP_AGE)
        for place, decision in enumerate(decided.decisions):
            assert decision is not None
            size = np.abs(decision.contributions)
            assert size[1] <= 0.2 * size.sum() + 1e-6 * max(1.0, size.sum())
            trace = kept.trace(place)
            assert decision.verdict == bool(trace.score >= 0.5 or decision.score >= 0.5)

    def test_hand_over_leaves_an_alarm_as_it_is_with_a_flag(self) -> None:
        (decision,) = decide([AGE_ALARMS], caps=HAND_OVER).decisions
        assert decision is not None
        assert (decision.flags, decision.score) == (("handed_over",), decision.raw_score)

    def test_hand_over_gives_no_permissive_answer(self) -> None:
        decided = decide([AGE_CALMS], caps=HAND_OVER)
        assert decided.decisions == (None,)
        assert decided.problems[0].says.en == (
            "a personal feature weighs more than the rulebook allows; this case is handed to a person"
        )

    def test_caps_that_cannot_be_held_let_only_alarms_leave(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> Any:
            raise ArithmeticError

        monkeypatch.setattr("audit.scored_rows.hold_caps", broken)
        alarm, quiet = decide([ALARM, QUIET], caps=CAP_AGE).decisions
        assert alarm is not None
        assert (alarm.flags, quiet) == (("explanation_pending",), None)


class TestLapsed:
    def test_only_flagged_alarms_leave(self) -> None:
        kept = Kept()
        alarm, quiet = decide([ALARM, QUIET], kept, lapsed=True).decisions
        assert alarm is not None
        assert (alarm.flags, quiet) == (("permit_lapsed",), None)
        assert len(kept.drafts) == 1


class TestParts:
    def test_a_part_is_what_its_rows_would_have_been_told_alone(self) -> None:
        decided = decide([ALARM, [float("inf"), 1.0], QUIET, AGE_ALARMS], caps=CAP_AGE)
        part = decided.part(1, 4)
        assert [None if d is None else d.id for d in part.decisions] == [
            None if d is None else d.id for d in decided.decisions[1:]
        ]
        assert [(problem.row, problem.says) for problem in part.problems] == [(0, decided.problems[0].says)]
        assert part.decisions[2] is not None
        assert part.decisions[2].flags == ("capped", "clip_kept_alarm", "handed_over")


class TestReviewAlarms:
    def test_flags_alarms_and_nothing_else(self) -> None:
        alarm, quiet = decide([ALARM, QUIET], review_alarms=True).decisions
        assert alarm is not None
        assert quiet is not None
        assert (alarm.flags, quiet.flags) == (("review_required",), ())


class TestNoFailurePassesSomethingPermissive:
    @settings(deadline=None, max_examples=60)
    @given(
        ROWS,
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from([FeatureCaps(), CAP_AGE, HAND_OVER]),
        st.sampled_from(list(Protective)),
    )
    def test_over_generated_failures(
        self, X: np.ndarray, no_log: bool, no_why: bool, lapsed: bool, caps: FeatureCaps, side: Protective
    ) -> None:
        kept = Kept()
        kept.broken = OSError("away") if no_log else None
        predictor = a_model(explains_not=float(X[0, 0])) if no_why else a_model()
        decided = decide(X, kept, predictor=predictor, lapsed=lapsed, caps=caps, protective=side)
        raw = served(protective=side).alarms(a_model().scores(X))
        for place, decision in enumerate(decided.decisions):
            if raw[place]:
                assert decision is not None, "an alarm of the model itself always leaves"
                assert decision.verdict is True
            elif decision is not None and not decision.verdict:
                assert not (no_log or lapsed), "what lets work go on needs a trace and a live permit"
                assert decision.id is not None
                assert "explanation_pending" not in decision.flags
        assert len(decided.problems) == sum(decision is None for decision in decided.decisions)
