"""The same decisions for those who hold pandas, polars, streams or scikit-learn in their hands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.decided import Decision, RowProblem
from governance.estimator import GovernedEstimator
from governance.governed_model import GovernedModel, RowsRefused
from governance.permits import MayNotRun
from policies.errors import Malformed
from policies.roles import Role
from tests.governance.factories import OFFICER, PURPOSE, SENSORS, House, rows, someone

FRAME = rows(12, seed=9)[list(SENSORS)].set_axis([f"case-{n}" for n in range(12)])


@pytest.fixture
def risk(house: House) -> GovernedModel:
    """A model with a live permit, held by a plant whose token says what for."""
    house.approved()
    return GovernedModel("gas-leak", house.service.serving, someone(Role.SERVICE, purpose=PURPOSE))


class TestPredict:
    def test_takes_pandas_polars_arrow_and_arrays_alike(self, risk: GovernedModel) -> None:
        polars = pytest.importorskip("polars", reason="polars is not installed")
        pyarrow = pytest.importorskip("pyarrow")
        forms = [
            FRAME,
            FRAME.to_numpy(),
            polars.from_pandas(FRAME.reset_index(drop=True)),
            polars.from_pandas(FRAME.reset_index(drop=True)).lazy(),
            pyarrow.Table.from_pandas(FRAME.reset_index(drop=True), preserve_index=False),
        ]
        scores = [risk.predict(form).scores.tolist() for form in forms]
        assert all(found == scores[0] for found in scores)

    def test_a_null_of_polars_is_a_missing_reading(self, risk: GovernedModel) -> None:
        polars = pytest.importorskip("polars", reason="polars is not installed")
        frame = polars.DataFrame({"temperature": [None, 20.0], "pressure": [100, None]})
        gaps = pd.DataFrame({"temperature": [np.nan, 20.0], "pressure": [100, np.nan]})
        assert risk.predict(frame).scores.tolist() == risk.predict(gaps).scores.tolist()

    def test_subjects_may_be_a_column(self, house: House, risk: GovernedModel) -> None:
        risk.predict(FRAME[:2], subjects=pd.Series(["w-1", "w-2"]))
        assert len(house.service.log.search(subject=house.service.serving.pseudonym_of("w-2")).entries) == 1


class TestTable:
    def test_has_a_line_per_row_under_its_index(self, house: House, risk: GovernedModel) -> None:
        table = risk.table(FRAME)
        assert table.index.tolist() == FRAME.index.tolist()
        assert [house.service.log.entry(id).score for id in table["decision_id"]] == table["score"].tolist()

    def test_is_of_the_kind_that_was_handed_in(self, risk: GovernedModel) -> None:
        polars = pytest.importorskip("polars", reason="polars is not installed")
        table = risk.table(polars.from_pandas(FRAME.reset_index(drop=True)))
        assert isinstance(table, polars.DataFrame)
        assert table["alarm"].to_list() == risk.table(FRAME)["alarm"].tolist()

    def test_says_why_a_row_was_refused(self, house: House, risk: GovernedModel) -> None:
        alarms = risk.table(FRAME)["alarm"].tolist()
        house.clock.now = house.service.permits.permits()[0].until
        table = risk.table(FRAME)
        assert table["alarm"].isna().tolist() == [not alarm for alarm in alarms]
        assert all("the permit has lapsed" in why for why in table[table["alarm"].isna()]["problem"])

    def test_of_no_rows_has_its_columns(self, risk: GovernedModel) -> None:
        assert risk.table(FRAME[:0]).columns.tolist() == risk.table(FRAME).columns.tolist()


class TestStreams:
    def test_rows_are_answered_in_order_whatever_is_decided_together(self, risk: GovernedModel) -> None:
        one_by_one = list(risk.stream(FRAME.to_dict("records"), at_once=1))
        together = list(risk.stream(FRAME.to_dict("records"), at_once=5))
        scores = [answer.score for answer in one_by_one if isinstance(answer, Decision)]
        assert scores == [answer.score for answer in together if isinstance(answer, Decision)]
        assert len(scores) == 12

    def test_nothing_is_taken_before_it_is_needed(self, risk: GovernedModel) -> None:
        taken: list[int] = []

        def readings() -> Any:
            for number, row in enumerate(FRAME.to_dict("records")):
                taken.append(number)
                yield row

        stream = risk.stream(readings(), at_once=2)
        assert taken == []
        next(stream)
        assert taken == [0, 1]

    def test_a_refused_row_keeps_its_place(self, house: House, risk: GovernedModel) -> None:
        verdicts = risk.predict(FRAME).verdicts.tolist()
        house.clock.now = house.service.permits.permits()[0].until
        answers = list(risk.stream(FRAME.to_dict("records"), at_once=5))
        refused = [answer.row for answer in answers if isinstance(answer, RowProblem)]
        assert refused == [row for row, alarm in enumerate(verdicts) if not alarm]
        assert [isinstance(answer, Decision) for answer in answers] == verdicts

    def test_frames_come_back_one_by_one(self, risk: GovernedModel) -> None:
        found = [decided.scores.tolist() for decided in risk.batches([FRAME[:5], FRAME[5:]])]
        assert [*found[0], *found[1]] == risk.predict(FRAME).scores.tolist()

    def test_a_permit_that_goes_ends_the_stream(self, house: House, risk: GovernedModel) -> None:
        stream = risk.stream(FRAME.to_dict("records"), at_once=4)
        next(stream)
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="drift")
        with pytest.raises(MayNotRun):
            list(stream)


class TestEstimator:
    def test_answers_as_the_model_does(self, risk: GovernedModel) -> None:
        estimator, decided = GovernedEstimator(risk), risk.predict(FRAME)
        assert estimator.predict(FRAME).tolist() == decided.verdicts.astype(int).tolist()
        assert estimator.predict_proba(FRAME)[:, 1].tolist() == decided.scores.tolist()
        assert estimator.predict_proba(FRAME).sum(axis=1) == pytest.approx(1.0)

    def test_scikit_learn_takes_it_as_fitted(self, risk: GovernedModel) -> None:
        from sklearn.base import clone, is_classifier
        from sklearn.model_selection import cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer
        from sklearn.utils.validation import check_is_fitted

        estimator = GovernedEstimator(risk)
        check_is_fitted(estimator)
        assert is_classifier(estimator)
        assert clone(estimator).model is risk
        labelled = rows(40, seed=3)
        X, y = labelled[list(SENSORS)], labelled["harmed"]
        found = cross_val_score(make_pipeline(FunctionTransformer(), estimator), X, y, cv=2, scoring="roc_auc")
        assert found.min() > 0.7

    def test_a_refused_row_is_an_error_and_not_a_gap(self, house: House, risk: GovernedModel) -> None:
        house.clock.now = house.service.permits.permits()[0].until
        with pytest.raises(
            RowsRefused, match=r"rows were refused \(\d.*the permit has lapsed.*hand them to a person"
        ) as refused:
            GovernedEstimator(risk).predict_proba(FRAME)
        assert refused.value.problems

    def test_where_the_alarm_is_below_the_class_is_still_about_the_score(self, house: House) -> None:
        house.approved(lines={'protective = "at_or_above"': 'protective = "below"'})
        risk = GovernedModel("gas-leak", house.service.serving, someone(Role.SERVICE, purpose=PURPOSE))
        decided = risk.predict(FRAME)
        assert GovernedEstimator(risk).predict(FRAME).tolist() == (decided.scores >= 0.5).astype(int).tolist()
        assert decided.verdicts.tolist() == (decided.scores < 0.5).tolist()

    def test_scores_that_are_no_probabilities_are_not_passed_off_as_such(
        self, risk: GovernedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import dataclasses

        decided = risk.predict(FRAME)
        strange = dataclasses.replace(decided, scores=decided.scores + 5)
        monkeypatch.setattr(risk, "predict", lambda *_, **__: strange)
        with pytest.raises(Malformed, match="the scores of gas-leak are no probabilities"):
            GovernedEstimator(risk).predict_proba(FRAME)

    def test_names_its_features(self, risk: GovernedModel) -> None:
        estimator = GovernedEstimator(risk)
        assert (estimator.feature_names_in_.tolist(), estimator.n_features_in_) == (list(SENSORS), 2)


class TestLife:
    def test_a_with_block_closes(self, house: House) -> None:
        closed = []
        with GovernedModel("gas-leak", house.service.serving, someone(Role.SERVICE), lambda: closed.append(True)):
            assert closed == []
        assert closed == [True]
