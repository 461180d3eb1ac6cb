"""The revision table of a pack or a rulebook: old, new, what it means for which rule, who acts by when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from policies.errors import Sentence
from policies.regulations import Clause, Measure, Pack
from policies.revisions import Difference, Direction


class Kind(StrEnum):
    """What happened to a clause or a rule."""

    ADDED = "added"
    REMOVED = "removed"
    STRICTER = "stricter"
    LOOSER = "looser"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One line of a revision table.

    `place` is the clause's id or the rule's dotted path, `article` how people call it; `old` and `new` are None where
    there was or is nothing; `means` says what it comes to; `rules` are the controls and rules it touches; `who` is the
    role that acts, `by` the day until when.
    """

    place: str
    article: Sentence
    kind: Kind
    old: Sentence | None
    new: Sentence | None
    means: Sentence
    rules: tuple[str, ...]
    who: str
    by: date

    def as_json(self) -> dict[str, object]:
        """Return the line as JSON and as the log seals it."""
        return {
            "place": self.place,
            "article": self.article.as_json(),
            "kind": self.kind.value,
            "old": self.old.as_json() if self.old else None,
            "new": self.new.as_json() if self.new else None,
            "means": self.means.as_json(),
            "rules": list(self.rules),
            "who": self.who,
            "by": self.by.isoformat(),
        }


# ── Packs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def pack_changes(old: Pack | None, new: Pack, day: date) -> tuple[Change, ...]:
    """Return what changed from one version of a pack to the next; without an old one every clause is new.

    A change is due on the day its clause applies, and not before the days the pack gives the company from `day` on.
    """
    before = {} if old is None else {clause.id: clause for clause in old.clauses}
    after = {clause.id: clause for clause in new.clauses}
    changes = []
    for name in (*after, *(name for name in before if name not in after)):
        change = _clause_change(before.get(name), after.get(name), day, new.act_within_days)
        if change is not None:
            changes.append(change)
    return tuple(changes)


def _clause_change(old: Clause | None, new: Clause | None, day: date, days: int) -> Change | None:
    if old == new:
        return None
    said = new or old
    assert said is not None, "one of the two is there"
    kind, means = _clause_meaning(old, new)
    measures = (*(old.measures if old else ()), *(new.measures if new else ()))
    return Change(
        place=said.id,
        article=said.article,
        kind=kind,
        old=None if old is None else _clause_told(old),
        new=None if new is None else _clause_told(new),
        means=means,
        rules=tuple(dict.fromkeys(f"{measure.means.value}: {measure.name}" for measure in measures)),
        who=said.asks_of,
        by=max(said.since, day + timedelta(days=days)),
    )


def _clause_told(clause: Clause) -> Sentence:
    """Return a clause as a table shows it: what it asks, its figures, from when."""
    figures = ", ".join(f"{name} = {value}" for name, value in clause.figures.items())
    return Sentence(
        en=f"{clause.says.en}{f' [{figures}]' if figures else ''} (from {clause.since})",
        zh=f"{clause.says.zh}{f'［{figures}］' if figures else ''}（自 {clause.since} 起）",
    )


def _clause_meaning(old: Clause | None, new: Clause | None) -> tuple[Kind, Sentence]:
    if new is None:
        return Kind.REMOVED, Sentence(
            en="nothing is asked any more; the controls may stay", zh="不再有此要求，相应措施可以保留"
        )
    if old is None:
        return Kind.ADDED, _all(
            [
                Sentence(en=f"answered by {measure.says.en}", zh=f"落实方式：{measure.says.zh}")
                for measure in new.measures
            ]
        )
    told = list(_measures_told(old, new))
    if old.says != new.says:
        told.insert(0, Sentence(en="what is asked reads differently", zh="要求的表述有变化"))
    if old.figures != new.figures:
        told.append(Sentence(en="its figures changed", zh="条款数值有变化"))
    if (old.since, old.until, old.standing) != (new.since, new.until, new.standing):
        told.append(
            Sentence(
                en=f"applies from {new.since} instead of {old.since} ({new.standing.value})",
                zh=f"适用日期由 {old.since} 改为 {new.since}（{new.standing.value}）",
            )
        )
    if (old.scope, old.tiers, old.when) != (new.scope, new.tiers, new.when):
        told.append(Sentence(en="it asks other models or other companies", zh="适用的模型或企业范围有变化"))
    if not told:
        told.append(Sentence(en="only its wording or its source changed", zh="仅文字或出处有变化"))
    return _kind(old, new), _all(told)


def _measures_told(old: Clause, new: Clause) -> Iterator[Sentence]:
    before = {(measure.means, measure.name): measure for measure in old.measures}
    after = {(measure.means, measure.name): measure for measure in new.measures}
    for key, measure in after.items():
        if key not in before:
            yield Sentence(
                en=f"now also answered by {measure.means.value} '{measure.name}'",
                zh=f"新增落实方式：{measure.means.value}“{measure.name}”",
            )
        elif _bounds(before[key]) != _bounds(measure):
            yield Sentence(
                en=f"{measure.means.value} '{measure.name}' must be {_bounds_told(measure)[0]} "
                f"instead of {_bounds_told(before[key])[0]}",
                zh=f"{measure.means.value}“{measure.name}”由{_bounds_told(before[key])[1]}"
                f"改为{_bounds_told(measure)[1]}",
            )
    for key, measure in before.items():
        if key not in after:
            yield Sentence(
                en=f"no longer answered by {measure.means.value} '{measure.name}'",
                zh=f"不再以 {measure.means.value}“{measure.name}”落实",
            )


def _bounds(measure: Measure) -> tuple[float | None, float | None, int | None, str | None, bool]:
    return measure.at_least, measure.at_most, measure.within_days, measure.flag, measure.per_model


def _bounds_told(measure: Measure) -> tuple[str, str]:
    said = []
    if measure.at_least is not None:
        said.append((f"at least {measure.at_least:g}", f"不低于 {measure.at_least:g}"))
    if measure.at_most is not None:
        said.append((f"at most {measure.at_most:g}", f"不高于 {measure.at_most:g}"))
    if measure.within_days is not None:
        said.append((f"within {measure.within_days} days", f"{measure.within_days} 天内"))
    return (" and ".join(en for en, _ in said), "且".join(zh for _, zh in said)) if said else ("there", "存在即可")


def _kind(old: Clause, new: Clause) -> Kind:
    """Stricter or looser where every difference points one way; else merely changed."""
    before = {(measure.means, measure.name): measure for measure in old.measures}
    after = {(measure.means, measure.name): measure for measure in new.measures}
    ways = {Kind.STRICTER for key in after if key not in before} | {Kind.LOOSER for key in before if key not in after}
    for key in before.keys() & after.keys():
        one, other = before[key], after[key]
        ways |= _way(one.at_least, other.at_least, up=Kind.STRICTER)
        ways |= _way(one.at_most, other.at_most, up=Kind.LOOSER)
        ways |= _way(one.within_days, other.within_days, up=Kind.LOOSER)
    return ways.pop() if len(ways) == 1 else Kind.CHANGED


def _way(old: float | None, new: float | None, *, up: Kind) -> set[Kind]:
    if old == new:
        return set()
    if old is None:
        return {Kind.STRICTER}
    if new is None:
        return {Kind.LOOSER}
    down = Kind.LOOSER if up is Kind.STRICTER else Kind.STRICTER
    return {up if new > old else down}


# ── Rulebooks ─────────────────────────────────────────────────────────────────────────────────────────────────────

KINDS = {Direction.STRICTER: Kind.STRICTER, Direction.LAXER: Kind.LOOSER, Direction.OTHER: Kind.CHANGED}


def rule_changes(differences: Iterable[Difference], by: date) -> tuple[Change, ...]:
    """Return the differences of two rulebooks as lines of a revision table, due by a day."""
    return tuple(_rule_change(difference, by) for difference in differences)


def _rule_change(found: Difference, by: date) -> Change:
    kind = KINDS[found.direction]
    return Change(
        place=found.path,
        article=Sentence(en=found.path, zh=found.path),
        kind=Kind.ADDED if found.old is None else Kind.REMOVED if found.new is None else kind,
        old=None if found.old is None else _value_told(found.old),
        new=None if found.new is None else _value_told(found.new),
        means=_rule_meaning(found.path, kind),
        rules=(found.path,),
        who="dso",
        by=by,
    )


def _rule_meaning(path: str, kind: Kind) -> Sentence:
    part, _, rest = path.partition(".")
    check = rest.partition(".")[0]
    whom = {
        "checks": Sentence(en=f"models are held to other limits of {check}", zh=f"模型须按 {check} 的新限值检查"),
        "caps": Sentence(en="personal features may weigh another share", zh="个人特征的比重上限有变化"),
        "impact": Sentence(en="tiers may come out differently", zh="等级评定结果可能变化"),
        "purposes": Sentence(en="other purposes are served or refused", zh="允许或拒绝的用途有变化"),
        "permits": Sentence(en="permits are given otherwise", zh="许可的发放条件有变化"),
        "code": Sentence(en="models that are code are opened or refused", zh="含代码的模型是否接收有变化"),
        "reviews": Sentence(en="people are answered within other days", zh="答复期限有变化"),
        "retention": Sentence(en="records are kept for other days", zh="记录保存天数有变化"),
        "deidentification": Sentence(en="other columns are kept out or banded", zh="去标识化的列有变化"),
    }.get(part, Sentence(en="the rulebook reads differently", zh="规则文字有变化"))
    if kind is Kind.STRICTER:
        return Sentence(
            en=f"stricter: {whom.en}; permits at work are held against it", zh=f"收紧：{whom.zh}，在用许可按此重新比对"
        )
    return whom


def _value_told(value: object) -> Sentence:
    if isinstance(value, list):
        shown = ", ".join(str(item) for item in value)
        return Sentence(en=shown, zh=shown)
    return Sentence(en=str(value), zh=str(value))


def _all(said: list[Sentence]) -> Sentence:
    return Sentence(en="; ".join(each.en for each in said), zh="；".join(each.zh for each in said))
