"""The rulebook: one TOML file with a digest, read into one frozen value that every trace names."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.deidentification import Band, DeidentificationRules
from policies.errors import Malformed, Sentence
from policies.feature_caps import CapRule, CapRules, OnExceed
from policies.impact_matrix import Floor, ImpactMatrix, Option, Question
from policies.permitted_use import PurposeRules
from policies.tiers import Tier

BUILT_IN = Path(__file__).parent / "rules" / "rulebook.toml"


@dataclass(frozen=True, kw_only=True)
class PermitRules:
    """How long a permit may run by tier, who decides, which findings stand in the way of any approval, and
    what a check without a conclusion means: "note", "reason" or "blocks"."""

    longest_days: Mapping[Tier, int]
    grace_hours: float
    deciders: Mapping[Tier, tuple[str, ...]]
    inconclusive: Mapping[Tier, str]
    blocking: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RetentionRules:
    """Days a trace is kept: default, floor (days and calendar months, the longer holds), ceiling by tier."""

    default_days: int
    floor_days: int
    floor_months: int
    ceiling_days: Mapping[Tier, int]


@dataclass(frozen=True, kw_only=True)
class ReviewRules:
    """Deadlines, in days, for appeals and explanations."""

    appeal_within_days: int
    answer_appeal_days: int
    explain_within_days: int


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """All rules in force. `digest` is the SHA-256 of the file's bytes, in hex."""

    version: str
    title: Sentence
    digest: str
    source: bytes
    purposes: PurposeRules
    impact: ImpactMatrix
    caps: CapRules
    deidentification: DeidentificationRules
    permits: PermitRules
    reviews: ReviewRules
    retention: RetentionRules
    checks: Mapping[str, Mapping[str, Any]]

    def limits(self, check: str, tier: Tier) -> Mapping[str, Any]:
        """Return the limits of one check at one tier: those for all tiers, overridden up to this tier.

        A limit set for L3 holds at L4 too unless L4 sets its own. Raises KeyError for an unknown check.
        """
        table = self.checks[check]
        limits = {key: value for key, value in table.items() if key not in Tier.__members__}
        for member in Tier:
            if member <= tier:
                limits.update(table.get(member.name, {}))
        return MappingProxyType(limits)


def read_rulebook(source: Path | bytes = BUILT_IN) -> Rulebook:
    """Read a rulebook from a file or from its bytes.

    Raises
    ------
    Malformed
        When it is not TOML, a part is missing, or the impact matrix could lower a tier on a graver answer.
    """
    raw = source.read_bytes() if isinstance(source, Path) else source
    try:
        document = tomllib.loads(raw.decode("utf-8"))
        book = _build(document, raw)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Malformed(
            Sentence(en=f"the rulebook is not valid TOML: {error}", zh=f"规则文件不是合法的 TOML：{error}")
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(
            Sentence(
                en=f"the rulebook lacks or misstates {error}; compare it with policies/rules/rulebook.toml",
                zh=f"规则文件缺少或写错了 {error}，请对照 policies/rules/rulebook.toml",
            )
        ) from error
    faults = [*_impact_faults(book.impact), *_retention_faults(book.retention)]
    if faults:
        raise Malformed(*faults)
    return book


def _build(document: dict[str, Any], raw: bytes) -> Rulebook:
    purposes = document["purposes"]
    deidentification = document["deidentification"]
    return Rulebook(
        version=str(document["version"]),
        title=_sentence(document["title"]),
        digest=hashlib.sha256(raw).hexdigest(),
        source=raw,
        purposes=PurposeRules(
            allowed=_sentences(purposes["allowed"]),
            refused=_sentences(purposes.get("refused", {})),
        ),
        impact=_impact(document["impact"]),
        caps=_caps(document["caps"]),
        deidentification=DeidentificationRules(
            forbidden=tuple(deidentification["forbidden"]),
            bands=tuple(
                Band(columns=tuple(band["columns"]), width=float(band["width"]))
                for band in deidentification.get("bands", [])
            ),
        ),
        permits=_permits(document["permits"]),
        reviews=ReviewRules(**document["reviews"]),
        retention=_retention(document["retention"]),
        checks=MappingProxyType(document["checks"]),
    )


def _sentence(table: Mapping[str, Any]) -> Sentence:
    return Sentence(en=str(table["en"]), zh=str(table["zh"]))


def _sentences(table: Mapping[str, Any]) -> Mapping[str, Sentence]:
    return MappingProxyType({name: _sentence(said) for name, said in table.items()})


def _by_tier(table: Mapping[str, Any]) -> dict[Tier, Any]:
    return {tier: table[tier.name] for tier in Tier}


def _impact(table: Mapping[str, Any]) -> ImpactMatrix:
    return ImpactMatrix(
        questions=tuple(
            Question(
                name=question["name"],
                asks=_sentence(question),
                options=tuple(
                    Option(answer=option["answer"], points=int(option["points"]), says=_sentence(option))
                    for option in question["options"]
                ),
                unanswered=question["unanswered"],
            )
            for question in table["questions"]
        ),
        floors=tuple(
            Floor(when=MappingProxyType(dict(floor["when"])), tier=Tier[floor["tier"]], says=_sentence(floor))
            for floor in table["floors"]
        ),
        tier_from=MappingProxyType(_by_tier(table["tier_from"])),
    )


def _caps(table: Mapping[str, Any]) -> CapRules:
    return CapRules(
        features=tuple(
            CapRule(kind=rule["kind"], columns=tuple(rule["columns"]), cap=float(rule["cap"]))
            for rule in table["features"]
        ),
        total=float(table["total"]),
        on_exceed=OnExceed(table["on_exceed"]),
    )


def _permits(table: Mapping[str, Any]) -> PermitRules:
    return PermitRules(
        longest_days=MappingProxyType(_by_tier(table["longest_days"])),
        grace_hours=min(float(table["grace_hours"]), 24.0),
        deciders=MappingProxyType({tier: tuple(roles) for tier, roles in _by_tier(table["deciders"]).items()}),
        inconclusive=MappingProxyType(_by_tier(table["inconclusive"])),
        blocking=tuple(table["blocking"]),
    )


def _retention(table: Mapping[str, Any]) -> RetentionRules:
    return RetentionRules(
        default_days=int(table["default_days"]),
        floor_days=int(table["floor_days"]),
        floor_months=int(table["floor_months"]),
        ceiling_days=MappingProxyType(_by_tier(table["ceiling_days"])),
    )


def _impact_faults(matrix: ImpactMatrix) -> list[Sentence]:
    faults = []
    names = {question.name: question for question in matrix.questions}
    for question in matrix.questions:
        points = [option.points for option in question.options]
        if points != sorted(points) or min(points) < 0:
            faults.append(
                Sentence(
                    en=f"impact question '{question.name}': points {points} must not fall from mild to grave",
                    zh=f"影响评估问题“{question.name}”：分值 {points} 从轻到重不得下降",
                )
            )
        if question.unanswered not in [option.answer for option in question.options]:
            faults.append(
                Sentence(
                    en=f"impact question '{question.name}': unanswered = '{question.unanswered}' is not an option",
                    zh=f"影响评估问题“{question.name}”：unanswered = “{question.unanswered}”不在选项中",
                )
            )
    starts = [matrix.tier_from[tier] for tier in Tier]
    if starts != sorted(starts) or starts[0] > 0:
        faults.append(
            Sentence(
                en=f"impact.tier_from {starts} must rise from 0 at L1",
                zh=f"impact.tier_from {starts} 应从 L1 的 0 递增",
            )
        )
    for floor in matrix.floors:
        for name, answer in floor.when.items():
            if name not in names or answer not in [option.answer for option in names[name].options]:
                faults.append(
                    Sentence(
                        en=f"impact floor: '{name} = {answer}' is not an answer of this matrix",
                        zh=f"影响评估底线：“{name} = {answer}”不是本矩阵的回答",
                    )
                )
    return faults


def _retention_faults(retention: RetentionRules) -> list[Sentence]:
    faults = []
    if retention.floor_days < 180 or retention.floor_months < 6:
        faults.append(
            Sentence(
                en=f"retention floor {retention.floor_days} days, {retention.floor_months} months: "
                "it may not be under 180 days and 6 calendar months",
                zh=f"保存下限为 {retention.floor_days} 天、{retention.floor_months} 个月，不得低于 180 天及 6 个日历月",
            )
        )
    if retention.default_days < retention.floor_days:
        faults.append(
            Sentence(
                en=f"retention default {retention.default_days} days is under its floor {retention.floor_days}",
                zh=f"默认保存 {retention.default_days} 天，低于下限 {retention.floor_days} 天",
            )
        )
    return faults
