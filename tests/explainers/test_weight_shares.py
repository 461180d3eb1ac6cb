"""Capped features end at or below their caps; free features are never touched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explainers import Explanation, hold_caps, weight_shares
from policies.errors import Malformed
from policies.feature_caps import FeatureCaps, OnExceed

NAMES = ("age", "seniority", "gas", "dust", "speed")
VALUES = arrays(np.float64, (6, 5), elements=st.floats(-5, 5, allow_subnormal=False).map(lambda v: round(v, 3)))
CAPS = st.dictionaries(st.sampled_from(NAMES[:3]), st.floats(0, 1), max_size=3)


def explained(contributions: np.ndarray, base: float = 0.1) -> Explanation:
    return Explanation(
        contributions=contributions,
        base=np.array(base),
        scores=base + contributions.sum(axis=1),
        feature_names=NAMES[: contributions.shape[1]],
        unit="log-odds",
        method="linear",
    )


class TestWeightShares:
    def test_signs_do_not_matter(self) -> None:
        assert weight_shares(np.array([[3.0, -1.0], [0.0, 0.0]])).tolist() == [[0.75, 0.25], [0.0, 0.0]]


class TestHoldCaps:
    @given(VALUES, CAPS, st.none() | st.floats(0, 1))
    @settings(max_examples=300, deadline=None)
    def test_no_cap_is_exceeded_afterwards(
        self, contributions: np.ndarray, caps: dict[str, float], total: float | None
    ) -> None:
        capped = hold_caps(explained(contributions), FeatureCaps(caps=caps, total=total))
        columns = [NAMES.index(name) for name in caps]
        after = capped.shares_after[:, columns]
        assert (after <= np.array(list(caps.values())) + 1e-6).all()
        assert total is None or (after.sum(axis=1) <= total + 1e-6).all()

    @given(VALUES, CAPS, st.none() | st.floats(0, 1))
    @settings(max_examples=200, deadline=None)
    def test_only_capped_features_move_and_only_towards_zero(
        self, contributions: np.ndarray, caps: dict[str, float], total: float | None
    ) -> None:
        capped = hold_caps(explained(contributions), FeatureCaps(caps=caps, total=total))
        free = [i for i, name in enumerate(NAMES) if name not in caps]
        assert (capped.contributions[:, free] == contributions[:, free]).all()
        assert (np.abs(capped.contributions) <= np.abs(contributions) + 1e-15).all()
        assert (capped.contributions * contributions >= 0).all()
        assert (capped.contributions[~capped.exceeded] == contributions[~capped.exceeded]).all()
        assert capped.margins == pytest.approx(0.1 + capped.contributions.sum(axis=1))

    def test_as_little_as_suffices(self) -> None:
        capped = hold_caps(explained(np.array([[3.0, 0.0, 1.0, 0.0, 0.0]])), FeatureCaps(caps={"age": 0.25}))
        assert capped.contributions[0] == pytest.approx([1 / 3, 0, 1, 0, 0])
        assert capped.shares_before[0, 0] == 0.75
        assert capped.shares_after[0, 0] == pytest.approx(0.25)

    def test_one_clipped_leaves_room_for_the_other(self) -> None:
        capped = hold_caps(
            explained(np.array([[9.0, -1.0, 4.0, 0.0, 0.0]])), FeatureCaps(caps={"age": 0.5, "seniority": 0.2})
        )
        assert capped.contributions[0] == pytest.approx([5, -1, 4, 0, 0])

    def test_nothing_but_capped_features(self) -> None:
        capped = hold_caps(explained(np.array([[2.0, 0.0, 0.0, 0.0, 0.0]])), FeatureCaps(caps={"age": 0.1}))
        assert capped.contributions.tolist() == [[0.0] * 5]
        assert capped.margins.tolist() == [0.1]

    def test_total_over_features_within_their_own_caps(self) -> None:
        plan = FeatureCaps(caps={"age": 0.3, "seniority": 0.3}, total=0.4)
        capped = hold_caps(explained(np.array([[3.0, 3.0, 4.0, 0.0, 0.0]])), plan)
        assert capped.exceeded.tolist() == [True]
        assert capped.shares_after[0, :2].sum() == pytest.approx(0.4)

    def test_hand_over_changes_nothing(self) -> None:
        why = explained(np.array([[3.0, 0.0, 1.0, 0.0, 0.0]]))
        capped = hold_caps(why, FeatureCaps(caps={"age": 0.25}, on_exceed=OnExceed.HAND_OVER))
        assert capped.exceeded.tolist() == [True]
        assert (capped.contributions == why.contributions).all()
        assert (capped.margins == why.scores).all()

    def test_features_the_model_does_not_have_are_ignored(self) -> None:
        capped = hold_caps(explained(np.ones((2, 5))), FeatureCaps(caps={"blood_type": 0.0}))
        assert not capped.exceeded.any()

    def test_decisions_within_their_caps_keep_their_bits(self) -> None:
        why = explained(np.random.default_rng(0).normal(size=(50, 5)))
        assert (hold_caps(why, FeatureCaps(caps={"age": 1.0})).margins == why.scores).all()

    def test_several_outputs_are_refused(self) -> None:
        why = Explanation(
            contributions=np.zeros((1, 2, 3)), base=np.zeros(3), scores=np.zeros((1, 3)),
            feature_names=("a", "b"), unit="log-odds", method="linear",
        )  # fmt: skip
        with pytest.raises(Malformed, match="caps hold for one output, this explanation has 3"):
            hold_caps(why, FeatureCaps())
