"""What a form for a token says: what it is for, its last day, and the purposes, models and sites it is narrowed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.datastructures import FormData

from api.accounts import Account
from api.console.days import day_of
from api.console.pages import text_of
from api.tokens import TOKEN_LASTS, TokenLine
from api.wiring import Service
from policies.errors import Sentence
from policies.roles import Scope, absent

FIELDS = ("note", "until", "models", "sites")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The token a form asks for; `until` None is as long as it may be."""

    scope: Scope
    until: datetime | None
    note: str


def typed(form: FormData) -> dict[str, str]:
    """Return what was typed, so that a form that was refused can be sent again."""
    return {**{name: text_of(form, name) for name in FIELDS}, "purposes": " ".join(_purposes(form))}


def read_token(form: FormData) -> Wanted:
    """Return the token asked for; it holds through its last day. Raises Malformed."""
    until = text_of(form, "until")
    return Wanted(
        scope=Scope(
            sites=listed(text_of(form, "sites")),
            models=listed(text_of(form, "models")),
            purposes=_purposes(form) or None,
        ),
        until=day_of(until, after=1) if until else None,
        note=text_of(form, "note"),
    )


def listed(text: str) -> tuple[str, ...] | None:
    """Return what a text lists with commas; None where it lists nothing, which narrows nothing.

    Examples
    --------
    >>> listed("plant-07, plant-08"), listed(" ")
    (('plant-07', 'plant-08'), None)
    """
    found = tuple(part.strip() for part in text.replace("，", ",").split(",") if part.strip())
    return found or None


def latest_day(service: Service, account: Account) -> date:
    """Return the last day a token of this account may be given."""
    ends = min(filter(None, (service.clock() + TOKEN_LASTS, account.until)))
    return (ends - timedelta(days=1)).date()


def purposes_of(service: Service) -> Mapping[str, Sentence]:
    """Return the purposes a token can be narrowed to."""
    return service.rulebook.purposes.allowed


def require_listed(lines: Sequence[TokenLine], token: str) -> None:
    """Raise `NotFound` unless the token is among those of the account."""
    if token not in {line.id for line in lines}:
        raise absent("token", token)


def _purposes(form: FormData) -> tuple[str, ...]:
    return tuple(str(value)[:200] for value in form.getlist("purposes"))
