"""Does what was permitted still hold under other rules? Judged from what is kept: answers, findings, approvals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from governance.permits import Permit
from governance.rulebooks import Rulebooks
from governance.submissions import SubmissionRecord
from policies.declaration import Flavour
from policies.deidentification import plan_for
from policies.errors import Fault, Sentence
from policies.feature_caps import caps_for
from policies.impact_matrix import assess
from policies.permitted_use import PurposeRefused, require_permitted
from policies.revisions import Direction, direction_of
from policies.rulebook import Rulebook
from policies.rulebook_faults import RISING
from policies.tiers import Tier

FeaturesOf = Callable[[SubmissionRecord], tuple[str, ...]]
"""Names the features of a registered model."""


@dataclass(frozen=True, kw_only=True)
class Failing:
    """One thing that no longer holds. `passable`: an officer may let it pass, with a reason."""

    says: Sentence
    passable: bool


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one submission stands under a rulebook.

    `fails` is what demonstrably no longer holds, `open` what has to be examined again to know; `tier` is the tier
    under these rules.
    """

    submission: str
    model: str
    version: str
    site: str
    tier: Tier
    fails: tuple[Failing, ...]
    open: tuple[Sentence, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing demonstrably fails."""
        return not self.fails

    @property
    def impassable(self) -> tuple[Sentence, ...]:
        """What no reason passes."""
        return tuple(failing.says for failing in self.fails if not failing.passable)

    def as_json(self) -> dict[str, object]:
        """Return the standing as JSON values."""
        return {
            "submission": self.submission,
            "model": self.model,
            "version": self.version,
            "site": self.site,
            "tier": str(self.tier),
            "holds": self.holds,
            "fails": [{**failing.says.as_json(), "passable": failing.passable} for failing in self.fails],
            "open": [sentence.as_json() for sentence in self.open],
        }


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is judged: a submission with its model's features, the tier and the rules it was judged by before.

    `since` is when its permit began; None while it has none, then nobody's approval is asked for.
    """

    record: SubmissionRecord
    features: tuple[str, ...]
    tier: Tier
    before: Rulebook
    since: datetime | None = None


def standing_under(
    rules: Rulebook,
    rulebooks: Rulebooks,
    record: SubmissionRecord,
    permit: Permit | None,
    features_of: FeaturesOf,
    now: datetime,
) -> Standing | None:
    """Return how a submission stands under `rules`; None when the rulebook it was examined under is not kept.

    With a permit, also its end and the approvals it rests on are judged, and what failed already when it was given is
    left out: somebody let that pass, with a reason.
    """
    before = rulebooks.by_digest(record.rulebook_digest)
    if before is None:
        return None
    judged = Judged(
        record=record,
        features=features_of(record),
        tier=permit.tier if permit is not None else record.tier,
        before=before,
        since=permit.since if permit is not None else None,
    )
    found = rejudge(judged, rules, now)
    given = rulebooks.by_digest(permit.rulebook_digest) if permit is not None else None
    if permit is None or given is None:
        return found
    accepted = rejudge(judged, given, permit.since)
    return replace(
        found,
        fails=tuple(failing for failing in found.fails if failing not in accepted.fails),
        open=tuple(sentence for sentence in found.open if sentence not in accepted.open),
    )


def outdated(
    rulebooks: Rulebooks, record: SubmissionRecord, permit: Permit | None, features_of: FeaturesOf, now: datetime
) -> tuple[Sentence, ...]:
    """Return what no longer holds since the rules, or the tier, changed for which a submission was examined.

    With a permit, since the rules changed under which it was given.
    """
    rules = rulebooks.in_force()
    under = permit.rulebook_digest if permit is not None else record.rulebook_digest
    if under == rules.digest and record.tier is record.assessment.tier:
        return ()
    standing = standing_under(rules, rulebooks, record, permit, features_of, now)
    if standing is not None:
        return standing.impassable
    return (
        Sentence(
            en="it was examined under a rulebook that is not kept here; hand it in again",
            zh="检查时所依据的规则文件未保存于此，请重新提交",
        ),
    )


def rejudge(judged: Judged, rules: Rulebook, now: datetime) -> Standing:
    """Return how a submission stands under `rules`. Nothing is run: the rows it was examined on are not kept."""
    record = judged.record
    tier, fails = _tier(judged, rules)
    fails += [
        *_purpose(record, rules),
        *_code(record, rules, tier),
        *_deidentification(judged, rules),
        *_open_findings(judged, rules, tier),
    ]
    if judged.since is not None:
        fails += [*_approvals(record, rules, tier), *_end(judged.since, rules, tier, now)]
    limits = list(_limits(judged, rules, tier))
    fails += [found for found in limits if isinstance(found, Failing)]
    left = [found for found in limits if isinstance(found, Sentence)]
    return Standing(
        submission=record.id,
        model=record.model,
        version=record.version,
        site=record.site,
        tier=tier,
        fails=tuple(fails),
        open=(*left, *_caps(judged, rules)),
    )


def _tier(judged: Judged, rules: Rulebook) -> tuple[Tier, list[Failing]]:
    record = judged.record
    try:
        found = assess(rules.impact, record.declaration.impact).tier
    except Fault as fault:
        return judged.tier, [
            _never(
                f"its impact answers do not fit these rules ({fault.says.en}); hand it in again",
                f"其影响评估的回答不适用于现行规则（{fault.says.zh}），请重新提交",
            )
        ]
    # People may have put the tier above the matrix, or, two of them, below it: that stays while the answer is the same.
    tier = record.tier if found is record.assessment_now.tier else max(found, record.tier)
    if tier <= judged.tier:
        return judged.tier, []
    said = _never(
        f"it is {tier} under these rules and was judged as {judged.tier}; raise its tier, or hand it in again",
        f"按现行规则其等级为 {tier}，而当时按 {judged.tier} 评定；请提高等级或重新提交",
    )
    return tier, [said]


def _purpose(record: SubmissionRecord, rules: Rulebook) -> Iterator[Failing]:
    try:
        require_permitted(record.declaration.use.purpose, rules.purposes)
    except PurposeRefused as refused:
        yield Failing(says=refused.says, passable=False)


def _code(record: SubmissionRecord, rules: Rulebook, tier: Tier) -> Iterator[Failing]:
    if record.declaration.model.flavour is Flavour.PYTHON and not rules.code.admits(tier):
        yield _never(
            f"it is code, and these rules admit no code at {tier}; hand in a model that is data",
            f"该模型含代码，而现行规则不允许 {tier} 级使用含代码的模型，请提交不含代码的模型",
        )


def _deidentification(judged: Judged, rules: Rulebook) -> Iterator[Failing]:
    plan, before = (plan_for(judged.features, book.deidentification) for book in (rules, judged.before))
    for name in plan.forbidden:
        yield _never(
            f"its feature '{name}' identifies a person under these rules",
            f"按现行规则，其特征“{name}”可识别个人身份",
        )
    if plan.bands != before.bands:
        yield _never(
            "these rules band its features otherwise than it was examined with; hand it in again",
            "现行规则对其特征的分段与检查时不同，请重新提交",
        )


def _open_findings(judged: Judged, rules: Rulebook, tier: Tier) -> Iterator[Failing]:
    for finding in judged.record.findings:
        check = finding["check"]
        if (
            finding["holds"] is False
            and check in rules.permits.blocking
            and check not in judged.before.permits.blocking
        ):
            yield _never(
                f"{check} does not hold, and under these rules no reason passes that",
                f"{check} 不符合要求，按现行规则不得以任何理由放行",
            )
    blocks = [book.permits.inconclusive[at] == "blocks" for book, at in ((judged.before, judged.tier), (rules, tier))]
    unsure = sorted({finding["check"] for finding in judged.record.findings if finding["holds"] is None})
    if blocks == [False, True] and unsure:
        yield _never(
            f"{', '.join(unsure)} could not conclude, which stands in the way under these rules",
            f"{'、'.join(unsure)} 无法得出结论，按现行规则不能放行",
        )


def _approvals(record: SubmissionRecord, rules: Rulebook, tier: Tier) -> Iterator[Failing]:
    approved = {verdict.stands_for for verdict in record.approvals}
    missing = [role for role in rules.permits.deciders[tier] if role not in approved]
    if missing:
        yield _never(
            f"{tier} asks for an approval by {' and '.join(missing)} under these rules",
            f"按现行规则，{tier} 级须由 {'、'.join(missing)} 批准",
        )


def _end(since: datetime, rules: Rulebook, tier: Tier, now: datetime) -> Iterator[Failing]:
    last = since + timedelta(days=rules.permits.longest_days[tier])
    if last <= now:
        yield _never(
            f"a permit at {tier} ends after {rules.permits.longest_days[tier]} days under these rules: "
            f"on {last:%Y-%m-%d}",
            f"按现行规则，{tier} 级许可最长 {rules.permits.longest_days[tier]} 天，已于 {last:%Y-%m-%d} 届满",
        )


def _limits(judged: Judged, rules: Rulebook, tier: Tier) -> Iterator[Failing | Sentence]:
    for check in sorted({finding["check"] for finding in judged.record.findings}):
        before = judged.before.limits(check, judged.record.assessment.tier) if check in judged.before.checks else {}
        after = rules.limits(check, tier) if check in rules.checks else {}
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key), after.get(key)
            moved = direction_of(f"checks.{check}.{key}", old, new)
            if old == new or moved is Direction.LAXER:
                continue
            yield from _limit(judged.record, check, key, old, new, check not in rules.permits.blocking)


def _limit(
    record: SubmissionRecord, check: str, key: str, old: object, new: object, passable: bool
) -> Iterator[Failing | Sentence]:
    """Yield what a limit that moved does: measured against it where a finding was, else it has to be examined again."""
    measured = [
        finding
        for finding in record.findings
        if finding["check"] == check and _same(finding["limit"], old) and _is_number(finding["measured"])
    ]
    if not measured or not _is_number(new):
        yield Sentence(
            en=f"{check}: {key} becomes {new} (was {old}); what is kept does not tell whether it holds",
            zh=f"{check}：{key} 由 {old} 改为 {new}，依据已存结果无法判断是否符合",
        )
        return
    for finding in measured:
        if finding["holds"] is True and not _holds(key, finding, float(str(new))):
            yield Failing(
                says=Sentence(
                    en=f"{check}: measured {finding['measured']:.4g}, {key} is now {new} (was {old})",
                    zh=f"{check}：实测 {finding['measured']:.4g}，{key} 由 {old} 改为 {new}",
                ),
                passable=passable,
            )


def _caps(judged: Judged, rules: Rulebook) -> Iterator[Sentence]:
    before, after = (caps_for(judged.features, book.caps, judged.record.declaration) for book in (judged.before, rules))
    tightened = [name for name, cap in after.caps.items() if cap < before.caps.get(name, 1.0)]
    if tightened or (after.total or 1.0) < (before.total or 1.0):
        yield Sentence(
            en=f"the caps of {', '.join(tightened) or 'all capped features together'} are stricter: they are held in "
            "every decision from now on; how much that changes was not measured",
            zh=f"{'、'.join(tightened) or '全部受限特征合计'} 的权重上限收紧："
            "自此每次决策均按新上限执行，影响幅度尚未测量",
        )


def _holds(key: str, finding: Mapping[str, Any], limit: float) -> bool:
    measured = float(finding["measured"])
    return measured >= limit if key.startswith(RISING) else measured <= limit


def _same(limit: object, old: object) -> bool:
    return _is_number(limit) and _is_number(old) and math.isclose(float(str(limit)), float(str(old)), rel_tol=1e-12)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _never(en: str, zh: str) -> Failing:
    return Failing(says=Sentence(en=en, zh=zh), passable=False)
