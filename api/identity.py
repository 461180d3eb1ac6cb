"""Who asks: accounts with a password, and tokens kept only as digests."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit.database import Database
from audit.entries import Clock, microseconds_of
from audit.pseudonym_keys import PseudonymKeys
from governance.tables import people, tokens
from policies.errors import Conflict, Fault, Malformed, NotFound, Sentence
from policies.permitted_use import PurposeRules, require_permitted
from policies.roles import Person, Role

TOKEN_LASTS = timedelta(days=90)
SESSION_LASTS = timedelta(hours=12)
ONCE_LASTS = timedelta(hours=1)
TRIES = 5
LOCKED_FOR = 60.0
NAMES_REMEMBERED = 10_000
"""Names with failed tries that are remembered at most; who tries them all forgets the oldest first."""


class NotSignedIn(Fault):
    """No valid token, session or password. Says nothing about which part was wrong."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="sign in first: the token or password is missing, wrong or expired",
                zh="请先登录：令牌或密码缺失、错误或已过期",
            )
        )


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """What is shown once when an account is made."""

    user: str
    password: str
    token: str


class People:
    """Accounts and their tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        monotonic: Callable[[], float],
        keys: PseudonymKeys,
        purposes: Callable[[], PurposeRules],
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._keys = keys
        self._purposes = purposes
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(secrets.token_urlsafe(12))
        self._failures: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        role: Role,
        *,
        site: str | None = None,
        subject: str | None = None,
        purpose: str | None = None,
    ) -> NewAccount:
        """Make an account with a fresh password and token, both shown only now.

        Parameters
        ----------
        subject : str, optional
            The employee's id in the data; kept sealed, so that he finds his decisions when the key changes.
        purpose : str, optional
            Purpose bound to the account's tokens; services get risk intervention by default.

        Raises
        ------
        Malformed, Conflict, PurposeRefused
        """
        _require_name(name)
        if role is Role.SERVICE and purpose is None:
            purpose = "risk_intervention"
        if purpose is not None:
            require_permitted(purpose, self._purposes())
        password = secrets.token_urlsafe(12)
        row = {
            "name": name,
            "role": role.value,
            "site": site,
            "subject": self._keys.seal(subject) if subject else None,
            "password_hash": self._hasher.hash(password),
            "created": microseconds_of(self._clock()),
        }
        with self._database.writing() as connection:
            if connection.execute(select(people.c.name).where(people.c.name == name)).scalar() is not None:
                raise _taken(name)
            try:
                connection.execute(insert(people).values(row))
            except IntegrityError as taken:
                raise _taken(name) from taken
        token = self._new_token(name, "token", TOKEN_LASTS, purpose)
        return NewAccount(user=name, password=password, token=token)

    def person(self, name: str) -> Person:
        """Return an account by name, for the local operator. Raises NotFound."""
        found = self._row(name)
        if found is None:
            raise NotFound(
                Sentence(
                    en=f"there is no account '{name}'; make one with `mingjing user add`",
                    zh=f"没有账号“{name}”，可用 `mingjing user add` 新建",
                )
            )
        return self._person(found)

    def everyone(self) -> tuple[Person, ...]:
        """Return all accounts that are not disabled."""
        with self._database.reading() as connection:
            rows = connection.execute(select(people).where(people.c.disabled.is_(None)).order_by(people.c.name)).all()
        return tuple(self._person(row) for row in rows)

    def by_token(self, token: str) -> Person:
        """Return who holds this token or session. Raises NotSignedIn."""
        now = microseconds_of(self._clock())
        wanted = (
            select(people, tokens.c.purpose)
            .join(tokens, tokens.c.person == people.c.name)
            .where(tokens.c.digest == _digest(token), tokens.c.expires > now, people.c.disabled.is_(None))
            .where(tokens.c.kind != "once")
        )
        with self._database.reading() as connection:
            found = connection.execute(wanted).first()
        if found is None:
            raise NotSignedIn()
        return replace(self._person(found), purpose=found.purpose)

    def sign_in(self, name: str, password: str) -> str:
        """Return a fresh session for a name and password. Raises NotSignedIn, also while locked."""
        with self._lock:
            failures, since = self._failures.get(name, (0, 0.0))
            locked = failures >= TRIES and self._monotonic() - since < LOCKED_FOR
        found = None if locked else self._row(name)
        known = str(found.password_hash) if found is not None else self._decoy
        try:
            # A wrong name costs as long as a wrong password.
            self._hasher.verify(known, password)
            good = found is not None
        except VerifyMismatchError:
            good = False
        if not good:
            with self._lock:
                if len(self._failures) >= NAMES_REMEMBERED:
                    self._failures.pop(next(iter(self._failures)))
                self._failures[name] = (failures + 1, self._monotonic() if not locked else since)
            raise NotSignedIn()
        self._failures.pop(name, None)
        return self._new_token(name, "session", SESSION_LASTS, None)

    def once(self, name: str) -> str:
        """Return a login that works one time."""
        return self._new_token(name, "once", ONCE_LASTS, None)

    def redeem(self, once: str) -> str:
        """Trade a one-time login for a session. Raises NotSignedIn the second time."""
        now = microseconds_of(self._clock())
        with self._database.writing() as connection:
            name = connection.execute(
                select(tokens.c.person).where(
                    tokens.c.digest == _digest(once), tokens.c.kind == "once", tokens.c.expires > now
                )
            ).scalar()
            connection.execute(delete(tokens).where(tokens.c.digest == _digest(once), tokens.c.kind == "once"))
        if name is None:
            raise NotSignedIn()
        return self._new_token(str(name), "session", SESSION_LASTS, None)

    def sign_out(self, session: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.digest == _digest(session)))

    def disable(self, name: str) -> None:
        """End an account and everything it is signed in with. Raises NotFound."""
        self.person(name)
        now = microseconds_of(self._clock())
        with self._database.writing() as connection:
            connection.execute(update(people).where(people.c.name == name).values(disabled=now))
            connection.execute(delete(tokens).where(tokens.c.person == name))

    def _person(self, row: Row[Any]) -> Person:
        known = self._keys.opened(row.subject) if row.subject is not None else (None,)
        earlier = tuple(pseudonym for pseudonym in known[1:] if pseudonym is not None)
        return Person(name=row.name, role=Role(row.role), site=row.site, subject=known[0], earlier=earlier)

    def _row(self, name: str) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(select(people).where(people.c.name == name, people.c.disabled.is_(None))).first()

    def _new_token(self, name: str, kind: str, lasts: timedelta, purpose: str | None) -> str:
        token = f"mj_{secrets.token_urlsafe(32)}"
        now = self._clock()
        with self._database.writing() as connection:
            connection.execute(
                insert(tokens).values(
                    digest=_digest(token),
                    person=name,
                    kind=kind,
                    purpose=purpose,
                    created=microseconds_of(now),
                    expires=microseconds_of(now + lasts),
                )
            )
        return token


def _require_name(name: str) -> None:
    if not 0 < len(name.strip()) == len(name) <= 64 or not name.isprintable():
        raise Malformed(
            Sentence(
                en="an account name has 1 to 64 printable characters and no space around it",
                zh="账号名称应为 1 到 64 个可打印字符，首尾不得有空格",
            )
        )
    if name == "mingjing" or name.startswith("local-"):
        raise Malformed(
            Sentence(
                en=f"the name '{name}' is kept for the service itself and the local operator; choose another",
                zh=f"名称“{name}”保留给系统自身与本地操作员，请另选",
            )
        )


def _taken(name: str) -> Conflict:
    return Conflict(Sentence(en=f"there is an account '{name}' already", zh=f"账号“{name}”已存在"))


def _digest(token: str) -> str:
    # A token has 256 random bits, so a plain digest cannot be guessed back.
    return hashlib.sha256(token.encode()).hexdigest()
