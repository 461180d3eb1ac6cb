"""A request sent again under the same key gets the same decisions, and no second trace."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from audit.database import Database, DatabaseAway
from audit.decided import Decided, Decision, RowProblem, decided_of
from audit.entries import Clock, microseconds_of
from audit.log_reader import NoSuchEntry
from audit.trace_log import RecordRestricted, TraceLog
from governance.tables import repeats
from policies.errors import Conflict, Malformed, Sentence, Unavailable
from policies.roles import Person

logger = logging.getLogger("mingjing.serving")

REMEMBERED = timedelta(hours=24)
"""For how long a key gives the decisions it was first used for."""

CLAIM_LASTS = timedelta(seconds=60)
"""After which a request whose process died no longer keeps its key."""

LONGEST_KEY = 255


class KeyReused(Conflict):
    """The key was used for another request."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="this Idempotency-Key was used for another request; draw a new key for every new request",
                zh="该 Idempotency-Key 已用于另一请求；每个新请求请使用新的键",
            )
        )


class StillDeciding(Conflict):
    """The first request under this key is not answered yet."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="the first request with this Idempotency-Key is still being decided; ask again in a moment",
                zh="使用该 Idempotency-Key 的首个请求仍在判定中，请稍后再试",
            )
        )


class NotYetInTheLog(Unavailable):
    """The decisions wait in a spool and cannot be read back now."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="these decisions are kept, but not in the log yet; ask again when the log is back",
                zh="这些决策已保存但尚未写入日志，请在日志恢复后再试",
            )
        )


ERASED = Sentence(
    en="this decision was made before; its content has been erased or restricted since",
    zh="该决策此前已经作出，其内容现已删除或限制使用",
)


class Repeats:
    """Remembers which decisions answered which key of which caller. The decisions themselves stay in the log.

    Parameters
    ----------
    secret : bytes
        Keys the digest under which a request is remembered, so that nobody can guess readings from it.
    """

    def __init__(self, database: Database, log: TraceLog, clock: Clock, secret: bytes) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._secret = secret

    def once(self, key: str, request: bytes, by: Person, decide: Callable[[], Decided]) -> tuple[Decided, bool]:
        """Return what `decide` returns, or what it returned for the same key and request, and whether that was so.

        While the database cannot be asked the key cannot be looked up: then every request is decided, because an
        alarm must not wait for it. Decisions read back carry contributions as they were traced, in 32 bits.

        Raises
        ------
        KeyReused
            When the key came with another request.
        StillDeciding
            When the first request is under way.
        NotYetInTheLog
        Malformed
            For a key that is empty, longer than 255 characters, or not printable ASCII.
        """
        _require_key(key)
        name, digest = self._digest(key.encode()), self._digest(request)
        try:
            known = self._claim(by.name, name, digest)
        except (DBAPIError, DatabaseAway) as away:
            logger.error("an idempotency key could not be looked up: %s", type(away).__name__)
            return decide(), False
        if known is not None:
            return self._read_back(known), True
        try:
            decided = decide()
        except BaseException:
            self._forget(by.name, name)
            raise
        self._keep(by.name, name, decided)
        return decided, False

    def expire(self) -> int:
        """Forget keys that are older than a day; return how many."""
        with self._database.writing() as connection:
            old = microseconds_of(self._clock() - REMEMBERED)
            return int(connection.execute(delete(repeats).where(repeats.c.created < old)).rowcount)

    def _claim(self, caller: str, name: str, digest: str) -> str | None:
        """Take the key, or return the answer that was given under it."""
        now = self._clock()
        mine = (repeats.c.caller == caller) & (repeats.c.key == name)
        stale = (repeats.c.answer.is_(None) & (repeats.c.created < microseconds_of(now - CLAIM_LASTS))) | (
            repeats.c.created < microseconds_of(now - REMEMBERED)
        )
        try:
            with self._database.writing() as connection:
                connection.execute(delete(repeats).where(mine, stale))
                known = connection.execute(select(repeats).where(mine)).first()
                if known is None:
                    row = {"caller": caller, "key": name, "request": digest, "created": microseconds_of(now)}
                    connection.execute(insert(repeats).values(row))
        except IntegrityError as raced:  # two at once on PostgreSQL, where readers do not wait for each other
            raise StillDeciding from raced
        return None if known is None else _answer_of(known, digest)

    def _keep(self, caller: str, name: str, decided: Decided) -> None:
        """Remember the ids. What was kept nowhere cannot be given again, so its key is free for another try."""
        if any(decision is not None and decision.id is None for decision in decided.decisions):
            self._forget(caller, name)
            return
        said = {
            "ids": [None if decision is None else decision.id for decision in decided.decisions],
            "problems": [{"row": problem.row, **problem.says.as_json()} for problem in decided.problems],
        }
        self._change(caller, name, json.dumps(said, ensure_ascii=False))

    def _forget(self, caller: str, name: str) -> None:
        self._change(caller, name, None)

    def _change(self, caller: str, name: str, answer: str | None) -> None:
        """Set the answer under a key, or free the key. The decisions stand whether or not this succeeds."""
        mine = (repeats.c.caller == caller) & (repeats.c.key == name)
        try:
            with self._database.writing() as connection:
                if answer is None:
                    connection.execute(delete(repeats).where(mine))
                else:
                    connection.execute(update(repeats).where(mine).values(answer=answer))
        except (DBAPIError, DatabaseAway) as away:
            logger.error("an idempotency key could not be kept: %s", type(away).__name__)

    def _read_back(self, answer: str) -> Decided:
        said = json.loads(answer)
        problems = [
            RowProblem(row=found["row"], says=Sentence(en=found["en"], zh=found["zh"])) for found in said["problems"]
        ]
        decisions: list[Decision | None] = []
        for row, id in enumerate(said["ids"]):
            decisions.append(None if id is None else self._decision(id))
            if id is not None and decisions[-1] is None:
                problems.append(RowProblem(row=row, says=ERASED))
        problems.sort(key=lambda problem: problem.row)
        return decided_of(decisions, problems)

    def _decision(self, id: str) -> Decision | None:
        try:
            trace = self._log.trace(id)
        except NoSuchEntry as waiting:
            raise NotYetInTheLog from waiting
        except RecordRestricted:
            return None
        if trace is None:
            return None
        clipped = trace.capped_contributions is not None
        return Decision(
            id=id,
            score=trace.score if trace.capped_score is None else trace.capped_score,
            raw_score=trace.score,
            verdict=trace.verdict,
            flags=trace.flags,
            contributions=(trace.capped_contributions if clipped else trace.contributions).astype("float64"),  # type: ignore[union-attr]  # checked above
            base=trace.base,
            unit=trace.unit,
        )

    def _digest(self, raw: bytes) -> str:
        return hmac.new(self._secret, raw, hashlib.sha256).hexdigest()


def _answer_of(known: Row[tuple[object, ...]], digest: str) -> str:
    if known.request != digest:
        raise KeyReused
    if known.answer is None:
        raise StillDeciding
    return str(known.answer)


def _require_key(key: str) -> None:
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Malformed(
            Sentence(
                en=f"an Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters; found {len(key)} characters",
                zh=f"Idempotency-Key 应为 1 到 {LONGEST_KEY} 个可打印 ASCII 字符，实际为 {len(key)} 个字符",
            )
        )
