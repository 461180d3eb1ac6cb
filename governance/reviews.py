"""A person looks at a decision: confirms it, overrides it, or contests it. Words are added, never edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.entries import Entry
from audit.trace_log import TraceLog
from governance.approvals import require_reason
from governance.statements import read_statement, statement
from policies.errors import Malformed, NotFound, Sentence
from policies.roles import Action, Person, absent, require, require_site


class Judgement(StrEnum):
    """What a reviewer says of a decision."""

    CONFIRM = "confirm"
    OVERRIDE = "override"


@dataclass(frozen=True, kw_only=True)
class Review:
    """One statement about a decision, as doors and letters show it."""

    id: str
    decision: str
    kind: str
    by: str | None
    at: datetime
    judgement: str | None
    verdict: bool | None
    reason: str

    def as_json(self) -> dict[str, object]:
        """Return the statement as JSON values."""
        return {
            "id": self.id,
            "decision": self.decision,
            "kind": self.kind,
            "by": self.by,
            "at": self.at.isoformat(),
            "judgement": self.judgement,
            "verdict": self.verdict,
            "reason": self.reason,
        }


class Reviews:
    """Takes statements about decisions into the log."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log

    def decision(self, identifier: str, by: Person) -> Entry:
        """Return a decision's entry if this person may know of it.

        Raises
        ------
        NotAllowed
        NotFound
            When it is absent, of another site, or, for an employee, not about himself: all look the same.
        """
        if not by.may(Action.READ_DECISIONS):
            require(by, Action.READ_OWN_DECISIONS)
        try:
            entry = self._log.entry(identifier)
        except NotFound as missing:
            raise absent("decision", identifier) from missing
        if entry.kind != "decision":
            raise absent("decision", identifier)
        require_site(by, entry.site, "decision", identifier)
        if by.may(Action.READ_DECISIONS):
            return entry
        if by.subject is None or entry.subject != by.subject:
            raise absent("decision", identifier)
        return entry

    def review(
        self,
        identifier: str,
        judgement: Judgement,
        *,
        by: Person,
        reason: str,
        label: str | None = None,
    ) -> Review:
        """Confirm or override a decision.

        Parameters
        ----------
        label : str, optional
            What the reviewer found to be true, as a label for retraining.

        Raises
        ------
        NotAllowed, NotFound, Malformed
        """
        require(by, Action.REVIEW)
        entry = self.decision(identifier, by)
        said = _reason(reason)
        verdict = entry.verdict if judgement is Judgement.CONFIRM else not entry.verdict
        kind = "review" if judgement is Judgement.CONFIRM else "override"
        body: dict[str, object] = {"judgement": judgement.value, "reason": said, "label": label, "verdict": verdict}
        return self._add(kind, entry, by, body, verdict)

    def appeal(self, identifier: str, *, by: Person, reason: str) -> Review:
        """Contest a decision about oneself."""
        require(by, Action.APPEAL)
        entry = self.decision(identifier, by)
        return self._add("appeal", entry, by, {"reason": _reason(reason)}, None)

    def note_access(self, entry: Entry, by: Person, what: str) -> None:
        """Keep in the log that a person looked at a decision, and at which part of it."""
        self._log.append(
            [
                statement(
                    "access",
                    by=by.name,
                    body={"decision": entry.id, "what": what, "role": by.role.value},
                    model=entry.model,
                    site=entry.site,
                )
            ]
        )

    def about(self, identifier: str) -> tuple[Review, ...]:
        """Return every statement about a decision, oldest first."""
        return tuple(_read(entry, self._log.payload) for entry in self._log.statements_about(identifier))

    def _add(self, kind: str, entry: Entry, by: Person, body: dict[str, object], verdict: bool | None) -> Review:
        draft = statement(
            kind,
            by=by.name,
            body=body,
            about=entry.id,
            model=entry.model,
            version=entry.version,
            artifact_digest=entry.artifact_digest,
            rulebook_digest=entry.rulebook_digest,
            site=entry.site,
            verdict=verdict,
        )
        receipt = self._log.append([draft])[0]
        return Review(
            id=receipt.id,
            decision=entry.id,
            kind=kind,
            by=by.name,
            at=receipt.time,
            judgement=str(body["judgement"]) if "judgement" in body else None,
            verdict=verdict,
            reason=str(body["reason"]),
        )


def _reason(reason: str) -> str:
    if len(reason.strip()) < 3:
        raise Malformed(
            Sentence(
                en="a statement about a decision needs a reason others can follow; found an empty one",
                zh="对决策的意见必须写明他人可以理解的理由，当前为空",
            )
        )
    return require_reason(reason)


def _read(entry: Entry, payload: Callable[[str], bytes | None]) -> Review:
    raw = payload(entry.id)
    said = read_statement(raw) if raw is not None else {}
    return Review(
        id=entry.id,
        decision=entry.about or "",
        kind=entry.kind,
        by=entry.actor,
        at=entry.time,
        judgement=said.get("judgement"),
        verdict=entry.verdict,
        reason=str(said.get("reason", "")),
    )
