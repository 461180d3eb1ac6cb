"""An audit exists whole or not at all, and no ratio can exceed one, whatever the findings claim."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Malformed
from reports.bias_audit import bias_audit_csv, bias_audit_from_json, bias_audit_pdf
from reports.wording import LANGUAGES, Language
from tests.reports.factories import DIGEST, PREPARED
from tests.reports.papers import WORDS, a_category, a_measured_table, an_audit, some_audit_findings
from tests.reports.pdf_text import words_of


def refused(**parts: Any) -> list[str]:
    """The English faults of an audit that cannot be published."""
    with pytest.raises(Malformed) as wrong:
        an_audit(**parts)
    assert all(fault.zh != fault.en for fault in wrong.value.faults)
    return [fault.en for fault in wrong.value.faults]


class TestWords:
    def test_everything_missing_is_named_at_once(self) -> None:
        assert sorted(refused(findings=[], leave=tuple(WORDS))) == [
            "audit_date is missing",
            "auditor is missing",
            "data_kind is missing; expected one of historical, test",
            "data_source is missing",
            "data_why is missing",
            "distribution_date is missing",
            "race_ethnicity is missing",
            "selected is missing; expected one of alarm, no_alarm",
            "sex is missing",
        ]

    @pytest.mark.parametrize("word", WORDS)
    def test_each_is_needed(self, word: str) -> None:
        assert refused(leave=(word,))[0].startswith(f"{word} is missing")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ({"audit_date": "soon"}, "audit_date is 'soon'; expected YYYY-MM-DD"),
            ({"audit_date": (PREPARED + timedelta(days=1)).date()}, "audit_date 2026-11-23 is in the future"),
            ({"audit_date": "2025-11-21"}, "audit_date 2025-11-21 is 366 days ago; an audit is good for 365 days"),
            ({"data_kind": "hearsay"}, "data_kind is 'hearsay'; expected one of historical, test"),
            ({"selected": "both"}, "selected is 'both'; expected one of alarm, no_alarm"),
            ({"auditor": "  "}, "auditor is missing"),
            ({"sex": "colour"}, "the column 'colour' was not compared; group_bias knows origin, sex"),
        ],
    )
    def test_each_is_read(self, words: dict[str, Any], said: str) -> None:
        assert refused(**words) == [said]

    def test_a_word_nobody_asked_for_is_refused(self) -> None:
        assert refused(colour="red")[0].startswith("'colour' is not known; expected audit_date, auditor")

    def test_without_an_intersection_there_is_no_audit(self) -> None:
        tables = [a_measured_table(name, a_category("x"), a_category("y")) for name in ("sex", "origin")]
        assert refused(findings=some_audit_findings(*tables)) == [
            "the intersection of 'sex' and 'origin' was not compared; "
            "declare both in data.groups, with few enough values"
        ]


RATES = st.one_of(st.floats(-2, 3), st.floats(allow_infinity=False))
"""Shares as they are, and what no share can be."""


class TestNumbers:
    def test_are_counts_rates_and_ratios_on_the_side_that_selects(self) -> None:
        sex = an_audit().tables[0]
        assert (sex.comparator, sex.unknown) == ("f", 12)
        assert [(c.name, c.n, c.selected, c.rate) for c in sex.categories] == [
            ("f", 300, 240, 0.8),
            ("m", 700, 420, 0.6),
        ]
        assert [c.ratio for c in sex.categories] == [1.0, pytest.approx(0.75)]

    def test_the_other_side_turns_them(self) -> None:
        sex = an_audit(selected="alarm").tables[0]
        assert [(c.selected, c.ratio) for c in sex.categories] == [(60, 0.5), (280, 1.0)]

    def test_a_category_left_out_is_shown_and_not_compared(self) -> None:
        small = an_audit().tables[1].categories[1]
        assert (small.left_out, small.n, small.selected, small.ratio) == (True, 10, 10, None)

    def test_columns_may_be_crossed_in_either_order(self) -> None:
        assert an_audit().tables[2].column == "sex × origin"
        assert an_audit(sex="origin", race_ethnicity="sex").tables[2].column == "sex × origin"

    @given(
        st.lists(st.tuples(st.integers(0, 10_000), RATES, st.booleans()), min_size=1, max_size=8),
        st.sampled_from(["alarm", "no_alarm"]),
    )
    def test_no_ratio_exceeds_one_whatever_was_measured(self, lines: list[tuple[int, float, bool]], side: str) -> None:
        categories = [a_category(str(place), n, rate, left_out=out) for place, (n, rate, out) in enumerate(lines)]
        tables = [a_measured_table(name, *categories) for name in ("sex", "origin", "sex × origin")]
        audit = an_audit(some_audit_findings(*tables), selected=side)
        for table in audit.tables:
            for category in table.categories:
                assert 0 <= category.selected <= category.n
                assert 0 <= category.rate <= 1
                assert category.ratio is None or 0 <= category.ratio <= 1
                assert category.scoring_ratio is None or 0 <= category.scoring_ratio <= 1


class TestForms:
    def test_json_reads_back(self) -> None:
        audit = an_audit(left_out_why="too few")
        assert bias_audit_from_json(audit.as_json()) == audit

    def test_csv_has_a_line_for_every_category_and_no_formula(self) -> None:
        evil = [
            a_measured_table("sex", a_category("=1+1"), a_category("@cmd")),
            a_measured_table("origin", a_category("+a"), a_category(" -b\u202e")),
            a_measured_table("sex × origin", a_category("x"), a_category("y")),
        ]
        text = bias_audit_csv(an_audit(some_audit_findings(*evil))).decode("utf-8-sig")
        lines = text.splitlines()
        assert len(lines) == 7
        for line in lines:
            assert all(cell[:1] not in ("=", "+", "@", "-") for cell in line.split(","))
        assert "'=1+1" in text
        assert "[U+202E]" in text

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_pdf_shows_the_figures_of_the_json(self, language: Language) -> None:
        audit = an_audit(left_out_why="too few")
        text = words_of(bias_audit_pdf(audit, language))
        for table in audit.tables:
            for category in table.categories:
                assert f"{category.n:,}" in text
                assert f"{100 * category.rate:.1f}%" in text
                assert category.ratio is None or f"{category.ratio:.2f}" in text
        assert DIGEST in text
        assert bias_audit_pdf(audit, language) == bias_audit_pdf(audit, language)
