"""Role x address x object over the whole route table: no wrong allow, and foreign cannot be told from absent."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.sign_in_limits import ADDRESS_TRIES
from governance.statements import read_statement
from policies.roles import Role, Scope
from tests.api.doors import ABSENT, SCOPES, Doors, rows_of
from tests.governance.factories import ENGINEER, SITE

EVERYONE = frozenset(Role)
READS_SUBMISSIONS = frozenset({Role.ML_ENGINEER, Role.DSO, Role.COMMITTEE, Role.REGULATOR})
READS_DECISIONS = frozenset({Role.DSO, Role.COMMITTEE, Role.REVIEWER, Role.REGULATOR})
ADMINS: frozenset[Role] = frozenset({Role.ADMIN})
NOBODY: frozenset[Role] = frozenset()
READS_OWN = READS_DECISIONS | {Role.EMPLOYEE}


@dataclass(frozen=True)
class Expected:
    """Who may use an address, and what it is about. `public` needs nobody and `answers` so.

    `whole` needs somebody of all sites. `own` objects are their owner's alone. `fresh` is for what ends the account or
    token it is asked with or about: each call gets one of its own.
    """

    roles: frozenset[Role] = EVERYONE
    about: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    public: bool = False
    whole: bool = False
    own: bool = False
    answers: int = 200
    fresh: bool = False


PUBLIC = Expected(public=True)
DECIDES = frozenset({Role.DSO, Role.COMMITTEE})
NO_REASON = {"reason": ""}
NO_SCOPE = {"question": "employment_in_nyc", "applies": False, "reason": ""}
DECISION = "/v1/decisions/{decision}"
QUARTER = "/v1/disclosures/{quarter}"
NO_MEASURE = {"indicator": "", "target": 0, "owner": ""}
CALLS = Expected(frozenset({Role.SERVICE, Role.TESTER}), "name")
TENSORS = Expected(
    CALLS.roles, "name", {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [20.0, 100.0]}]}
)

TABLE: dict[tuple[str, str], Expected] = {
    ("get", "/v2"): PUBLIC,
    ("get", "/v2/health/live"): PUBLIC,
    ("get", "/v2/health/ready"): PUBLIC,
    ("get", "/v1/models/{name}/ping"): PUBLIC,
    ("get", "/v1/models/{name}/health"): PUBLIC,
    ("get", "/v1/models/{name}/version"): PUBLIC,
    ("get", "/v2/models/{name}"): CALLS,
    ("get", "/v2/models/{name}/ready"): CALLS,
    ("get", "/v2/models/{name}/versions/{version}"): CALLS,
    ("get", "/v2/models/{name}/versions/{version}/ready"): CALLS,
    ("post", "/v2/models/{name}/infer"): TENSORS,
    ("post", "/v2/models/{name}/versions/{version}/infer"): TENSORS,
    ("post", "/endpoints/{name}/invocations"): Expected(frozenset({Role.SERVICE, Role.TESTER}), "name", rows_of()),
    ("get", "/metrics"): Expected(frozenset({Role.ADMIN, Role.DSO}), whole=True),
    ("get", "/v1/models/{name}/monitors"): Expected(READS_SUBMISSIONS, "name"),
    ("get", "/v1/log/checkpoint"): PUBLIC,
    ("get", "/v1/log/consistency"): PUBLIC,
    ("get", "/v1/reports"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}.pdf"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}.json"): PUBLIC,
    ("get", "/v1/negative-list"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}/technical-file.json"): Expected(READS_SUBMISSIONS, "model"),
    ("get", "/v1/reports/{model}/{version}/technical-file.pdf"): Expected(READS_SUBMISSIONS, "model"),
    ("get", "/v1/reports/{model}/{version}/bom.json"): Expected(READS_SUBMISSIONS, "model"),
    ("get", "/v1/reports/{model}/{version}/model-card.md"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}/model-card.json"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}/bias-audit.json"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}/bias-audit.csv"): PUBLIC,
    ("get", "/v1/reports/{model}/{version}/bias-audit.pdf"): PUBLIC,
    ("post", "/v1/reports/{model}/{version}/bias-audit"): Expected(frozenset({Role.DSO}), "model", {"sex": "sex"}),
    ("get", "/v1/rulebook"): PUBLIC,
    ("get", "/v1/regulations"): PUBLIC,
    ("get", "/v1/regulations/{pack}"): PUBLIC,
    ("post", "/v1/regulations/{pack}/scope"): Expected(frozenset({Role.DSO, Role.COMMITTEE}), body=NO_SCOPE),
    ("get", "/v1/regulations/{pack}/revision.json"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/regulations/{pack}/revision.pdf"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/regulations/{pack}/revision.xlsx"): Expected(READS_SUBMISSIONS),
    ("post", "/v1/regulations/{pack}/adoption"): Expected(
        frozenset({Role.DSO, Role.COMMITTEE}), body={"digest": "0" * 64, "reason": ""}
    ),
    ("get", "/v1/revisions"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/revisions/{number}.json"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/revisions/{number}.pdf"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/revisions/{number}.xlsx"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/rulebook/revisions/{revision}/table.json"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/rulebook/revisions/{revision}/table.pdf"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/rulebook/revisions/{revision}/table.xlsx"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/scope"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/coverage"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/snapshots"): Expected(READS_SUBMISSIONS),
    ("post", "/v1/snapshots"): Expected(frozenset({Role.DSO, Role.REGULATOR}), body={"reason": "?"}),
    ("get", "/v1/snapshots/{number}.json"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/snapshots/{number}.pdf"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/snapshots/{number}.xlsx"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/impact-questions"): PUBLIC,
    ("post", "/v1/impact-assessment"): Expected(public=True, body={"severity": "injury"}),
    ("get", "/v1/submissions/{submission}/tier"): Expected(READS_SUBMISSIONS, "submission"),
    ("post", "/v1/submissions/{submission}/tier"): Expected(DECIDES, "submission", {"tier": "L4", **NO_REASON}),
    ("get", "/v1/submissions/{submission}/use"): Expected(READS_SUBMISSIONS, "submission"),
    ("post", "/v1/submissions/{submission}/use"): Expected(
        frozenset({Role.ML_ENGINEER}), "submission", {"site": SITE, **NO_REASON}
    ),
    ("get", "/v1/use-changes"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/registry-faults"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/erasures"): Expected(DECIDES, whole=True),
    ("post", "/v1/erasures"): Expected(DECIDES, body={"subject": "w-9", **NO_REASON}, whole=True),
    ("post", "/v1/erasures/{erasure}/approve"): Expected(DECIDES, "erasure", NO_REASON, whole=True),
    ("post", "/v1/erasures/{erasure}/decline"): Expected(DECIDES, "erasure", NO_REASON, whole=True),
    ("post", "/v1/tier-changes/{change}/confirm"): Expected(DECIDES, "change", NO_REASON),
    ("post", "/v1/tier-changes/{change}/decline"): Expected(DECIDES, "change", NO_REASON),
    ("get", "/v1/delegations"): Expected(READS_SUBMISSIONS | {Role.REVIEWER}),
    ("post", "/v1/delegations"): Expected(
        frozenset({Role.DSO}), body={"tier": "L2", "until": "2026-03-20T00:00:00Z", **NO_REASON}
    ),
    ("get", "/v1/delegations/waiting"): Expected(DECIDES | {Role.REVIEWER}),
    ("post", "/v1/delegations/{delegation}/revoke"): Expected(frozenset({Role.DSO}), "delegation", NO_REASON),
    ("get", "/v1/rulebook/history"): PUBLIC,
    ("get", "/v1/rulebook/diff"): PUBLIC,
    ("get", "/v1/rulebook/revisions"): Expected(READS_SUBMISSIONS),
    ("post", "/v1/rulebook/revisions"): Expected(frozenset({Role.DSO}), body={"toml": "", **NO_REASON}, whole=True),
    ("get", "/v1/rulebook/revisions/{revision}"): Expected(READS_SUBMISSIONS),
    ("post", "/v1/rulebook/revisions/{revision}/adopt"): Expected(
        frozenset({Role.COMMITTEE}), body=NO_REASON, whole=True
    ),
    ("post", "/v1/rulebook/revisions/{revision}/decline"): Expected(
        frozenset({Role.DSO, Role.COMMITTEE}), body=NO_REASON, whole=True
    ),
    ("get", "/v1/rulebook/examine-again"): Expected(READS_SUBMISSIONS),
    ("get", "/v1/disclosures"): PUBLIC,
    ("get", "/v1/disclosures/schema.json"): PUBLIC,
    ("get", QUARTER): PUBLIC,
    ("get", f"{QUARTER}.pdf"): PUBLIC,
    ("get", f"{QUARTER}.json"): PUBLIC,
    ("get", f"{QUARTER}.csv"): PUBLIC,
    ("get", f"{QUARTER}/evidence"): PUBLIC,
    ("get", f"{QUARTER}/draft"): Expected(frozenset({Role.DSO}), whole=True),
    ("post", f"{QUARTER}/draft"): Expected(frozenset({Role.DSO}), whole=True),
    ("post", f"{QUARTER}/release"): Expected(frozenset({Role.DSO}), body={"digest": "not that one"}, whole=True),
    ("get", f"{QUARTER}/measures"): Expected(frozenset({Role.DSO}), whole=True),
    ("post", f"{QUARTER}/measures"): Expected(frozenset({Role.DSO}), body=NO_MEASURE, whole=True),
    ("post", "/v1/outcomes"): Expected(frozenset({Role.DSO, Role.REVIEWER, Role.SERVICE}), body={"outcomes": []}),
    ("get", "/v1/submissions"): Expected(READS_SUBMISSIONS),
    ("post", "/v1/submissions"): Expected(frozenset({Role.ML_ENGINEER})),
    ("get", "/v1/submissions/{submission}"): Expected(READS_SUBMISSIONS, "submission"),
    ("get", "/v1/submissions/{submission}/findings"): Expected(READS_SUBMISSIONS, "submission"),
    ("post", "/v1/submissions/{submission}/verdict"): Expected(
        frozenset({Role.DSO, Role.COMMITTEE}), "submission", {"verdict": "return", "reason": ""}
    ),
    ("get", "/v1/jobs/{job}"): Expected(about="job", own=True),
    ("delete", "/v1/jobs/{job}"): Expected(about="job", own=True),
    ("get", "/v1/jobs/{job}/events"): Expected(about="job", own=True),
    ("post", "/v1/models/{name}/invocations"): Expected(frozenset({Role.SERVICE, Role.TESTER}), "name", rows_of()),
    ("post", "/v1/models/{name}/suspend"): Expected(frozenset({Role.DSO}), "name", NO_REASON),
    ("post", "/v1/models/{name}/resume"): Expected(frozenset({Role.DSO}), "name", NO_REASON),
    ("get", "/v1/decisions"): Expected(READS_OWN),
    ("get", DECISION): Expected(READS_OWN, "decision"),
    ("get", f"{DECISION}/explanation"): Expected(READS_OWN, "decision"),
    ("get", f"{DECISION}/boundary.svg"): Expected(READS_OWN, "decision"),
    ("get", f"{DECISION}/letter.pdf"): Expected(READS_OWN, "decision"),
    ("get", f"{DECISION}/replay"): Expected(READS_DECISIONS, "decision"),
    ("get", f"{DECISION}/evidence"): Expected(frozenset({Role.DSO, Role.REGULATOR}), "decision"),
    ("post", f"{DECISION}/reviews"): Expected(
        frozenset({Role.DSO, Role.REVIEWER}), "decision", {"judgement": "confirm", "reason": ""}
    ),
    ("post", f"{DECISION}/appeals"): Expected(frozenset({Role.EMPLOYEE}), "decision", NO_REASON),
    ("get", "/v1/reviews/queue"): Expected(frozenset({Role.DSO, Role.REVIEWER})),
    ("get", "/v1/reviews/agreement"): Expected(READS_DECISIONS),
    ("get", "/v1/reviews/over-reliance"): Expected(frozenset({Role.DSO})),
    ("get", "/v1/reviews/labels.csv"): Expected(frozenset({Role.DSO})),
    ("get", "/v1/appeals"): Expected(READS_OWN),
    ("get", "/v1/appeals/due"): Expected(frozenset({Role.DSO, Role.REVIEWER})),
    ("get", "/v1/appeals/statistics"): Expected(READS_DECISIONS),
    ("get", "/v1/appeals/{appeal}"): Expected(READS_OWN, "appeal"),
    ("post", "/v1/appeals/{appeal}/answer"): Expected(
        frozenset({Role.DSO, Role.REVIEWER}), "appeal", {"outcome": "explained", "reason": ""}
    ),
    ("get", "/v1/log/proof/{decision}"): Expected(READS_DECISIONS, "decision"),
    ("post", "/v1/sessions"): Expected(public=True, answers=422, body={"name": ""}),
    ("delete", "/v1/sessions"): Expected(fresh=True),
    ("post", "/v1/hints/mlflow"): Expected(public=True, answers=404),  # signed instead, and taken where a secret is set
    ("get", "/v1/me"): Expected(),
    ("post", "/v1/me/password"): Expected(body={"old": "", "new": ""}),
    ("get", "/v1/me/tokens"): Expected(),
    ("post", "/v1/me/tokens"): Expected(NOBODY, body={"note": ""}),  # with a token; sessions have a test of their own
    ("delete", "/v1/me/tokens/{token}"): Expected(fresh=True),
    ("get", "/v1/people"): Expected(ADMINS),
    ("post", "/v1/people"): Expected(ADMINS, body={"user": "", "role": "dso", "site": SITE}),
    ("get", "/v1/people/{user}"): Expected(ADMINS, "user"),
    ("patch", "/v1/people/{user}"): Expected(ADMINS, "user", {"role": "reviewer"}, fresh=True),
    ("delete", "/v1/people/{user}"): Expected(ADMINS, "user", fresh=True),
    ("post", "/v1/people/{user}/password"): Expected(ADMINS, "user", fresh=True),
    ("get", "/v1/people/{user}/tokens"): Expected(ADMINS, "user"),
    ("post", "/v1/people/{user}/tokens"): Expected(ADMINS, "user", {"until": "2020-01-01"}),
    ("delete", "/v1/people/{user}/tokens/{token}"): Expected(ADMINS, "user", fresh=True),
}
"""Every address. A body that passes role and scope and then fails for its empty reason changes nothing."""


API = ("/v1", "/v2", "/metrics", "/endpoints")
"""How the addresses for programs begin; all else is for people."""


def table_of(doors: Doors) -> set[tuple[str, str]]:
    """The routes the application really has, those that describe themselves to nobody included; pages apart."""
    return {(method, path) for method, path in doors.routes() if path.startswith(API)}


def call(
    doors: Doors,
    method: str,
    path: str,
    expected: Expected,
    role: Role | None,
    scope: str,
    absent: bool,
    *,
    narrowed: bool = False,
) -> Any:
    """Ask for the object that is there, or for one that is not; `narrowed` to another model than the object's."""
    there = doors.there()
    token = doors.tokens[role, scope] if role is not None else ""
    if expected.fresh:
        there["user"] = somebody(doors, Role.REVIEWER, SITE)
        token = a_token(doors, role, scope) if role is not None else ""
    if narrowed and role is not None:
        token = doors.narrowed[role]
    there["token"] = hashlib.sha256(token.encode()).hexdigest()[:16]
    if expected.about == "user" and "{token}" in path:
        there["token"] = doors.house.service.people.tokens(there["user"])[0].id
    if absent and expected.about:
        there[expected.about] = {"name": "gas-leek", "user": "nobody-here"}.get(expected.about, ABSENT)
    url = path.format(**there)
    options: dict[str, Any] = {"json": expected.body} if expected.body else {}
    options["headers"] = {"X-Mingjing-Purpose": "risk_intervention"}
    if (method, path) == ("post", "/v1/submissions"):
        options["files"] = {"file": ("x.zip", b"no zip")}
    if path == "/v1/rulebook/diff":
        digest = doors.house.service.rulebook.digest
        options["params"] = {"from": digest, "to": digest}
    if path == "/v1/reviews/labels.csv":
        options["params"] = {"model": "gas-leak"}
    if path == "/v1/log/consistency":
        options["params"] = {"from": 0, "to": 1}
    if role is not None:
        options["headers"]["Authorization"] = f"Bearer {token}"
    doors.asked = (*there.values(), ABSENT, "gas-leek", "nobody-here")
    return doors.ask(method, url, None, scope, **options)


def somebody(doors: Doors, role: Role, site: str | None) -> str:
    """Make an account that a test may spoil."""
    name = f"spare-{secrets.token_hex(6)}"
    doors.house.service.people.add(name, role, site=site)
    return name


def a_token(doors: Doors, role: Role, scope: str) -> str:
    """Make a token that a test may spoil."""
    return doors.house.service.people.new_token(doors.people[role, scope].name)


def what_is_said(answer: Any, *ids: str) -> Any:
    """Everything a caller can tell two answers apart by, with the ids he sent himself taken out."""
    text = answer.text
    for id in ids:
        text = text.replace(id, "X")
    return answer.status_code, text, sorted(answer.headers.keys() - {"content-length"})


class TestTable:
    def test_says_something_about_every_route(self, doors: Doors) -> None:
        assert table_of(doors) == set(TABLE)


@pytest.mark.parametrize(("method", "path"), TABLE, ids=lambda part: part)
class TestMatrix:
    def test_nobody_gets_in_where_somebody_is_asked_for(self, doors: Doors, method: str, path: str) -> None:
        expected = TABLE[method, path]
        answer = call(doors, method, path, expected, None, "", absent=False)
        if expected.public:
            assert answer.status_code == expected.answers
        else:
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"

    def test_every_role_at_every_site(self, doors: Doors, method: str, path: str) -> None:
        expected = TABLE[method, path]
        wrong = []
        for role in Role if not expected.public else [Role.ADMIN]:
            for scope in SCOPES:
                present = call(doors, method, path, expected, role, scope, absent=False)
                ids = doors.asked
                absent = call(doors, method, path, expected, role, scope, absent=True) if expected.about else None
                ids += doors.asked
                place = (role.value, scope, present.status_code)
                if present.status_code >= 500:
                    wrong.append(("broke", *place))
                elif role not in expected.roles or (expected.whole and scope != "everywhere"):
                    if present.status_code != 403:
                        wrong.append(("allowed", *place))
                    elif absent is not None and what_is_said(present) != what_is_said(absent):
                        wrong.append(("told", *place))
                elif expected.own or (expected.about and scope == "elsewhere"):
                    if present.status_code != 404:
                        wrong.append(("foreign", *place))
                    elif absent is None or what_is_said(present, *ids) != what_is_said(absent, *ids):
                        wrong.append(("told apart", *place))
                elif present.status_code == expected.answers or (path, scope) == ("/v1/people", "elsewhere"):
                    pass
                elif present.status_code in (401, 403, 404):
                    wrong.append(("kept out", *place, present.text))
                inside = role in expected.roles and not (expected.whole and scope != "everywhere")
                if absent is not None and inside and absent.status_code != 404:
                    wrong.append(("absent", *place, absent.status_code))
        assert wrong == []


MANAGES = frozenset({Role.ADMIN})
OF_A_MODEL = {"decision", "submission", "name", "appeal", "change", "model"}
"""Objects that belong to a model, so that a token for another model must not know of them."""


@pytest.mark.parametrize(
    ("method", "path"), [key for key, expected in TABLE.items() if expected.about in OF_A_MODEL], ids=lambda part: part
)
class TestOtherModel:
    def test_looks_absent_to_a_token_for_another(self, doors: Doors, method: str, path: str) -> None:
        expected = TABLE[method, path]
        wrong = []
        for role in sorted(expected.roles):
            present = call(doors, method, path, expected, role, "everywhere", absent=False, narrowed=True)
            ids = doors.asked
            absent = call(doors, method, path, expected, role, "everywhere", absent=True, narrowed=True)
            ids += doors.asked
            if present.status_code not in (403, 404) or (present.status_code == 403 and not expected.whole):
                wrong.append(("foreign", role.value, present.status_code, present.text[:200]))
            elif what_is_said(present, *ids) != what_is_said(absent, *ids):
                wrong.append(("told apart", role.value, present.text[:200], absent.text[:200]))
        assert wrong == []


@pytest.mark.parametrize(
    ("method", "path"),
    [(m, p) for (m, p), e in TABLE.items() if m == "get" and not (e.public or e.about or e.own or e.fresh)],
    ids=lambda part: part,
)
class TestOtherModelInLists:
    def test_is_named_to_nobody_whose_token_is_for_another(self, doors: Doors, method: str, path: str) -> None:
        expected = TABLE[method, path]
        for role in sorted(expected.roles - MANAGES):
            answer = call(doors, method, path, expected, role, "everywhere", absent=False, narrowed=True)
            assert answer.status_code in (200, 403, 404, 422), answer.text
            told = [name for name in ("gas-leak", "gas-peak", "gas-grave") if name in answer.text]
            assert not told, (role, told, answer.text[:300])


class TestLists:
    @pytest.mark.parametrize("role", sorted(READS_DECISIONS))
    def test_of_decisions_hold_only_what_is_in_scope(self, doors: Doors, role: Role) -> None:
        assert doors.ask("get", "/v1/decisions", role, "here").json()["decisions"]
        assert doors.ask("get", "/v1/decisions", role, "elsewhere").json() == {"decisions": [], "next": None}

    @pytest.mark.parametrize("role", sorted(READS_SUBMISSIONS))
    def test_of_submissions_hold_only_what_is_in_scope(self, doors: Doors, role: Role) -> None:
        assert doors.ask("get", "/v1/submissions", role, "here").json()["submissions"]
        assert doors.ask("get", "/v1/submissions", role, "elsewhere").json() == {"submissions": [], "next": None}

    def test_of_an_employee_hold_his_own(self, doors: Doors) -> None:
        own = doors.ask("get", "/v1/decisions", Role.EMPLOYEE, "here").json()["decisions"]
        assert [line["id"] for line in own] == [doors.decision]
        assert own[0]["score"] is None

    def test_an_employee_cannot_ask_for_somebody_else(self, doors: Doors) -> None:
        other = doors.house.service.serving.pseudonym_of("w-2")
        own = doors.ask("get", "/v1/decisions", Role.EMPLOYEE, params={"subject": other}).json()["decisions"]
        assert [line["id"] for line in own] == [doors.decision]


class TestOwnDecisions:
    @pytest.mark.parametrize("what", ["", "/explanation", "/letter.pdf", "/boundary.svg"])
    def test_somebody_elses_looks_absent(self, doors: Doors, what: str) -> None:
        lines = doors.ask("get", "/v1/decisions", Role.DSO).json()["decisions"]
        foreign = [line["id"] for line in lines if line["id"] != doors.decision]
        assert len(foreign) >= 2
        for id in foreign:
            theirs = doors.ask("get", f"/v1/decisions/{id}{what}", Role.EMPLOYEE)
            none = doors.ask("get", f"/v1/decisions/{ABSENT}{what}", Role.EMPLOYEE)
            assert theirs.status_code == 404
            assert what_is_said(theirs, id) == what_is_said(none, ABSENT)

    def test_a_list_is_one_look_that_names_what_was_shown(self, doors: Doors) -> None:
        log = doors.house.service.log
        before = len(log.search(kind="access", limit=1000).entries)
        shown = doors.ask("get", "/v1/decisions", Role.REVIEWER).json()["decisions"]
        found = log.search(kind="access", limit=1000).entries
        assert len(found) == before + 1
        said = read_statement(log.payload(found[0].id) or b"")
        assert (said["what"], said["decisions"]) == ("list", [line["id"] for line in shown])
        doors.ask("get", "/v1/decisions", Role.REVIEWER, "elsewhere")
        assert len(log.search(kind="access", limit=1000).entries) == before + 1

    def test_every_look_is_logged(self, doors: Doors) -> None:
        before = len(doors.house.service.log.search(kind="access", limit=1000).entries)
        doors.ask("get", f"/v1/decisions/{doors.decision}", Role.REVIEWER)
        found = doors.house.service.log.search(kind="access", limit=1000).entries
        assert len(found) == before + 1
        assert found[0].actor == "reviewer-everywhere"


class TestSubsidiaries:
    @pytest.fixture
    def accounts(self, own_doors: Doors) -> dict[str, str]:
        """Readers of a subsidiary, of one that only begins like it, and of one model; and a submission of each site."""
        people = own_doors.house.service.people
        for number, site in enumerate(("east/plant-01", "EAST/plant-02", "eastern", "east")):
            own_doors.house.submitted(name=f"model-{number}", site=site, by=ENGINEER, seed=number)
        only = Scope(models=("model-0",))
        return {
            "east": people.add("a", Role.REGULATOR, site="east").token,
            "east/plant-01": people.add("b", Role.REGULATOR, site="east/plant-01").token,
            "eas": people.add("c", Role.REGULATOR, site="eas").token,
            "only": people.add("d", Role.REGULATOR, scope=only).token,
        }

    @pytest.mark.parametrize(
        ("who", "seen"),
        [
            ("east", {"east/plant-01", "east"}),
            ("east/plant-01", {"east/plant-01"}),
            ("eas", set()),
            ("only", {"east/plant-01"}),
        ],
    )
    def test_cover_their_sites_and_no_others(
        self, own_doors: Doors, accounts: dict[str, str], who: str, seen: set[str]
    ) -> None:
        headers = {"Authorization": f"Bearer {accounts[who]}"}
        answer = own_doors.client.get("/v1/submissions?limit=1", headers=headers).json()
        found = {line["site"] for line in answer["submissions"]}
        while answer["next"] is not None:
            answer = own_doors.client.get(f"/v1/submissions?limit=1&after={answer['next']}", headers=headers).json()
            found |= {line["site"] for line in answer["submissions"]}
        assert found == seen

    def test_decisions_of_a_subsidiary_are_found_by_place(self, own_doors: Doors) -> None:
        log = own_doors.house.service.log
        there = len(log.search(kind="decision", limit=1000).entries)
        assert there == len(log.search(kind="decision", places=((SITE,),), limit=1000).entries) > 0
        for places in (((SITE[:-1],),), ((SITE,), ("other",)), ((),)):
            assert log.search(kind="decision", places=places).entries == ()
        assert log.search(kind="decision", models=()).entries == ()
        assert len(log.search(kind="decision", models=("gas-leak", "x"), limit=1000).entries) == there


class TestOwnTokens:
    def test_a_session_makes_one_and_a_token_does_not(self, own_doors: Doors) -> None:
        made = own_doors.house.service.people.add("mei", Role.REGULATOR)
        session = own_doors.client.post("/v1/sessions", json={"name": "mei", "password": made.password}).json()
        asked = {"models": ["other"], "note": "laptop"}
        headers = {"Authorization": f"Bearer {session['session']}"}
        answer = own_doors.client.post("/v1/me/tokens", json=asked, headers=headers)
        assert answer.status_code == 201
        token = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert own_doors.client.get("/v1/me", headers=token).json()["models"] == ["other"]
        assert own_doors.client.get("/v1/decisions", headers=token).json() == {"decisions": [], "next": None}
        refused = own_doors.client.post("/v1/me/tokens", json={}, headers=token)
        assert refused.status_code == 403
        assert refused.json()["detail"].startswith("this needs a session")

    def test_an_admin_of_a_site_gives_no_one_more_than_his_site(self, own_doors: Doors) -> None:
        for body in ({"user": "x1", "role": "dso"}, {"user": "x1", "role": "dso", "site": "plant-08"}):
            assert own_doors.ask("post", "/v1/people", Role.ADMIN, "here", json=body).status_code == 404
        changed = own_doors.ask("patch", "/v1/people/dso-here", Role.ADMIN, "here", json={"site": None})
        assert changed.status_code == 404
        mine = own_doors.ask("get", "/v1/people", Role.ADMIN, "here").json()["people"]
        assert {line["site"] for line in mine} == {SITE}

    def test_too_many_tries_from_one_address(self, own_doors: Doors) -> None:
        answers = [
            own_doors.client.post("/v1/sessions", json={"name": f"n{number}", "password": "wrong"})
            for number in range(ADDRESS_TRIES + 1)
        ]
        assert {answer.status_code for answer in answers[:-1]} == {401}
        assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "600")
