"""How a page comes about: language, person, template; and what a person sees when something is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import FormData

from api.console.sessions import form_token, keep_form_secret, require_own_form, visitor
from api.console.wording import knows, name_of, say, stamp
from api.problems import status_of
from api.tokens import NotSignedIn
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, Person, Role
from reports.charts import Drawing, to_svg
from reports.decision_letter import reading_words, share_words
from reports.wording import LANGUAGES, Language, as_number, as_percent

HERE = Path(__file__).parent
STATIC = HERE / "static"
LANGUAGE = "mingjing_lang"
A_YEAR = 365 * 24 * 3600

HOME: Mapping[Role, str] = {
    Role.DSO: "/queue",
    Role.COMMITTEE: "/queue",
    Role.ML_ENGINEER: "/submissions",
    Role.REGULATOR: "/decisions",
    Role.REVIEWER: "/inbox",
    Role.EMPLOYEE: "/decisions",
    Role.ADMIN: "/people",
}
"""Where each person starts; everyone else starts at the public reports."""

DESKS: tuple[tuple[str, str, Action | None], ...] = (
    ("queue", "/queue", Action.GIVE_VERDICT),
    ("submissions", "/submissions", Action.READ_SUBMISSIONS),
    ("inbox", "/inbox", Action.REVIEW),
    ("delegations", "/delegations", Action.DELEGATE),
    ("models", "/models", Action.READ_SUBMISSIONS),
    ("decisions", "/decisions", Action.READ_DECISIONS),
    ("requests", "/requests", Action.READ_DECISIONS),
    ("own", "/decisions", Action.READ_OWN_DECISIONS),
    ("asked", "/requests", Action.READ_OWN_DECISIONS),
    ("people", "/people", Action.MANAGE_PEOPLE),
    ("keeping", "/keeping", Action.HOLD),
    ("keeping", "/keeping", Action.MANAGE_PEOPLE),
    ("health", "/health", Action.MANAGE_PEOPLE),
    ("quarters", "/quarters", Action.DISCLOSE),
    ("reports", "/reports", None),
    ("rules", "/rules", None),
    ("law", "/law", Action.READ_SUBMISSIONS),
    ("log", "/log", None),
)
"""Navigation: name, address, and what a person must be allowed to do to see it."""


class PageRoute(APIRoute):
    """A route for people: forms must be the browser's own, and refusals are pages."""

    most_files, most_fields = 1, 60

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with language, form check and refusals around it."""
        answer = super().get_route_handler()

        async def handled(request: Request) -> Response:
            form = None
            try:
                if request.method not in ("GET", "HEAD"):
                    form = await request.form(max_files=self.most_files, max_fields=self.most_fields)
                    require_own_form(request, form)
                response = await answer(request)
            except NotSignedIn:
                response = _to_sign_in(request)
            except Fault as fault:
                response = refusal(request, fault)
            except RequestValidationError:
                response = refusal(request, _unreadable())
            finally:
                if form is not None:
                    await form.close()
            keep_form_secret(request, response)
            _keep_language(request, response)
            return response

        return handled


def language_of(request: Request) -> Language:
    """Return the language of the page: asked for in the address, else the cookie, else what the browser prefers."""
    for wanted in (request.query_params.get("lang", ""), request.cookies.get(LANGUAGE, "")):
        if wanted in LANGUAGES:
            return wanted
    for tag in request.headers.get("accept-language", "").lower().split(","):
        if tag.strip()[:2] in LANGUAGES:
            return cast(Language, tag.strip()[:2])
    return "en"


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a template as a page in the reader's language."""
    language = language_of(request)
    person = visitor(request)
    given = {
        "lang": language,
        "t": partial(say, language),
        "named": partial(name_of, language),
        "knows": knows,
        "reading_of": partial(reading_words, language=language),
        "share_of": partial(share_words, language=language),
        "person": person,
        "desks": [(name, to) for name, to, action in DESKS if _open_to(person, action)],
        "here": request.url.path,
        "home": home_of(person),
        "other_language": _same_page_in(request, "zh" if language == "en" else "en"),
        "form_token": partial(form_token, request),
        "style": f"/static/console.css?v={_version('console.css')}",
        "script": f"/static/console.js?v={_version('console.js')}",
        "done": request.query_params.get("done", ""),
        "faults": (),
        **values,
    }
    return HTMLResponse(templates(language).get_template(template).render(given), status)


def refusal(request: Request, fault: Fault) -> HTMLResponse:
    """Return the page that says what was refused and what can be done."""
    return page(request, "refused.html", status_of(fault), faults=fault.faults)


def done(address: str, what: str = "", **query: str) -> RedirectResponse:
    """Return the redirect after a form: the page is fetched anew and names what was done."""
    asked = {"done": what, **query} if what else query
    return RedirectResponse(f"{address}?{urlencode(asked)}" if asked else address, 303)


def home_of(person: Person | None) -> str:
    """Return the page on which a person starts."""
    return "/reports" if person is None else HOME.get(person.role, "/reports")


def text_of(form: FormData, field: str, most: int = 4000) -> str:
    """Return a text field of a form, trimmed; an absent one is empty, an overlong one is refused."""
    given = form.get(field, "")
    text = given.strip() if isinstance(given, str) else ""
    if len(text) > most:
        raise Malformed(
            Sentence(
                en=f"a field holds {len(text):,} characters; at most {most:,} are kept",
                zh=f"某一栏共 {len(text):,} 个字符，最多保存 {most:,} 个",
            )
        )
    return text


@cache
def templates(language: Language) -> Environment:
    """Return the templates. Everything put into one is escaped unless it was made here as markup."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = lambda said: said.in_language(language)
    made.filters["count"] = lambda number: f"{number:,}"
    made.filters["number"] = lambda value: "–" if value is None else as_number(value)
    made.filters["percent"] = lambda value: "–" if value is None else as_percent(value)
    made.filters["points"] = lambda gap: ("+" if gap > 0 else "") + as_percent(gap)
    made.filters["stamp"] = stamp
    made.filters["days"] = lambda span: max(0, span.days)
    made.filters["in_path"] = lambda text: quote(str(text), safe="")
    made.filters["svg"] = _svg
    return made


def _svg(drawing: Drawing) -> Markup:
    # `to_svg` escapes every text in the drawing.
    return Markup(to_svg(drawing))  # noqa: S704


def _open_to(person: Person | None, action: Action | None) -> bool:
    return action is None or (person is not None and person.may(action))


def _same_page_in(request: Request, language: str) -> str:
    if request.method != "GET":
        return f"/?lang={language}"
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("lang", "token")]
    return f"{request.url.path}?{urlencode([*kept, ('lang', language)])}"


def _to_sign_in(request: Request) -> Response:
    where = request.url.path
    if request.method == "GET" and request.url.query:
        where = f"{where}?{request.url.query}"
    asked = urlencode({"next": where}) if request.method == "GET" and where != "/" else ""
    return RedirectResponse(f"/login?{asked}" if asked else "/login", 303)


def _keep_language(request: Request, response: Response) -> None:
    wanted = request.query_params.get("lang", "")
    if wanted in LANGUAGES and request.cookies.get(LANGUAGE) != wanted:
        response.set_cookie(LANGUAGE, wanted, max_age=A_YEAR, path="/", httponly=True, samesite="lax")


def _unreadable() -> Malformed:
    return Malformed(
        Sentence(
            en="the address or form could not be read; a part has the wrong form",
            zh="地址或表单无法识别，有一处格式不对",
        )
    )


@cache
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
