from __future__ import annotations

import json

import numpy as np
import pytest

from audit.checks.check import Finding, above, all_hold, below, limit_of, plain
from policies.errors import Malformed, Sentence


class TestFinding:
    def test_as_json_is_plain(self) -> None:
        finding = Finding(
            check="x", holds=None, says=Sentence(en="a", zh="甲"), measured=float("nan"), interval=(0.1, float("inf")),
            groups=({"n": np.int64(3), "rate": np.float64(0.5), "ok": np.bool_(True)},),
            evidence={"curve": np.array([1.0, 2.0])},
        )  # fmt: skip
        told = json.loads(json.dumps(finding.as_json(), allow_nan=False))
        assert told["measured"] is None and told["interval"] == [0.1, None]
        assert told["groups"] == [{"n": 3, "rate": 0.5, "ok": True}]
        assert told["evidence"] == {"curve": [1.0, 2.0]} and told["says"] == {"en": "a", "zh": "甲"}
        assert set(told) == {
            "check", "holds", "measured", "limit", "unit", "interval", "n", "groups", "says", "evidence",
        }  # fmt: skip


class TestAnswers:
    @pytest.mark.parametrize(("interval", "holds"), [((0.1, 0.2), True), ((0.25, 0.4), None), ((0.31, 0.4), False)])
    def test_below(self, interval: tuple[float, float], holds: bool | None) -> None:
        assert below(interval, 0.3) is holds

    @pytest.mark.parametrize(("interval", "holds"), [((0.1, 0.2), False), ((0.25, 0.4), None), ((0.31, 0.4), True)])
    def test_above(self, interval: tuple[float, float], holds: bool | None) -> None:
        assert above(interval, 0.3) is holds

    def test_one_no_outweighs_doubt(self) -> None:
        assert all_hold([True, None, False]) is False
        assert all_hold([True, None]) is None
        assert all_hold([]) is True


class TestLimitOf:
    def test_missing_limit_names_its_place(self) -> None:
        with pytest.raises(Malformed, match=r"the rulebook must set checks\.x\.most to a number, found None"):
            limit_of({}, "x", "most")

    def test_truth_values_are_no_numbers(self) -> None:
        with pytest.raises(Malformed):
            limit_of({"most": True}, "x", "most")


class TestPlain:
    def test_strange_things_become_text(self) -> None:
        assert plain({1: {"a": (1, 2)}, "b": object}) == {"1": {"a": [1, 2]}, "b": "<class 'object'>"}
