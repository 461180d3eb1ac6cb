"""Conditions of an approval that the predict path carries out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.errors import Malformed, Sentence

KINDS = ("threshold", "review_alarms", "sites", "note")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """All conditions of one permit.

    `threshold` replaces the declared one, `review_alarms` sends every alarm to a person, `sites` limits
    where the model may run (None: its own site's callers and any), `notes` bind people, not code.
    """

    threshold: float | None = None
    review_alarms: bool = False
    sites: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> list[dict[str, object]]:
        """Return the list of `{kind, …}` that a verdict carries; `read_conditions` reads it back."""
        said: list[dict[str, object]] = []
        if self.threshold is not None:
            said.append({"kind": "threshold", "value": self.threshold})
        if self.review_alarms:
            said.append({"kind": "review_alarms"})
        if self.sites is not None:
            said.append({"kind": "sites", "sites": list(self.sites)})
        said.extend({"kind": "note", "text": note} for note in self.notes)
        return said

    def says(self) -> tuple[Sentence, ...]:
        """Return one sentence per condition."""
        said = []
        if self.threshold is not None:
            said.append(Sentence(en=f"threshold {self.threshold:g}", zh=f"阈值 {self.threshold:g}"))
        if self.review_alarms:
            said.append(Sentence(en="a person reviews every alarm", zh="每次报警均须人工复核"))
        if self.sites is not None:
            said.append(Sentence(en=f"only at {', '.join(self.sites)}", zh=f"仅限在 {'、'.join(self.sites)} 使用"))
        said.extend(Sentence(en=note, zh=note) for note in self.notes)
        return tuple(said)


def read_conditions(items: Iterable[Mapping[str, object]]) -> Conditions:
    """Read conditions as they come over a door.

    Raises
    ------
    Malformed
        With every condition that is unknown or incomplete.
    """
    threshold: float | None = None
    review = False
    sites: tuple[str, ...] | None = None
    notes: list[str] = []
    faults: list[Sentence] = []
    for item in items:
        kind = item.get("kind")
        if kind == "threshold" and _is_share(item.get("value")):
            threshold = float(str(item["value"]))
        elif kind == "review_alarms":
            review = True
        elif kind == "sites" and _is_names(item.get("sites")):
            sites = tuple(str(site) for site in _listed(item["sites"]))
        elif kind == "note" and str(item.get("text", "")).strip():
            notes.append(str(item["text"]).strip())
        else:
            faults.append(
                Sentence(
                    en=f"condition {dict(item)!r} is not known or incomplete; expected one of "
                    "{kind: threshold, value: 0..1}, {kind: review_alarms}, {kind: sites, sites: […]}, "
                    "{kind: note, text: …}",
                    zh=f"条件 {dict(item)!r} 无法识别或不完整；应为 {{kind: threshold, value: 0..1}}、"
                    "{kind: review_alarms}、{kind: sites, sites: […]} 或 {kind: note, text: …}",
                )
            )
    if faults:
        raise Malformed(*faults)
    return Conditions(threshold=threshold, review_alarms=review, sites=sites, notes=tuple(notes))


def condition_from_text(text: str) -> dict[str, object]:
    """Read one condition as the command line takes it.

    Examples
    --------
    >>> condition_from_text("threshold=0.4")
    {'kind': 'threshold', 'value': 0.4}
    >>> condition_from_text("sites=plant-07,plant-08")
    {'kind': 'sites', 'sites': ['plant-07', 'plant-08']}
    >>> condition_from_text("review_alarms")
    {'kind': 'review_alarms'}
    >>> condition_from_text("retrain by spring")
    {'kind': 'note', 'text': 'retrain by spring'}
    """
    kind, _, value = text.partition("=")
    if kind == "threshold":
        try:
            return {"kind": "threshold", "value": float(value)}
        except ValueError:
            return {"kind": "threshold", "value": value}
    if kind == "sites":
        return {"kind": "sites", "sites": [site.strip() for site in value.split(",") if site.strip()]}
    if kind == "review_alarms":
        return {"kind": "review_alarms"}
    return {"kind": "note", "text": text}


def _is_share(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= 1


def _is_names(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(name, str) for name in value)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
