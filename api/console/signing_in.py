"""Coming in and going out: password, one-time link, sign-out, and the page each role starts on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.company import CALLBACK, CompanySignIn, read_begun
from api.console.pages import PageRoute, home_of, page, text_of
from api.console.sessions import BEGUN, begin_session, end_session, forget_begun, keep_begun, visitor
from api.problems import status_of
from api.routes.shared import address_of, service_of
from api.tokens import NotSignedIn
from policies.errors import Conflict, Malformed, Refused
from policies.roles import absent

router = APIRouter(route_class=PageRoute)


async def posted(request: Request) -> FormData:
    """Return the form that came; its token was checked before the route was entered."""
    return await request.form()


Posted = Annotated[FormData, Depends(posted)]


@router.get("/")
def start(request: Request) -> Response:
    """Lead a person to his desk."""
    return RedirectResponse(home_of(visitor(request)), 303)


@router.get("/login")
def login(request: Request, next: str = "") -> Response:
    """Ask who comes."""
    return page(request, "login.html", next=_own_page(next), name="", company=_company(request) is not None)


@router.get("/login/company")
def to_company(request: Request, next: str = "") -> Response:
    """Lead a browser to the company's sign-in; what it has to bring back is kept in the browser alone."""
    address, begun = _required_company(request).begin(_own_page(next))
    response = RedirectResponse(address, 303)
    keep_begun(request, response, begun.as_cookie())
    return response


@router.get(CALLBACK)
def from_company(request: Request) -> Response:
    """Take in who comes back from the company's sign-in."""
    company, kept = _required_company(request), request.cookies.get(BEGUN, "")
    try:
        begun = read_begun(kept)
        session = company.complete(begun, dict(request.query_params))
    except (NotSignedIn, Refused, Conflict, Malformed) as fault:
        response = page(request, "refused.html", status_of(fault), faults=fault.faults)
        forget_begun(response)
        return response
    person = service_of(request).people.by_token(session)
    # Not a redirect: the browser would count it as the provider's and hold the strict session cookie back.
    response = page(request, "login_done.html", address=_own_page(begun.wanted) or home_of(person))
    begin_session(request, response, session)
    forget_begun(response)
    return response


@router.post("/login")
def sign_in(request: Request, form: Posted) -> Response:
    """Check name and password; a new session begins, never an old one."""
    name, wanted = text_of(form, "name", 64), _own_page(text_of(form, "next"))
    people = service_of(request).people
    try:
        session = people.sign_in(name, str(form.get("password", "")), address_of(request))
    except NotSignedIn:
        return page(
            request, "login.html", 401, next=wanted, name=name, failed=True, company=_company(request) is not None
        )
    return _welcome(request, session, wanted)


@router.get("/login/once")
def once(request: Request, token: str = "") -> Response:
    """Ask before a one-time link is used up: programs that look ahead at links must not spend it."""
    return page(request, "login_once.html", token=token)


@router.post("/login/once")
def redeem(request: Request, form: Posted) -> Response:
    """Trade the one-time link for a session."""
    try:
        session = service_of(request).people.redeem(text_of(form, "token", 200))
    except NotSignedIn:
        return page(request, "login.html", 401, next="", name="", spent=True, company=_company(request) is not None)
    return _welcome(request, session, "")


@router.post("/logout")
def sign_out(request: Request) -> Response:
    """End the session."""
    response = RedirectResponse("/login", 303)
    end_session(request, response)
    return response


def _company(request: Request) -> CompanySignIn | None:
    return service_of(request).company


def _required_company(request: Request) -> CompanySignIn:
    company = _company(request)
    if company is None:
        raise absent("sign-in", "company")
    return company


def _welcome(request: Request, session: str, wanted: str) -> Response:
    person = service_of(request).people.by_token(session)
    response = RedirectResponse(wanted or home_of(person), 303)
    begin_session(request, response, session)
    return response


def _own_page(wanted: str) -> str:
    """Return an address of this console, or nothing: a sign-in never leads to another host."""
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and "\\" not in wanted
    return wanted if own and wanted.isprintable() else ""
