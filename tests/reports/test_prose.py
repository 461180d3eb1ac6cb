"""Paragraphs break where their language may break."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfbase.pdfmetrics import stringWidth

from reports.charts.measure import NEVER_FIRST, NEVER_LAST
from reports.prose import Prose
from reports.styles import styles_for
from reports.typesetting import REGULAR, register_fonts

TEXT = "系统会报警，但不会指责（任何）人。“误报”与“漏报”都会统计：比例为 26.4%，见 mingjing-report 第 3 节；其余不变。"


def lines(text: str, width: float) -> list[str]:
    register_fonts()
    paragraph = Prose(text, styles_for("zh").body)
    paragraph.wrap(width, 10_000)
    return ["".join(word.text for word in line.words) for line in paragraph.blPara.lines]


class TestProse:
    @settings(max_examples=60)
    @given(st.floats(min_value=70, max_value=480))
    def test_no_line_begins_or_ends_wrongly_or_leaves_the_column(self, width: float) -> None:
        found = lines(TEXT * 3, width)
        assert all(line[0] not in NEVER_FIRST for line in found)
        assert all(line.rstrip()[-1] not in NEVER_LAST for line in found)
        assert all(stringWidth(line, REGULAR, 9.5) <= width + 0.01 for line in found)

    @settings(max_examples=60)
    @given(st.floats(min_value=70, max_value=480))
    def test_nothing_is_lost(self, width: float) -> None:
        assert "".join("".join(lines(TEXT, width)).split()) == "".join(TEXT.split())

    def test_a_forced_break_is_kept(self) -> None:
        assert lines("一<br/>二", 200) == ["一", "二"]

    def test_a_latin_word_stays_whole(self) -> None:
        assert any("mingjing-report" in line or "report" in line for line in lines(TEXT, 150))

    def test_english_breaks_between_words_and_inside_long_names_after_their_signs(self) -> None:
        text = "The share of average_hydrogen_sulphide_concentration_upstream_of_valve_07, in all decisions."
        found = lines(text, 130)
        assert "".join("".join(found).split()) == "".join(text.split())
        assert all(
            line.rstrip()[-1] in "_,." or line.rstrip().endswith(("of", "all", "The", "in")) for line in found
        ), found
