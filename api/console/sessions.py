"""Who sits at the browser: the session cookie, and the token every form must carry.

A form's token is an HMAC under a secret only this browser's HttpOnly cookie holds, so a foreign page can neither
read nor guess it. Every page masks it anew, so that the size of a compressed page tells nothing about it. Before
sign-in that secret is a cookie of its own; at sign-in it goes, and the session takes over.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from fastapi import Request, Response

from api.routes.shared import SESSION, service_of
from api.tokens import SESSION_LASTS, NotSignedIn
from policies.errors import Refused, Sentence
from policies.roles import Person

FORM = "mingjing_form"
BEGUN = "mingjing_company"
BEGUN_PATH = "/login/company"
FIELD = "form_token"


class ForeignForm(Refused):
    """A form came without the token of this browser's session."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="this form was not sent from a page of this session, so nothing was done; "
                "open the page again and repeat",
                zh="该表单不是从本次会话的页面发出的，未执行任何操作；请重新打开页面后再试",
            )
        )


def visitor(request: Request) -> Person | None:
    """Return who is signed in with this browser, None for a visitor. The database is asked once for each request."""
    if not hasattr(request.state, "visitor"):
        request.state.visitor = _whose(request, request.cookies.get(SESSION, ""))
    found: Person | None = request.state.visitor
    return found


def _whose(request: Request, session: str) -> Person | None:
    try:
        return service_of(request).people.by_token(session) if session else None
    except NotSignedIn:
        return None


def signed_in(request: Request) -> Person:
    """Return who is signed in with this browser. Raises NotSignedIn."""
    person = visitor(request)
    if person is None:
        raise NotSignedIn()
    return person


def form_token(request: Request) -> str:
    """Return the token that forms on this page must carry; a visitor without a secret gets one."""
    return _masked(_token(_secret(request) or _fresh_secret(request)))


def require_own_form(request: Request, form: Any) -> None:
    """Raise `ForeignForm` unless the form carries the token of this browser."""
    secret = _secret(request)
    given = str(form.get(FIELD, ""))
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForeignForm()
    if not secret or not hmac.compare_digest(_unmasked(given), _token(secret)):
        raise ForeignForm()


def begin_session(request: Request, response: Response, session: str) -> None:
    """Give the browser a fresh session; whatever it held before is ended."""
    old = request.cookies.get(SESSION)
    if old:
        service_of(request).people.sign_out(old)
    _set(request, response, SESSION, session, int(SESSION_LASTS.total_seconds()))
    response.delete_cookie(FORM, path="/", httponly=True, samesite="strict")


def end_session(request: Request, response: Response) -> None:
    """Sign out."""
    old = request.cookies.get(SESSION)
    if old:
        service_of(request).people.sign_out(old)
    response.delete_cookie(SESSION, path="/", httponly=True, samesite="strict")


def keep_begun(request: Request, response: Response, begun: str) -> None:
    """Let the browser keep a sign-in that is on its way; it comes back from another site, so the cookie is lax."""
    secure = request.url.scheme == "https"
    response.set_cookie(BEGUN, begun, max_age=600, path=BEGUN_PATH, httponly=True, samesite="lax", secure=secure)


def forget_begun(response: Response) -> None:
    """Let a sign-in that came back be no use a second time."""
    response.delete_cookie(BEGUN, path=BEGUN_PATH, httponly=True, samesite="lax")


def keep_form_secret(request: Request, response: Response) -> None:
    """Send the secret that was made for this page, if one was."""
    made = getattr(request.state, "form_secret", None)
    if made is not None:
        _set(request, response, FORM, made, None)


def _secret(request: Request) -> str:
    # A session that has ended protects nothing; its forms fall back to the visitor's secret.
    if visitor(request) is not None:
        return request.cookies[SESSION]
    return request.cookies.get(FORM, "")


def _fresh_secret(request: Request) -> str:
    if not hasattr(request.state, "form_secret"):
        request.state.form_secret = secrets.token_urlsafe(32)
    made: str = request.state.form_secret
    return made


def _token(secret: str) -> bytes:
    return hmac.new(secret.encode(), b"mingjing form", hashlib.sha256).digest()


def _masked(token: bytes) -> str:
    mask = secrets.token_bytes(len(token))
    return (mask + _across(mask, token)).hex()


def _unmasked(given: str) -> bytes:
    try:
        both = bytes.fromhex(given)
    except ValueError:
        return b""
    half = len(both) // 2
    return _across(both[:half], both[half:])


def _across(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def _set(request: Request, response: Response, name: str, value: str, lasts: int | None) -> None:
    response.set_cookie(
        name, value, max_age=lasts, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
