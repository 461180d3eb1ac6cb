"""Papers about a model as files: which kinds there are, which forms each takes, and how each is written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.submissions import SubmissionRecord
from policies.errors import Malformed, NotFound, Sentence
from policies.roles import Action, Person, require

if TYPE_CHECKING:
    from api.wiring import Service
    from reports.bias_audit import BiasAudit

TRANSPARENCY = "transparency"
FORMS: Mapping[str, tuple[str, ...]] = {
    TRANSPARENCY: (".pdf",),
    "technical-file": (".pdf", ".json"),
    "bias-audit": (".pdf", ".csv", ".json"),
    "model-card": (".md", ".json"),
    "bom": (".json",),
}
"""The kinds of papers and the files each can be; the first is the usual one."""


def require_form(kind: str, file: Path | None) -> None:
    """Raise Malformed for a kind that is none, or a file that this kind is not written to."""
    if kind not in FORMS:
        raise Malformed(
            Sentence(
                en=f"there is no kind of report '{kind}'; expected one of {', '.join(FORMS)}",
                zh=f"没有“{kind}”这种报告，应为 {'、'.join(FORMS)} 之一",
            )
        )
    if file is not None and kind != TRANSPARENCY and file.suffix not in FORMS[kind]:
        raise Malformed(
            Sentence(
                en=f"a {kind} is written to {', '.join(FORMS[kind])}; found '{file.name}'",
                zh=f"{kind} 的文件后缀应为 {'、'.join(FORMS[kind])}，实际为“{file.name}”",
            )
        )


def words_of(metadata: Path | None) -> dict[str, Any] | None:
    """Return the words of a bias audit from a TOML file; None without a file. Raises NotFound, Malformed."""
    if metadata is None:
        return None
    try:
        return tomllib.loads(metadata.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise NotFound(Sentence(en=f"there is no file {metadata}", zh=f"没有文件 {metadata}")) from missing
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Malformed(
            Sentence(en=f"{metadata} is not valid TOML: {error}", zh=f"{metadata} 不是合法的 TOML：{error}")
        ) from error


def paper(
    service: Service,
    record: SubmissionRecord,
    kind: str,
    suffix: str,
    language: str,
    *,
    by: Person,
    words: Mapping[str, object] | None = None,
    publish: bool = False,
) -> tuple[bytes, Mapping[str, object]]:
    """Return a paper as a file's bytes, and its figures. A bias audit without words is the published one.

    Raises
    ------
    NotAllowed, NotFound, Malformed
    """
    papers = service.papers
    if kind == "model-card":
        require(by, Action.READ_REPORTS)
        figures = papers.model_card_json(record)
        return (papers.model_card(record, language).encode() if suffix == ".md" else papers.json(figures)), figures
    if kind == "bias-audit":
        audit = _audit(service, record, by, words, publish)
        told = audit.as_json()
        made = {".pdf": lambda: papers.bias_audit_pdf(audit, language), ".csv": lambda: papers.bias_audit_csv(audit)}
        return made.get(suffix, lambda: papers.json(told))(), told
    require(by, Action.READ_SUBMISSIONS)
    figures = papers.bill_of_materials(record) if kind == "bom" else papers.technical_file_json(record)
    return (papers.technical_file(record, language) if suffix == ".pdf" else papers.json(figures)), figures


def _audit(
    service: Service, record: SubmissionRecord, by: Person, words: Mapping[str, object] | None, publish: bool
) -> BiasAudit:
    if publish:
        return service.papers.publish_bias_audit(record, words or {}, by=by)[0]
    require(by, Action.READ_SUBMISSIONS)
    if words is None:
        return service.papers.published_bias_audit(record)[0]
    return service.papers.bias_audit(record, words)
