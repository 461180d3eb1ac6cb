"""Five kinds of error, each with a sentence in Chinese and English.

A concrete error is born beside the rule that raises it, builds its own sentence from the data and keeps
the data. Only `api.problems` knows what each kind means over HTTP and on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """One thing said to a person, in both languages of the house.

    Examples
    --------
    >>> Sentence(en="2 alarms", zh="2 次报警").in_language("zh")
    '2 次报警'
    """

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        """Return the sentence in 'zh' or 'en'; any other language tag falls back to English."""
        return self.zh if language.lower().startswith("zh") else self.en

    def as_json(self) -> dict[str, str]:
        """Return `{"en": ..., "zh": ...}` as findings and problems carry it."""
        return {"en": self.en, "zh": self.zh}

    def about(self, field: str) -> Sentence:
        """Return the same, said about a field such as "model.name", so that a form can show it there."""
        return FieldSentence(en=self.en, zh=self.zh, field=field) if field else Sentence(en=self.en, zh=self.zh)


@dataclass(frozen=True)
class FieldSentence(Sentence):
    """What is said about one field of what was handed in."""

    field: str


def field_of(said: Sentence) -> str:
    """Return the field that a sentence is about; empty where it is about none."""
    return said.field if isinstance(said, FieldSentence) else ""


class Fault(Exception):
    """What every refusal of the house has in common: one or more sentences, all faults at once."""

    def __init__(self, *faults: Sentence) -> None:
        if not faults:
            raise ValueError("a fault needs at least one sentence")
        super().__init__("; ".join(fault.en for fault in faults))
        self.faults: tuple[Sentence, ...] = faults

    @property
    def says(self) -> Sentence:
        """All faults joined into one sentence per language."""
        return Sentence(
            en="; ".join(fault.en for fault in self.faults),
            zh="；".join(fault.zh for fault in self.faults),
        )


class Refused(Fault):
    """A rule forbids it. Trying again without a change will not help."""


class NotFound(Fault):
    """It does not exist, or the caller may not know that it does: both look the same."""


class Conflict(Fault):
    """It contradicts the present state, such as a verdict already given."""


class Malformed(Fault):
    """What was handed in cannot be read or is incomplete. Carries every fault found, not the first."""


class Unavailable(Fault):
    """A part the answer needs is away. The same request may succeed later."""


def refuse_all(faults: Iterable[Sentence]) -> None:
    """Raise `Malformed` with every fault in `faults`; do nothing when there is none."""
    found = tuple(faults)
    if found:
        raise Malformed(*found)
