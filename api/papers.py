"""From governance and registry to the papers about law: snapshots, technical files, bias audits, cards, bills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import orjson

from api.telling import Telling
from audit.entries import Clock
from audit.trace_log import TraceLog
from governance.compliance import Compliance, Snapshot
from governance.pack_revisions import Revision
from governance.publications import BIAS_AUDIT, Publications, Published
from governance.rule_changes import RuleChanges
from governance.rulebooks import Revision as RulebookRevision
from governance.rulebooks import RevisionState, Rulebooks
from governance.statements import words_of
from governance.submissions import SubmissionBook, SubmissionRecord
from model_registry.store import ModelStore
from policies.coverage import coverage
from policies.errors import NotFound, Sentence
from policies.regulations import Origin
from policies.revision_table import rule_changes
from policies.roles import Action, Person, Role, require, require_in_scope
from reports.bias_audit import BiasAudit, bias_audit, bias_audit_csv, bias_audit_from_json, bias_audit_pdf
from reports.bill_of_materials import bill_of_materials
from reports.model_card import model_card, model_card_json
from reports.paper_facts import PaperFacts, StandardLine, VerdictLine, VersionLine
from reports.revision import revision_pdf, revision_workbook
from reports.signing import Sign
from reports.snapshot import SnapshotFacts, snapshot_pdf, snapshot_workbook
from reports.technical_file import technical_file, technical_file_pdf
from reports.wording import Language

LIBRARIES: dict[str, tuple[str, ...]] = {
    "xgboost": ("xgboost-cpu",),
    "lightgbm": ("lightgbm",),
    "sklearn": ("scikit-learn", "skops"),
    "onnx": ("onnxruntime",),
    "python": ("joblib", "cloudpickle"),
}
"""The library of each flavour, beside those every examination uses."""

ALWAYS = ("mingjing", "numpy", "pandas", "scipy", "scikit-learn")

AUDIT_LAW, AUDIT_CLAUSE, AUDIT_FIGURE = "us-nyc-ll144", "5-301", "audit_days"
"""Where the days stand that a bias audit is good for."""


@dataclass(frozen=True, kw_only=True)
class Papers:
    """Writes papers. Nothing here decides anything. `sign` puts the company's signature under a PDF."""

    telling: Telling
    log: TraceLog
    book: SubmissionBook
    store: ModelStore
    compliance: Compliance
    publications: Publications
    rulebooks: Rulebooks
    rule_changes: RuleChanges
    clock: Clock
    sign: Sign

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
        return self._signed(snapshot_pdf(facts, spoken(language)), language)

    def revision(self, found: Revision, language: str, kind: Literal["pdf", "xlsx"]) -> bytes:
        """Return the revision table of a pack as PDF or workbook."""
        return self.table(found.as_json(), language, kind)

    def table(self, told: Mapping[str, Any], language: str, kind: Literal["pdf", "xlsx"]) -> bytes:
        """Return a revision table as PDF or workbook."""
        if kind == "xlsx":
            return revision_workbook(told, spoken(language))
        return self._signed(revision_pdf(told, spoken(language)), language)

    def rulebook_revision(self, identifier: str, by: Person) -> dict[str, object]:
        """Return the revision table of a rulebook, proposed or adopted, as far as this person may see it.

        Raises
        ------
        NotAllowed, NotFound
        """
        require(by, Action.READ_SUBMISSIONS)
        found = self.rulebooks.get(identifier)
        decided = found.decided_at if found.state is RevisionState.ADOPTED else None
        day = (decided or found.proposed_at).date()
        base = self.rulebooks.by_digest(found.base) if found.base is not None else None
        changes = rule_changes(self.rule_changes.differences(found), day)
        seen = (line for line in self._touched_by(found) if by.sees(line["site"] or None, line["model"]))
        touched = [standing_line(line) for line in seen]
        return {
            "subject": "rulebook",
            "title": found.book.title.as_json(),
            "old": {"version": None if base is None else base.version, "digest": found.base},
            "new": {"version": found.book.version, "digest": found.digest},
            "day": day.isoformat(),
            "changes": [change.as_json() for change in changes],
            "touched": touched,
            "adopted": None
            if decided is None
            else {
                "number": found.number,
                "by": found.decided_by,
                "role": Role.COMMITTEE.value,
                "at": decided.isoformat(),
                "reason": found.decision or "",
                "entry": found.entry,
                "digest": found.digest,
            },
        }

    def technical_file(self, record: SubmissionRecord, language: str) -> bytes:
        """Return the technical file of a version as PDF."""
        made = technical_file_pdf(technical_file(self.facts(record)), spoken(language))
        return self._signed(made, language)

    def technical_file_json(self, record: SubmissionRecord) -> dict[str, object]:
        """Return the technical file of a version as JSON values."""
        return technical_file(self.facts(record)).as_json()

    def model_card(self, record: SubmissionRecord, language: str) -> str:
        """Return the model card of a version as Markdown."""
        return model_card(self.facts(record), spoken(language))

    def model_card_json(self, record: SubmissionRecord) -> dict[str, object]:
        """Return the model card of a version as JSON values."""
        return model_card_json(self.facts(record))

    def bill_of_materials(self, record: SubmissionRecord) -> dict[str, object]:
        """Return the bill of materials of a version, CycloneDX 1.6."""
        return bill_of_materials(self.facts(record))

    def bias_audit(self, record: SubmissionRecord, words: Mapping[str, object]) -> BiasAudit:
        """Return a bias audit of a version as it would be published.

        Raises
        ------
        Malformed
            With everything that is missing, in words and numbers alike.
        """
        figures = self.compliance.pack(AUDIT_LAW).clause(AUDIT_CLAUSE).figures
        return bias_audit(
            record.findings,
            words,
            model=record.model,
            version=record.version,
            artifact_digest=record.artifact_digest,
            prepared=self.clock(),
            longest_days=int(figures[AUDIT_FIGURE]),
        )

    def publish_bias_audit(
        self, record: SubmissionRecord, words: Mapping[str, object], *, by: Person
    ) -> tuple[BiasAudit, Published]:
        """Publish a bias audit: it is sealed into the log, and from now on anyone may read it.

        Raises
        ------
        NotAllowed, NotFound, Malformed
        """
        require(by, Action.DISCLOSE)
        require_in_scope(by, record.site or None, record.model, "model version", f"{record.model}:{record.version}")
        audit = self.bias_audit(record, words)
        return audit, self.publications.publish(BIAS_AUDIT, record, audit.as_json(), by=by)

    def published_bias_audit(self, record: SubmissionRecord) -> tuple[BiasAudit, Published]:
        """Return the newest published bias audit of a version. Raises NotFound."""
        found = self.publications.newest(BIAS_AUDIT, record)
        if found is None:
            raise NotFound(
                Sentence(
                    en=f"no bias audit of {record.model}:{record.version} was published",
                    zh=f"{record.model}:{record.version} 尚未公布偏差审计",
                )
            )
        return bias_audit_from_json(found.body), found

    def bias_audit_pdf(self, audit: BiasAudit, language: str) -> bytes:
        """Return a bias audit as PDF."""
        return self._signed(bias_audit_pdf(audit, spoken(language)), language)

    def bias_audit_csv(self, audit: BiasAudit) -> bytes:
        """Return a bias audit as CSV."""
        return bias_audit_csv(audit)

    def facts(self, record: SubmissionRecord) -> PaperFacts:
        """Return everything papers show of one version, from registry, findings, rulebook and log."""
        kept = self.store.version(record.model, record.version)
        versions, _ = self.book.search(model=record.model, limit=200)
        return PaperFacts(
            figures=self.telling.model_figures(record),
            versions=tuple(
                VersionLine(
                    version=other.version,
                    stage=other.stage.value,
                    submitted=other.submitted_at,
                    artifact_digest=other.artifact_digest,
                )
                for other in reversed(versions)
            ),
            verdicts=tuple(
                VerdictLine(outcome=said.verdict, role=said.role, by=said.by, at=said.at, reason=said.reason)
                for said in record.verdicts
            ),
            standards=self._standards(record),
            data_digests=dict(sorted(kept.data_digests.items())),
            environment=environment(record.declaration.model.flavour.value),
        )

    def json(self, said: Mapping[str, object]) -> bytes:
        """Return a paper's figures as a JSON file."""
        return orjson.dumps(said, option=orjson.OPT_INDENT_2)

    def _standards(self, record: SubmissionRecord) -> tuple[StandardLine, ...]:
        """Return how the house stands to every clause of a standard that asks something of this model."""
        packs = [pack for pack in self.compliance.packs if pack.origin is Origin.IDENTIFIERS]
        named = f"{record.model}:{record.version}"
        lines = []
        for row in coverage(packs, self.compliance.holdings_with(record)):
            if row.model == named:
                pack = next(pack for pack in packs if pack.id == row.pack)
                lines.append(
                    StandardLine(
                        pack=pack.title,
                        article=pack.clause(row.clause).article,
                        state=row.state.value,
                        because=row.because,
                    )
                )
        return tuple(lines)

    def _touched_by(self, found: RulebookRevision) -> list[dict[str, Any]]:
        """Return the permits a rulebook touches: as sealed when it was adopted, as they are now while it waits."""
        if found.state is not RevisionState.ADOPTED:
            return [standing.as_json() for standing in self.rule_changes.touched_by(found.book)]
        if found.entry is None:
            return []
        sealed: list[dict[str, Any]] = words_of(self.log, self.log.entry(found.entry)).get("touched", [])
        return sealed

    def _signed(self, pdf: bytes, language: str) -> bytes:
        return self.sign(pdf, spoken(language))


def standing_line(standing: Mapping[str, Any]) -> dict[str, object]:
    """Return a permit that a rulebook touches, as governance told it, as a line of a revision table."""
    told = [*standing["fails"], *standing["open"]]
    return {
        "model": f"{standing['model']}:{standing['version']}",
        "site": standing["site"] or None,
        "permit": standing["submission"],
        "until": None,
        "clauses": [],
        "because": {"en": "; ".join(said["en"] for said in told), "zh": "；".join(said["zh"] for said in told)},
    }


def environment(flavour: str) -> dict[str, str]:
    """Return name and version of the libraries that examined and serve a model of this flavour, as installed here."""
    found: dict[str, str] = {}
    for name in dict.fromkeys((*ALWAYS, *LIBRARIES.get(flavour, ()))):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def spoken(language: str) -> Language:
    """Return 'zh' or 'en' for a language tag."""
    return "zh" if language.lower().startswith("zh") else "en"
