"""How wide text runs and where it may break: so that no label is ever clipped or drawn over another."""

from __future__ import annotations

REGULAR = (
    224, 323, 474, 555, 555, 921, 680, 278, 338, 338, 467, 555, 278, 347, 278, 392, 555, 555, 555, 555, 555, 555, 555,
    555, 555, 555, 278, 278, 555, 555, 555, 474, 946, 608, 657, 638, 688, 589, 552, 689, 728, 293, 535, 646, 543, 812,
    723, 742, 633, 742, 635, 596, 599, 721, 575, 878, 573, 531, 603, 338, 392, 338, 555, 559, 606, 563, 618, 510, 620,
    554, 325, 564, 607, 275, 275, 552, 284, 926, 610, 606, 620, 620, 388, 468, 377, 607, 521, 802, 498, 521, 475, 338,
    270, 338, 555,
)  # fmt: skip
"""Advance widths of the printable ASCII characters in Noto Sans SC Regular, in thousandths of the size."""

BOLD = (
    227, 370, 574, 590, 590, 963, 740, 325, 378, 378, 507, 590, 325, 370, 325, 387, 590, 590, 590, 590, 590, 590, 590,
    590, 590, 590, 325, 325, 590, 590, 590, 514, 1007, 641, 681, 656, 714, 615, 585, 717, 757, 330, 568, 686, 578,
    853, 749, 770, 667, 770, 682, 624, 625, 748, 619, 915, 627, 580, 613, 378, 387, 378, 590, 567, 626, 591, 644, 527,
    644, 581, 372, 597, 640, 304, 306, 604, 315, 964, 641, 626, 644, 644, 437, 495, 421, 637, 576, 863, 562, 574, 511,
    378, 296, 378, 590,
)  # fmt: skip
"""The same in Noto Sans SC Bold."""

WIDE_FROM = 0x2010
BREAK_AFTER = " _-/"
NEVER_FIRST = frozenset("，。、；：？！％%）》〉」』】〕”’…～·,.;:?!)]}°℃‰")
NEVER_LAST = frozenset("（《〈「『【〔“‘([{#￥$")


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of `text` in points; Chinese and symbols count as squares, other letters as wide.

    Examples
    --------
    >>> width_of("风险", 10)
    20.0
    """
    widths = BOLD if bold else REGULAR
    units = 0
    for character in text:
        code = ord(character)
        if 32 <= code < 127:
            units += widths[code - 32]
        else:
            units += 1000 if code >= WIDE_FROM else 700
    return units * size / 1000


def size_for(text: str, room: float, size: float, *, bold: bool = False) -> float:
    """Return the largest type size, at most `size`, at which `text` fits into `room` points on one line."""
    width = width_of(text, size, bold=bold)
    return size if width <= room else size * room / width


def lines_of(text: str, room: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """Return `text` cut into lines no wider than `room` points, preferring breaks after spaces and signs.

    Nothing is left out: the lines joined are the text (but for spaces at the breaks). A single character
    wider than the room gets a line of its own.

    Examples
    --------
    >>> lines_of("hours_since_last_inspection", 60, 8)
    ('hours_since_', 'last_inspection')
    """
    lines: list[str] = []
    rest = text.strip()
    while rest:
        fits = _fitting(rest, room, size, bold)
        if fits < len(rest):
            fits = _breaking_point(rest, fits)
        lines.append(rest[:fits].rstrip())
        rest = rest[fits:].lstrip()
    return tuple(lines) or ("",)


def _fitting(text: str, room: float, size: float, bold: bool) -> int:
    """Return how many leading characters fit into `room`, at least one."""
    used = 0.0
    for count, character in enumerate(text):
        used += width_of(character, size, bold=bold)
        if used > room + 1e-9:
            return max(1, count)
    return len(text)


def _breaking_point(text: str, fits: int) -> int:
    """Return the last good place to break at or before `fits`, or `fits` when there is none."""
    for place in range(fits, 0, -1):
        if breaks_between(text[place - 1], text[place]):
            return place
    return fits


def breaks_between(before: str, after: str) -> bool:
    """Whether a line may end with the character `before` and the next begin with `after`.

    Examples
    --------
    >>> breaks_between("报", "警"), breaks_between("警", "，"), breaks_between("（", "报"), breaks_between("a", "b")
    (True, False, False, False)
    """
    if after in NEVER_FIRST or before in NEVER_LAST:
        return False
    if before in BREAK_AFTER or after == " ":
        return True
    return _square(before) or _square(after) or after in NEVER_LAST


def _square(character: str) -> bool:
    return ord(character) >= 0x2E80 or character in "，。”’…"
