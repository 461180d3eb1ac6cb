from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from audit.checks.deidentification import Deidentification, class_sizes, transformed
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
        found = run(Deidentification(), of_predictions(**HALF, columns={"worker": people}, subject="worker"))
        assert [one.holds for one in found] == [True, True]
        assert "'worker' turned into a pseudonym" in found[1].says.en and "nobody is named any more" in found[1].says.en


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


class TestK:
    def test_a_rulebook_may_ask_for_a_smallest_group(self) -> None:
        columns = {"sex": ["f"] * 3 + ["m"] * 197}
        examined = of_predictions(**HALF, columns=columns)
        assert run(Deidentification(), examined)[1].holds is True
        found = run(Deidentification(), examined, least_k=5)[1]
        assert found.holds is False and "the smallest group has 3 (at least 5 is asked)" in found.says.en

    def test_how_many_stand_out_is_there_to_be_drawn(self) -> None:
        columns = {"sex": ["f"] * 3 + ["x"] + ["m"] * 196}
        bars = run(Deidentification(), of_predictions(**HALF, columns=columns))[1].as_json()["evidence"]["class_sizes"]
        assert [(bar["from"], bar["rows"]) for bar in bars] == [(1, 1), (2, 3), (5, 0), (10, 0), (50, 196)]

    @given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), min_size=1, max_size=60))
    def test_classes_are_those_of_counting_by_hand(self, people: list[tuple[int, str]]) -> None:
        table = pd.DataFrame(people, columns=["age", "sex"])
        assert sorted(class_sizes(table).tolist()) == sorted(Counter(people).values())


class TestTransformed:
    def test_dropped_banded_and_pseudonymised_then_looked_at_again(self) -> None:
        columns = {
            "姓名": ["王小明"] * 200, "birth_year": np.arange(200) % 40 + 1960,
            "工号": [f"w{i % 50}" for i in range(200)],
        }  # fmt: skip
        found = run(Deidentification(), of_predictions(**HALF, columns=columns, subject="工号"))
        assert [one.holds for one in found] == [False, True, True]
        after = found[2].as_json()["evidence"]
        assert {(step["column"], step["done"]) for step in after["steps"]} == {
            ("姓名", "dropped"), ("birth_year", "banded"), ("工号", "pseudonym")
        }  # fmt: skip
        assert after["risk"]["before"] == {"k": 5, "max_risk": 0.2, "mean_risk": 40 / 200}
        assert after["risk"]["after"] == {"k": 25, "max_risk": 0.04, "mean_risk": 8 / 200}
        assert "goes from 20.0 % to 4.0 %" in found[2].says.en and "已无列直接标识个人" in found[2].says.zh

    def test_what_is_written_in_a_note_stays_and_is_said(self) -> None:
        columns = {"姓名": ["甲"] * 200, "备注": [f"电话1381234{i:04d}" for i in range(200)]}
        found = run(Deidentification(), of_predictions(**HALF, columns=columns))[-1]
        assert found.holds is False and "'备注' still name persons" in found.says.en

    def test_a_policy_with_nothing_to_do_says_nothing(self) -> None:
        assert len(run(Deidentification(), of_predictions(**HALF))) == 1

    def test_pseudonyms_tie_rows_of_one_person_together_and_name_nobody(self) -> None:
        people = [f"1381234{i % 40:04d}" for i in range(200)]
        examined = of_predictions(**HALF, columns={"worker": people}, subject="worker")
        one, other = (transformed(examined.evaluation, examined).frame.pseudonym for _ in range(2))
        assert one.nunique() == 40 and not set(one) & set(other)  # the key is thrown away
        assert not one.isin(people).any()

    def test_digits_of_a_pseudonym_are_no_phone_number(self) -> None:
        # About three in a thousand pseudonyms hold eleven digits in a row that could be one.
        people = [f"w{i}" for i in range(4000)]
        many = {name: np.tile(values, 20) for name, values in HALF.items()}
        found = run(Deidentification(), of_predictions(**many, columns={"worker": people}, subject="worker"))
        assert found[-1].holds and "nobody is named any more" in found[-1].says.en
