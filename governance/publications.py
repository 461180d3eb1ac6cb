"""What was published about one model version: sealed into the log, the newest of its kind counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.trace_log import TraceLog
from governance.statements import said_in, statement
from governance.submissions import SubmissionRecord
from policies.roles import Action, Person, require, require_in_scope

BIAS_AUDIT = "bias-audit"
"""Flag of the entries by which a bias audit was published."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One publication: what was sealed, by whom, when. `digest` is the SHA-256 of the sealed payload."""

    entry: str
    at: datetime
    by: str
    digest: str
    body: Mapping[str, Any]

    def head(self) -> dict[str, object]:
        """Return where and when it was sealed."""
        return {"entry": self.entry, "at": self.at.isoformat(), "digest": self.digest}


class Publications:
    """Seals papers about model versions and finds them again."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log

    def publish(self, flag: str, record: SubmissionRecord, paper: Mapping[str, Any], *, by: Person) -> Published:
        """Seal a paper about a version.

        Raises
        ------
        NotAllowed, NotFound
        """
        require(by, Action.DISCLOSE)
        require_in_scope(by, record.site or None, record.model, "model version", f"{record.model}:{record.version}")
        draft = statement(
            "publish",
            by=by.name,
            body={"paper": dict(paper)},
            flags=(flag,),
            model=record.model,
            version=record.version,
            artifact_digest=record.artifact_digest,
            site=record.site or None,
        )
        self._log.append([draft])
        found = self.newest(flag, record)
        assert found is not None, "what was just sealed is there"
        return found

    def newest(self, flag: str, record: SubmissionRecord) -> Published | None:
        """Return the newest paper of a kind about a version; None when there is none."""
        found = said_in(self._log, "publish", flag, model=record.model, version=record.version)
        if not found:
            return None
        entry, said, raw = found[-1]
        return Published(
            entry=entry.id,
            at=entry.time,
            by=said["by"],
            digest=hashlib.sha256(raw).hexdigest(),
            body=said["paper"],
        )
