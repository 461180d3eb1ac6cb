"""What an experiment comes back with: a measured share and how it reads, or why it could not be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from audit.checks.intervals import Estimate
from policies.errors import Sentence

FEW = 10
"""Cases under which a share means nothing."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A share with its interval, of `n` cases; `says` tells what was done to which column and what came of it."""

    share: Estimate
    n: int
    says: Sentence


@dataclass(frozen=True)
class Unknown:
    """The experiment could not be done; `why` says what is missing."""

    why: Sentence


Answer = Measured | Unknown


def worst(answers: Iterable[Answer]) -> Answer:
    """Return the answer that speaks most against the model: the largest lower bound; Unknown when all are.

    Every column is tried by itself, so a pattern that fits more columns can only find more.
    """
    known = [answer for answer in answers if isinstance(answer, Measured)]
    if known:
        return max(known, key=lambda answer: (answer.share.lo, answer.share.value))
    unknown = [answer for answer in answers if isinstance(answer, Unknown)]
    return unknown[0] if unknown else NO_COLUMN


NO_COLUMN = Unknown(
    Sentence(
        en="no column of the data goes by the pattern; declare its unit, or name it so that it can be recognised",
        zh="数据中没有符合模式的列，请声明单位或使用可识别的列名",
    )
)
NO_MODEL = Unknown(
    Sentence(
        en="the model was not handed in, so nothing can be fed to it; hand in the model",
        zh="未提交模型，无法输入扰动数据进行试验，请提交模型文件",
    )
)
