"""Every sentence exists in both languages, with the same values in it, and none is left over."""

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from policies.errors import Sentence
from reports.wording import LANGUAGES, Language, as_day, as_moment, as_number, as_percent, catalogue, name_of, say

SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(reports.__path__[0]).rglob("*.py")))
LITERAL = re.compile(r'"([a-z_]+(?:\.[a-z_0-9]+)+)"')
FAMILY = re.compile(r'f"([a-z_]+)\.([a-z_]*)\{')
NAMED = re.compile(r"name_of\(\s*language,\s*[\"']([a-z_]+)[\"']")
SPECS = {"", "percent", "points", "whole", "signed", "number", "count", "day", "moment"}


def placeholders(phrase: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(phrase) if name is not None}


class TestCatalogues:
    def test_both_languages_have_the_same_keys(self) -> None:
        assert set(catalogue("zh")) == set(catalogue("en"))

    @pytest.mark.parametrize("key", sorted(catalogue("en")))
    def test_both_languages_speak_of_the_same_values(self, key: str) -> None:
        def named(language: Language) -> set[str]:
            found = placeholders(catalogue(language)[key])
            return {name for name, spec in found if not spec.startswith("of ")}

        assert named("zh") == named("en"), key

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_placeholder_says_how_it_is_written(self, language: Language) -> None:
        specs = {spec for phrase in catalogue(language).values() for _, spec in placeholders(phrase)}
        assert {spec for spec in specs if not spec.startswith("of ")} <= SPECS

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_phrase_is_empty_but_the_gap_between_chinese_sentences(self, language: Language) -> None:
        empty = {key for key, phrase in catalogue(language).items() if not phrase and not key.startswith("measure.")}
        assert empty == ({"list.after"} if language == "zh" else set())

    def test_chinese_phrases_are_chinese(self) -> None:
        without = {
            key
            for key, phrase in catalogue("zh").items()
            if not re.search(r"[一-鿿]", phrase) and key.split(".")[0] not in ("number", "list", "measure")
        }
        assert without <= {
            *(
                "chart.n",
                "chart.spot",
                "approval.moment",
                "approval.day",
                "approval.decider",
                "clip.share",
                "groups.of",
            ),
            *("disclosure.hidden", "disclosure.measure_at", "disclosure.psi", "disclosure.running", "reviewed.came_to"),
        }

    def test_chinese_uses_chinese_punctuation(self) -> None:
        half_width = re.compile(r"[一-鿿][,;:?!]|[,;:?!][一-鿿]")
        assert [key for key, phrase in catalogue("zh").items() if half_width.search(phrase)] == []

    def test_every_key_in_the_sources_exists(self) -> None:
        families = {key.split(".")[0] for key in catalogue("en")}
        asked = {key for key in LITERAL.findall(SOURCES) if key.split(".")[0] in families}
        assert asked - set(catalogue("en")) <= {"log.verify"} & set(catalogue("en"))

    def test_no_phrase_is_left_over(self) -> None:
        literal = set(LITERAL.findall(SOURCES))
        families = set(FAMILY.findall(SOURCES))
        open_families = set(NAMED.findall(SOURCES))
        words = set(re.findall(r'"([a-z_0-9\-]+)"', SOURCES))
        left_over = []
        for key in catalogue("en"):
            family, _, rest = key.partition(".")
            built = any(
                family == prefix and rest.startswith(start) and (rest.removeprefix(start) in words or rest in words)
                for prefix, start in families
            )
            if key not in literal and not built and family not in open_families:
                left_over.append(key)
        assert left_over == []


class TestSay:
    def test_a_missing_value_is_an_error(self) -> None:
        with pytest.raises(KeyError, match="hi"):
            say("en", "number.interval", lo="0.1")

    def test_an_unknown_phrase_is_an_error(self) -> None:
        with pytest.raises(KeyError, match="no_such"):
            say("en", "no_such")

    def test_a_sentence_is_said_in_the_language_of_the_phrase(self) -> None:
        name = Sentence(en="Age", zh="年龄")
        assert say("zh", "clip.share", name=name, share="10%") == "年龄 10%"
        assert say("en", "clip.share", name=name, share="10%") == "Age 10%"

    def test_a_latin_name_stands_apart_from_chinese_words(self) -> None:
        assert say("zh", "groups.picture_miss_rate", column="sex") == "漏报率，按 sex 分组"
        assert say("zh", "groups.picture_miss_rate", column="性别") == "漏报率，按性别分组"
        assert say("zh", "groups.picture_miss_rate", column="a\ue000") == "漏报率，按 a[U+E000]分组"

    def test_english_counts_in_singular_and_plural(self) -> None:
        assert say("en", "chart.cases", n=1) == "1 case"
        assert say("en", "chart.cases", n=0) == "0 cases"
        assert say("zh", "chart.cases", n=1) == "1 例"

    def test_values_are_never_read_as_placeholders(self) -> None:
        assert say("en", "letter.running", id="{caller}") == "Decision {caller}"


class TestNumbers:
    @given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
    def test_a_number_reads_back_to_four_digits(self, value: float) -> None:
        written = as_number(value).replace(",", "").replace("−", "-")
        assert float(written) == pytest.approx(value, rel=6e-4, abs=1e-11)

    def test_what_is_not_a_number_is_a_dash(self) -> None:
        assert as_number(float("nan")) == as_percent(float("inf")) == "–"

    def test_a_negative_share_has_a_true_minus(self) -> None:
        assert as_percent(-0.05) == "−5.0%"


class TestDates:
    def test_days_as_people_write_them(self) -> None:
        assert as_day(date(2026, 3, 1), "en") == "1 March 2026"
        assert as_day(date(2026, 3, 1), "zh") == "2026年3月1日"

    def test_moments_say_that_they_are_in_utc(self) -> None:
        assert as_moment(datetime(2026, 3, 1, 9, 5, tzinfo=UTC), "en") == "1 March 2026 09:05 UTC"


class TestNameOf:
    def test_an_unknown_name_stands_for_itself(self) -> None:
        assert name_of("zh", "check", "a_check_of_tomorrow") == "a_check_of_tomorrow"
