"""What makes a rulebook wrong although it can be read: figures that make no sense, rules that undo each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from policies.deidentification import DeidentificationRules
from policies.errors import Sentence
from policies.feature_caps import CapRules
from policies.impact_matrix import ImpactMatrix, Question
from policies.permitted_use import PurposeRules
from policies.roles import Role
from policies.terms import MONITORS, CodeRules, DisclosureRules, MonitorRules, PermitRules, RetentionRules, ReviewRules
from policies.tiers import Tier

NEVER_ALLOWED = ("reward", "punishment", "ranking", "dismissal")
"""Purposes no rulebook may allow: a risk model intervenes, it does not turn on people."""

INCONCLUSIVE = ("note", "reason", "blocks")
"""What a check without a conclusion can mean for approval."""

LEAST_CELL = 11
"""No rulebook publishes counts from 1 to 10."""

ON_FORBIDDEN = ("refuse", "drop")
"""What can be done with a call that brings a forbidden column along."""

RISING, FALLING = ("least_",), ("most_", "longest_")
"""How a limit's name begins that may only rise, or only fall, from tier to tier."""


def purpose_faults(purposes: PurposeRules) -> Iterator[Sentence]:
    """Yield every fault of the purposes."""
    if not purposes.allowed:
        yield Sentence(
            en="purposes.allowed is empty: no model could be approved", zh="purposes.allowed 为空：任何模型都无法获批"
        )
    for name in purposes.allowed:
        if name in NEVER_ALLOWED:
            yield Sentence(
                en=f"purposes.allowed.{name}: no rulebook may allow this; move it to purposes.refused",
                zh=f"purposes.allowed.{name}：任何规则文件都不得允许该用途，请移至 purposes.refused",
            )
        if name in purposes.refused:
            yield Sentence(
                en=f"purpose '{name}' is both allowed and refused; keep one",
                zh=f"用途“{name}”既被允许又被拒绝，只能保留其一",
            )


def impact_faults(matrix: ImpactMatrix) -> Iterator[Sentence]:
    """Yield every way in which a graver answer could lower a tier, and every answer that does not exist."""
    for name in _repeated(question.name for question in matrix.questions):
        yield Sentence(en=f"impact question '{name}' is asked twice", zh=f"影响评估问题“{name}”重复出现")
    for question in matrix.questions:
        yield from _question_faults(question)
    starts = [matrix.tier_from[tier] for tier in Tier]
    if starts != sorted(starts) or starts[0] > 0:
        yield Sentence(
            en=f"impact.tier_from {starts} must rise from 0 at L1",
            zh=f"impact.tier_from {starts} 应从 L1 的 0 递增",
        )
    answers = {question.name: {option.answer for option in question.options} for question in matrix.questions}
    for floor in matrix.floors:
        for name, answer in floor.when.items():
            if answer not in answers.get(name, set()):
                yield Sentence(
                    en=f"impact floor: '{name} = {answer}' is not an answer of this matrix",
                    zh=f"影响评估底线：“{name} = {answer}”不是本矩阵的回答",
                )


def _question_faults(question: Question) -> Iterator[Sentence]:
    if not question.options:
        yield Sentence(
            en=f"impact question '{question.name}' has no options", zh=f"影响评估问题“{question.name}”没有选项"
        )
        return
    for answer in _repeated(option.answer for option in question.options):
        yield Sentence(
            en=f"impact question '{question.name}': the answer '{answer}' is there twice",
            zh=f"影响评估问题“{question.name}”：回答“{answer}”重复出现",
        )
    points = [option.points for option in question.options]
    if points != sorted(points) or points[0] < 0:
        yield Sentence(
            en=f"impact question '{question.name}': points {points} must not fall from mild to grave",
            zh=f"影响评估问题“{question.name}”：分值 {points} 从轻到重不得下降",
        )
    if question.unanswered not in [option.answer for option in question.options]:
        yield Sentence(
            en=f"impact question '{question.name}': unanswered = '{question.unanswered}' is not an option",
            zh=f"影响评估问题“{question.name}”：unanswered = “{question.unanswered}”不在选项中",
        )


def cap_faults(caps: CapRules) -> Iterator[Sentence]:
    """Yield every cap that is not a share. A cap that is not a number would never be exceeded."""
    if not 0.0 <= caps.total <= 1.0:
        yield Sentence(
            en=f"caps.total is {caps.total:g}; a cap is a share in [0, 1]",
            zh=f"caps.total 为 {caps.total:g}，上限应为 [0, 1] 内的份额",
        )
    for rule in caps.features:
        if not 0.0 <= rule.cap <= 1.0:
            yield Sentence(
                en=f"the cap of '{rule.kind}' is {rule.cap:g}; a cap is a share in [0, 1]",
                zh=f"“{rule.kind}”的上限为 {rule.cap:g}，上限应为 [0, 1] 内的份额",
            )
        if not rule.columns:
            yield Sentence(en=f"the cap of '{rule.kind}' names no column", zh=f"“{rule.kind}”的上限没有列出任何列名")


def band_faults(rules: DeidentificationRules) -> Iterator[Sentence]:
    """Yield every band that no number can be rounded to, and what cannot be done with a forbidden column."""
    if rules.on_forbidden not in ON_FORBIDDEN:
        yield Sentence(
            en=f"deidentification.on_forbidden is '{rules.on_forbidden}'; expected one of {', '.join(ON_FORBIDDEN)}",
            zh=f"deidentification.on_forbidden 为“{rules.on_forbidden}”，应为 {'、'.join(ON_FORBIDDEN)} 之一",
        )
    for band in rules.bands:
        if not (math.isfinite(band.width) and band.width > 0):
            names = ", ".join(band.columns)
            yield Sentence(
                en=f"the band of {names} is {band.width:g} wide; a width is a number above 0",
                zh=f"{names} 的分段宽度为 {band.width:g}，宽度应为大于 0 的数值",
            )


def permit_faults(permits: PermitRules) -> Iterator[Sentence]:
    """Yield every fault of the permits' ends, deciders, grace, and treatment of open questions."""
    days = [permits.longest_days[tier] for tier in Tier]
    if min(days) < 1 or days != sorted(days, reverse=True):
        yield Sentence(
            en=f"permits.longest_days {days} must be at least 1 and may not rise from L1 to L4",
            zh=f"permits.longest_days {days} 应不小于 1，且从 L1 到 L4 不得增加",
        )
    if not permits.edge_hours > 0:
        yield Sentence(
            en=f"permits.edge_hours is {permits.edge_hours:g}; expected hours above 0, up to 24",
            zh=f"permits.edge_hours 为 {permits.edge_hours:g}，应大于 0 且不超过 24 小时",
        )
    if not permits.grace_hours >= 0:
        yield Sentence(
            en=f"permits.grace_hours is {permits.grace_hours:g}; expected hours from 0 to 24",
            zh=f"permits.grace_hours 为 {permits.grace_hours:g}，应为 0 至 24 小时",
        )
    if permits.longest_delegation_days < 1:
        yield Sentence(
            en=f"permits.longest_delegation_days is {permits.longest_delegation_days}; expected at least 1",
            zh=f"permits.longest_delegation_days 为 {permits.longest_delegation_days}，授权至少 1 天",
        )
    known = [role.value for role in Role]
    for tier in Tier:
        strange = [role for role in permits.deciders[tier] if role not in known]
        if strange or not permits.deciders[tier]:
            yield Sentence(
                en=f"permits.deciders.{tier}: {', '.join(strange) or 'nobody'} cannot decide; "
                f"name one or more of {', '.join(known)}",
                zh=f"permits.deciders.{tier}：{'、'.join(strange) or '空缺'}，应为 {'、'.join(known)} 中的一个或多个",
            )
        if permits.inconclusive[tier] not in INCONCLUSIVE:
            yield Sentence(
                en=f"permits.inconclusive.{tier} is '{permits.inconclusive[tier]}'; "
                f"expected one of {', '.join(INCONCLUSIVE)}",
                zh=f"permits.inconclusive.{tier} 为“{permits.inconclusive[tier]}”，应为 {'、'.join(INCONCLUSIVE)} 之一",
            )


def code_faults(code: CodeRules) -> Iterator[Sentence]:
    """Yield the fault of a rulebook that would let code decide where it matters most."""
    if code.highest_tier is Tier.L4:
        yield Sentence(
            en="code.highest_tier is L4; no rulebook admits models that are code at L4, expected L1, L2 or L3",
            zh="code.highest_tier 为 L4；L4 级不得使用含代码的模型，应为 L1、L2 或 L3",
        )


def review_faults(reviews: ReviewRules) -> Iterator[Sentence]:
    """Yield every deadline that is over before it begins, every count of nobody, and waits that grow with the tier."""
    hours = [reviews.review_within_hours[tier] for tier in Tier]
    if min(hours) < 1 or hours != sorted(hours, reverse=True):
        yield Sentence(
            en=f"reviews.review_within_hours {hours} must be at least 1 and may not rise from L1 to L4",
            zh=f"reviews.review_within_hours {hours} 应不小于 1，且从 L1 到 L4 不得增加",
        )
    for name in ("least_reviewers", "least_reviews", "hurried_seconds"):
        least = 3 if name == "least_reviewers" else 1  # of two people each knows what the other did
        if getattr(reviews, name) < least:
            yield Sentence(
                en=f"reviews.{name} is {getattr(reviews, name)}; it is at least {least}",
                zh=f"reviews.{name} 为 {getattr(reviews, name)}，不得小于 {least}",
            )
    for name, days in vars(reviews).items():
        if name.endswith("_days") and days < 1:
            yield Sentence(
                en=f"reviews.{name} is {days}; a deadline is at least 1 day",
                zh=f"reviews.{name} 为 {days}，期限至少 1 天",
            )


def disclosure_faults(disclosures: DisclosureRules) -> Iterator[Sentence]:
    """Yield every way in which a publication would show small counts, or could not be scheduled."""
    if disclosures.least_cell < LEAST_CELL:
        yield Sentence(
            en=f"disclosures.least_cell is {disclosures.least_cell}; counts under {LEAST_CELL} are never published",
            zh=f"disclosures.least_cell 为 {disclosures.least_cell}，小于 {LEAST_CELL} 的计数不得公布",
        )
    for day in disclosures.days_off:
        if not _is_day(day):
            yield Sentence(
                en=f"disclosures.days_off has '{day}'; write a day of the year as MM-DD",
                zh=f"disclosures.days_off 含“{day}”，日期请写作 MM-DD",
            )
    if not math.isfinite(disclosures.moved_psi) or disclosures.moved_psi <= 0:
        yield Sentence(
            en=f"disclosures.moved_psi is {disclosures.moved_psi}; it must be above 0",
            zh=f"disclosures.moved_psi 为 {disclosures.moved_psi}，应大于 0",
        )


def _is_day(text: str) -> bool:
    try:
        return f"{datetime.strptime(f'2024-{text}', '%Y-%m-%d').replace(tzinfo=UTC):%m-%d}" == text
    except ValueError:
        return False


def monitor_faults(monitors: MonitorRules) -> Iterator[Sentence]:
    """Yield every monitor that does not exist, and every window or limit that could never be met."""
    for name in (*monitors.most, *monitors.suspends):
        if name not in MONITORS:
            yield Sentence(
                en=f"monitors: there is no monitor '{name}'; there are {', '.join(MONITORS)}",
                zh=f"monitors：没有监测项“{name}”，应为 {'、'.join(MONITORS)}",
            )
    for name, limit in monitors.most.items():
        if not limit > 0:
            yield Sentence(
                en=f"monitors.most.{name} is {limit:g}; a limit is above 0",
                zh=f"monitors.most.{name} 为 {limit:g}，应大于 0",
            )
    if not 0 < monitors.least_rows <= monitors.window_rows or monitors.least_reviews < 1:
        yield Sentence(
            en=f"monitors: least_rows {monitors.least_rows} must be above 0 and at most window_rows "
            f"{monitors.window_rows}, least_reviews {monitors.least_reviews} at least 1",
            zh=f"monitors：least_rows {monitors.least_rows} 应大于 0 且不超过 window_rows {monitors.window_rows}，"
            f"least_reviews {monitors.least_reviews} 不得小于 1",
        )


def retention_faults(retention: RetentionRules) -> Iterator[Sentence]:
    """Yield every way in which traces would be kept too short, or their default longer than allowed."""
    if retention.floor_days < 180 or retention.floor_months < 6:
        yield Sentence(
            en=f"retention floor {retention.floor_days} days, {retention.floor_months} months: "
            "it may not be under 180 days and 6 calendar months",
            zh=f"保存下限为 {retention.floor_days} 天、{retention.floor_months} 个月，不得低于 180 天及 6 个日历月",
        )
    if retention.default_days < retention.floor_days:
        yield Sentence(
            en=f"retention default {retention.default_days} days is under its floor {retention.floor_days}",
            zh=f"默认保存 {retention.default_days} 天，低于下限 {retention.floor_days} 天",
        )
    for tier in Tier:
        if retention.ceiling_days[tier] < retention.default_days:
            yield Sentence(
                en=f"retention ceiling at {tier} is {retention.ceiling_days[tier]} days, "
                f"under the default of {retention.default_days}",
                zh=f"{tier} 的保存上限为 {retention.ceiling_days[tier]} 天，低于默认的 {retention.default_days} 天",
            )


def check_faults(checks: Mapping[str, Any]) -> Iterator[Sentence]:
    """Yield every section that is no table, and every limit that a graver tier would loosen."""
    for check, table in checks.items():
        if not isinstance(table, Mapping):
            yield Sentence(
                en=f"checks.{check} must be a table, found {table!r}", zh=f"checks.{check} 应为表，实际为 {table!r}"
            )
            continue
        own = {key: value for key, value in table.items() if key not in Tier.__members__}
        levels: list[tuple[str, Mapping[str, Any]]] = [("all tiers", own)]
        for tier in Tier:
            levels.append((str(tier), {**levels[-1][1], **table.get(tier.name, {})}))
        for (_, below), (name, above) in pairwise(levels):
            yield from _loosened(f"checks.{check}.{name}", below, above)


def _loosened(where: str, below: Mapping[str, Any], above: Mapping[str, Any]) -> Iterator[Sentence]:
    for key in below.keys() & above.keys():
        before, now = below[key], above[key]
        if not all(isinstance(value, int | float) for value in (before, now)):
            continue
        if (key.startswith(RISING) and now < before) or (key.startswith(FALLING) and now > before):
            yield Sentence(
                en=f"{where}.{key} is {now:g}, laxer than {before:g} below it; a graver tier may only be stricter",
                zh=f"{where}.{key} 为 {now:g}，比较低等级的 {before:g} 更宽松，等级越高只能越严格",
            )


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
