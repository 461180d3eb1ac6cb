"""An explanation exists only if it adds up."""

from __future__ import annotations

import numpy as np
import pytest

from explainers import DoesNotAddUp, Explanation
from policies.errors import Malformed


def an_explanation(**changed: object) -> Explanation:
    made: dict[str, object] = {
        "contributions": np.array([[1.0, -0.5], [0.0, 0.0], [2.0, 2.0]]),
        "base": np.array(0.25),
        "scores": np.array([0.75, 0.25, 4.25]),
        "feature_names": ("gas", "age"),
        "unit": "log-odds",
        "method": "linear",
    }
    return Explanation(**(made | changed))  # type: ignore[arg-type]


class TestExplanation:
    def test_adds_up(self) -> None:
        assert an_explanation().residual == 0

    def test_does_not_add_up(self) -> None:
        with pytest.raises(DoesNotAddUp) as refused:
            an_explanation(scores=np.array([0.75, 0.26, 4.25]))
        sentence = (
            "linear: in row 1 base and contributions give 0.25, the model said 0.26; this explanation is withheld"
        )
        assert str(refused.value) == sentence
        assert (refused.value.row, refused.value.total, refused.value.score) == (1, 0.25, 0.26)

    def test_one_row_does_not_add_up(self) -> None:
        with pytest.raises(DoesNotAddUp):
            an_explanation(contributions=np.array([[1.0, 0.0]]), scores=np.array([1.0]))

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_what_is_not_finite_never_adds_up(self, wrong: float) -> None:
        with pytest.raises(DoesNotAddUp), np.errstate(invalid="ignore"):
            an_explanation(contributions=np.array([[wrong, 0.0]]), scores=np.array([wrong]))

    def test_one_part_in_a_million_is_rounding(self) -> None:
        assert an_explanation(scores=np.array([0.75 + 5e-7, 0.25, 4.25])).residual == pytest.approx(5e-7)

    @pytest.mark.parametrize(
        "changed",
        [
            {"feature_names": ("gas",)},
            {"scores": np.array([0.75])},
            {"base": np.zeros(2)},
            {"standard_error": np.zeros((1, 2))},
            {"contributions": np.zeros(3)},
        ],
    )
    def test_shapes_that_do_not_fit(self, changed: dict[str, object]) -> None:
        with pytest.raises(Malformed, match="do not describe the same rows and features"):
            an_explanation(**changed)

    def test_base_by_row(self) -> None:
        why = an_explanation(base=np.array([0.25, 0.5, 0.25]), scores=np.array([0.75, 0.5, 4.25]))
        assert why.row(1).base.tolist() == [0.5]

    def test_no_rows(self) -> None:
        why = an_explanation(contributions=np.zeros((0, 2)), scores=np.zeros(0))
        assert (len(why), why.residual, why.shares().shape) == (0, 0.0, (0, 2))

    def test_several_outputs(self) -> None:
        why = an_explanation(contributions=np.ones((1, 2, 3)), base=np.arange(3.0), scores=np.array([[2.0, 3.0, 4.0]]))
        assert why.output(2).scores.tolist() == [4.0]
        assert float(why.output(2).base) == 2.0

    def test_sensors_by_time_step_are_columns(self) -> None:
        names = tuple(f"{sensor}@{step}" for sensor in ("gas", "dust") for step in range(3))
        why = an_explanation(contributions=np.ones((1, 6)), scores=np.array([6.25]), feature_names=names)
        assert why.contributions.reshape(1, 2, 3).sum(axis=2).tolist() == [[3.0, 3.0]]

    def test_regions_of_an_image_are_columns(self) -> None:
        names = tuple(f"row {i} column {j}" for i in range(4) for j in range(5))
        why = an_explanation(contributions=np.full((2, 20), 0.1), scores=np.full(2, 2.25), feature_names=names)
        assert why.contributions.reshape(2, 4, 5).sum(axis=(1, 2)) == pytest.approx([2.0, 2.0])
        assert why.row(1).feature_names[7] == "row 1 column 2"


class TestShares:
    def test_a_row_of_zeros_stays_zeros(self) -> None:
        assert an_explanation().shares()[1].tolist() == [0.0, 0.0]

    def test_each_other_row_sums_to_one(self) -> None:
        assert an_explanation().shares()[[0, 2]].sum(axis=1) == pytest.approx(1)


class TestRow:
    @pytest.mark.parametrize("i", [0, 2, -1])
    def test_is_that_row_alone(self, i: int) -> None:
        why = an_explanation()
        assert why.row(i).contributions.tolist() == [why.contributions[i].tolist()]
        assert why.row(i).scores.tolist() == [why.scores[i]]
