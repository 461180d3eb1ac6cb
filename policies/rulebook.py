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
from policies.errors import Malformed, Sentence, refuse_all
from policies.feature_caps import CapRule, CapRules, OnExceed
from policies.impact_matrix import Floor, ImpactMatrix, Option, Question
from policies.permitted_use import PurposeRules
from policies.rulebook_faults import (
    band_faults,
    cap_faults,
    check_faults,
    code_faults,
    disclosure_faults,
    impact_faults,
    monitor_faults,
    permit_faults,
    purpose_faults,
    retention_faults,
    review_faults,
)
from policies.terms import (
    MONITORS,
    REVIEW_WITHIN_HOURS,
    CodeRules,
    DisclosureRules,
    MonitorRules,
    PermitRules,
    RetentionRules,
    ReviewRules,
)
from policies.tiers import Tier

BUILT_IN = Path(__file__).parent / "rules" / "rulebook.toml"
PARTS = (
    "version",
    "title",
    "purposes",
    "impact",
    "caps",
    "deidentification",
    "permits",
    "code",
    "reviews",
    "monitors",
    "retention",
    "disclosures",
    "checks",
)


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
    code: CodeRules
    reviews: ReviewRules
    monitors: MonitorRules
    retention: RetentionRules
    disclosures: DisclosureRules
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
        When it cannot be found or is not TOML, a part is missing, a figure makes no sense, or a rule undoes
        another: a graver answer that lowers a tier, a graver tier that loosens a limit. All faults at once.
    """
    raw = _bytes_of(source) if isinstance(source, Path) else source
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
    refuse_all(dict.fromkeys(_faults(book, document)))
    return book


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Malformed(
            Sentence(
                en=f"the rulebook '{path}' cannot be read: {error.strerror}",
                zh=f"无法读取规则文件“{path}”：{error.strerror}",
            )
        ) from error


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
            forbidden=_texts(deidentification, "forbidden"),
            bands=tuple(
                Band(columns=_texts(band, "columns"), width=float(band["width"]))
                for band in deidentification.get("bands", [])
            ),
            on_forbidden=str(deidentification.get("on_forbidden", "refuse")),
        ),
        permits=_permits(document["permits"]),
        code=_code(document.get("code")),
        reviews=_reviews(document["reviews"]),
        monitors=_monitors(document.get("monitors")),
        retention=_retention(document["retention"]),
        disclosures=DisclosureRules(
            least_cell=int(document["disclosures"]["least_cell"]),
            days_off=_texts(document["disclosures"], "days_off"),
            moved_psi=float(document["disclosures"]["moved_psi"]),
        ),
        checks=MappingProxyType(document["checks"]),
    )


def _faults(book: Rulebook, document: Mapping[str, Any]) -> list[Sentence]:
    return [
        *_unknown(document),
        *purpose_faults(book.purposes),
        *impact_faults(book.impact),
        *cap_faults(book.caps),
        *band_faults(book.deidentification),
        *permit_faults(book.permits),
        *code_faults(book.code),
        *review_faults(book.reviews),
        *monitor_faults(book.monitors),
        *retention_faults(book.retention),
        *disclosure_faults(book.disclosures),
        *check_faults(book.checks),
    ]


def _unknown(document: Mapping[str, Any]) -> list[Sentence]:
    return [
        Sentence(
            en=f"the rulebook has an unknown part '{name}'; expected {', '.join(PARTS)}",
            zh=f"规则文件含有未知部分“{name}”，应为 {'、'.join(PARTS)}",
        )
        for name in document
        if name not in PARTS
    ]


def _sentence(table: Mapping[str, Any]) -> Sentence:
    return Sentence(en=str(table["en"]), zh=str(table["zh"]))


def _sentences(table: Mapping[str, Any]) -> Mapping[str, Sentence]:
    return MappingProxyType({name: _sentence(said) for name, said in table.items()})


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts; one bare text would silently become its letters."""
    value = table[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"'{key}' = {value!r} (expected a list of texts)")
    return tuple(value)


def _whole(table: Mapping[str, Any]) -> Mapping[Tier, int]:
    return MappingProxyType({tier: int(value) for tier, value in _by_tier(table).items()})


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
        tier_from=_whole(table["tier_from"]),
    )


def _caps(table: Mapping[str, Any]) -> CapRules:
    return CapRules(
        features=tuple(
            CapRule(kind=rule["kind"], columns=_texts(rule, "columns"), cap=float(rule["cap"]))
            for rule in table["features"]
        ),
        total=float(table["total"]),
        on_exceed=OnExceed(table["on_exceed"]),
    )


def _permits(table: Mapping[str, Any]) -> PermitRules:
    return PermitRules(
        longest_days=_whole(table["longest_days"]),
        grace_hours=min(float(table["grace_hours"]), 24.0),
        edge_hours=min(float(table.get("edge_hours", 24.0)), 24.0),
        deciders=MappingProxyType({tier: _texts(table["deciders"], tier.name) for tier in Tier}),
        inconclusive=MappingProxyType(_by_tier(table["inconclusive"])),
        blocking=_texts(table, "blocking"),
        longest_delegation_days=int(table.get("longest_delegation_days", 180)),
    )


def _code(table: Mapping[str, Any] | None) -> CodeRules:
    if table is None:
        return CodeRules()
    allowed = table["allow_code"]
    if not isinstance(allowed, bool):  # the text "false" would be taken for yes
        raise ValueError(f"'code.allow_code' = {allowed!r} (expected true or false)")
    return CodeRules(allow_code=allowed, highest_tier=Tier[table["highest_tier"]])


def _monitors(table: Mapping[str, Any] | None) -> MonitorRules:
    if table is None:
        return MonitorRules()
    most = {name: float(limit) for name, limit in table["most"].items()}
    return MonitorRules(
        window_rows=int(table["window_rows"]),
        least_rows=int(table["least_rows"]),
        least_reviews=int(table["least_reviews"]),
        most=MappingProxyType(dict.fromkeys(MONITORS, float("inf")) | most),
        suspends=_texts(table, "suspends"),
    )


def _reviews(table: Mapping[str, Any]) -> ReviewRules:
    figures = {name: int(value) for name, value in table.items() if name != "review_within_hours"}
    hours = _whole(table["review_within_hours"]) if "review_within_hours" in table else REVIEW_WITHIN_HOURS
    return ReviewRules(**figures, review_within_hours=hours)


def _retention(table: Mapping[str, Any]) -> RetentionRules:
    return RetentionRules(
        default_days=int(table["default_days"]),
        floor_days=int(table["floor_days"]),
        floor_months=int(table["floor_months"]),
        ceiling_days=_whole(table["ceiling_days"]),
    )
