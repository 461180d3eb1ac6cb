"""Text that came from outside, made safe to show: nothing invisible, nothing that turns the reading direction."""

from __future__ import annotations

import unicodedata

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that print nothing, or that no font can be expected to know."""


def code_of(character: str) -> str:
    """Return how a character that cannot be shown is written instead.

    Examples
    --------
    >>> code_of("\\u202e")
    '[U+202E]'
    """
    return f"[U+{ord(character):04X}]"


def visible(text: str) -> str:
    """Return `text` with every control, format and direction character replaced by its code.

    Line breaks and tabs become one space; everything a reader can see stays as it is. A name with a
    right-to-left override can otherwise show other words than it holds.

    Examples
    --------
    >>> visible("pump\\u202egnp.exe\\n2")
    'pump[U+202E]gnp.exe 2'
    """
    shown = []
    for character in text:
        if character in "\n\r\t":
            shown.append(" ")
        elif unicodedata.category(character) in UNSEEN:
            shown.append(code_of(character))
        else:
            shown.append(character)
    return "".join(shown)
