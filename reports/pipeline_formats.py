"""What a build pipeline reads of a check: JUnit XML, SARIF 2.1.0 and a summary in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import orjson

Report = Mapping[str, Any]
"""What `mingjing check --json` prints."""

KINDS = {False: "fail", None: "open", True: "pass"}
MARKS = {
    "en": {True: "holds", False: "**does not hold**", None: "cannot say"},
    "zh": {True: "符合", False: "**不符合**", None: "无法判断"},
}
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Letters XML cannot hold; a column name from outside may hold them."""

VERDICTS = {
    "en": {True: "everything holds", False: "something does not hold", None: "something cannot be said"},
    "zh": {True: "全部符合", False: "有不符合项", None: "有无法判断的项"},
}
HEADS = {"en": ("", "check", "measured", "limit", "n", "finding"), "zh": ("", "检查", "实测", "上限", "样本数", "结论")}
NAMES = {"en": ("tier", "artifact", "rulebook"), "zh": ("等级", "模型文件", "规则")}


def junit_of(report: Report, language: str = "en") -> bytes:
    """Return the findings as JUnit XML: one case each, a failure where it does not hold, skipped where it cannot say.

    Examples
    --------
    >>> findings = [{"check": "purpose", "holds": True, "says": {"en": "fine", "zh": "好"}}]
    >>> b'tests="1" failures="0"' in junit_of({"model": "m", "tier": "L1", "findings": findings})
    True
    """
    findings: Sequence[Mapping[str, Any]] = report["findings"]
    counts = {
        "tests": str(len(findings)),
        "failures": str(sum(finding["holds"] is False for finding in findings)),
        "errors": "0",
        "skipped": str(sum(finding["holds"] is None for finding in findings)),
    }
    root = ElementTree.Element("testsuites", {"name": "mingjing check", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(report["model"]), **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("tier", "artifact_digest", "rulebook_digest"):
        if name in report:
            ElementTree.SubElement(properties, "property", {"name": name, "value": str(report[name])})
    for place, finding in enumerate(findings, start=1):
        says = _xml(finding["says"][_tongue(language)])
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": f"mingjing.{finding['check']}", "name": f"{place:02d} {_short(says)}"}
        )
        if finding["holds"] is False:
            ElementTree.SubElement(case, "failure", {"message": says, "type": finding["check"]}).text = says
        elif finding["holds"] is None:
            ElementTree.SubElement(case, "skipped", {"message": says})
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def sarif_of(report: Report, where: str, version: str, language: str = "en") -> bytes:
    """Return the findings as SARIF 2.1.0. Each points at the declaration, the one file of a submission people write.

    Parameters
    ----------
    where : str
        Path of `submission.toml` from the root of the repository, with slashes.
    """
    findings: Sequence[Mapping[str, Any]] = report["findings"]
    checks = list(dict.fromkeys(str(finding["check"]) for finding in findings))
    uri = "/".join(part for part in where.split("/") if part not in ("", "."))
    place = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
    rules = [{"id": check, "name": check, "shortDescription": {"text": f"mingjing check {check}"}} for check in checks]
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "Mingjing", "version": version, "rules": rules}},
                "properties": {key: report[key] for key in ("model", "tier", "artifact_digest", "rulebook_digest")},
                "results": [
                    {
                        "ruleId": finding["check"],
                        "ruleIndex": checks.index(finding["check"]),
                        "kind": KINDS[finding["holds"]],
                        "level": "error" if finding["holds"] is False else "none",
                        "message": {"text": finding["says"][_tongue(language)]},
                        "locations": [place],
                        "partialFingerprints": {"mingjing/v1": _fingerprint(finding)},
                        "properties": {key: finding[key] for key in ("measured", "limit", "unit", "interval", "n")},
                    }
                    for finding in findings
                ],
            }
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def markdown_of(report: Report, language: str = "en") -> str:
    """Return a summary for a pull request: what does not hold first, then what cannot be said, then the rest."""
    tongue = _tongue(language)
    tier, artifact, rulebook = NAMES[tongue]
    lines = [
        f"## {_cell(report['model'])}: {VERDICTS[tongue][report['holds']]}",
        "",
        f"{tier} {report['tier']} · {artifact} `{str(report['artifact_digest'])[:12]}` · "
        f"{rulebook} `{str(report['rulebook_digest'])[:12]}`",
        "",
        f"| {' | '.join(HEADS[tongue])} |",
        f"|{'---|' * len(HEADS[tongue])}",
    ]
    for holds in (False, None, True):
        for finding in report["findings"]:
            if finding["holds"] is holds:
                said = _cell(finding["says"][tongue])
                figures = (_figure(finding[key]) for key in ("measured", "limit", "n"))
                mark = MARKS[tongue][holds]
                lines.append(f"| {mark} | {finding['check']} | {' | '.join(figures)} | {said} |")
    return "\n".join(lines) + "\n\n"


def _tongue(language: str) -> str:
    return "zh" if language.lower().startswith("zh") else "en"


def _xml(text: object) -> str:
    return NOT_XML.sub("?", str(text))


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"


def _fingerprint(finding: Mapping[str, Any]) -> str:
    """Name a finding across runs: by its check and its scenario or limit, not by what was measured this time."""
    scenario = (finding.get("evidence") or {}).get("scenario", "")
    return f"{finding['check']}:{scenario}:{finding.get('unit') or ''}:{finding.get('limit')}"


def _figure(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(text: object) -> str:
    """Return text that stays inside its cell and is no markup, whatever a column is called."""
    plain = re.sub(r"\s+", " ", str(text)).replace("\\", "\\\\")
    return re.sub(r"([|<>`*_\[\]#])", r"\\\1", plain)
