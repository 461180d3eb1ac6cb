"""How a state (it holds, it does not, nobody can tell) is said, signed and coloured, everywhere alike."""

from __future__ import annotations

from reports.styles import Tone
from reports.wording import Language, say

SIGNS = {True: "●", False: "▲", None: "○"}
"""Signs that need no colour."""


def word_of(holds: bool | None, language: Language) -> str:
    """Return "holds", "does not hold" or "cannot conclude"."""
    return say(language, "word.open" if holds is None else "word.holds" if holds else "word.fails")


def tone_of(holds: bool | None) -> Tone:
    """Return the colour tone of a state."""
    return "open" if holds is None else "holds" if holds else "fails"
