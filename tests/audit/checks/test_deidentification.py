from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from audit.checks.deidentification import Deidentification, class_sizes
from explainers.predictor import Predictor
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run

HALF = {"truth": [0, 1] * 100, "scores": [0.2, 0.8] * 100}


class TestDirect:
    def test_releases_name_nobody(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Deidentification(), of_model(epa[1], epa_model, training=epa[0]))
        assert [one.holds for one in found] == [True]

    def test_real_accident_narratives_name_nobody_but_for_what_they_say(self, shared_data: Path) -> None:
        mines = pd.read_csv(shared_data / "msha_injuries" / "us_data_2000.csv", low_memory=False)
        columns = {"NARRATIVE": mines.NARRATIVE, "TOT_EXPER": mines.TOT_EXPER, "ACCIDENT_DT": mines.ACCIDENT_DT}
        examined = of_predictions(np.arange(len(mines)) % 2, np.full(len(mines), 0.5), columns)
        assert run(Deidentification(), examined)[0].holds is True

    def test_cards_in_free_text_are_found(self) -> None:
        notes = ["阀门泄漏，已处理"] * 196 + [f"伤者回电，电话1381234567{i}" for i in range(4)]
        found = run(Deidentification(), of_predictions(**HALF, columns={"备注": notes}))[0]
        assert found.holds is False
        assert [(line["column"], line["kind"], line["hits"]) for line in found.groups] == [("备注", "phone", 4)]
        assert "“备注”含有电话号码（4 个不同值）" in found.says.zh

    def test_a_column_that_names_by_its_name(self) -> None:
        found = run(Deidentification(), of_predictions(**HALF, columns={"姓名": ["甲"] * 200}))[0]
        assert found.holds is False and "'姓名' is by its name a direct identifier" in found.says.en

    def test_the_subject_column_is_pseudonymised_elsewhere(self) -> None:
        people = [f"1381234{i:04d}" for i in range(200)]
        found = run(Deidentification(), of_predictions(**HALF, columns={"worker": people}, subject="worker"))[0]
        assert found.holds is True


class TestSingledOut:
    def test_claims_described_by_age_and_sex_pass(self, injury: Split, injury_model: Predictor) -> None:
        found = run(Deidentification(), of_model(injury[1], injury_model, label="off_long"))
        assert found[1].holds is True and found[1].evidence["k"] == 1

    def test_everyone_alone_fails(self) -> None:
        columns = {"age": np.arange(200) / 4, "邮编": np.arange(200) + 100000}
        found = run(Deidentification(), of_predictions(**HALF, columns=columns))[1]
        assert found.holds is False and found.measured == 1.0

    def test_the_policys_bands_are_applied_before_judging(self) -> None:
        columns = {"birth_year": np.arange(200) % 20 + 1970}
        found = run(Deidentification(), of_predictions(**HALF, columns=columns))[1]
        assert found.evidence["k"] == 50 and found.measured == 4 / 200


class TestClassSizes:
    def test_missing_is_a_description_too(self) -> None:
        table = pd.DataFrame({"a": [1.0, 1.0, np.nan, np.nan, 2.0]})
        assert sorted(class_sizes(table).tolist()) == [1, 2, 2]
