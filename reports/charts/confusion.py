"""Right and wrong answers as four counts, each as large as people can picture it."""

from __future__ import annotations

from reports.charts.measure import size_for
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
    side, gap = 0.24 * width, 4.0
    cell = ((width - side - 2 * gap) / 2, 58.0 if width >= 300 else 66.0)
    cells = (
        (0, 0, tp, "chart.alarm_right", ALARM, PAPER),
        (0, 1, fn, "chart.missed", ALARM_TINT, ALARM),
        (1, 0, fp, "chart.false_alarm", QUIET_TINT, QUIET),
        (1, 1, tn, "chart.quiet_right", QUIET, PAPER),
    )
    shapes: list[Shape] = []
    for column, key in enumerate(("chart.it_alarmed", "chart.it_stayed_quiet")):
        x = side + gap + column * (cell[0] + gap) + cell[0] / 2
        shapes += paragraph(say(language, key), x=x, y=9, room=cell[0] - 8, bold=True, anchor="middle")
    head = max(label.y for label in shapes if isinstance(label, Label)) + 7
    for row, (key, n) in enumerate((("chart.harm_happened", tp + fn), ("chart.no_harm", fp + tn))):
        y = head + row * (cell[1] + gap) + cell[1] / 2
        named = paragraph(say(language, key), x=side - 6, y=y - 8, room=side - 8, bold=True, anchor="end")
        counted = say(language, "chart.cases", n=n)
        size = size_for(counted, side - 8, 7.5)
        below = Label(x=side - 6, y=named[-1].y + 12, text=counted, size=size, fill=SOFT, anchor="end")
        shapes += [*named, below]
    for row, column, count, key, fill, edge in cells:
        x, y = side + gap + column * (cell[0] + gap), head + row * (cell[1] + gap)
        shapes.append(Rect(x=x, y=y, width=cell[0], height=cell[1], fill=fill, stroke=edge if edge != PAPER else FAINT))
        shapes += _inside(count, say(language, key), x, y, cell[0], PAPER if fill == QUIET else INK, language)
    return Drawing(
        width=width,
        height=head + 2 * cell[1] + gap + 2,
        shapes=tuple(shapes),
        title=say(language, "chart.confusion_title"),
        says=say(language, "chart.confusion_says", tp=tp, fp=fp, fn=fn, tn=tn),
    )


def _inside(count: int, words: str, x: float, y: float, room: float, ink: str, language: Language) -> tuple[Shape, ...]:
    """Return a count and what it means, centred in its cell."""
    figure = say(language, "number.count", value=count)
    size = size_for(figure, room - 8, 18, bold=True)
    middle = x + room / 2
    return (
        Label(x=middle, y=y + 28, text=figure, size=size, bold=True, fill=ink, anchor="middle"),
        *paragraph(words, x=middle, y=y + 43, room=room - 6, size=7.5, fill=ink, anchor="middle", leading=1.15),
    )
