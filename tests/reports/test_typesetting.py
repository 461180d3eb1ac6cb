"""No character is lost in silence: replaced and reported, or refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from policies.errors import Unavailable
from reports.typesetting import BOLD, FONTS, REGULAR, FontMissing, MissingGlyph, Typesetter, register_fonts
from reports.wording import LANGUAGES, Language, catalogue


class TestRegisterFonts:
    def test_all_of_gb_2312_can_be_printed(self) -> None:
        covered = register_fonts()
        squares = [bytes((lead, trail)) for lead in range(0xB0, 0xF8) for trail in range(0xA1, 0xFF)]
        letters = {each.decode("gb2312") for each in squares if _decodes(each)}
        assert len(letters) == 6763
        assert {letter for letter in letters if ord(letter) not in covered} == set()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_phrase_can_be_printed(self, language: Language) -> None:
        setter = Typesetter()
        for phrase in catalogue(language).values():
            setter.plain(phrase)
        assert setter.replaced == ()

    def test_a_missing_file_is_said_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(FontMissing) as refused:
            register_fonts(tmp_path)
        assert isinstance(refused.value, Unavailable)
        assert refused.value.says.en == (
            "the report font 'NotoSansSC-Regular.ttf' cannot be read (not found); reinstall the package, "
            "reports/fonts/NOTICE.md says where it comes from"
        )
        assert "无法读取报告字体“NotoSansSC-Regular.ttf”" in refused.value.says.zh

    def test_a_broken_file_is_refused(self, tmp_path: Path) -> None:
        for file in FONTS.glob("*.ttf"):
            (tmp_path / file.name).write_bytes(b"not a font at all")
        with pytest.raises(FontMissing, match=r"NotoSansSC-Regular\.ttf"):
            register_fonts(tmp_path)

    def test_the_licence_travels_with_the_fonts(self) -> None:
        assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS / "OFL.txt").read_text(encoding="utf-8")


def _decodes(code: bytes) -> bool:
    try:
        code.decode("gb2312")
    except UnicodeDecodeError:
        return False
    return True


class TestTypesetter:
    def test_a_rare_character_shows_its_code_and_is_kept(self) -> None:
        setter = Typesetter()
        assert setter.plain("㐂山机电厂") == "[U+3402]山机电厂"
        assert setter.replaced == ("㐂",)

    def test_direction_marks_become_visible(self) -> None:
        assert Typesetter().plain("pump\u202egnp") == "pump[U+202E]gnp"

    def test_markup_is_escaped(self) -> None:
        assert Typesetter().markup("<b>R&D</b>") == "&lt;b&gt;R&amp;D&lt;/b&gt;"

    def test_each_replaced_character_is_kept_once(self) -> None:
        setter = Typesetter()
        setter.plain("㐂㐂😀")
        assert setter.replaced == ("㐂", "😀")

    @settings(max_examples=200)
    @given(st.text(max_size=40))
    def test_whatever_comes_out_can_be_printed(self, text: str) -> None:
        covered = register_fonts()
        assert all(ord(character) in covered or character == "\xa0" for character in Typesetter().plain(text))


class TestGuardedFont:
    @pytest.mark.parametrize("name", [REGULAR, BOLD])
    def test_a_missing_glyph_is_refused_and_not_printed_as_nothing(self, name: str) -> None:
        register_fonts()
        canvas = Canvas(BytesIO())
        canvas.setFont(name, 10)
        with pytest.raises(MissingGlyph) as refused:
            canvas.drawString(10, 10, "ok 㐂")
        assert refused.value.says.en == (
            "the report font has no glyph for [U+3402] in 'ok 㐂'; it would print as nothing"
        )

    def test_what_it_has_is_printed(self) -> None:
        register_fonts()
        canvas = Canvas(BytesIO())
        canvas.setFont(REGULAR, 10)
        canvas.drawString(10, 10, "明镜 ok\xa0")
