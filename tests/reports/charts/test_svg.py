"""SVG that a strict content security policy lets through and that shows names as they are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from reports.charts.scene import Drawing, Label, Line, Polygon, Rect, Shape, Spot
from reports.charts.svg import to_svg

ALL_SHAPES = (
    Line(points=((0, 0), (5, 5)), dash=(3, 2)),
    Rect(x=1, y=1, width=3, height=3, fill="#FFFFFF", stroke="#000000"),
    Rect(x=1, y=1, width=3, height=3),
    Polygon(points=((0, 0), (1, 0), (0, 1)), fill="#000000"),
    Label(x=1, y=9, text="明镜", bold=True, anchor="middle"),
)


def a_drawing(*shapes: Shape, title: str = "t") -> Drawing:
    return Drawing(width=100, height=50.5, shapes=shapes, title=title, says="s")


class TestToSvg:
    def test_no_style_and_no_script(self) -> None:
        text = to_svg(a_drawing(*ALL_SHAPES))
        assert not re.search(r"style|script|href|url\(|\son\w+=", text)

    def test_it_is_well_formed_and_has_every_shape(self) -> None:
        root = ElementTree.fromstring(to_svg(a_drawing(*ALL_SHAPES)))
        tags = [element.tag.rsplit("}", 1)[1] for element in root]
        assert tags == ["title", "desc", "polyline", "rect", "rect", "polygon", "text"]

    @pytest.mark.parametrize("name", ["<script>alert(1)</script>", "R&D", '"a" onload="b"', "=cmd|' /C calc'!A0"])
    def test_names_stay_text(self, name: str) -> None:
        root = ElementTree.fromstring(to_svg(a_drawing(Label(x=0, y=0, text=name), title=name)))
        (label,) = root.iter("{http://www.w3.org/2000/svg}text")
        assert label.text == name
        assert len(list(root.iter())) == 4

    def test_direction_marks_are_shown_by_code(self) -> None:
        assert "pump[U+202E]gnp" in to_svg(a_drawing(Label(x=0, y=0, text="pump\u202egnp")))

    def test_it_says_in_words_what_it_shows(self) -> None:
        assert "<title>t</title><desc>s</desc>" in to_svg(a_drawing())

    def test_numbers_are_short_and_never_minus_zero(self) -> None:
        text = to_svg(a_drawing(Line(points=((-0.001, 1.0), (1.23456, 2.50)))))
        assert 'points="0,1 1.23,2.5"' in text

    def test_a_spot_answers_a_pointer_and_hides_nothing(self) -> None:
        name = "<b>pump</b>: +0.4"
        root = ElementTree.fromstring(to_svg(a_drawing(Spot(x=0, y=1, width=9, height=8, says=name))))
        (area,) = root.iter("{http://www.w3.org/2000/svg}rect")
        assert area.get("fill-opacity") == "0"
        assert [child.text for child in area] == [name]
