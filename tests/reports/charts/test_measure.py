"""Text is cut into lines that fit and lose nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfbase.pdfmetrics import stringWidth

from reports.charts.measure import NEVER_FIRST, NEVER_LAST, lines_of, width_of
from reports.typesetting import BOLD, REGULAR, register_fonts

texts = st.text(alphabet=st.sampled_from("abcXYZ_019 -/风险报警误（）“”，。%"), max_size=80)


class TestWidthOf:
    @given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
    def test_latin_is_as_wide_as_in_the_font(self, text: str) -> None:
        register_fonts()
        assert abs(width_of(text, 10) - stringWidth(text, REGULAR, 10)) < 1e-6
        assert abs(width_of(text, 10, bold=True) - stringWidth(text, BOLD, 10)) < 1e-6

    @given(texts)
    def test_never_narrower_than_print(self, text: str) -> None:
        register_fonts()
        assert width_of(text, 10) >= stringWidth(text, REGULAR, 10) - 1e-6
        assert width_of(text, 10, bold=True) >= stringWidth(text, BOLD, 10) - 1e-6


class TestLinesOf:
    @given(texts, st.floats(min_value=20, max_value=300))
    def test_nothing_is_lost(self, text: str, room: float) -> None:
        assert "".join(lines_of(text, room, 8)).replace(" ", "") == text.replace(" ", "")

    @given(texts, st.floats(min_value=20, max_value=300))
    def test_no_line_is_wider_than_the_room(self, text: str, room: float) -> None:
        assert all(width_of(line, 8) <= room + 1e-6 for line in lines_of(text, room, 8))

    def test_a_sixty_character_name_breaks_at_its_signs(self) -> None:
        name = "average_hydrogen_sulphide_concentration_upstream_of_valve_07"
        assert len(name) == 60
        assert lines_of(name, 120, 8) == (
            "average_hydrogen_sulphide_",
            "concentration_upstream_of_",
            "valve_07",
        )

    def test_chinese_lines_begin_and_end_properly(self) -> None:
        text = "系统会报警，但不会指责（任何）人。“误报”与“漏报”都会统计，比例为 26%。" * 3
        lines = lines_of(text, 90, 8)
        assert all(line[0] not in NEVER_FIRST for line in lines)
        assert all(line[-1] not in NEVER_LAST for line in lines)

    def test_empty_text_is_one_empty_line(self) -> None:
        assert lines_of("  ", 50, 8) == ("",)
