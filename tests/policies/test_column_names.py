"""A column is recognised by its name, however it is written."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from policies.column_names import goes_by

WORDS = st.text(st.sampled_from("abcxyzABCXYZ_09 年龄姓名"), min_size=1, max_size=12)


class TestGoesBy:
    def test_whole_name(self) -> None:
        assert goes_by("age", ["age"])

    def test_a_part_of_a_name_is_not_the_name(self) -> None:
        assert not goes_by("voltage", ["age"])

    def test_star_stands_for_any_ending(self) -> None:
        assert goes_by("age_at_hire", ["age_*"])

    def test_question_mark_stands_for_one_character(self) -> None:
        assert goes_by("age1", ["age?"])
        assert not goes_by("age12", ["age?"])

    def test_case_is_ignored_on_both_sides(self) -> None:
        assert goes_by("Worker_AGE", ["WORKER_age"])

    def test_chinese_names(self) -> None:
        assert goes_by("身份证号", ["身份证*"])
        assert not goes_by("员工身份证号", ["身份证*"])

    def test_no_pattern_matches_nothing(self) -> None:
        assert not goes_by("age", [])

    @given(WORDS)
    def test_every_name_goes_by_itself(self, name: str) -> None:
        assert goes_by(name, [name])

    @given(WORDS, st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
    def test_no_spelling_hides_a_name(self, name: str, spelled: Callable[[str], str]) -> None:
        assert goes_by(spelled(name), [name])
