"""Figures become plain JSON values, and nothing else passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from policies.errors import Sentence
from policies.tiers import Tier
from reports.plain_json import plain
from reports.readings import Reading


class TestPlain:
    def test_sentences_carry_both_languages(self) -> None:
        assert plain(Sentence(en="a", zh="甲")) == {"en": "a", "zh": "甲"}

    def test_a_tier_is_its_name(self) -> None:
        assert plain(Tier.L3) == "L3"

    def test_arrays_and_values_within_values(self) -> None:
        held = {"grid": np.array([[1.0, np.nan]]), "band": (Reading(low=1, high=2),), "n": np.int64(3)}
        assert plain(held) == {"grid": [[1.0, None]], "band": [{"low": 1, "high": 2}], "n": 3}

    def test_json_can_write_it(self) -> None:
        held = {"when": datetime(2026, 1, 2, tzinfo=UTC), "ok": np.bool_(True), "rate": np.float64(0.5)}
        assert json.loads(json.dumps(plain(held))) == {"when": "2026-01-02T00:00:00+00:00", "ok": True, "rate": 0.5}

    def test_anything_else_is_an_error(self) -> None:
        with pytest.raises(TypeError, match="object has no plain JSON form"):
            plain(object())
