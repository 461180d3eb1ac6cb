"""From governance and registry to the papers about law: snapshots, revisions, technical files, audits, cards, bills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import orjson

from governance.compliance import Snapshot
from reports.snapshot import SnapshotFacts, snapshot_pdf, snapshot_workbook
from reports.wording import Language


@dataclass(frozen=True, kw_only=True)
class Papers:
    """Writes papers. Nothing here decides anything."""

    def snapshot(self, kept: Snapshot, language: str, kind: Literal["pdf", "xlsx"]) -> bytes:
        """Return a snapshot as PDF or workbook."""
        facts = SnapshotFacts(
            number=kept.number,
            entry=kept.entry,
            index=kept.index,
            at=kept.at,
            by=kept.by,
            digest=kept.digest,
            body=kept.body,
        )
        if kind == "xlsx":
            return snapshot_workbook(facts, spoken(language))
        return snapshot_pdf(facts, spoken(language))

    def json(self, said: Mapping[str, object]) -> bytes:
        """Return a paper's figures as a JSON file."""
        return orjson.dumps(said, option=orjson.OPT_INDENT_2)


def spoken(language: str) -> Language:
    """Return 'zh' or 'en' for a language tag."""
    return "zh" if language.lower().startswith("zh") else "en"
