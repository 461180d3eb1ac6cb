"""Who asks: accounts with a password or an identity of the company; all that is done to them is logged."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.accounts import (
    LONGEST_PASSWORD,
    MACHINES,
    Account,
    NeedsSession,
    NewAccount,
    NotYourToken,
    OwnAccount,
    require_name,
    require_password,
    site_of,
    taken,
)
from api.sign_in_limits import SignInLimits
from api.tokens import (
    ONCE_LASTS,
    SESSION,
    TOKEN_LASTS,
    NotSignedIn,
    TokenLine,
    Tokens,
    require_note,
    require_scope,
    scope_as_json,
    scope_of,
    scope_text,
    session_lasts,
)
from audit.database import Database
from audit.entries import Clock, TraceSink, microseconds_of, moment_of
from audit.pseudonym_keys import PseudonymKeys
from governance.statements import statement
from governance.tables import people
from policies.errors import Malformed, NotFound, Refused, Sentence
from policies.permitted_use import PurposeRules, require_permitted
from policies.roles import Person, Role, Scope, absent

REGULATOR_LASTS = timedelta(days=30)
"""How long a regulator's account holds that was given no end: an inspection has one."""

LOCAL_ADMIN = "local-admin"
"""Who acts when the data folder's owner does it himself."""


class People:
    """Accounts and what they are signed in with."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        log: TraceSink,
        keys: PseudonymKeys,
        purposes: Callable[[], PurposeRules],
    ) -> None:
        self._database = database
        self._clock = clock
        self._log = log
        self._keys = keys
        self._purposes = purposes
        self._tokens = Tokens(database, clock)
        self._limits = SignInLimits(database, clock)
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(secrets.token_urlsafe(12))

    # ── Accounts ──────────────────────────────────────────────────────────────────────────────────

    def add(
        self,
        name: str,
        role: Role,
        *,
        site: str | None = None,
        subject: str | None = None,
        purpose: str | None = None,
        until: datetime | None = None,
        scope: Scope | None = None,
        by: str = LOCAL_ADMIN,
    ) -> NewAccount:
        """Make an account with a fresh password and token, both shown only now.

        Parameters
        ----------
        site : str, optional
            Its site, or a subsidiary that stands for all of its sites.
        subject : str, optional
            The employee's id in the data; kept sealed, so that he finds his decisions when the key changes.
        purpose : str, optional
            Purpose bound to the account's tokens; services get risk intervention by default.
        until : datetime, optional
            When the account ends; a regulator's does after 30 days unless told otherwise.
        scope : Scope, optional
            Sites and models the account is narrowed to.

        Raises
        ------
        Malformed, Conflict, PurposeRefused
        """
        if role is Role.SERVICE and purpose is None:
            purpose = "risk_intervention"
        if purpose is not None:
            require_permitted(purpose, self._purposes())
        password = secrets.token_urlsafe(12)
        ends = self._make(
            name,
            role,
            {
                "site": site,
                "subject": self._keys.seal(subject) if subject else None,
                "password_hash": self._hasher.hash(password),
            },
            until=until,
            scope=scope,
            by=by,
        )
        token = self._tokens.issue(name, "token", self._token_end(ends), purpose=purpose)
        return NewAccount(user=name, password=password, token=token)

    def add_external(self, identity: str, name: str, role: Role, *, site: str | None) -> Person:
        """Make the account of somebody the company's sign-in knows; it has no password here.

        Raises
        ------
        Malformed, Conflict
            Also when a local account bears the name: an identity is never tied to it by name.
        """
        self._make(name, role, {"site": site, "identity": identity}, until=None, scope=None, by=name)
        return self.person(name)

    def external(self, identity: str) -> Person | None:
        """Return the account of an identity, None when it has none. Raises NotSignedIn when it was ended."""
        with self._database.reading() as connection:
            found = connection.execute(select(people).where(people.c.identity == identity)).first()
        if found is None:
            return None
        if self._row(found.name) is None:
            raise NotSignedIn()
        return self._person(found)

    def person(self, name: str) -> Person:
        """Return an account by name, for the local operator. Raises NotFound."""
        return self.account(name).person

    def account(self, name: str) -> Account:
        """Return an account as an admin sees it. Raises NotFound."""
        found = self._row(name)
        if found is None:
            raise NotFound(
                Sentence(
                    en=f"there is no account '{name}'; make one with `mingjing user add`",
                    zh=f"没有账号“{name}”，可用 `mingjing user add` 新建",
                )
            )
        return self._account(found)

    def seen_by(self, name: str, admin: Person) -> Account:
        """Return an account an admin looks after. Raises NotFound for absent ones and those of other sites alike."""
        found = self._row(name)
        if found is None or not admin.sees_site(found.site):
            raise absent("account", name)
        return self._account(found)

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts that are neither disabled nor over, by name."""
        wanted = select(people).where(*self._standing()).order_by(people.c.name)
        with self._database.reading() as connection:
            return tuple(self._account(row) for row in connection.execute(wanted))

    def everyone(self) -> tuple[Person, ...]:
        """Return the persons behind these accounts."""
        return tuple(account.person for account in self.accounts())

    def change(self, name: str, *, by: str = LOCAL_ADMIN, **values: Any) -> Account:
        """Give an account another role, site, end or scope; whatever it is signed in with ends.

        Parameters
        ----------
        **values
            Any of `role`, `site`, `until` and `scope`; what is left out stays.

        Raises
        ------
        NotFound, Malformed, OwnAccount
        """
        known = self.account(name)
        if name == by:
            raise OwnAccount()
        columns: dict[str, object] = {}
        if "role" in values:
            columns["role"] = Role(values["role"]).value
        if "site" in values:
            columns["site"] = site_of(values["site"])
        if "scope" in values:
            require_scope(values["scope"] or Scope())
            columns["scope"] = scope_text(values["scope"])
        if "until" in values or columns.get("role") == Role.REGULATOR:
            ends = self._end_of(Role(values.get("role", known.person.role)), values.get("until", known.until))
            columns["until"] = None if ends is None else microseconds_of(ends)
        # The grant is in the log before it holds; what held before ends first.
        self._tokens.end_all(name)
        self._note(by, "changed", name, columns)
        if columns:
            with self._database.writing() as connection:
                connection.execute(update(people).where(people.c.name == name).values(columns))
        self._tokens.end_all(name)
        return self.account(name)

    def disable(self, name: str, by: str = LOCAL_ADMIN) -> None:
        """End an account and everything it is signed in with. Raises NotFound, OwnAccount."""
        self.person(name)
        if name == by:
            raise OwnAccount()
        now = microseconds_of(self._clock())
        with self._database.writing() as connection:
            connection.execute(update(people).where(people.c.name == name).values(disabled=now))
        self._tokens.end_all(name)
        self._note(by, "disabled", name, {})

    # ── Passwords and sessions ────────────────────────────────────────────────────────────────────

    def sign_in(self, name: str, password: str, address: str | None = None) -> str:
        """Return a fresh session for a name and password.

        Parameters
        ----------
        address : str, optional
            Where the caller sits, as the network says; None counts no address.

        Raises
        ------
        NotSignedIn
            Also while the account is shut after too many tries.
        TooManyTries
            When the address is.
        """
        is_open = self._limits.begin(name, address)
        found = self._row(name) if is_open else None
        if not self._is_password(found, password) or found is None:
            raise NotSignedIn()
        self._limits.passed(name, address)
        return self.begin_session(self._account(found))

    def begin_session(self, account: Account) -> str:
        """Return a fresh session of somebody whose identity is already proven."""
        ends = self._clock() + session_lasts(account.person.role)
        return self._tokens.issue(account.person.name, SESSION, min(filter(None, (ends, account.until))))

    def change_password(self, name: str, old: str, new: str, address: str | None = None) -> None:
        """Replace one's own password; every other session and token ends. Raises NotSignedIn, Malformed."""
        require_password(new)
        is_open = self._limits.begin(name, address)
        found = self._row(name) if is_open else None
        if not self._is_password(found, old):
            raise NotSignedIn()
        self._limits.passed(name, address)
        self._set_password(name, new, by=name)

    def reset_password(self, name: str, by: str = LOCAL_ADMIN) -> str:
        """Return a fresh password of a local account, shown once; whatever it is signed in with ends."""
        if self.account(name).external:
            raise Refused(
                Sentence(
                    en=f"{name} signs in with the company's identity and has no password here",
                    zh=f"{name} 使用企业统一登录，在此没有密码",
                )
            )
        fresh = secrets.token_urlsafe(12)
        self._set_password(name, fresh, by=by)
        return fresh

    def once(self, name: str) -> str:
        """Return a login that works one time."""
        return self._tokens.issue(name, "once", self._clock() + ONCE_LASTS)

    def redeem(self, once: str) -> str:
        """Trade a one-time login for a session. Raises NotSignedIn the second time."""
        found = self._row(self._tokens.redeem(once))
        if found is None:
            raise NotSignedIn()
        return self.begin_session(self._account(found))

    def sign_out(self, session: str) -> None:
        """End a session."""
        self._tokens.end(session)

    # ── Tokens ────────────────────────────────────────────────────────────────────────────────────

    def by_token(self, token: str) -> Person:
        """Return who holds this token or session, as narrow as it is. Raises NotSignedIn."""
        found = self._tokens.holder(token)
        person = self._person(found)
        narrowed = scope_of(found.token_scope)
        scopes = person.scopes if narrowed == Scope() else (*person.scopes, narrowed)
        return replace(person, purpose=found.token_purpose, scopes=scopes)

    def require_session(self, token: str) -> Person:
        """Return who holds this session. Raises NotSignedIn, NeedsSession for a token."""
        if self._tokens.holder(token).token_kind != SESSION:
            raise NeedsSession()
        return self.by_token(token)

    def new_token(
        self,
        name: str,
        *,
        scope: Scope | None = None,
        until: datetime | None = None,
        note: str = "",
        by: str = LOCAL_ADMIN,
    ) -> str:
        """Return a fresh token of an account, shown once.

        Parameters
        ----------
        scope : Scope, optional
            Purposes, models and sites it is good for; None is as wide as the account.
        until : datetime, optional
            Its end, at most 90 days away; never later than the account's.
        by : str
            The account itself, or an admin for a service or tester.

        Raises
        ------
        NotFound, Malformed, PurposeRefused, NotYourToken
        """
        account = self.account(name)
        if by not in (name, LOCAL_ADMIN) and account.person.role not in MACHINES:
            raise NotYourToken(name, account.person.role)
        narrowed, said = scope or Scope(), require_note(note)
        require_scope(narrowed)
        for purpose in narrowed.purposes or ():
            require_permitted(purpose, self._purposes())
        ends = self._token_end(account.until, until)
        bound = self._bound(account.person.role, narrowed)
        self._note(by, "token", name, {**scope_as_json(narrowed), "until": ends.isoformat(), "note": said})
        return self._tokens.issue(name, "token", ends, purpose=bound, scope=narrowed, note=said)

    def tokens(self, name: str) -> tuple[TokenLine, ...]:
        """Return what an account is signed in with. Raises NotFound."""
        self.person(name)
        return self._tokens.of(name)

    def revoke(self, name: str, identifier: str, by: str = LOCAL_ADMIN) -> None:
        """End one token or session by the id that lists show. Raises NotFound."""
        self.person(name)
        self._tokens.revoke(name, identifier)
        self._note(by, "revoked", name, {"token": identifier})

    def forget_expired(self) -> int:
        """Delete tokens and sessions that have ended; return how many that were."""
        return self._tokens.forget_expired()

    # ── Inside ────────────────────────────────────────────────────────────────────────────────────

    def _make(
        self,
        name: str,
        role: Role,
        columns: Mapping[str, object],
        *,
        until: datetime | None,
        scope: Scope | None,
        by: str,
    ) -> datetime | None:
        require_name(name)
        site = site_of(columns.get("site"))
        require_scope(scope or Scope())
        ends = self._end_of(role, until)
        row = {
            **columns,
            "name": name,
            "role": role.value,
            "site": site,
            "created": microseconds_of(self._clock()),
            "until": None if ends is None else microseconds_of(ends),
            "scope": scope_text(scope),
        }
        with self._database.writing() as connection:
            if connection.execute(select(people.c.name).where(people.c.name == name)).scalar() is not None:
                raise taken(name)
            try:
                connection.execute(insert(people).values(row))
            except IntegrityError as raced:
                raise taken(name) from raced
        try:
            self._note(by, "added", name, {"role": role.value, "site": site, "until": row["until"]})
        except BaseException:
            with self._database.writing() as connection:
                connection.execute(delete(people).where(people.c.name == name))
            raise
        return ends

    def _end_of(self, role: Role, until: datetime | None) -> datetime | None:
        now = self._clock()
        if until is None:
            return now + REGULATOR_LASTS if role is Role.REGULATOR else None
        if until <= now:
            raise Malformed(
                Sentence(
                    en=f"an account cannot end at {until.isoformat()}, which has passed; name a later moment",
                    zh=f"账号的截止时间 {until.isoformat()} 已过，请填写更晚的时间",
                )
            )
        return until

    def _token_end(self, account_ends: datetime | None, until: datetime | None = None) -> datetime:
        now = self._clock()
        latest = min(filter(None, (now + TOKEN_LASTS, account_ends)))
        if until is None:
            return latest
        if not now < until <= latest:
            raise Malformed(
                Sentence(
                    en=f"a token of this account may end after now and by {latest.isoformat()}; "
                    f"found {until.isoformat()}",
                    zh=f"该账号的令牌截止时间应晚于当前且不晚于 {latest.isoformat()}，实际为 {until.isoformat()}",
                )
            )
        return until

    def _bound(self, role: Role, scope: Scope) -> str | None:
        """Return the purpose that holds where a call states none."""
        if scope.purposes is not None:
            return scope.purposes[0] if len(scope.purposes) == 1 else None
        return "risk_intervention" if role is Role.SERVICE else None

    def _set_password(self, name: str, password: str, *, by: str) -> None:
        self._note(by, "password", name, {})
        with self._database.writing() as connection:
            connection.execute(
                update(people).where(people.c.name == name).values(password_hash=self._hasher.hash(password))
            )
        self._tokens.end_all(name)

    def _is_password(self, found: Row[Any] | None, password: str) -> bool:
        # A wrong name costs as long as a wrong password.
        known = found.password_hash if found is not None and found.password_hash else self._decoy
        try:
            self._hasher.verify(known, password[:LONGEST_PASSWORD])
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False
        return found is not None and known is not self._decoy and len(password) <= LONGEST_PASSWORD

    def _standing(self) -> tuple[Any, ...]:
        now = microseconds_of(self._clock())
        return people.c.disabled.is_(None), people.c.until.is_(None) | (people.c.until > now)

    def _row(self, name: str) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(select(people).where(people.c.name == name, *self._standing())).first()

    def _person(self, row: Row[Any]) -> Person:
        known = self._keys.opened(row.subject) if row.subject is not None else (None,)
        scope = scope_of(row.scope)
        return Person(
            name=row.name,
            role=Role(row.role),
            site=row.site,
            subject=known[0],
            earlier=tuple(pseudonym for pseudonym in known[1:] if pseudonym is not None),
            scopes=() if scope == Scope() else (scope,),
        )

    def _account(self, row: Row[Any]) -> Account:
        until = None if row.until is None else moment_of(row.until)
        return Account(person=self._person(row), until=until, external=row.identity is not None)

    def _note(self, by: str, what: str, account: str, values: Mapping[str, object]) -> None:
        self._log.append([statement("account", by=by, body={"what": what, "account": account, **values})])
