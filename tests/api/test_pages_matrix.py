"""Role x page x object over every page of the console: no wrong allow, and foreign cannot be told from absent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from policies.roles import Role
from tests.api.doors import ABSENT, SCOPES, Doors
from tests.api.test_roles_matrix import ADMINS, API, READS_OWN, READS_SUBMISSIONS
from tests.governance.factories import SITE

DECIDERS = frozenset({Role.DSO, Role.COMMITTEE})
ENGINEERS = frozenset({Role.ML_ENGINEER})
OFFICERS = frozenset({Role.DSO})
REVIEWERS = frozenset({Role.DSO, Role.REVIEWER})
KEEPERS = frozenset({Role.DSO, Role.REGULATOR})


@dataclass(frozen=True)
class Page:
    """Who may open a page or send its form, and what it is about. None: everybody, also without signing in.

    `gone` is how the page answers about what is absent, or foreign. `whole` needs somebody of all sites.
    """

    roles: frozenset[Role] | None = None
    about: str | None = None
    form: dict[str, str] = field(default_factory=dict)
    own: bool = False
    gone: int = 404
    whole: bool = False


OPEN = Page()
NO_REASON = {"reason": ""}

PAGES: dict[tuple[str, str], Page] = {
    ("get", "/"): OPEN,
    ("get", "/login"): OPEN,
    ("post", "/login"): OPEN,
    ("get", "/login/once"): OPEN,
    ("post", "/login/once"): OPEN,
    ("get", "/login/company"): OPEN,
    ("get", "/login/company/callback"): OPEN,
    ("post", "/logout"): OPEN,
    ("get", "/log"): OPEN,
    ("get", "/reports"): OPEN,
    ("get", "/reports/{model}/{version}"): OPEN,
    ("get", "/openapi.json"): OPEN,
    ("get", "/disclosures"): OPEN,
    ("get", "/disclosures/{quarter}"): OPEN,
    ("get", "/decisions"): Page(READS_OWN),
    ("get", "/decisions/{decision}"): Page(READS_OWN, "decision"),
    ("post", "/decisions/{decision}/appeals"): Page(frozenset({Role.EMPLOYEE}), "decision", NO_REASON),
    ("post", "/decisions/{decision}/reviews"): Page(frozenset({Role.DSO, Role.REVIEWER}), "decision", NO_REASON),
    ("get", "/jobs/{job}"): Page(frozenset(Role), "job", own=True),
    ("post", "/jobs/{job}/cancel"): Page(frozenset(Role), "job", own=True),
    ("post", "/drafts"): Page(ENGINEERS),
    ("get", "/drafts/{draft}"): Page(ENGINEERS, "draft", own=True),
    ("post", "/drafts/{draft}"): Page(ENGINEERS, "draft", {"act": "hand_in"}, own=True),
    ("post", "/drafts/{draft}/discard"): Page(ENGINEERS, "draft", own=True),
    ("get", "/drafts/{draft}/submission.toml"): Page(ENGINEERS, "draft", own=True),
    ("get", "/inbox"): Page(REVIEWERS),
    ("get", "/requests"): Page(READS_OWN),
    ("get", "/requests/{asked}"): Page(READS_OWN, "asked"),
    ("post", "/requests/{asked}/answer"): Page(REVIEWERS, "asked", NO_REASON),
    ("get", "/rules"): OPEN,
    ("post", "/rules"): Page(OFFICERS, form=NO_REASON),
    ("get", "/rules/{revision}"): Page(READS_SUBMISSIONS),
    ("post", "/rules/{revision}/{act}"): Page(DECIDERS, form=NO_REASON),
    ("get", "/keeping"): Page(KEEPERS | ADMINS),
    ("post", "/keeping"): Page(KEEPERS, form=NO_REASON),
    ("post", "/keeping/{hold}/lift"): Page(KEEPERS, form=NO_REASON),
    ("get", "/health"): Page(ADMINS),
    ("get", "/models/{name}/versions"): Page(READS_SUBMISSIONS, "name"),
    ("get", "/models/{name}/compare"): Page(READS_SUBMISSIONS, "name"),
    ("get", "/law"): Page(READS_SUBMISSIONS),
    ("post", "/law/snapshots"): Page(KEEPERS, form={"reason": "?"}),
    ("get", "/law/{pack}"): Page(READS_SUBMISSIONS),
    ("post", "/law/{pack}/adoption"): Page(DECIDERS, form=NO_REASON),
    ("get", "/models"): Page(READS_SUBMISSIONS),
    ("post", "/models/{name}/{act}"): Page(OFFICERS, "name", {"reason": "it was never suspended"}, gone=422),
    ("get", "/people"): Page(ADMINS),
    ("post", "/people"): Page(ADMINS, form={"name": "", "role": "", "site": SITE}),
    ("post", "/people/disable"): Page(ADMINS, "user"),
    ("get", "/queue"): Page(DECIDERS),
    ("get", "/submissions"): Page(READS_SUBMISSIONS),
    ("get", "/submissions/new"): Page(ENGINEERS),
    ("post", "/submissions/new"): Page(ENGINEERS),
    ("get", "/submissions/{submission}"): Page(READS_SUBMISSIONS, "submission"),
    ("get", "/submissions/{submission}/tier"): Page(READS_SUBMISSIONS, "submission"),
    ("post", "/submissions/{submission}/tier"): Page(DECIDERS, "submission", {"tier": "L4", "reason": ""}),
    ("post", "/tier-changes/{change}/confirm"): Page(DECIDERS, "change", NO_REASON),
    ("post", "/tier-changes/{change}/decline"): Page(DECIDERS, "change", NO_REASON),
    ("get", "/delegations"): Page(READS_SUBMISSIONS | {Role.REVIEWER}),
    ("post", "/delegations"): Page(OFFICERS, form={"tier": "L2", "until": "2026-03-20", "reason": ""}),
    ("post", "/delegations/{delegation}/revoke"): Page(OFFICERS, "delegation", NO_REASON),
    ("get", "/delegated/{submission}"): Page(REVIEWERS, "submission", own=True),
    ("post", "/delegated/{submission}/verdict"): Page(REVIEWERS, "submission", own=True),
    ("get", "/quarters"): Page(OFFICERS, whole=True),
    ("get", "/quarters/{quarter}"): Page(OFFICERS, whole=True),
    ("get", "/quarters/{quarter}/preview.pdf"): Page(OFFICERS, whole=True),
    ("post", "/quarters/{quarter}"): Page(OFFICERS, whole=True),
    ("post", "/quarters/{quarter}/release"): Page(OFFICERS, form={"digest": "not that one"}, whole=True),
    ("post", "/quarters/{quarter}/measures"): Page(OFFICERS, form={"target": "much"}, whole=True),
    ("get", "/account"): Page(frozenset(Role)),
    ("post", "/account/tokens"): Page(frozenset()),  # with a token in the cookie; sessions have tests of their own
    ("post", "/account/tokens/revoke"): Page(frozenset(Role), "token", own=True),
    ("post", "/account/password"): Page(frozenset(Role), form={"old": "", "new": "1", "again": "2"}),
    ("get", "/people/account"): Page(ADMINS, "user"),
    ("post", "/people/tokens"): Page(ADMINS, "user", {"until": "soon"}),
    ("post", "/people/tokens/revoke"): Page(ADMINS, "token", own=True),
    ("post", "/people/change"): Page(ADMINS, "user", {"role": "", "site": SITE}),
    ("post", "/people/password"): Page(ADMINS, "user"),
    ("post", "/submissions/{submission}/verdict"): Page(DECIDERS, "submission", {"verdict": "return", "reason": ""}),
}
"""Every page. Forms that pass role and scope and then fail for what they lack change nothing."""


def open_page(doors: Doors, method: str, path: str, page: Page, role: Role | None, scope: str, absent: bool) -> Any:
    """Open a page about what is there, or about what is not, with the browser of somebody."""
    there = {"decision": doors.decision, "submission": doors.submission, "job": doors.job, "name": "gas-leak"}
    there |= {"user": "service-here", "asked": doors.appeal, "change": doors.change, "delegation": doors.delegation}
    there |= {"token": "0" * 16, "draft": doors.draft}
    if absent and page.about is not None:
        there[page.about] = {"name": "gas-leek", "user": "nobody-here"}.get(page.about, ABSENT)
    doors.asked = (*there.values(), ABSENT, "gas-leek", "nobody-here")
    doors.client.cookies.clear()
    if role is not None:
        doors.client.cookies.set("mingjing_session", doors.tokens[role, scope])
    url = path.format(
        **there,
        model="gas-leak",
        version="1",
        act="resume",
        quarter="2025Q4",
        revision=doors.revision,
        hold=ABSENT,
        pack="eu-ai-act",
    )
    options: dict[str, Any] = {"follow_redirects": False}
    if method == "get" and page.about == "user":
        options["params"] = {"name": there["user"]}
    if method == "post":
        token = re.search(r'name="form_token" value="([^"]+)"', doors.client.get("/login").text)
        assert token is not None
        named = {"name": there["user"], "token": there["token"]} if page.about in ("user", "token") else {}
        options["data"] = {**page.form, **named, "form_token": token[1]}
    answer = doors.client.request(method, url, **options)
    doors.client.cookies.clear()  # other tests ask the same house as nobody
    return answer


def what_is_shown(answer: Any, *ids: str) -> Any:
    """Everything by which two pages can be told apart, without the ids that were sent."""
    text = re.sub(r'name="form_token" value="[^"]+"', "", answer.text)  # masked anew on every page
    for id in ids:
        text = text.replace(id, "X")
    return answer.status_code, text, sorted(answer.headers.keys() - {"content-length"})


class TestTable:
    def test_says_something_about_every_page(self, doors: Doors) -> None:
        pages = {route for route in doors.routes() if not route[1].startswith(API)}
        assert pages == set(PAGES)


@pytest.mark.parametrize(("method", "path"), PAGES, ids=lambda part: part)
class TestPages:
    def test_who_is_not_signed_in_is_asked_to(self, doors: Doors, method: str, path: str) -> None:
        page = PAGES[method, path]
        answer = open_page(doors, method, path, page, None, "", absent=False)
        if page.roles is not None:
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login")
        else:
            assert answer.status_code < 500

    def test_every_role_at_every_site(self, doors: Doors, method: str, path: str) -> None:
        page = PAGES[method, path]
        wrong = []
        for role in Role if page.roles is not None else ():
            for scope in SCOPES:
                present = open_page(doors, method, path, page, role, scope, absent=False)
                ids = doors.asked
                gone = open_page(doors, method, path, page, role, scope, absent=True) if page.about else None
                ids += doors.asked
                place = (role.value, scope, present.status_code)
                if present.status_code >= 500:
                    wrong.append(("broke", *place))
                elif role not in (page.roles or ()):
                    if present.status_code != 403:
                        wrong.append(("allowed", *place))
                elif page.whole and scope != "everywhere":
                    if present.status_code != 403:
                        wrong.append(("part allowed", *place))
                elif page.own or (page.about and scope == "elsewhere"):
                    if present.status_code != page.gone:
                        wrong.append(("foreign", *place))
                    elif gone is None or what_is_shown(present, *ids) != what_is_shown(gone, *ids):
                        wrong.append(("told apart", *place))
                elif present.status_code in (401, 403, 404) and (method, path, scope) != (
                    "post",
                    "/people",
                    "elsewhere",
                ):
                    wrong.append(("kept out", *place))
                elif gone is not None and gone.status_code != page.gone:
                    wrong.append(("absent", *place, gone.status_code))
        assert wrong == []
