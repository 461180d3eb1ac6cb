"""Conditions are read whole or refused whole, and those of several people become one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.conditions import Conditions, condition_from_text, read_conditions
from policies.errors import Malformed

NAMES = st.text(st.characters(whitelist_categories=["L", "N"]), min_size=1, max_size=8)
CONDITIONS = st.builds(
    Conditions,
    threshold=st.none() | st.floats(0, 1),
    review_alarms=st.booleans(),
    sites=st.none() | st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple),
    notes=st.lists(NAMES, max_size=3, unique=True).map(tuple),
)


class TestReadConditions:
    @given(CONDITIONS)
    def test_reads_back_what_was_written(self, said: Conditions) -> None:
        assert read_conditions(said.as_json()) == said

    @given(CONDITIONS)
    def test_saying_it_twice_changes_nothing(self, said: Conditions) -> None:
        assert read_conditions([*said.as_json(), *said.as_json()]) == said

    def test_none_is_no_condition(self) -> None:
        assert read_conditions([]) == Conditions()

    @pytest.mark.parametrize(
        "item",
        [
            {},
            {"kind": "thresold", "value": 0.4},
            {"kind": "threshold"},
            {"kind": "threshold", "value": "0.4"},
            {"kind": "threshold", "value": True},
            {"kind": "threshold", "value": 1.5},
            {"kind": "threshold", "value": -0.1},
            {"kind": "threshold", "value": float("nan")},
            {"kind": "threshold", "value": float("inf")},
            {"kind": "threshold", "value": 10**400},
            {"kind": "sites", "sites": []},
            {"kind": "sites", "sites": "plant-07"},
            {"kind": "sites", "sites": ["plant-07", 8]},
            {"kind": "sites", "sites": [" "]},
            {"kind": "note", "text": "  "},
            {"kind": "note", "text": None},
            {"kind": "note", "text": {"a": 1}},
            {"kind": ["threshold"], "value": 0.4},
        ],
    )
    def test_refuses_what_it_does_not_know(self, item: dict[str, Any]) -> None:
        with pytest.raises(Malformed, match="is not known or incomplete; expected one of"):
            read_conditions([item])

    def test_names_every_fault_at_once(self) -> None:
        with pytest.raises(Malformed) as refused:
            read_conditions([{"kind": "a"}, {"kind": "review_alarms"}, {"kind": "b"}])
        assert len(refused.value.faults) == 2

    def test_two_thresholds_are_none(self) -> None:
        with pytest.raises(Malformed) as refused:
            read_conditions([{"kind": "threshold", "value": 0.4}, {"kind": "threshold", "value": 0.6}])
        assert refused.value.says.en == "the conditions name several thresholds (0.4, 0.6); agree on one"
        assert refused.value.says.zh == "各项条件给出了多个阈值（0.4, 0.6），请统一为一个"

    def test_sites_are_those_everyone_names(self) -> None:
        agreed = read_conditions([{"kind": "sites", "sites": ["a", "b"]}, {"kind": "sites", "sites": ["b", "c"]}])
        assert agreed.sites == ("b",)

    def test_sites_without_a_common_one_are_refused(self) -> None:
        with pytest.raises(Malformed, match=r"sites that have none in common \(a; b\)"):
            read_conditions([{"kind": "sites", "sites": ["a"]}, {"kind": "sites", "sites": ["b"]}])


class TestSays:
    def test_every_condition_has_its_sentence(self) -> None:
        said = Conditions(threshold=0.4, review_alarms=True, sites=("a", "b"), notes=("retrain by spring",)).says()
        assert [sentence.en for sentence in said] == [
            "threshold 0.4",
            "a person reviews every alarm",
            "only at a, b",
            "retrain by spring",
        ]
        assert [sentence.zh for sentence in said][:3] == ["阈值 0.4", "每次报警均须人工复核", "仅限在 a、b 使用"]


class TestConditionFromText:
    @given(st.text(max_size=30))
    def test_any_text_is_read_or_refused_in_a_sentence(self, text: str) -> None:
        with contextlib.suppress(Malformed):
            assert read_conditions([condition_from_text(text)]) != Conditions()

    def test_a_threshold_that_is_no_number_is_refused(self) -> None:
        with pytest.raises(Malformed):
            read_conditions([condition_from_text("threshold=low")])


class TestGroupThresholds:
    GROUP = {"kind": "group_threshold", "column": "shift", "value": "night", "threshold": 0.3}  # noqa: RUF012

    def test_read_back_and_say_what_they_do(self) -> None:
        said = read_conditions([self.GROUP, self.GROUP])
        assert said.as_json() == [self.GROUP]
        assert said.says()[0].zh == "shift 为 night 时阈值 0.3"

    @pytest.mark.parametrize(
        ("other", "sentence"),
        [
            ({"threshold": 0.4}, "several thresholds where shift is night; agree on one"),
            ({"column": "sex"}, "groups by sex and shift; a row can be of only one group"),
            ({"threshold": 1.4}, "is not known or incomplete"),
            ({"value": ""}, "is not known or incomplete"),
        ],
    )
    def test_that_contradict_are_refused(self, other: dict[str, object], sentence: str) -> None:
        with pytest.raises(Malformed, match=sentence):
            read_conditions([self.GROUP, {**self.GROUP, **other}])
