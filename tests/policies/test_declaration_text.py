"""What is written as `submission.toml` reads back as what was meant."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.declaration_text import declaration_text
from policies.errors import Malformed, field_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN = TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


class TestDeclarationText:
    @given(st.dictionaries(TEXTS, VALUES, max_size=4))
    def test_reads_back_as_what_was_meant(self, document: dict[str, Any]) -> None:
        assert tomllib.loads(declaration_text(document)) == document

    def test_leaves_out_what_is_not_there(self) -> None:
        text = declaration_text({"data": {"time": None, "groups": ["a", None]}, "use": None})
        assert tomllib.loads(text) == {"data": {"groups": ["a"]}}

    def test_reads_as_a_person_would_write_it(self) -> None:
        said = {"model": {"name": "x"}, "features": {"温度": {"range": [-40, 60]}, "age": {"cap": 0.1}}}
        assert declaration_text(said) == (
            '[model]\nname = "x"\n\n[features."温度"]\nrange = [-40, 60]\n\n[features.age]\ncap = 0.1\n'
        )

    def test_says_everything_it_cannot_hold(self) -> None:
        wrong = {"model": {"name": b"x", "threshold": 2**64}, "use": {"site": "\ud800"}}
        with pytest.raises(Malformed) as refused:
            declaration_text(wrong)
        assert [(field_of(fault), fault.en.partition(";")[0]) for fault in refused.value.faults] == [
            ("model.name", "model.name is a bytes"),
            ("model.threshold", "model.threshold is a number out of range"),
            ("use.site", "use.site holds half a character"),
        ]

    def test_refuses_what_is_nested_without_end(self) -> None:
        deep: dict[str, Any] = {}
        for _ in range(2000):
            deep = {"a": deep}
        with pytest.raises(Malformed, match="is nested too deeply"):
            declaration_text(deep)
