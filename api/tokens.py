"""Tokens, sessions and one-time logins: kept only as digests, each with an end, and narrowed where it says so."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from audit.database import Database
from audit.entries import Clock, microseconds_of, moment_of
from governance.tables import people, tokens
from policies.errors import Fault, Malformed, Sentence, Unavailable
from policies.roles import Role, Scope, absent

Kind = Literal["token", "session", "once"]
SESSION: Kind = "session"

TOKEN_LASTS = timedelta(days=90)
"""How long a token holds that was given no end of its own, and the most that one may be given."""

SESSION_LASTS = timedelta(hours=12)
REGULATOR_SESSION_LASTS = timedelta(hours=4)
IDLE_LASTS = timedelta(hours=2)
"""A session that nobody used for this long has ended."""

ONCE_LASTS = timedelta(hours=1)
USED_NOTED_EVERY = timedelta(minutes=5)
"""How exactly the last use of a token or session is kept: a write at each call would cost more than it says."""

NOTE_WAITS = 0.02
"""Seconds that noting it waits for other writers; then the next call notes it. An alarm waits for nothing longer."""

ID_DIGITS = 16
LONGEST_NOTE = 200
MOST_NARROWED = 100
"""Sites, models or purposes that one scope may name."""


class NotSignedIn(Fault):
    """No valid token, session or password. Says nothing about which part was wrong."""

    def __init__(self, *faults: Sentence) -> None:
        super().__init__(
            *(
                faults
                or (
                    Sentence(
                        en="sign in first: the token or password is missing, wrong or expired",
                        zh="请先登录：令牌或密码缺失、错误或已过期",
                    ),
                )
            )
        )


@dataclass(frozen=True, kw_only=True)
class TokenLine:
    """One token or session as lists show it; never the token itself."""

    id: str
    kind: str
    note: str
    scope: Scope
    created: datetime
    expires: datetime
    used: datetime | None

    def as_json(self) -> dict[str, object]:
        """Return the line as JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "note": self.note,
            **scope_as_json(self.scope),
            "created": self.created.isoformat(),
            "expires": self.expires.isoformat(),
            "used": self.used.isoformat() if self.used is not None else None,
        }


class Tokens:
    """What accounts are signed in with."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def issue(
        self,
        account: str,
        kind: Kind,
        until: datetime,
        *,
        purpose: str | None = None,
        scope: Scope | None = None,
        note: str = "",
    ) -> str:
        """Return a fresh token of an account; only its digest is kept."""
        token = f"mj_{secrets.token_urlsafe(32)}"
        row = {
            "digest": _digest(token),
            "person": account,
            "kind": kind,
            "purpose": purpose,
            "created": microseconds_of(self._clock()),
            "expires": microseconds_of(until),
            "scope": scope_text(scope),
            "note": note or None,
        }
        with self._database.writing() as connection:
            connection.execute(insert(tokens).values(row))
        return token

    def holder(self, token: str) -> Row[Any]:
        """Return the account's row joined with `token_*` columns. Raises NotSignedIn for what does not hold."""
        now = self._clock()
        moment = microseconds_of(now)
        columns = ("kind", "purpose", "scope", "used", "created", "expires", "digest")
        wanted = (
            select(people, *(tokens.c[name].label(f"token_{name}") for name in columns))
            .join(tokens, tokens.c.person == people.c.name)
            .where(tokens.c.digest == _digest(token), tokens.c.expires > moment, tokens.c.kind != "once")
            .where(people.c.disabled.is_(None), people.c.until.is_(None) | (people.c.until > moment))
        )
        with self._database.reading() as connection:
            found = connection.execute(wanted).first()
        if found is None:
            raise NotSignedIn()
        last = moment_of(found.token_used if found.token_used is not None else found.token_created)
        if found.token_kind == SESSION and now - last >= IDLE_LASTS:
            self.end(token)
            raise NotSignedIn()
        if now - last >= USED_NOTED_EVERY or found.token_used is None:
            self._note_use(found.token_digest, moment)
        return found

    def redeem(self, once: str) -> str:
        """Use a one-time login up and return its account. Raises NotSignedIn the second time."""
        mine = (tokens.c.digest == _digest(once), tokens.c.kind == "once")
        with self._database.writing() as connection:
            name = connection.execute(
                select(tokens.c.person).where(*mine, tokens.c.expires > microseconds_of(self._clock()))
            ).scalar()
            connection.execute(delete(tokens).where(*mine))
        if name is None:
            raise NotSignedIn()
        return str(name)

    def of(self, account: str) -> tuple[TokenLine, ...]:
        """Return what an account is signed in with at present, newest first."""
        wanted = (
            select(tokens)
            .where(tokens.c.person == account, tokens.c.expires > microseconds_of(self._clock()))
            .where(tokens.c.kind != "once")
            .order_by(tokens.c.created.desc(), tokens.c.digest)
        )
        with self._database.reading() as connection:
            return tuple(_line(row) for row in connection.execute(wanted))

    def revoke(self, account: str, identifier: str) -> None:
        """End one token of an account by the id that lists show. Raises NotFound."""
        whole = len(identifier) == ID_DIGITS and identifier.isascii() and identifier.isalnum()
        with self._database.writing() as connection:
            gone = connection.execute(
                delete(tokens).where(
                    tokens.c.person == account, tokens.c.digest.startswith(identifier, autoescape=True)
                )
            ).rowcount
            if not whole or gone != 1:  # raised inside, so that nothing else is ended either
                raise absent("token", identifier[:40])

    def end(self, token: str) -> None:
        """End one token or session."""
        with self._database.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.digest == _digest(token)))

    def end_all(self, account: str) -> None:
        """End everything an account is signed in with."""
        with self._database.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.person == account))

    def forget_expired(self) -> int:
        """Delete what has ended; return how many that were."""
        with self._database.writing() as connection:
            return connection.execute(delete(tokens).where(tokens.c.expires <= microseconds_of(self._clock()))).rowcount

    def _note_use(self, digest: str, moment: int) -> None:
        try:
            with self._database.writing(wait=NOTE_WAITS) as connection:
                connection.execute(update(tokens).where(tokens.c.digest == digest).values(used=moment))
        except (SQLAlchemyError, Unavailable):
            # A database that only reads still knows who asks; a plant's call must not fail or wait for a note.
            return


def session_lasts(role: Role) -> timedelta:
    """Return how long a session of this role lasts at most."""
    return REGULATOR_SESSION_LASTS if role is Role.REGULATOR else SESSION_LASTS


def require_scope(scope: Scope) -> None:
    """Raise `Malformed` with every part of a scope that cannot be meant."""
    faults = []
    for name, chinese, values in (
        ("sites", "站点", scope.sites),
        ("models", "模型", scope.models),
        ("purposes", "用途", scope.purposes),
    ):
        if values is None:
            continue
        sound = [value for value in values if 0 < len(value.strip()) == len(value) <= 200 and value.isprintable()]
        if not values or len(values) > MOST_NARROWED or len(sound) < len(values):
            faults.append(
                Sentence(
                    en=f"'{name}' of a scope names 1 to {MOST_NARROWED} of them, each with 1 to 200 printable "
                    "characters; leave it out where nothing is to be narrowed",
                    zh=f"权限范围中的{chinese}应列出 1 到 {MOST_NARROWED} 项，每项 1 到 200 个可打印字符；不限时请不填",
                )
            )
    if faults:
        raise Malformed(*faults)


def require_note(note: str) -> str:
    """Return a note about a token, trimmed. Raises Malformed when it is long or not printable."""
    said = note.strip()
    if len(said) > LONGEST_NOTE or not said.isprintable():
        raise Malformed(
            Sentence(
                en=f"a note about a token has at most {LONGEST_NOTE} printable characters",
                zh=f"令牌备注最多 {LONGEST_NOTE} 个可打印字符",
            )
        )
    return said


def scope_as_json(scope: Scope) -> dict[str, object]:
    """Return a scope as JSON values; null is "as wide as the account"."""
    return {
        name: list(values) if values is not None else None
        for name, values in (("sites", scope.sites), ("models", scope.models), ("purposes", scope.purposes))
    }


def scope_text(scope: Scope | None) -> str | None:
    """Return a scope as it is stored; None for one that narrows nothing."""
    return None if scope is None or scope == Scope() else json.dumps(scope_as_json(scope), ensure_ascii=False)


def scope_of(text: str | None) -> Scope:
    """Return a stored scope."""
    if text is None:
        return Scope()
    said: Mapping[str, list[str] | None] = json.loads(text)
    return Scope(**{name: tuple(values) if values is not None else None for name, values in said.items()})


def _line(row: Row[Any]) -> TokenLine:
    scope = scope_of(row.scope)
    if scope.purposes is None and row.purpose is not None:
        scope = Scope(sites=scope.sites, models=scope.models, purposes=(row.purpose,))
    return TokenLine(
        id=row.digest[:ID_DIGITS],
        kind=row.kind,
        note=row.note or "",
        scope=scope,
        created=moment_of(row.created),
        expires=moment_of(row.expires),
        used=None if row.used is None else moment_of(row.used),
    )


def _digest(token: str) -> str:
    # A token has 256 random bits, so a plain digest cannot be guessed back.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
