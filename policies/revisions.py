"""How one rulebook differs from another: every figure and list that changed, and if it became stricter or laxer."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from policies.errors import Sentence
from policies.rulebook import Rulebook
from policies.rulebook_faults import FALLING, INCONCLUSIVE, RISING


class Direction(StrEnum):
    """What a change does to those who are held to the rules; `other` where that cannot be told from the figure."""

    STRICTER = "stricter"
    LAXER = "laxer"
    OTHER = "other"


IN_CHINESE = {Direction.STRICTER: "更严格", Direction.LAXER: "更宽松", Direction.OTHER: "有变化"}

LOWER_IS_STRICTER = (
    *(f"checks.*.{start}*" for start in FALLING),
    "caps.total",
    "caps.features.*.cap",
    "impact.tier_from.*",
    "permits.longest_days.*",
    "permits.grace_hours",
    "permits.longest_delegation_days",
    "reviews.answer_appeal_days",
    "reviews.explain_within_days",
    "reviews.decide_by_person_days",
    "reviews.review_within_hours.*",
    "retention.ceiling_days.*",
)
HIGHER_IS_STRICTER = (
    *(f"checks.*.{start}*" for start in RISING),
    "impact.questions.*.points",
    "impact.floors.*.tier",
    "deidentification.bands.*.width",
    "reviews.appeal_within_days",
    "reviews.least_reviewers",
    "retention.floor_days",
    "retention.floor_months",
)
MORE_IS_STRICTER = (
    "permits.blocking",
    "permits.deciders.*",
    "deidentification.forbidden",
    "*.columns",
    "checks.documentation*.required",
    "checks.purpose.words_of_other_purposes",
    "checks.leakage.identifier_names",
    "checks.deidentification.describing",
    "purposes.refused",
    "impact.floors",
    "caps.features",
    "deidentification.bands",
    "checks.leakage.after_event",
)
MORE_IS_LAXER = ("purposes.allowed", "checks.artifact_safety.formats")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where two rulebooks differ. `old` None: it is new; `new` None: it is gone."""

    path: str
    old: object
    new: object
    direction: Direction

    def as_json(self) -> dict[str, object]:
        """Return the difference as JSON values."""
        return {"path": self.path, "old": self.old, "new": self.new, "direction": self.direction.value}

    def says(self) -> Sentence:
        """Return the difference as one sentence."""
        return Sentence(
            en=f"{self.path}: {_told(self.old, 'absent')} becomes {_told(self.new, 'absent')} ({self.direction})",
            zh=f"{self.path}：由 {_told(self.old, '无')} 改为 {_told(self.new, '无')}（{IN_CHINESE[self.direction]}）",
        )


def differences(old: Rulebook, new: Rulebook) -> tuple[Difference, ...]:
    """Return every difference, ordered by place. Comments and the order of entries are none.

    Examples
    --------
    >>> from policies.rulebook import read_rulebook
    >>> book = read_rulebook()
    >>> differences(book, read_rulebook(book.source.replace(b"total = 0.25", b"total = 0.2")))[0].says().en
    'caps.total: 0.25 becomes 0.2 (stricter)'
    """
    before, after = (_leaves(tomllib.loads(book.source.decode())) for book in (old, new))
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return tuple(
        Difference(
            path=path,
            old=before.get(path),
            new=after.get(path),
            direction=direction_of(path, before.get(path), after.get(path)),
        )
        for path in changed
    )


def _leaves(value: Any, path: str = "") -> dict[str, object]:
    """Return every figure, text and list of a document by its dotted path; tables in lists go by what names them."""
    if isinstance(value, Mapping):
        named: Iterable[tuple[str, Any]] = value.items()
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        named = ((_name_of(item, place), item) for place, item in enumerate(value))
    else:
        return {path: value}
    found: dict[str, object] = {}
    for name, item in named:
        found.update(_leaves(item, f"{path}.{name}" if path else str(name)))
    return found


def _name_of(item: Mapping[str, Any], place: int) -> str:
    for key in ("name", "kind", "answer"):
        if isinstance(item.get(key), str):
            return str(item[key])
    if isinstance(item.get("when"), Mapping):
        return "+".join(f"{name}={answer}" for name, answer in item["when"].items())
    if isinstance(item.get("columns"), list) and item["columns"]:
        return str(item["columns"][0])
    return str(place)


def direction_of(path: str, old: object, new: object) -> Direction:
    """Return whether a change at a place of the rulebook is stricter, laxer, or cannot be told from the figure."""
    plain = ".".join(part for part in path.split(".") if part not in ("L1", "L2", "L3", "L4") or "checks" not in path)
    if path.startswith("permits.inconclusive.") and old in INCONCLUSIVE and new in INCONCLUSIVE:
        return _risen(INCONCLUSIVE.index(str(old)), INCONCLUSIVE.index(str(new)))
    if path == "code.allow_code" and bool(old) is not bool(new):
        return _risen(bool(new), bool(old))
    if path == "code.highest_tier" and old is not None and new is not None:
        return _risen(str(new), str(old))
    if old is None or new is None:
        return _appeared(plain, new is not None)
    if isinstance(old, list) and isinstance(new, list):
        return _grown(plain, set(map(str, old)), set(map(str, new)))
    if plain.endswith(".tier") and isinstance(old, str) and isinstance(new, str):
        return _risen(old, new)
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new)):
        return Direction.OTHER
    if _is(plain, HIGHER_IS_STRICTER):
        return _risen(old, new)
    if _is(plain, LOWER_IS_STRICTER):
        return _risen(new, old)
    return Direction.OTHER


def _is(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _risen(low: Any, high: Any) -> Direction:
    return Direction.STRICTER if high > low else Direction.LAXER


def _appeared(path: str, there: bool) -> Direction:
    parts = path.split(".")
    above = [".".join(parts[:count]) for count in range(1, len(parts))]
    if any(_is(place, MORE_IS_STRICTER) for place in above):
        return Direction.STRICTER if there else Direction.LAXER
    if any(_is(place, MORE_IS_LAXER) for place in above):
        return Direction.LAXER if there else Direction.STRICTER
    if _is(path, (*LOWER_IS_STRICTER, *HIGHER_IS_STRICTER)) and parts[0] == "checks":
        return Direction.STRICTER if there else Direction.LAXER
    return Direction.OTHER


def _grown(path: str, before: set[str], after: set[str]) -> Direction:
    more = Direction.STRICTER if _is(path, MORE_IS_STRICTER) else Direction.LAXER
    less = Direction.LAXER if more is Direction.STRICTER else Direction.STRICTER
    if not _is(path, (*MORE_IS_STRICTER, *MORE_IS_LAXER)):
        return Direction.OTHER
    if before < after:
        return more
    return less if after < before else Direction.OTHER


def _told(value: object, absent: str) -> str:
    if value is None:
        return absent
    if isinstance(value, list):
        shown = ", ".join(map(str, value[:6]))
        return f"[{shown}, … {len(value)}]" if len(value) > 6 else f"[{shown}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
