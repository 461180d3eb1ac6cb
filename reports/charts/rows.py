"""Charts with one row per name: how high each row is when its name takes several lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.measure import lines_of, width_of
from reports.charts.scene import GRID, INK, Label, Line, Shape, Spot
from reports.wording import Language, say

GAP = 6.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its name in lines, its upper edge and its height in points."""

    lines: tuple[str, ...]
    top: float
    height: float

    @property
    def middle(self) -> float:
        """The height at which bars and marks are drawn."""
        return self.top + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All rows of a chart and the width their names take."""

    names_of: tuple[str, ...]
    rows: tuple[Row, ...]
    room: float
    size: float

    @property
    def bottom(self) -> float:
        """Lower edge of the last row."""
        return self.rows[-1].top + self.rows[-1].height if self.rows else 0.0

    def names(self, x: float) -> tuple[Shape, ...]:
        """Return the names, right-aligned at `x` + room, with a hairline under each row."""
        shapes: list[Shape] = []
        for row in self.rows:
            first = row.middle - (len(row.lines) - 1) * self.size * 0.6 + 0.35 * self.size
            for at, line in enumerate(row.lines):
                y = first + at * self.size * 1.2
                shapes.append(Label(x=x + self.room, y=y, text=line, size=self.size, fill=INK, anchor="end"))
        return tuple(shapes)

    def spots(self, figures: Sequence[str], width: float, language: Language) -> tuple[Shape, ...]:
        """Return one area over each row that tells its name and figure. Draw them last."""
        said = [
            say(language, "chart.spot", name=name, figure=figure)
            for name, figure in zip(self.names_of, figures, strict=True)
        ]
        return tuple(
            Spot(x=0, y=row.top, width=width, height=row.height, says=says)
            for row, says in zip(self.rows, said, strict=True)
        )

    def hairlines(self, left: float, right: float) -> tuple[Shape, ...]:
        """Return one faint line between each two rows."""
        return tuple(Line(points=((left, row.top), (right, row.top)), stroke=GRID, width=0.5) for row in self.rows[1:])


def rows_of(names: Sequence[str], *, top: float, most_room: float, size: float = 8.0, least: float = 17.0) -> Rows:
    """Return one row per name. Names share a column no wider than `most_room`; long ones take several lines."""
    room = min(most_room, max((width_of(name, size) for name in names), default=0.0))
    rows = []
    at = top
    for name in names:
        lines = lines_of(name, room, size)
        height = max(least, len(lines) * size * 1.2 + GAP)
        rows.append(Row(lines=lines, top=at, height=height))
        at += height
    return Rows(names_of=tuple(names), rows=tuple(rows), room=room, size=size)
