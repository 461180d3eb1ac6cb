from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from audit.deidentify import IdentifierPresent
from audit.examination import CHECKS, examine, examined_from
from explainers.predictor import Predictor
from policies.declaration import Feature, Protective, Task
from policies.errors import Malformed
from policies.rulebook import read_rulebook
from policies.tiers import Tier
from tests.audit.checks.conftest import Split, epa, epa_model, injury, injury_model  # noqa: F401
from tests.audit.checks.factories import RULES, a_declaration, of_model, of_predictions, trained


class TestExamine:
    def test_every_check_answers_in_order(self, epa: Split, epa_model: Predictor) -> None:  # noqa: F811
        told: list[tuple[str, int, int]] = []
        examined = of_model(epa[1], epa_model, training=epa[0], groups=("enterprise_size",), time="occurred_at")
        findings = examine(examined, lambda name, done, of: told.append((name, done, of)))
        order = list(dict.fromkeys(finding.check for finding in findings))
        assert order == [check.name for check in CHECKS]
        assert told[0] == (CHECKS[0].name, 0, len(CHECKS)) and told[-1] == ("", len(CHECKS), len(CHECKS))
        json.dumps([finding.as_json() for finding in findings], allow_nan=False)

    def test_same_seed_same_findings(self, injury: Split, injury_model: Predictor) -> None:  # noqa: F811
        once, again = (
            [f.as_json() for f in examine(of_model(injury[1], injury_model, label="off_long", seed=7))]
            for _ in range(2)
        )
        assert once == again

    def test_every_sentence_is_in_both_languages(self, injury: Split, injury_model: Predictor) -> None:  # noqa: F811
        for finding in examine(of_model(injury[1], injury_model, label="off_long", groups=("male",))):
            assert finding.says.en and any("一" <= letter <= "鿿" for letter in finding.says.zh)

    def test_predictions_alone_are_examined_too(self) -> None:
        truth = np.arange(400) % 3 == 0
        findings = examine(
            of_predictions(truth, np.where(truth, 0.7, 0.3), {"班次": ["白", "夜"] * 200}, groups=("班次",))
        )
        answers = {finding.check: finding.holds for finding in findings}
        assert answers["performance"] is True and answers["weight_caps"] is None and answers["robustness"] is None

    def test_a_rulebook_without_a_check_is_refused(self) -> None:
        source = RULES.source.decode().replace("[checks.purpose]", "[checks.something_else]")
        frame = pd.DataFrame({"harmed": [0, 1], "score": [0.1, 0.9]})
        examined = examined_from(
            declaration=a_declaration(prediction="score"), rulebook=read_rulebook(source.encode()), tier=Tier.L1,
            evaluation=frame,
        )  # fmt: skip
        with pytest.raises(Malformed, match=r"the rulebook has no section \[checks.purpose\]; add it, even if empty"):
            examine(examined)


class TestExaminedFrom:
    def test_verdict_and_truth_of_an_alarm(self) -> None:
        examined = of_predictions([1, 0, 1], [0.9, 0.5, 0.1])
        assert examined.verdicts.tolist() == [True, True, False] and examined.truth.tolist() == [True, False, True]

    def test_verdict_and_truth_of_a_permit(self) -> None:
        examined = of_predictions([1, 0, 1], [0.9, 0.5, 0.1], protective=Protective.BELOW)
        assert examined.verdicts.tolist() == [False, False, True] and examined.truth.tolist() == [False, True, False]
        assert examined.danger.tolist() == [-0.9, -0.5, -0.1]

    def test_rows_without_a_label_are_set_aside(self) -> None:
        examined = of_predictions([1, None, 0, np.nan], [0.9, 0.5, 0.1, 0.2])
        assert len(examined) == 2 and examined.unlabelled == 2 and examined.scores.tolist() == [0.9, 0.1]

    @pytest.mark.parametrize("labels", [["是", "否", ""], ["yes", "No", None], [True, False, None], ["1", "0.0", " "]])
    def test_labels_in_words(self, labels: list[object]) -> None:
        examined = of_predictions(pd.array(labels, dtype=object), [0.9, 0.1, 0.5])
        assert examined.truth.tolist() == [True, False]

    def test_a_regression_is_true_from_its_threshold_on(self) -> None:
        examined = of_predictions([3.0, 12.0, 10.0], [5.0, 11.0, 2.0], task=Task.REGRESSION, threshold=10.0)
        assert examined.truth.tolist() == [False, True, True] and examined.verdicts.tolist() == [False, True, False]

    def test_columns_are_found_by_name_not_by_place(self, epa: Split, epa_model: Predictor) -> None:  # noqa: F811
        turned = epa[1][epa[1].columns[::-1]]
        assert np.array_equal(of_model(turned, epa_model).scores, of_model(epa[1], epa_model).scores)

    def test_capped_columns_beside_the_model_are_known(self, injury: Split, injury_model: Predictor) -> None:  # noqa: F811
        assert of_model(injury[1], injury_model, label="off_long").caps.caps["age"] == 0.10

    def test_an_endpoint_hands_in_scores(self) -> None:
        frame = pd.DataFrame({"harmed": [0, None, 1], "x": [1, 2, 3]})
        examined = examined_from(
            declaration=a_declaration(),
            rulebook=RULES,
            tier=Tier.L1,
            evaluation=frame,
            scores=np.array([0.1, 0.5, 0.8]),
        )
        assert examined.scores.tolist() == [0.1, 0.8] and examined.candidates == ("x",)


def the_faults(**said: object) -> list[str]:
    """Return what `of_predictions` refuses."""
    with pytest.raises(Malformed) as refused:
        of_predictions(said.pop("truth", [0, 1]), said.pop("scores", [0.1, 0.9]), said.pop("columns", None), **said)  # type: ignore[arg-type]
    assert all(fault.zh for fault in refused.value.faults)
    return [fault.en for fault in refused.value.faults]


class TestRefuses:
    def test_no_rows(self) -> None:
        assert the_faults(truth=[], scores=[]) == ["'evaluation.csv' has no rows"]

    def test_every_missing_column_at_once(self) -> None:
        assert the_faults(label="hurt", groups=("shift",), time="at") == [
            "'evaluation.csv' has no column 'hurt', which data.label asks for",
            "'evaluation.csv' has no column 'shift', which data.groups asks for",
            "'evaluation.csv' has no column 'at', which data.time asks for",
        ]

    def test_a_label_of_three_values(self) -> None:
        assert the_faults(truth=[0, 1, 2], scores=[0.1, 0.2, 0.3]) == [
            "label 'harmed' must be 0 or 1 (or yes and no), found 2 in 1 rows"
        ]

    def test_a_label_in_unknown_words(self) -> None:
        assert the_faults(truth=["maybe", "yes"]) == [
            "label 'harmed' must be 0 or 1 (or yes and no), found text in 1 rows"
        ]

    def test_a_label_that_is_empty(self) -> None:
        assert the_faults(truth=[None, None]) == ["label 'harmed' is empty in every row"]

    def test_scores_outside_the_unit_interval(self) -> None:
        assert the_faults(scores=[0.5, 1.7]) == [
            "1 scores lie outside [0, 1] (first: row 2 with 1.7); a classification score is a probability"
        ]

    def test_scores_that_are_missing_or_text(self) -> None:
        assert the_faults(scores=["0.4", "high"]) == [
            "1 of 2 labelled rows have no score that is a number (first: row 2); every row needs one"
        ]

    def test_another_number_of_scores(self) -> None:
        frame = pd.DataFrame({"harmed": [0, 1]})
        with pytest.raises(Malformed, match="3 scores were handed in for 2 evaluation rows"):
            examined_from(
                declaration=a_declaration(), rulebook=RULES, tier=Tier.L1, evaluation=frame, scores=np.array([0.1] * 3)
            )

    def test_text_in_a_feature(self, epa: Split, epa_model: Predictor) -> None:  # noqa: F811
        frame = epa[1].assign(wind="strong")
        with pytest.raises(Malformed, match="'wind' holds 'strong'"):
            of_model(frame, epa_model)

    def test_a_feature_that_is_not_there(self, epa: Split, epa_model: Predictor) -> None:  # noqa: F811
        with pytest.raises(Malformed, match="has no column 'wind', which the model asks for"):
            of_model(epa[1].drop(columns="wind"), epa_model)

    def test_a_direct_identifier_as_feature(self) -> None:
        table = pd.DataFrame({"身份证号": np.arange(40.0), "x": np.arange(40.0), "harmed": np.arange(40) % 2})
        model = trained(table, ["身份证号", "x"], "harmed", n_estimators=2)
        with pytest.raises(IdentifierPresent, match="'身份证号' identifies a person directly"):
            of_model(table, model)


class TestDeidentification:
    def test_the_model_is_examined_on_banded_inputs(self) -> None:
        table = pd.DataFrame({"birth_year": np.arange(1960.0, 2000.0), "x": 1.0, "harmed": np.arange(40) % 2})
        model = trained(table, ["birth_year", "x"], "harmed", n_estimators=2)
        inputs = of_model(table, model, features=[Feature(name="birth_year")]).inputs
        assert inputs is not None and set(inputs[:, 0] % 5) == {0.0}
