"""Right and wrong answers as four counts, each as large as people can picture it."""

from __future__ import annotations

from reports.charts.scene import (
    ALARM,
    ALARM_TINT,
    FAINT,
    INK,
    PAPER,
    QUIET,
    QUIET_TINT,
    SOFT,
    Drawing,
    Label,
    Rect,
    Shape,
    paragraph,
)
from reports.wording import Language, say


def confusion_picture(*, tp: int, fp: int, fn: int, tn: int, language: Language, width: float = 400.0) -> Drawing:
    """Return the four counts as a table of two by two.

    Parameters
    ----------
    tp, fp, fn, tn : int
        Harm that was alarmed, false alarms, missed harm, quiet where nothing happened. Zero is fine.
    """
    side, head, gap = 0.24 * width, 36.0, 4.0
    cell = ((width - side - 2 * gap) / 2, 58.0)
    cells = (
        (0, 0, tp, "chart.alarm_right", ALARM, PAPER),
        (0, 1, fn, "chart.missed", ALARM_TINT, ALARM),
        (1, 0, fp, "chart.false_alarm", QUIET_TINT, QUIET),
        (1, 1, tn, "chart.quiet_right", QUIET, PAPER),
    )
    shapes: list[Shape] = []
    for column, key in enumerate(("chart.it_alarmed", "chart.it_stayed_quiet")):
        x = side + gap + column * (cell[0] + gap) + cell[0] / 2
        shapes += paragraph(say(language, key), x=x, y=20, room=cell[0] - 8, bold=True, anchor="middle")
    for row, (key, n) in enumerate((("chart.harm_happened", tp + fn), ("chart.no_harm", fp + tn))):
        y = head + row * (cell[1] + gap) + cell[1] / 2
        shapes += paragraph(say(language, key), x=side - 6, y=y - 4, room=side - 10, bold=True, anchor="end")
        shapes.append(
            Label(x=side - 6, y=y + 18, text=say(language, "chart.cases", n=n), size=7.5, fill=SOFT, anchor="end")
        )
    for row, column, count, key, fill, edge in cells:
        x, y = side + gap + column * (cell[0] + gap), head + row * (cell[1] + gap)
        ink = PAPER if fill == QUIET else INK
        shapes.append(Rect(x=x, y=y, width=cell[0], height=cell[1], fill=fill, stroke=edge if edge != PAPER else FAINT))
        middle = x + cell[0] / 2
        figure = say(language, "number.count", value=count)
        shapes.append(Label(x=middle, y=y + 30, text=figure, size=18, bold=True, fill=ink, anchor="middle"))
        shapes += paragraph(
            say(language, key), x=middle, y=y + 46, room=cell[0] - 8, size=7.5, fill=ink, anchor="middle", leading=1.15
        )
    return Drawing(
        width=width,
        height=head + 2 * cell[1] + gap + 2,
        shapes=tuple(shapes),
        title=say(language, "chart.confusion_title"),
        says=say(language, "chart.confusion_says", tp=tp, fp=fp, fn=fn, tn=tn),
    )
