"""An account as others see it: its values, what it may be called, and what nobody may do to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.tokens import scope_as_json
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Person, Role, Scope

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000

MACHINES = frozenset({Role.SERVICE, Role.TESTER})
"""Accounts that cannot sign in and ask for a token themselves, so that an admin does."""


class NotYourToken(Refused):
    """An admin who could make tokens of deciders could decide in their name."""

    def __init__(self, account: str, role: Role) -> None:
        super().__init__(
            Sentence(
                en=f"{account} is {role.value} and makes tokens in a session of his own; "
                "an admin makes them for service and tester accounts only",
                zh=f"{account} 的角色为 {role.value}，令牌须由本人登录后申请；管理员只能为 service、tester 账号申请",
            )
        )


class OwnAccount(Refused):
    """Nobody changes or ends the account he acts with."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="this is the account you are signed in with; another admin must change or end it",
                zh="这是您当前登录的账号，须由其他管理员变更或停用",
            )
        )


class NeedsSession(Refused):
    """A token cannot beget tokens: who stole one would outlive its end."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="this needs a session: sign in with your password (or your company's sign-in) and ask again",
                zh="此操作须在登录会话中进行：请用密码（或企业统一登录）登录后重试",
            )
        )


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """What is shown once when an account is made."""

    user: str
    password: str
    token: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account as an admin sees it."""

    person: Person
    until: datetime | None
    external: bool

    def as_json(self) -> dict[str, object]:
        """Return the account as JSON values."""
        scope = self.person.scopes[0] if self.person.scopes else Scope()
        return {
            "user": self.person.name,
            "role": self.person.role.value,
            "site": self.person.site,
            "sites": scope_as_json(scope)["sites"],
            "models": scope_as_json(scope)["models"],
            "until": self.until.isoformat() if self.until is not None else None,
            "external": self.external,
        }


def require_name(name: str) -> None:
    """Raise `Malformed` for what no account may be called."""
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


def site_of(site: object) -> str | None:
    """Return the site of an account, None for every site. Raises Malformed for what names none."""
    if site is None:
        return None
    text = str(site)
    if not 0 < len(text.strip()) == len(text) <= 200 or not text.isprintable() or text.endswith("/"):
        raise Malformed(
            Sentence(
                en="a site has 1 to 200 printable characters, no space around it and no '/' at its end",
                zh="站点名称应为 1 到 200 个可打印字符，首尾不得有空格，末尾不得为“/”",
            )
        )
    return text


def taken(name: str) -> Conflict:
    """Return the error for a name that somebody bears already."""
    return Conflict(Sentence(en=f"there is an account '{name}' already", zh=f"账号“{name}”已存在"))


def require_password(password: str) -> None:
    """Raise `Malformed` for a password that is too short to hold or too long to be read."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Malformed(
            Sentence(
                en=f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; found {len(password)}",
                zh=f"密码应为 {SHORTEST_PASSWORD} 到 {LONGEST_PASSWORD} 个字符，当前为 {len(password)} 个",
            )
        )
