"""The two fonts of every PDF, and the rule that no character is ever lost in silence.

A PDF prints nothing, and says nothing, where a font lacks a glyph. So text passes two gates here: `Typesetter`
replaces what the fonts lack by its code and remembers it, and `GuardedFont` refuses whatever got past.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from policies.errors import Malformed, Sentence, Unavailable
from reports.plain_text import code_of, visible

FONTS = Path(__file__).parent / "fonts"
REGULAR = "Mingjing"
BOLD = "Mingjing-Bold"
FILES = {REGULAR: "NotoSansSC-Regular.ttf", BOLD: "NotoSansSC-Bold.ttf"}


class FontMissing(Unavailable):
    """A font file of the reports is away or cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            Sentence(
                en=f"the report font '{path.name}' cannot be read ({reason}); reinstall the package, "
                "reports/fonts/NOTICE.md says where it comes from",
                zh=f"无法读取报告字体“{path.name}”（{reason}）；请重新安装本软件包，字体来源见 reports/fonts/NOTICE.md",
            )
        )
        self.path = path


class MissingGlyph(Malformed):
    """Text reached a page with a character the font cannot draw."""

    def __init__(self, character: str, text: str) -> None:
        super().__init__(
            Sentence(
                en=f"the report font has no glyph for {code_of(character)} in '{visible(text)}'; "
                "it would print as nothing",
                zh=f"报告字体缺少字符 {code_of(character)}（出现在“{visible(text)}”中），若照常输出将成为空白",
            )
        )
        self.character = character


class GuardedFont(TTFont):
    """A TrueType font that raises `MissingGlyph` instead of printing nothing."""

    def splitString(  # noqa: N802 - the name reportlab calls
        self, text: str | bytes, doc: Any, encoding: str = "utf-8"
    ) -> Any:
        """Refuse text with a character the font lacks, then do what every font does."""
        words = text.decode(encoding) if isinstance(text, bytes) else text
        for character in words:
            if ord(character) not in self.face.charToGlyph and character != "\xa0":
                raise MissingGlyph(character, words)
        return super().splitString(words, doc, encoding)


@cache
def register_fonts(folder: Path = FONTS) -> frozenset[int]:
    """Register both weights with reportlab and return the code points that both can draw.

    Raises
    ------
    FontMissing
        When a file is away or is not a TrueType font.
    """
    covered: set[int] | None = None
    for name, file in FILES.items():
        path = folder / file
        try:
            font = GuardedFont(name, str(path))
        except (TTFError, OSError) as error:
            raise FontMissing(path, "not found" if not path.is_file() else str(error)) from error
        pdfmetrics.registerFont(font)
        points = set(font.face.charToGlyph)
        covered = points if covered is None else covered & points
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return frozenset(covered or ())


class Typesetter:
    """Makes text fit to print in one document, and keeps what it had to replace.

    Examples
    --------
    >>> setter = Typesetter()
    >>> setter.plain("泵 \\u3402 <b>")
    '泵 [U+3402] <b>'
    >>> setter.markup("泵 <b>"), setter.replaced
    ('泵 &lt;b&gt;', ('㐂',))
    """

    def __init__(self, folder: Path = FONTS) -> None:
        self._covered = register_fonts(folder)
        self._replaced: dict[str, None] = {}

    def plain(self, text: str) -> str:
        """Return `text` with nothing invisible and nothing the fonts lack; replaced characters show their code."""
        shown = []
        for character in text.replace("\n", " ").replace("\t", " ").replace("\r", " "):
            if ord(character) in self._covered or character == "\xa0":
                shown.append(character)
            else:
                self._replaced[character] = None
                shown.append(code_of(character))
        return "".join(shown)

    def markup(self, text: str) -> str:
        """Return `plain(text)` escaped for a paragraph, where `<` and `&` would be read as markup."""
        return escape(self.plain(text))

    @property
    def replaced(self) -> tuple[str, ...]:
        """Characters replaced so far, in the order they were met."""
        return tuple(self._replaced)
