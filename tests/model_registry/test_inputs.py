"""From a table to the matrix a model sees."""

from __future__ import annotations

import numpy as np
import pytest

from explainers.trees.xgboost_reader import read_xgboost
from model_registry.inputs import ColumnsMissing, are_positions, inputs_of
from policies.errors import Malformed
from tests.model_registry.makers import FEATURES, a_booster, rows

PREDICTOR = read_xgboost(bytes(a_booster().save_raw("ubj")))


class TestInputsOf:
    """Columns by name, whatever else is there."""

    def test_order_and_other_columns_do_not_matter(self) -> None:
        frame = rows()
        turned = frame[list(frame.columns)[::-1]]
        assert inputs_of(turned, PREDICTOR).tolist() == frame[list(FEATURES)].to_numpy(np.float64).tolist()

    def test_missing_columns(self) -> None:
        with pytest.raises(ColumnsMissing) as refusal:
            inputs_of(rows().drop(columns=["age", "pressure"]), PREDICTOR)
        assert (
            refusal.value.says.en == "the model was trained on 'pressure', 'age', which evaluation data does not have"
        )

    def test_text_in_number_columns_all_at_once(self) -> None:
        with pytest.raises(Malformed) as refusal:
            inputs_of(rows().assign(age="old", pressure="high"), PREDICTOR)
        assert len(refusal.value.faults) == 2

    def test_infinite(self) -> None:
        with pytest.raises(Malformed, match="'age' is infinite in 120 rows"):
            inputs_of(rows().assign(age=np.inf), PREDICTOR)

    def test_missing_values_stay(self) -> None:
        assert np.isnan(inputs_of(rows().assign(age=None), PREDICTOR)[:, 2]).all()


class TestArePositions:
    """Names that only count."""

    @pytest.mark.parametrize(
        ("names", "holds"),
        [
            (("f0", "f1"), True),
            (("Column_0",), True),
            (("f1", "f0"), False),
            (("age", "f1"), False),
            (("温度",), False),
        ],
    )
    def test_case(self, names: tuple[str, ...], holds: bool) -> None:
        assert are_positions(names) is holds
