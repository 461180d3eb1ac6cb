"""One person's records go before their time: one account asks for it, and another approves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select, update

from audit.database import Database
from audit.entries import Clock, identifier_text, microseconds_of, moment_of, new_identifier
from audit.expiry import Forgotten, forget_subject
from audit.pseudonym_keys import PseudonymKeys
from audit.trace_log import TraceLog
from governance.approvals import Raced
from governance.compliance import require_whole_house
from governance.reasons import require_reason
from governance.statements import statement
from governance.tables import erasures
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Action, Person, absent, require

FLAG = "early_erasure"
"""Flag of the entries in which an early erasure is asked for."""


class ErasureState(StrEnum):
    """What became of a request for early erasure."""

    WAITS = "waits"
    DONE = "done"
    DECLINED = "declined"


class OwnRequest(Refused):
    """Nobody approves the erasure he asked for."""

    def __init__(self, person: str) -> None:
        super().__init__(
            Sentence(
                en=f"{person} asked for this erasure and cannot approve it; another person must",
                zh=f"{person} 是该删除申请的提出人，不能自行批准，须由他人批准",
            )
        )


class AskerGone(Conflict):
    """Who asked may no longer ask, so one of the two pairs of eyes is missing."""

    def __init__(self, person: str) -> None:
        super().__init__(
            Sentence(
                en=f"{person}, who asked for this erasure, may no longer ask for one; decline it and ask anew",
                zh=f"提出该删除申请的 {person} 已无此权限；请退回后重新提出",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """One request for early erasure. Whose records it is about is not shown: the pseudonym is in the log."""

    id: str
    by: str
    at: datetime
    reason: str
    state: ErasureState
    decided_by: str | None
    decided_at: datetime | None
    decision: str | None
    result: Forgotten | None

    def as_json(self) -> dict[str, object]:
        """Return the request as lists show it; `result` counts records erased, restricted until their floor, held."""
        result = self.result
        return {
            "id": self.id,
            "by": self.by,
            "at": self.at.isoformat(),
            "reason": self.reason,
            "state": self.state.value,
            "decided_by": self.decided_by,
            "decided_at": self.decided_at.isoformat() if self.decided_at is not None else None,
            "decision": self.decision,
            "result": _counts(result) if result is not None else None,
        }


class Erasures:
    """Takes requests in and carries the approved ones out.

    Parameters
    ----------
    may_ask : function from account name to bool
        Whether an account is still there and may ask for erasures.
    """

    def __init__(
        self, database: Database, log: TraceLog, keys: PseudonymKeys, clock: Clock, may_ask: Callable[[str], bool]
    ) -> None:
        self._database = database
        self._log = log
        self._keys = keys
        self._clock = clock
        self._may_ask = may_ask

    def ask(self, subject: str, *, by: Person, reason: str) -> Erasure:
        """Ask that one person's records go before their time; nothing goes before somebody else approves.

        Parameters
        ----------
        subject : str
            The person's id in the data. It is kept sealed, and only until the request is decided.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, Malformed
        Conflict
            When a request about the same person waits already.
        """
        self._require_able(by)
        said, sealed = require_reason(reason), self._sealed(subject)
        newest = self._keys.of(subject)
        waiting = [row for row in self._rows(erasures.c.state == ErasureState.WAITS.value) if row.subject]
        if any(self._keys.opened(row.subject)[0] == newest for row in waiting):
            raise Conflict(
                Sentence(
                    en="an erasure of this person's records waits for its second person already",
                    zh="已有针对该人员的删除申请在等待第二人批准",
                )
            )
        now = microseconds_of(self._clock())
        erasure = identifier_text(new_identifier(now))
        body = {"what": "early erasure", "erasure": erasure, "reason": said}
        self._log.append([statement("propose", by=by.name, body=body, flags=(FLAG,))])
        with self._database.writing() as connection:
            connection.execute(
                insert(erasures).values(
                    id=erasure, subject=sealed, by=by.name, at=now, reason=said, state=ErasureState.WAITS.value
                )
            )
        return self._get(erasure)

    def approve(self, erasure: str, *, by: Person, reason: str) -> Erasure:
        """Let the records go, as the second person. What is under the legal floor is restricted, what is held stays.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, OwnRequest, AskerGone, Conflict, Raced, Malformed
        """
        found, said = self._waiting(erasure, by, reason)
        if by.name == found.by:
            raise OwnRequest(by.name)
        if not self._may_ask(found.by):
            raise AskerGone(found.by)
        self._settle(erasure, ErasureState.DONE, by, said)
        self._carry_out(self._row(erasure))
        return self._get(erasure)

    def decline(self, erasure: str, *, by: Person, reason: str) -> Erasure:
        """Let the records stay; who asked may take his request back.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, Conflict, Raced, Malformed
        """
        found, said = self._waiting(erasure, by, reason)
        body = {"what": "early erasure", "erasure": erasure, "asked_by": found.by, "reason": said}
        self._log.append([statement("refuse", by=by.name, body=body, flags=(FLAG,))])
        self._settle(erasure, ErasureState.DECLINED, by, said, subject=None)
        return self._get(erasure)

    def known_to(self, by: Person) -> tuple[Erasure, ...]:
        """Return all requests, newest first. Raises NotAllowed, ForTheWholeHouse."""
        self._require_able(by)
        return tuple(_erasure(row) for row in self._rows())[::-1]

    def finish_unfinished(self) -> int:
        """Carry out what was approved by a process that died meanwhile; return how many that were."""
        left = self._rows(erasures.c.state == ErasureState.DONE.value, erasures.c.result.is_(None))
        for row in left:
            self._carry_out(row)
        return len(left)

    @staticmethod
    def _require_able(by: Person) -> None:
        require(by, Action.ERASE)
        require_whole_house(by)

    def _sealed(self, subject: str) -> str:
        if not subject.strip():
            raise Malformed(
                Sentence(en="name the person by the id in the data; found nothing", zh="请填写该人员在数据中的编号")
            )
        return self._keys.seal(subject)

    def _waiting(self, erasure: str, by: Person, reason: str) -> tuple[Erasure, str]:
        self._require_able(by)
        found = self._get(erasure)
        if found.state is not ErasureState.WAITS:
            raise Conflict(
                Sentence(
                    en=f"erasure {erasure} is {found.state} already; only one that waits can be decided",
                    zh=f"删除申请 {erasure} 的状态为 {found.state}，仅等待中的可以处理",
                )
            )
        return found, require_reason(reason)

    def _settle(self, erasure: str, state: ErasureState, by: Person, said: str, **values: object) -> None:
        decided = {"decided_by": by.name, "decided_at": microseconds_of(self._clock()), "decision": said}
        with self._database.writing() as connection:
            done = connection.execute(
                update(erasures)
                .where(erasures.c.id == erasure, erasures.c.state == ErasureState.WAITS.value)
                .values(state=state.value, **decided, **values)
            )
        if done.rowcount != 1:
            raise Raced(f"erasure {erasure}")

    def _carry_out(self, row: Row[Any]) -> None:
        """Erase under every pseudonym the person ever had; to do it once more does no harm."""
        reason = json.dumps({"erasure": row.id, "asked": row.reason, "approved": row.decision}, ensure_ascii=False)
        gone = [
            forget_subject(self._log, pseudonym, approvers=(row.by, row.decided_by), reason=reason)
            for pseudonym in self._keys.opened(row.subject)
        ]
        counts = {name: sum(getattr(one, name) for one in gone) for name in ("erased", "restricted", "held")}
        with self._database.writing() as connection:
            done = update(erasures).where(erasures.c.id == row.id)
            connection.execute(done.values(result=json.dumps(counts), subject=None))

    def _get(self, erasure: str) -> Erasure:
        return _erasure(self._row(erasure))

    def _row(self, erasure: str) -> Row[Any]:
        found = self._rows(erasures.c.id == erasure)
        if not found:
            raise absent("erasure", erasure)
        return found[0]

    def _rows(self, *where: Any) -> list[Row[Any]]:
        with self._database.reading() as connection:
            return list(connection.execute(select(erasures).where(*where).order_by(erasures.c.id)).all())


def _counts(result: Forgotten) -> dict[str, int]:
    return {"erased": result.erased, "restricted": result.restricted, "held": result.held}


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id,
        by=row.by,
        at=moment_of(row.at),
        reason=row.reason,
        state=ErasureState(row.state),
        decided_by=row.decided_by,
        decided_at=moment_of(row.decided_at) if row.decided_at is not None else None,
        decision=row.decision,
        result=Forgotten(**json.loads(row.result)) if row.result is not None else None,
    )
