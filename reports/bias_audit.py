"""The summary of a bias audit for publication, in the fields that NYC Local Law 144 asks for.

It exists only whole: whatever is missing is named at once. Ratios are computed here from counts against the highest
rate among the categories that were not left out, so a ratio above one cannot come to be.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from policies.errors import Sentence, refuse_all
from reports import evidence
from reports.cells import table_of_lines
from reports.pdf import Cover, Pages
from reports.plain_text import visible
from reports.wording import Language, as_day, as_percent, name_of, say

FORMAT = 1
"""Format of `BiasAudit.as_json`. Raise it when a key changes its meaning."""

BETWEEN = " × "
"""What joins two columns and two categories in an intersection."""


@dataclass(frozen=True, kw_only=True)
class AuditWords:
    """What people have to say for an audit to be published; the numbers come from the findings.

    `selected` says which answer selects a person: "alarm" or "no_alarm". `sex` and `race_ethnicity` name columns.
    """

    audit_date: date
    auditor: str
    data_kind: str
    data_source: str
    data_why: str
    distribution_date: date
    selected: str
    sex: str
    race_ethnicity: str
    left_out_why: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the words as JSON."""
        return {
            "audit_date": self.audit_date.isoformat(),
            "auditor": self.auditor,
            "data_kind": self.data_kind,
            "data_source": self.data_source,
            "data_why": self.data_why,
            "distribution_date": self.distribution_date.isoformat(),
            "selected": self.selected,
            "sex": self.sex,
            "race_ethnicity": self.race_ethnicity,
            "left_out_why": self.left_out_why,
        }


@dataclass(frozen=True, kw_only=True)
class Category:
    """One category of one table: how many, how many selected, and the share that is.

    `scoring_rate` is the share that scores on the selected side of the median of the sample. Ratios compare with the
    highest rate; they are None where the category was left out or nobody was selected.
    """

    name: str
    n: int
    selected: int
    rate: float
    ratio: float | None
    scoring_rate: float
    scoring_ratio: float | None
    left_out: bool


@dataclass(frozen=True, kw_only=True)
class AuditTable:
    """One table: its column or intersection, the category compared with, its categories, how many are unknown, and why
    categories were left out."""

    column: str
    comparator: str
    categories: tuple[Category, ...]
    unknown: int
    left_out_because: Sentence


@dataclass(frozen=True, kw_only=True)
class BiasAudit:
    """A whole audit: one value for page, PDF, CSV and JSON."""

    model: str
    version: str
    artifact_digest: str
    prepared: datetime
    words: AuditWords
    tables: tuple[AuditTable, ...]
    format: int = field(default=FORMAT)

    def as_json(self) -> dict[str, object]:
        """Return the audit as it is sealed and published."""
        return {
            "format": self.format,
            "model": self.model,
            "version": self.version,
            "artifact_digest": self.artifact_digest,
            "prepared": self.prepared.isoformat(),
            "words": self.words.as_json(),
            "tables": [
                {
                    "column": table.column,
                    "comparator": table.comparator,
                    "unknown": table.unknown,
                    "left_out_because": table.left_out_because.as_json(),
                    "categories": [dict(vars(category)) for category in table.categories],
                }
                for table in self.tables
            ],
        }


def bias_audit_from_json(said: Mapping[str, Any]) -> BiasAudit:
    """Read back what `as_json` wrote, as it was sealed."""
    words = dict(said["words"])
    for key in ("audit_date", "distribution_date"):
        words[key] = date.fromisoformat(words[key])
    return BiasAudit(
        model=said["model"],
        version=said["version"],
        artifact_digest=said["artifact_digest"],
        prepared=datetime.fromisoformat(said["prepared"]),
        words=AuditWords(**words),
        tables=tuple(
            AuditTable(
                column=table["column"],
                comparator=table["comparator"],
                unknown=table["unknown"],
                left_out_because=Sentence(en=table["left_out_because"]["en"], zh=table["left_out_because"]["zh"]),
                categories=tuple(Category(**category) for category in table["categories"]),
            )
            for table in said["tables"]
        ),
        format=said["format"],
    )


KINDS = ("historical", "test")
SIDES = ("alarm", "no_alarm")
TEXTS = ("auditor", "data_source", "data_why", "sex", "race_ethnicity")
DATES = ("audit_date", "distribution_date")


def bias_audit(
    findings: Sequence[Mapping[str, object]],
    words: Mapping[str, object],
    *,
    model: str,
    version: str,
    artifact_digest: str,
    prepared: datetime,
    longest_days: int,
) -> BiasAudit:
    """Return an audit that may be published.

    Parameters
    ----------
    findings : sequence of mappings
        Findings of the version as JSON; the groups come from `group_bias`.
    words : mapping
        The fields of `AuditWords`; dates as dates or as YYYY-MM-DD.
    longest_days : int
        Days an audit is good for.

    Raises
    ------
    Malformed
        With everything that is missing or wrong, in words and numbers alike.
    """
    faults: list[Sentence] = []
    read = _words(words, prepared.date(), longest_days, faults)
    measured = {
        evidence.text(table.get("column")): table
        for finding in findings
        if finding.get("check") == "group_bias"
        for table in evidence.rows(evidence.table(finding.get("evidence")).get("bias_audit"))
    }
    side = str(words.get("selected") or SIDES[0])
    tables = [_table(measured[column], side) for column in _columns(words, set(measured), faults)]
    refuse_all(faults)
    assert read is not None, "words without a fault are whole"
    return BiasAudit(
        model=model,
        version=version,
        artifact_digest=artifact_digest,
        prepared=prepared,
        words=read,
        tables=tuple(tables),
    )


def _words(words: Mapping[str, object], today: date, longest_days: int, faults: list[Sentence]) -> AuditWords | None:
    known = {*TEXTS, *DATES, "data_kind", "selected", "left_out_why"}
    faults += [
        Sentence(
            en=f"'{key}' is not known; expected {', '.join(sorted(known))}",
            zh=f"无法识别“{key}”，可用的字段为 {'、'.join(sorted(known))}",
        )
        for key in words
        if key not in known
    ]
    before = len(faults)
    texts = {key: _text(words, key, faults) for key in TEXTS}
    dates = {key: _date(words, key, faults) for key in DATES}
    kind = _choice(words, "data_kind", KINDS, faults)
    side = _choice(words, "selected", SIDES, faults)
    audited = dates["audit_date"]
    if audited is not None and audited > today:
        faults.append(Sentence(en=f"audit_date {audited} is in the future", zh=f"audit_date {audited} 晚于今日"))
    elif audited is not None and (today - audited).days > longest_days:
        faults.append(
            Sentence(
                en=f"audit_date {audited} is {(today - audited).days} days ago; "
                f"an audit is good for {longest_days} days",
                zh=f"audit_date {audited} 距今 {(today - audited).days} 天，审计有效期为 {longest_days} 天",
            )
        )
    if len(faults) > before or audited is None or dates["distribution_date"] is None:
        return None
    return AuditWords(
        audit_date=audited,
        distribution_date=dates["distribution_date"],
        data_kind=kind,
        selected=side,
        left_out_why=str(words.get("left_out_why") or ""),
        **texts,
    )


def _missing(key: str) -> Sentence:
    return Sentence(en=f"{key} is missing", zh=f"缺少 {key}")


def _text(words: Mapping[str, object], key: str, faults: list[Sentence]) -> str:
    value = words.get(key)
    if isinstance(value, str) and value.strip():
        return value.strip()
    faults.append(_missing(key))
    return ""


def _date(words: Mapping[str, object], key: str, faults: list[Sentence]) -> date | None:
    value = words.get(key)
    if value is None or value == "":
        faults.append(_missing(key))
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        faults.append(
            Sentence(en=f"{key} is {value!r}; expected YYYY-MM-DD", zh=f"{key} 为 {value!r}，应为 YYYY-MM-DD")
        )
        return None


def _choice(words: Mapping[str, object], key: str, allowed: Sequence[str], faults: list[Sentence]) -> str:
    value = words.get(key)
    if value in allowed:
        return str(value)
    if value is None or value == "":
        faults.append(
            Sentence(
                en=f"{key} is missing; expected one of {', '.join(allowed)}",
                zh=f"缺少 {key}，应为 {'、'.join(allowed)} 之一",
            )
        )
    else:
        faults.append(
            Sentence(
                en=f"{key} is {value!r}; expected one of {', '.join(allowed)}",
                zh=f"{key} 为 {value!r}，应为 {'、'.join(allowed)} 之一",
            )
        )
    return ""


def _columns(words: Mapping[str, object], measured: set[str], faults: list[Sentence]) -> list[str]:
    """Return the columns of the three tables: sex, race or ethnicity, and both together."""
    named = [str(words[key]) for key in ("sex", "race_ethnicity") if isinstance(words.get(key), str) and words[key]]
    there = [column for column in named if column in measured]
    single = sorted(name for name in measured if BETWEEN not in name)
    faults += [
        Sentence(
            en=f"the column '{column}' was not compared; group_bias knows {', '.join(single) or 'none'}",
            zh=f"“{column}”列未作比较；group_bias 中有 {'、'.join(single) or '无'}",
        )
        for column in named
        if column not in measured
    ]
    if len(there) < 2:
        return there
    both = next((name for name in (BETWEEN.join(there), BETWEEN.join(there[::-1])) if name in measured), None)
    if both is None:
        faults.append(
            Sentence(
                en=f"the intersection of '{there[0]}' and '{there[1]}' was not compared; "
                "declare both in data.groups, with few enough values",
                zh=f"未比较“{there[0]}”与“{there[1]}”的交叉组；请在 data.groups 中声明两列，且取值不宜过多",
            )
        )
        return there
    return [*there, both]


def _table(measured: Mapping[str, object], side: str) -> AuditTable:
    """Return one table; ratios are of counts, against the best category that stays, so none exceeds 1."""
    lines = list(evidence.rows(measured.get("categories")))
    counted = [_counted(line, side) for line in lines]
    stays = [place for place, line in enumerate(lines) if not line.get("left_out") and counted[place][0]]
    rates = [selected / n if n else 0.0 for n, selected, _ in counted]
    scores = [score for _, _, score in counted]
    best = max(stays, key=lambda place: rates[place], default=None)
    top = 0.0 if best is None else rates[best]
    top_score = max((scores[place] for place in stays), default=0.0)
    return AuditTable(
        column=evidence.text(measured.get("column")),
        comparator="" if best is None else evidence.text(lines[best].get("category")),
        unknown=evidence.count(measured.get("unknown")),
        left_out_because=evidence.sentence(measured.get("justification")),
        categories=tuple(
            Category(
                name=evidence.text(line.get("category")),
                n=counted[place][0],
                selected=counted[place][1],
                rate=rates[place],
                ratio=rates[place] / top if place in stays and top > 0 else None,
                scoring_rate=scores[place],
                scoring_ratio=scores[place] / top_score if place in stays and top_score > 0 else None,
                left_out=place not in stays,
            )
            for place, line in enumerate(lines)
        ),
    )


def _counted(line: Mapping[str, object], side: str) -> tuple[int, int, float]:
    """Return people, selected people and the scoring rate of a category, on the side that selects."""
    n = max(0, evidence.count(line.get("n")))
    alarmed = round(_share(line.get("selection_rate")) * n)
    scoring = _share(line.get("scoring_rate"))
    return (n, alarmed, scoring) if side == SIDES[0] else (n, n - alarmed, 1.0 - scoring)


def _share(value: object) -> float:
    """Return a share in [0, 1], whatever was measured."""
    return max(0.0, min(1.0, evidence.number(value) or 0.0))


# ── Forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def bias_audit_csv(audit: BiasAudit) -> bytes:
    """Return the audit as CSV (UTF-8 with a mark, as spreadsheets want it); no cell can be read as a formula."""
    kept = io.StringIO()
    write = csv.writer(kept)
    write.writerow(
        [
            *("model", "version", "audit_date", "distribution_date", "table", "category", "n", "selected", "rate"),
            *("ratio", "scoring_rate", "scoring_ratio", "left_out", "comparator", "unknown"),
        ]
    )
    for table in audit.tables:
        for category in table.categories:
            write.writerow(
                [
                    *map(_safe, (audit.model, audit.version)),
                    audit.words.audit_date.isoformat(),
                    audit.words.distribution_date.isoformat(),
                    _safe(table.column),
                    _safe(category.name),
                    category.n,
                    category.selected,
                    f"{category.rate:.6f}",
                    "" if category.ratio is None else f"{category.ratio:.6f}",
                    f"{category.scoring_rate:.6f}",
                    "" if category.scoring_ratio is None else f"{category.scoring_ratio:.6f}",
                    str(category.left_out).lower(),
                    _safe(table.comparator),
                    table.unknown,
                ]
            )
    return b"\xef\xbb\xbf" + kept.getvalue().encode("utf-8")


def _safe(text: str) -> str:
    """Return text that a spreadsheet does not take for a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.lstrip()[:1] in ("=", "+", "-", "@") else shown


def bias_audit_pdf(audit: BiasAudit, language: Language) -> bytes:
    """Return the audit as PDF bytes; the same audit gives the same bytes."""
    words = audit.words
    pages = Pages(
        language,
        Cover(
            kind=say(language, "audit.kind"),
            title=audit.model,
            lines=(
                say(language, "audit.version", version=audit.version, auditor=words.auditor),
                say(language, "audit.dates", audited=words.audit_date, first=words.distribution_date),
            ),
            running=say(language, "audit.running", name=audit.model, audited=words.audit_date),
        ),
        subject=say(language, "audit.subject"),
        notice=say(language, "audit.notice"),
    )
    pages.write(say(language, f"audit.lead_{words.selected}"), "lead")
    pages.facts(
        [
            (say(language, "audit.audit_date"), as_day(words.audit_date, language)),
            (say(language, "audit.distribution_date"), as_day(words.distribution_date, language)),
            (say(language, "audit.auditor"), words.auditor),
            (say(language, "audit.data"), f"{words.data_source} ({name_of(language, 'audit_data', words.data_kind)})"),
            (say(language, "audit.data_why"), words.data_why),
            (say(language, "audit.artifact"), audit.artifact_digest),
        ]
    )
    for table in audit.tables:
        _table_section(pages, table)
    if words.left_out_why:
        pages.write(say(language, "audit.left_out_why", why=words.left_out_why))
    pages.section(say(language, "audit.reading"))
    pages.bullets([say(language, f"audit.reading_{key}") for key in ("ratio", "mark", "cause")])
    return pages.finish()


def _table_section(pages: Pages, table: AuditTable) -> None:
    language = pages.language
    pages.section(say(language, "audit.by", column=table.column))
    rows = [
        [
            category.name,
            say(language, "number.count", value=category.n),
            say(language, "number.count", value=category.selected),
            as_percent(category.rate),
            _ratio_told(category.ratio, category.left_out, language),
            as_percent(category.scoring_rate),
            _ratio_told(category.scoring_ratio, category.left_out, language),
        ]
        for category in table.categories
    ]
    head = [
        say(language, f"audit.{key}")
        for key in ("category", "n", "selected", "rate", "ratio", "scoring", "scoring_ratio")
    ]
    table_of_lines(pages, head, rows, (26, 10, 12, 12, 14, 12, 14))
    pages.write(
        say(language, "audit.unknown", n=table.unknown, comparator=table.comparator or say(language, "number.none")),
        "small",
    )
    if any(category.left_out for category in table.categories):
        pages.write(table.left_out_because.in_language(language), "small")


def _ratio_told(ratio: float | None, left_out: bool, language: Language) -> str:
    if left_out:
        return say(language, "audit.left_out")
    return say(language, "number.none") if ratio is None else f"{ratio:.2f}"
