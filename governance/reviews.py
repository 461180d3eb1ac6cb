"""A person looks at a decision and confirms or overrides it. Words are added, never edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from audit.entries import Entry
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from governance.known_entries import entry_known_to
from governance.reasons import require_reason
from governance.statements import read_statement, statement, statement_about
from policies.errors import Malformed, Sentence, refuse_all
from policies.roles import Action, Person, require


class Judgement(StrEnum):
    """What a reviewer says of a decision."""

    CONFIRM = "confirm"
    OVERRIDE = "override"


SAID = ("review", "override")
"""Kinds of entries by which a person judged a decision."""

TRACKS = ("equipment", "safety")
"""The two tracks of labels: what was true of the equipment, what was true of people's safety."""

LONGEST_LOOK = timedelta(hours=4)
"""A look longer ago than this is not the look that a review followed from."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One statement about a decision, as doors and letters show it. `labels` says what was true, by track.

    `asks` is what a request asks for, `outcome` what its answer came to.
    """

    id: str
    decision: str
    kind: str
    by: str | None
    at: datetime
    judgement: str | None
    verdict: bool | None
    reason: str
    labels: Mapping[str, str] = field(default_factory=dict)
    asks: str | None = None
    outcome: str | None = None

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
            "labels": dict(self.labels),
            "asks": self.asks,
            "outcome": self.outcome,
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
        return entry_known_to(by, self._log, identifier, "decision", "decision")

    def review(
        self,
        identifier: str,
        judgement: Judgement,
        *,
        by: Person,
        reason: str,
        label: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Review:
        """Confirm or override a decision.

        How long the reviewer had it open is kept inside the sealed words, for figures about many people together.

        Parameters
        ----------
        label : str, optional
            What the reviewer found to be true, as a label for retraining.
        labels : mapping, optional
            The same on two tracks: what was true of the `equipment` and what of people's `safety`.

        Raises
        ------
        NotAllowed, NotFound, Malformed
        """
        require(by, Action.REVIEW)
        entry = self.decision(identifier, by)
        said = require_words(reason)
        verdict = entry.verdict if judgement is Judgement.CONFIRM else not entry.verdict
        kind = "review" if judgement is Judgement.CONFIRM else "override"
        body: dict[str, object] = {
            "judgement": judgement.value,
            "reason": said,
            "label": label,
            "labels": _tracks(labels or {}),
            "verdict": verdict,
            "seconds": self._seconds_open(entry, by),
        }
        return self._add(kind, entry, by, body, verdict)

    def note_access(self, entry: Entry, by: Person, what: str, purpose: str | None = None) -> None:
        """Keep in the log that a person looked at a decision, at which part of it, and what for."""
        self._log.append(
            [
                statement(
                    "access",
                    by=by.name,
                    body={"decision": entry.id, "what": what, "role": by.role.value, "purpose": purpose},
                    model=entry.model,
                    site=entry.site,
                )
            ]
        )

    def note_listed(self, entries: Sequence[Entry], by: Person, purpose: str | None = None) -> None:
        """Keep in the log, once for a page, that a person was shown these decisions in a list."""
        if entries:
            shown = [entry.id for entry in entries]
            body = {"decisions": shown, "what": "list", "role": by.role.value, "purpose": purpose}
            self._log.append([statement("access", by=by.name, body=body, site=by.site)])

    def about(self, identifier: str) -> tuple[Review, ...]:
        """Return what people said about a decision, oldest first; answers follow the appeal they answer.

        What really happened is no judgement of the decision: `governance.outcomes.Outcomes.of` has it.
        """
        found = []
        for entry in self._log.statements_about(identifier):
            if entry.kind in ("outcome", "explain"):  # what was found or added, not what somebody said of it
                continue
            found.append(read_review(entry, self._log.payload))
            if entry.kind == "appeal":
                found += [read_review(answer, self._log.payload) for answer in self._log.statements_about(entry.id)]
        return tuple(found)

    def _seconds_open(self, entry: Entry, by: Person) -> float | None:
        """Return the seconds since this person last looked at the decision; None when he did not look here."""
        now = self._log.clock()
        looks = Wanted(kind="access", since=now - LONGEST_LOOK, model=entry.model)
        for look in self._log.find(looks).entries:
            raw = self._log.payload(look.id) if look.actor == by.name else None
            if raw is not None and read_statement(raw).get("decision") == entry.id:
                return (now - look.time).total_seconds()
        return None

    def _add(self, kind: str, entry: Entry, by: Person, body: dict[str, object], verdict: bool | None) -> Review:
        draft = statement_about(entry, kind, by=by.name, body=body, verdict=verdict)
        receipt = self._log.append([draft])[0]
        return Review(
            id=receipt.id,
            decision=entry.id,
            kind=kind,
            by=by.name,
            at=receipt.time,
            judgement=str(body["judgement"]),
            verdict=verdict,
            reason=str(body["reason"]),
            labels=_labels(body),
        )


def _tracks(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels by track. Raises Malformed for a track that is none and for what is no label."""
    faults = [
        Sentence(
            en=f"there is no track '{track}'; labels are given for {' and '.join(TRACKS)}",
            zh=f"没有“{track}”这一标签轨道，可用：{'、'.join(TRACKS)}",
        )
        for track in labels
        if track not in TRACKS
    ]
    faults += [
        Sentence(
            en=f"the label of '{track}' is empty, too long or cannot be shown; give up to 200 plain characters",
            zh=f"“{track}”的标签为空、过长或无法显示，应为不超过 200 个普通字符",
        )
        for track, label in labels.items()
        if not (0 < len(label.strip()) <= 200 and label.isprintable())
    ]
    refuse_all(faults)
    return {track: label.strip() for track, label in labels.items()}


def _labels(said: Mapping[str, object]) -> dict[str, str]:
    """Return what was said to be true, by track; a label without a track stands under ""."""
    tracks = said.get("labels")
    found = {str(track): str(label) for track, label in tracks.items()} if isinstance(tracks, dict) else {}
    plain = said.get("label")
    return {"": str(plain), **found} if plain is not None else found


def require_words(reason: str) -> str:
    """Return the words said about a decision. Raises Malformed where others could not follow or read them."""
    if len(reason.strip()) < 3:
        raise Malformed(
            Sentence(
                en="a statement about a decision needs a reason others can follow; found an empty one",
                zh="对决策的意见必须写明他人可以理解的理由，当前为空",
            )
        )
    return require_reason(reason)


def read_review(entry: Entry, payload: Callable[[str], bytes | None]) -> Review:
    """Return a statement about a decision as it was said; without words once they are erased."""
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
        labels=_labels(said),
        asks=_text(said.get("asks")),
        outcome=_text(said.get("outcome")),
    )


def _text(said: object) -> str | None:
    return None if said is None else str(said)
