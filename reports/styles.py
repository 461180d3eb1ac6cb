"""How a PDF looks: type sizes, spacing, and the colours of a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle

from reports.charts.scene import ALARM, INK, QUIET, SOFT
from reports.typesetting import BOLD, REGULAR
from reports.wording import Language

Tone = Literal["holds", "fails", "open", "plain"]
PANEL = "#F4F6F8"
GROUNDS: dict[Tone, str] = {"holds": PANEL, "fails": "#FDF3E1", "open": PANEL, "plain": PANEL}
BARS: dict[Tone, str] = {"holds": QUIET, "fails": ALARM, "open": SOFT, "plain": SOFT}
"""Colours of a state. Words always say it too: nothing rests on colour alone."""


@dataclass(frozen=True, kw_only=True)
class Styles:
    """Paragraph styles of one language."""

    body: ParagraphStyle
    lead: ParagraphStyle
    small: ParagraphStyle
    cell: ParagraphStyle
    cell_bold: ParagraphStyle
    cell_right: ParagraphStyle
    head: ParagraphStyle
    head_right: ParagraphStyle
    section: ParagraphStyle
    part: ParagraphStyle
    caption: ParagraphStyle
    code: ParagraphStyle
    bullet: ParagraphStyle


def styles_for(language: Language) -> Styles:
    """Return the styles; Chinese takes a little more leading than English."""
    air = 1.08 if language == "zh" else 1.0

    def style(name: str, size: float, leading: float, **more: Any) -> ParagraphStyle:
        made = {
            "fontName": REGULAR,
            "bulletFontName": REGULAR,
            "textColor": HexColor(INK),
            "wordWrap": "CJK",
            **more,
        }
        return ParagraphStyle(name, fontSize=size, leading=leading * air, **made)

    return Styles(
        body=style("body", 9.5, 14.2, spaceAfter=5),
        lead=style("lead", 11, 16.5, spaceAfter=6),
        small=style("small", 8, 11.6, textColor=HexColor(SOFT), spaceAfter=3),
        cell=style("cell", 8.2, 11.2),
        cell_bold=style("cell_bold", 8.2, 11.2, fontName=BOLD),
        cell_right=style("cell_right", 8.2, 11.2, alignment=TA_RIGHT),
        head=style("head", 7.8, 10.4, fontName=BOLD, textColor=HexColor(SOFT), alignment=TA_LEFT),
        head_right=style("head_right", 7.8, 10.4, fontName=BOLD, textColor=HexColor(SOFT), alignment=TA_RIGHT),
        section=style("section", 15, 19, fontName=BOLD, textColor=HexColor(QUIET), spaceBefore=16, spaceAfter=7),
        part=style("part", 10.5, 14, fontName=BOLD, spaceBefore=8, spaceAfter=4),
        caption=style("caption", 8, 11.4, textColor=HexColor(SOFT), spaceBefore=3, spaceAfter=9),
        code=style(
            "code",
            7.6,
            10.6,
            backColor=HexColor(PANEL),
            borderPadding=(5, 8, 6, 8),
            leftIndent=8,
            rightIndent=8,
            spaceBefore=7,
            spaceAfter=12,
        ),
        bullet=style(
            "bullet",
            9.5,
            14.2,
            leftIndent=13,
            bulletIndent=2,
            bulletFontSize=4.5,
            bulletOffsetY=1.2,
            bulletColor=HexColor(QUIET),
            spaceAfter=3,
        ),
    )
