"""One value, one byte form: the published vectors of RFC 8785, and every way to have none."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import NotCanonical, canonical

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class TestCanonical:
    def test_strings_of_rfc_8785_section_3_2_2(self) -> None:
        given_text = '"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"'
        assert canonical(json.loads(given_text)) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()

    def test_literals_of_rfc_8785_section_3_2_2(self) -> None:
        assert canonical([None, True, False]) == b"[null,true,false]"

    def test_key_order_of_rfc_8785_section_3_2_3(self) -> None:
        given_keys = {
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\U0001f600": "Emoji: Grinning Face",
            "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis",
        }
        assert list(json.loads(canonical(given_keys)).values()) == [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh",
        ]

    @given(VALUES)
    def test_agrees_with_another_implementation(self, value: object) -> None:
        assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]

    @given(VALUES)
    def test_reading_gives_the_value_back(self, value: object) -> None:
        assert json.loads(canonical(value)) == value

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            (0.5, "a value of type float has no canonical form; hand it over as a string or an integer"),
            (b"x", "a value of type bytes has no canonical form; hand it over as a string or an integer"),
            (2**53, "the integer 9007199254740992 has no canonical form; hand it over as a string or an integer"),
            ({1: 2}, "the key 1 has no canonical form; hand it over as a string or an integer"),
            ("\ud800", "text with a lone surrogate has no canonical form; hand it over as a string or an integer"),
        ],
    )
    def test_what_has_no_form_is_refused(self, value: object, sentence: str) -> None:
        with pytest.raises(NotCanonical) as refused:
            canonical(value)
        assert refused.value.says.en == sentence
