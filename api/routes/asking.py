"""Who asks, and what decides for him: all that the predict path's routes need, at head office and on an edge box."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.deciding import Decider
from api.patience import Patience
from api.tokens import NotSignedIn
from policies.roles import Person

SESSION = "mingjing_session"


def decider_of(request: Request) -> Decider:
    """Return the house behind this application."""
    decider: Decider = request.app.state.service
    return decider


def person_of(request: Request) -> Person:
    """Return who asks, by bearer token or session cookie. Raises NotSignedIn."""
    return decider_of(request).people.by_token(token_of(request))


def token_of(request: Request) -> str:
    """Return the token or session a request was sent with. Raises NotSignedIn when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(SESSION, "")
    if not token.strip():
        raise NotSignedIn()
    return token.strip()


def patience_of(request: Request) -> Patience:
    """Return how this application waits for decisions."""
    patience: Patience = request.app.state.patience
    return patience


Deciding = Annotated[Decider, Depends(decider_of)]
Waiting = Annotated[Patience, Depends(patience_of)]
Asking = Annotated[Person, Depends(person_of)]
