"""Chinese paragraphs break where Chinese may break."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfbase.pdfmetrics import stringWidth

from reports.charts.measure import NEVER_FIRST, NEVER_LAST
from reports.chinese import ChineseParagraph
from reports.flowables import styles_for
from reports.typesetting import REGULAR, register_fonts

TEXT = "系统会报警，但不会指责（任何）人。“误报”与“漏报”都会统计：比例为 26.4%，见 mingjing-report 第 3 节；其余不变。"


def lines(text: str, width: float) -> list[str]:
    register_fonts()
    paragraph = ChineseParagraph(text, styles_for("zh").body)
    paragraph.wrap(width, 10_000)
    return ["".join(word.text for word in line.words) for line in paragraph.blPara.lines]


class TestChineseParagraph:
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
