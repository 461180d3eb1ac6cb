"""Conditions of an approval that the predict path carries out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from governance.group_thresholds import GroupThreshold
from policies.errors import Malformed, Sentence

KINDS = ("threshold", "group_threshold", "review_alarms", "sites", "note")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """All conditions of one permit.

    `threshold` replaces the declared one, `groups` give the rows of a group one of their own, `review_alarms` sends
    every alarm to a person, `sites` says at which sites the model may run (None: at its own), `notes` bind people, not
    code.
    """

    threshold: float | None = None
    review_alarms: bool = False
    sites: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    groups: tuple[GroupThreshold, ...] = ()

    def as_json(self) -> list[dict[str, object]]:
        """Return the list of `{kind, …}` that a verdict carries; `read_conditions` reads it back."""
        said: list[dict[str, object]] = []
        if self.threshold is not None:
            said.append({"kind": "threshold", "value": self.threshold})
        said.extend(group.as_json() for group in self.groups)
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
        said.extend(
            Sentence(
                en=f"threshold {group.threshold:g} where {group.column} is {group.value}",
                zh=f"{group.column} 为 {group.value} 时阈值 {group.threshold:g}",
            )
            for group in self.groups
        )
        if self.review_alarms:
            said.append(Sentence(en="a person reviews every alarm", zh="每次报警均须人工复核"))
        if self.sites is not None:
            said.append(Sentence(en=f"only at {', '.join(self.sites)}", zh=f"仅限在 {'、'.join(self.sites)} 使用"))
        said.extend(Sentence(en=note, zh=note) for note in self.notes)
        return tuple(said)


def read_conditions(items: Iterable[Mapping[str, object]]) -> Conditions:
    """Read conditions as they come over a door, or those of several people together.

    Sites are those that everyone names; a threshold may be said twice, not two of them.

    Raises
    ------
    Malformed
        With every condition that is unknown or incomplete, or that contradicts another.
    """
    thresholds: list[float] = []
    review = False
    sites: list[tuple[str, ...]] = []
    notes: list[str] = []
    groups: list[GroupThreshold] = []
    faults: list[Sentence] = []
    for item in items:
        kind = item.get("kind")
        value = item.get("value" if kind == "threshold" else "sites" if kind == "sites" else "text")
        if kind == "threshold" and _is_share(value):
            thresholds.append(float(str(value)))
        elif kind == "group_threshold" and _is_group(item):
            column, group = str(item["column"]).strip(), str(item["value"]).strip()
            groups.append(GroupThreshold(column=column, value=group, threshold=float(str(item["threshold"]))))
        elif kind == "review_alarms":
            review = True
        elif kind == "sites" and _is_names(value):
            sites.append(tuple(str(site).strip() for site in _listed(value)))
        elif kind == "note" and isinstance(value, str) and value.strip():
            notes.append(value.strip())
        else:
            faults.append(_unknown(item))
    common = tuple(site for site in sites[0] if all(site in others for others in sites)) if sites else None
    faults += _contradictions(thresholds, sites, common)
    faults += _twice(groups)
    if faults:
        raise Malformed(*faults)
    return Conditions(
        threshold=thresholds[0] if thresholds else None,
        review_alarms=review,
        sites=common,
        notes=tuple(dict.fromkeys(notes)),
        groups=tuple(dict.fromkeys(groups)),
    )


def _unknown(item: Mapping[str, object]) -> Sentence:
    return Sentence(
        en=f"condition {dict(item)!r} is not known or incomplete; expected one of "
        "{kind: threshold, value: 0..1}, {kind: group_threshold, column: …, value: …, threshold: 0..1}, "
        "{kind: review_alarms}, {kind: sites, sites: […]}, {kind: note, text: …}",
        zh=f"条件 {dict(item)!r} 无法识别或不完整；应为 {{kind: threshold, value: 0..1}}、"
        "{kind: group_threshold, column: …, value: …, threshold: 0..1}、"
        "{kind: review_alarms}、{kind: sites, sites: […]} 或 {kind: note, text: …}",
    )


def _contradictions(
    thresholds: list[float], sites: list[tuple[str, ...]], common: tuple[str, ...] | None
) -> list[Sentence]:
    faults = []
    if len(set(thresholds)) > 1:
        said = ", ".join(f"{threshold:g}" for threshold in thresholds)
        faults.append(
            Sentence(
                en=f"the conditions name several thresholds ({said}); agree on one",
                zh=f"各项条件给出了多个阈值（{said}），请统一为一个",
            )
        )
    if common == ():
        said = "; ".join(", ".join(named) for named in sites)
        faults.append(
            Sentence(
                en=f"the conditions name sites that have none in common ({said}); agree on some",
                zh=f"各项条件所列场所没有交集（{said}），请统一",
            )
        )
    return faults


def _twice(groups: list[GroupThreshold]) -> list[Sentence]:
    """Return a fault for every group that is given two thresholds, and for groups by several columns."""
    given: dict[tuple[str, str], set[float]] = {}
    for group in groups:
        given.setdefault((group.column, group.value), set()).add(group.threshold)
    faults = [
        Sentence(
            en=f"the conditions name several thresholds where {column} is {value}; agree on one",
            zh=f"各项条件对 {column} 为 {value} 给出了多个阈值，请统一为一个",
        )
        for (column, value), thresholds in given.items()
        if len(thresholds) > 1
    ]
    columns = sorted({group.column for group in groups})
    if len(columns) > 1:
        faults.append(
            Sentence(
                en=f"the conditions name groups by {' and '.join(columns)}; a row can be of only one group, "
                "use one column",
                zh=f"各项条件按 {'、'.join(columns)} 分组；每行只能属于一组，请只用一列",
            )
        )
    return faults


def condition_from_text(text: str) -> dict[str, object]:
    """Read one condition as the command line takes it.

    Examples
    --------
    >>> condition_from_text("threshold=0.4")
    {'kind': 'threshold', 'value': 0.4}
    >>> condition_from_text("threshold:shift:night=0.3")
    {'kind': 'group_threshold', 'column': 'shift', 'value': 'night', 'threshold': 0.3}
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
    if kind.startswith("threshold:") and value:
        column, _, group = kind.removeprefix("threshold:").partition(":")
        try:
            limit: object = float(value)
        except ValueError:
            limit = value
        return {"kind": "group_threshold", "column": column, "value": group, "threshold": limit}
    if kind == "sites":
        return {"kind": "sites", "sites": [site.strip() for site in value.split(",") if site.strip()]}
    if kind == "review_alarms":
        return {"kind": "review_alarms"}
    return {"kind": "note", "text": text}


def _is_group(item: Mapping[str, object]) -> bool:
    named = all(isinstance(item.get(key), str | int) and str(item[key]).strip() for key in ("column", "value"))
    return named and _is_share(item.get("threshold"))


def _is_share(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 1


def _is_names(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(name, str) and name.strip() for name in value)
    )


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
