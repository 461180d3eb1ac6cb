"""The console over HTTP: who gets in, what a form needs, what each role may see, and names that try to be markup."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from api.console.mounting import DESKS, KEPT
from api.console.pages import PageRoute
from api.console.signing_in import _own_page
from api.routes.shared import SESSION
from governance.monitors import Reading
from governance.stages import Stage
from policies.roles import Person, Role
from tests.api.console_house import IMAGE, QUOTED, SCRIPT, Browser, House, opened_house, token_in
from tests.api.doors import ABSENT


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest) -> House:
    return opened_house(request.config.add_cleanup)


@pytest.fixture(scope="module")
def officer(house: House) -> Browser:
    return house.person("mei")


@pytest.fixture(scope="module")
def regulator(house: House) -> Browser:
    return house.person("qian")


@pytest.fixture(scope="module")
def worker(house: House) -> Browser:
    return house.person("worker")


def words(response: httpx.Response) -> str:
    """The text of a page as a person reads it."""
    main = response.text.split("<main", 1)[1]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main)))


class TestSignIn:
    def test_leads_each_person_to_his_desk(self, house: House) -> None:
        browser = Browser(house.url)
        answer = browser.sign_in("mei", house.passwords["mei"])
        assert (answer.status_code, answer.headers["location"]) == (303, "/queue")

    def test_cookie_is_for_this_host_and_not_for_scripts(self, house: House) -> None:
        answer = Browser(house.url).sign_in("mei", house.passwords["mei"])
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{SESSION}=mj_"))
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie

    def test_wrong_password_says_no_more_than_that(self, house: House) -> None:
        known = Browser(house.url).sign_in("zhao", "wrong")
        unknown = Browser(house.url).sign_in("nobody-here", "wrong")
        assert known.status_code == unknown.status_code == 401
        assert "Account or password is not right" in words(known)
        assert words(known) == words(unknown)

    def test_begins_a_new_session_and_ends_the_one_that_was_planted(self, house: House) -> None:
        planted = house.service.people.sign_in("qian", house.passwords["qian"])
        browser = Browser(house.url)
        browser.client.cookies.set(SESSION, planted)
        browser.sign_in("mei", house.passwords["mei"])
        fresh = [c.value for c in browser.client.cookies.jar if c.name == SESSION and c.value != planted]
        assert len(fresh) == 1
        assert httpx.get(f"{house.url}/people", cookies={SESSION: planted}).status_code == 303

    def test_goes_on_to_the_page_that_was_asked_for(self, house: House) -> None:
        browser = Browser(house.url)
        sent = browser.get(f"/decisions/{house.alarm}")
        assert (sent.status_code, sent.headers["location"]) == (303, f"/login?next=%2Fdecisions%2F{house.alarm}")
        data = {"name": "qian", "password": house.passwords["qian"], "next": f"/decisions/{house.alarm}"}
        answer = browser.post("/login", data, page=sent.headers["location"])
        assert answer.headers["location"] == f"/decisions/{house.alarm}"

    def test_ends_with_sign_out(self, house: House) -> None:
        browser = house.person("qian")
        session = browser.client.cookies[SESSION]
        assert browser.post("/logout", page="/decisions").status_code == 303
        assert httpx.get(f"{house.url}/decisions", cookies={SESSION: session}).status_code == 303


class TestOwnPage:
    @pytest.mark.parametrize("wanted", ["/queue", "/decisions?verdict=alarm", "/reports/a/1"])
    def test_keeps_an_address_of_the_console(self, wanted: str) -> None:
        assert _own_page(wanted) == wanted

    @pytest.mark.parametrize(
        "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "\\evil", "javascript:x", "/a\r\nb"]
    )
    def test_drops_every_other(self, wanted: str) -> None:
        assert _own_page(wanted) == ""


class TestOnce:
    def test_looking_at_the_link_does_not_spend_it(self, house: House) -> None:
        link = house.once("mei")
        for _ in range(2):
            assert "This link works once" in words(httpx.get(link))
        browser = Browser(house.url)
        token = link.partition("token=")[2]
        answer = browser.post("/login/once", {"token": token}, page=f"/login/once?token={token}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
        assert browser.get("/queue").status_code == 200

    def test_works_one_time(self, house: House) -> None:
        token = house.once("mei").partition("token=")[2]
        first = Browser(house.url).post("/login/once", {"token": token}, page="/login")
        second = Browser(house.url).post("/login/once", {"token": token}, page="/login")
        assert (first.status_code, second.status_code) == (303, 401)
        assert "used already or has expired" in words(second)


def addresses_of_forms(house: House) -> list[str]:
    named = {
        "submission": house.waiting.id,
        "decision": house.alarm,
        "name": house.sound.model,
        "act": "suspend",
        "job": ABSENT,
        "asked": ABSENT,
        "revision": ABSENT,
        "hold": ABSENT,
        "pack": "eu-ai-act",
        "delegation": ABSENT,
        "change": ABSENT,
        "quarter": "2025Q4",
        "draft": ABSENT,
    }
    routes = [route for desk in DESKS for route in desk.router.routes if isinstance(route, PageRoute)]
    return [route.path.format(**named) for route in routes if "POST" in route.methods]


class TestForms:
    def test_there_are_as_many_as_the_desks_have(self, house: House) -> None:
        assert len(addresses_of_forms(house)) == 37

    def test_no_two_pages_carry_the_same_token_and_every_one_is_good(self, house: House) -> None:
        browser = Browser(house.url)
        tokens = {token_in(browser.get("/login").text) for _ in range(3)}
        assert len(tokens) == 3
        for token in tokens:
            answer = browser.client.post("/login", data={"form_token": token, "name": "nobody", "password": "x"})
            assert answer.status_code == 401

    def test_each_refuses_without_its_token(self, house: House) -> None:
        browsers = {name: house.person(name) for name in ("mei", "admin", "lin", "worker")}
        for address in addresses_of_forms(house):
            for name, browser in browsers.items():
                answer = browser.client.post(address, data={"reason": "long enough", "verdict": "veto", "step": "give"})
                assert answer.status_code == 403, (address, name)
                assert "not sent from a page of this session" in words(answer), (address, name)
        assert house.service.book.get(house.waiting.id).stage is Stage.EXAMINED

    def test_token_of_another_session_is_refused(self, house: House, officer: Browser, regulator: Browser) -> None:
        stolen = token_in(regulator.get("/decisions").text)
        answer = officer.client.post(
            f"/models/{house.sound.model}/suspend", data={"form_token": stolen, "reason": "x" * 9}
        )
        assert answer.status_code == 403

    def test_own_token_from_a_foreign_page_is_refused(self, house: House, officer: Browser) -> None:
        token = token_in(officer.get("/models").text)
        answer = officer.client.post(
            f"/models/{house.sound.model}/suspend",
            data={"form_token": token, "reason": "long enough"},
            headers={"sec-fetch-site": "cross-site"},
        )
        assert answer.status_code == 403

    def test_sign_in_itself_needs_one(self, house: House) -> None:
        answer = httpx.post(f"{house.url}/login", data={"name": "mei", "password": house.passwords["mei"]})
        assert answer.status_code == 403


class TestHeaders:
    @pytest.mark.parametrize("address", ["/login", "/reports", "/log", "/static/console.css", "/decisions"])
    def test_forbid_framing_scripts_from_elsewhere_and_inline(self, house: House, address: str) -> None:
        answer = httpx.get(house.url + address)
        policy = answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy

    def test_pages_are_not_kept_and_the_style_is(self, house: House) -> None:
        assert httpx.get(f"{house.url}/login").headers["cache-control"] == "no-store"
        assert httpx.get(f"{house.url}/static/console.css").headers["cache-control"] == KEPT


class TestLanguage:
    def test_follows_the_address_and_then_the_cookie(self, house: House) -> None:
        browser = Browser(house.url)
        assert '<html lang="zh-CN">' in browser.get("/reports?lang=zh").text
        assert '<html lang="zh-CN">' in browser.get("/reports").text
        assert '<html lang="en">' in browser.get("/reports?lang=en").text

    def test_follows_the_browser_first(self, house: House) -> None:
        asked = {"accept-language": "fr;q=0.9, zh-CN;q=0.8, en;q=0.7"}
        assert '<html lang="zh-CN">' in httpx.get(f"{house.url}/reports", headers=asked).text

    def test_switch_keeps_the_page_and_its_question(self, regulator: Browser) -> None:
        page = regulator.get("/decisions?verdict=alarm").text
        assert 'href="/decisions?verdict=alarm&amp;lang=zh"' in page

    def test_a_refusal_speaks_it_too(self, regulator: Browser) -> None:
        answer = regulator.get("/people?lang=zh")
        assert answer.status_code == 403
        assert "仅限" in words(answer)
        regulator.get("/reports?lang=en")


EVERYTHING = (
    "/queue",
    "/inbox",
    "/submissions",
    "/submissions/new",
    "/models",
    "/decisions",
    "/requests",
    "/keeping",
    "/people",
    "/health",
)
OPEN = {
    "mei": {"/queue", "/inbox", "/submissions", "/models", "/decisions", "/requests", "/keeping"},
    "committee": {"/queue", "/submissions", "/models", "/decisions", "/requests"},
    "lin": {"/submissions", "/submissions/new", "/models"},
    "zhao": {"/inbox", "/decisions", "/requests"},
    "qian": {"/submissions", "/models", "/decisions", "/requests", "/keeping"},
    "worker": {"/decisions", "/requests"},
    "admin": {"/people", "/keeping", "/health"},
}


class TestRoles:
    @pytest.mark.parametrize("name", sorted(OPEN))
    def test_each_sees_his_desks_and_no_other(self, house: House, name: str) -> None:
        browser = house.person(name)
        answers = {address: browser.get(address).status_code for address in EVERYTHING}
        assert {a for a, status in answers.items() if status == 200} == OPEN[name]
        assert {status for a, status in answers.items() if a not in OPEN[name]} == {403}

    @pytest.mark.parametrize("address", EVERYTHING)
    def test_a_visitor_is_asked_to_sign_in(self, house: House, address: str) -> None:
        assert httpx.get(house.url + address).headers["location"].startswith("/login?next=")

    def test_navigation_offers_what_is_open(self, house: House) -> None:
        browser = house.person("zhao")
        nav = browser.get("/decisions?verdict=alarm").text.split("<nav", 1)[1].split("</nav>", 1)[0]
        assert re.findall(r'href="([^"]+)"', nav) == ["/inbox", "/decisions", "/requests", "/reports", "/rules", "/log"]

    def test_another_site_looks_as_if_it_were_absent(self, house: House) -> None:
        foreign = house.person("elsewhere")
        here, nowhere = (foreign.get(f"/decisions/{i}") for i in (house.alarm, "0" * 8 + house.alarm[8:]))
        assert here.status_code == nowhere.status_code == 404
        assert words(here).replace(house.alarm, "") == words(nowhere).replace("0" * 8 + house.alarm[8:], "")


class TestQueue:
    def test_shows_what_waits_with_what_fails(self, house: House, officer: Browser) -> None:
        said = words(officer.get("/queue"))
        assert house.waiting.model in said
        assert "Leakage" in said
        assert f"{house.second.model} version 2" in said
        assert f"{house.sound.model} version 1" not in said.replace(house.waiting.model, "")


class TestSubmission:
    def test_tells_the_story_in_order(self, house: House, officer: Browser) -> None:
        page = officer.get(f"/submissions/{house.sound.id}").text
        heads = re.findall(r'<section id="(\w+)"', page)
        assert heads == ["purpose", "tier", "findings", "performance", "groups", "importance"]

    def test_what_fails_comes_first(self, house: House, officer: Browser) -> None:
        page = officer.get(f"/submissions/{house.waiting.id}").text
        states = re.findall(r'<li class="(ok|bad|open)">', page.split('<ol class="findings">')[1])
        assert states == sorted(states, key=["bad", "open", "ok"].index)
        assert states[0] == "bad"

    def test_every_picture_has_words_and_both_widths(self, house: House, officer: Browser) -> None:
        page = officer.get(f"/submissions/{house.sound.id}").text
        assert page.count('<div class="wide"><svg') == page.count('<div class="narrow"><svg') >= 5
        assert page.count("<svg xmlns") == page.count("<desc>")

    def test_stands_beside_the_version_in_use(self, house: House, officer: Browser) -> None:
        said = words(officer.get(f"/submissions/{house.second.id}"))
        assert "Compared with version 1, in use" in said
        assert "Compared with" not in words(officer.get(f"/submissions/{house.sound.id}"))

    def test_who_submitted_it_is_offered_no_verdict(self, house: House) -> None:
        page = house.person("lin").get(f"/submissions/{house.waiting.id}").text
        assert "/verdict" not in page


class TestVerdict:
    def test_first_step_asks_and_changes_nothing(self, house: House, officer: Browser) -> None:
        page = f"/submissions/{house.waiting.id}"
        asked = officer.post(f"{page}/verdict", {"verdict": "veto", "reason": SCRIPT}, page=page)
        assert asked.status_code == 200
        assert f"Veto {house.waiting.model}" in words(asked)
        assert "cannot be taken back" in words(asked)
        assert house.service.book.get(house.waiting.id).stage is Stage.EXAMINED

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"reason": "long enough"}, "choose a verdict first"),
            ({"verdict": "veto", "reason": " "}, "a verdict needs a reason that others can follow"),
            ({"verdict": "conditions", "reason": "long enough"}, "needs at least one condition"),
            ({"verdict": "conditions", "reason": "long enough", "threshold": "high"}, "is not known or incomplete"),
            ({"verdict": "approve", "reason": "long enough", "until": "soon"}, "'soon' is not a day"),
            ({"verdict": "approve", "reason": "long enough", "until": "2001-01-01"}, "ends after now"),
            ({"verdict": "approve", "reason": "x" * 5000}, "at most 4,000 are kept"),
        ],
    )
    def test_each_fault_is_one_sentence_and_the_form_keeps_what_was_typed(
        self, house: House, officer: Browser, form: dict[str, str], sentence: str
    ) -> None:
        page = f"/submissions/{house.waiting.id}"
        answer = officer.post(f"{page}/verdict", form, page=page)
        assert answer.status_code == 422
        assert sentence in words(answer)
        assert 'role="alert"' in answer.text
        if form["reason"] == "long enough":
            assert ">long enough</textarea>" in answer.text

    def test_is_not_for_others(self, house: House, regulator: Browser) -> None:
        page = f"/submissions/{house.waiting.id}"
        answer = regulator.post(f"{page}/verdict", {"verdict": "veto", "reason": "long enough"}, page=page)
        assert answer.status_code == 403

    def test_what_is_approved_offers_only_the_veto(self, house: House, officer: Browser) -> None:
        page = officer.get(f"/submissions/{house.sound.id}").text
        assert re.findall(r'name="verdict" id="v-(\w+)"', page) == ["veto"]


class TestModels:
    def test_shows_permit_decisions_and_conditions(self, house: House, officer: Browser) -> None:
        said = words(officer.get("/models"))
        assert house.sound.model in said
        assert "60, of them" in said
        assert "a person reviews every alarm" in said

    def test_suspend_and_resume(self, house: House, officer: Browser) -> None:
        name = house.hostile.model
        assert officer.post(f"/models/{name}/suspend", {"reason": "drill"}, page="/models").status_code == 303
        said = words(officer.get("/models?done=suspend"))
        assert "Suspended. The next call is refused." in said
        again = officer.post(f"/models/{name}/suspend", {"reason": "drill"}, page="/models")
        assert (again.status_code, "only a live permit" in words(again)) == (422, True)
        assert officer.post(f"/models/{name}/resume", {"reason": "over"}, page="/models").status_code == 303

    def test_needs_a_reason(self, house: House, officer: Browser) -> None:
        answer = officer.post(f"/models/{house.hostile.model}/suspend", {"reason": ""}, page="/models")
        assert "needs a reason" in words(answer)

    def test_switch_is_not_shown_to_who_may_not(self, regulator: Browser) -> None:
        assert "/suspend" not in regulator.get("/models").text


class TestDecisions:
    def test_filters_by_answer(self, regulator: Browser) -> None:
        page = regulator.get("/decisions?verdict=quiet").text
        assert 'class="answer quiet"' in page
        assert 'class="answer alarm"' not in page

    def test_pages_on_and_keeps_the_question(self, house: House, regulator: Browser) -> None:
        page = regulator.get(f"/decisions?model={house.sound.model}").text
        more = unescape(re.search(r'rel="next" href="([^"]+)"', page).group(1))  # type: ignore[union-attr]
        assert f"model={house.sound.model}" in more
        first = set(re.findall(r'href="/decisions/([0-9a-f-]{36})"', page))
        second = set(re.findall(r'href="/decisions/([0-9a-f-]{36})"', regulator.get(more).text))
        assert (len(first), len(second), first & second) == (40, 20, set())

    def test_finds_one_by_number(self, house: House, regulator: Browser) -> None:
        assert regulator.get(f"/decisions?id={house.alarm}").headers["location"] == f"/decisions/{house.alarm}"

    def test_says_when_there_is_none(self, regulator: Browser) -> None:
        assert regulator.get("/decisions?id=nothing").status_code == 404
        assert "No decision matches." in words(regulator.get("/decisions?model=nobody"))

    @pytest.mark.parametrize("asked", ["since=yesterday", "until=2026-13-01", "after=nowhere"])
    def test_an_unreadable_question_is_one_sentence(self, regulator: Browser, asked: str) -> None:
        answer = regulator.get(f"/decisions?{asked}")
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text

    def test_an_employee_finds_only_his_own_and_no_scores(self, house: House, worker: Browser) -> None:
        page = worker.get("/decisions").text
        assert re.findall(r'href="/decisions/([0-9a-f-]{36})"', page) == [house.newer_decision, house.employee_decision]
        assert "Score" not in page


class TestDecision:
    def test_shows_why_replay_and_proof(self, house: House, regulator: Browser) -> None:
        said = words(regulator.get(f"/decisions/{house.alarm}"))
        for sentence in ("What mattered most", "What would have changed it", "same answer", "proven just now"):
            assert sentence in said
        assert f"/v1/decisions/{house.alarm}/evidence" in regulator.get(f"/decisions/{house.alarm}").text

    def test_every_contribution_stands_in_the_table(self, house: House, regulator: Browser) -> None:
        page = regulator.get(f"/decisions/{house.alarm}").text
        table = page.split('<caption class="hidden">What mattered most</caption>')[1].split("</table>")[0]
        assert table.count('<th scope="row">') == len(house.service.telling.trace_of(house.alarm)[1].feature_names)

    def test_each_look_is_kept_in_the_log(self, house: House, regulator: Browser) -> None:
        before = len(house.service.log.search(kind="access", limit=500).entries)
        regulator.get(f"/decisions/{house.quiet}")
        after = house.service.log.search(kind="access", limit=500).entries
        assert len(after) == before + 1
        assert after[0].actor == "qian" or "qian" in {entry.actor for entry in after}

    def test_evidence_opens_with_the_session(self, house: House, regulator: Browser) -> None:
        assert regulator.get(f"/v1/decisions/{house.alarm}/evidence").json()["id"] == house.alarm

    def test_evidence_is_not_offered_to_who_may_not_export(self, house: House) -> None:
        page = house.person("zhao").get(f"/decisions/{house.alarm}").text
        assert "/evidence" not in page

    def test_an_employee_reads_bands_and_no_names(self, house: House, worker: Browser) -> None:
        answer = worker.get(f"/decisions/{house.employee_decision}")
        trace = house.service.telling.trace_of(house.employee_decision)[1]
        assert answer.status_code == 200
        assert f"{trace.score:.4g}" not in answer.text
        assert "plant-system" not in answer.text
        assert '<body class="plain">' in answer.text

    def test_of_someone_else_is_absent_for_an_employee(self, house: House, worker: Browser) -> None:
        assert worker.get(f"/decisions/{house.alarm}").status_code == 404


class TestReview:
    def test_is_added_and_shown(self, house: House) -> None:
        reviewer = house.person("zhao")
        page = f"/decisions/{house.quiet}"
        said = {"judgement": "confirm", "reason": f"I checked it myself. {SCRIPT}"}
        assert reviewer.post(f"{page}/reviews", said, page=page).headers["location"] == f"{page}?done=confirm"
        shown = reviewer.get(page)
        assert "I checked it myself." in words(shown)
        assert SCRIPT not in shown.text

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"reason": "long enough"}, "choose to confirm or to override first"),
            ({"judgement": "override", "reason": ""}, "a statement about a decision needs a reason"),
        ],
    )
    def test_each_fault_is_one_sentence(self, house: House, form: dict[str, str], sentence: str) -> None:
        page = f"/decisions/{house.quiet}"
        answer = house.person("zhao").post(f"{page}/reviews", form, page=page)
        assert answer.status_code == 422
        assert sentence in words(answer)

    def test_is_not_for_a_regulator(self, house: House, regulator: Browser) -> None:
        page = f"/decisions/{house.quiet}"
        form = {"judgement": "confirm", "reason": "long enough"}
        assert regulator.post(f"{page}/reviews", form, page=page).status_code == 403


class TestAppeal:
    def test_is_received_and_shown_without_a_name(self, house: House, worker: Browser) -> None:
        page = f"/decisions/{house.employee_decision}"
        answer = worker.post(f"{page}/appeals", {"reason": "I was back at work after two weeks."}, page=page)
        assert answer.headers["location"] == f"{page}?done=appeal"
        said = words(worker.get(answer.headers["location"]))
        assert "Your objection was received." in said
        assert "I was back at work after two weeks." in said

    def test_is_refused_for_someone_elses_decision(self, house: House, worker: Browser) -> None:
        own = f"/decisions/{house.employee_decision}"
        form = {"reason": "long enough"}
        assert worker.post(f"/decisions/{house.alarm}/appeals", form, page=own).status_code == 404


class TestPeople:
    def test_an_account_is_made_and_shown_once(self, house: House) -> None:
        admin = house.person("admin")
        made = admin.post("/people", {"name": "<b>eve</b>", "role": "reviewer"}, page="/people")
        assert made.status_code == 201
        assert "Password and token are shown this once" in words(made)
        assert "<b>eve</b>" not in made.text
        token = re.search(r"mj_[\w-]{43}", made.text)
        assert token is not None
        assert house.service.people.by_token(token.group()).role is Role.REVIEWER
        assert "mj_" not in admin.get("/people").text
        admin.post("/people/disable", {"name": "<b>eve</b>", "step": "give"}, page="/people")

    def test_ending_one_asks_first(self, house: House) -> None:
        admin = house.person("admin")
        house.service.people.add("leaver", Role.TESTER)
        asked = admin.post("/people/disable", {"name": "leaver"}, page="/people")
        assert "cannot come back with this account" in words(asked)
        assert house.service.people.person("leaver") == Person(name="leaver", role=Role.TESTER)
        admin.post("/people/disable", {"name": "leaver", "step": "give"}, page="/people")
        assert "leaver" not in {person.name for person in house.service.people.everyone()}

    def test_nobody_ends_his_own(self, house: House) -> None:
        answer = house.person("admin").post("/people/disable", {"name": "admin", "step": "give"}, page="/people")
        assert answer.status_code == 403
        assert "another admin must change or end it" in words(answer)

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"name": "new", "role": ""}, "choose a role first"),
            ({"name": "mei", "role": "dso"}, "there is an account 'mei' already"),
            ({"name": "", "role": "dso"}, "an account name has 1 to 64"),
        ],
    )
    def test_each_fault_is_one_sentence(self, house: House, form: dict[str, str], sentence: str) -> None:
        answer = house.person("admin").post("/people", form, page="/people")
        assert answer.status_code == 422
        assert sentence in words(answer)


class TestSubmit:
    def test_what_is_no_zip_is_one_sentence(self, house: House) -> None:
        files = {"file": (f"{SCRIPT}.zip", b"not a zip", "application/zip")}
        lin = house.person("lin")
        answer = lin.post("/submissions/new", page="/submissions/new", files=files)
        assert answer.status_code == 303
        address = answer.headers["location"]
        while "data-job" in (shown := lin.get(address)).text:
            assert SCRIPT not in shown.text
        assert 'role="alert"' in shown.text
        assert "is not a zip" in words(shown)
        assert SCRIPT not in shown.text
        assert house.person("mei").get(address).status_code == 404

    def test_cancelling_twice_is_one_sentence(self, house: House) -> None:
        lin = house.person("lin")
        answer = lin.post(
            "/submissions/new", page="/submissions/new", files={"file": ("x.zip", b"x", "application/zip")}
        )
        address = answer.headers["location"]
        while "data-job" in lin.get(address).text:
            pass
        again = lin.post(f"{address}/cancel", page="/submissions/new")
        assert again.status_code == 409
        assert "is over; there is nothing left to cancel" in words(again)

    def test_no_file_is_one_sentence(self, house: House) -> None:
        answer = house.person("lin").post("/submissions/new", page="/submissions/new")
        assert "choose a zip file first" in words(answer)


class TestPublic:
    def test_reports_need_no_login(self, house: House) -> None:
        said = words(httpx.get(f"{house.url}/reports"))
        assert house.sound.model in said
        assert house.waiting.model not in said

    def test_a_report_says_what_the_figures_do_not_prove(self, house: House) -> None:
        answer = httpx.get(f"{house.url}/reports/{house.sound.model}/{house.sound.version}?lang=zh")
        assert "这些数字不能证明什么" in words(answer)
        assert "如何提出异议" in words(answer)

    def test_what_is_not_approved_has_none(self, house: House) -> None:
        address = f"{house.url}/reports/{house.waiting.model}/{house.waiting.version}"
        assert httpx.get(address).status_code == 404

    def test_the_log_shows_its_signed_head(self, house: House) -> None:
        head = house.service.telling.log_facts()
        assert head is not None
        assert re.search(r"[0-9a-f]{64}", words(httpx.get(f"{house.url}/log")))


class TestHostileNames:
    def test_stay_words_on_every_page(self, house: House, officer: Browser) -> None:
        pages = (
            "/queue",
            "/models",
            "/decisions?model=" + SCRIPT,
            f"/decisions?subject={QUOTED}&site={IMAGE}",
            f"/submissions/{house.hostile.id}",
            f"/submissions/{house.hostile.id}?lang=zh",
            f"/reports/{house.hostile.model}/{house.hostile.version}?lang=en",
            f"/decisions/{house.hostile_decision}",
            f"/login?next={SCRIPT}",
            f"/reports?done={SCRIPT}&lang=en",
        )
        for address in pages:
            text = officer.get(address).text
            assert SCRIPT not in text, address
            assert IMAGE not in text, address
            assert 'onmouseover="' not in text, address

    def test_are_shown_and_not_dropped(self, house: House, officer: Browser) -> None:
        said = words(officer.get(f"/submissions/{house.hostile.id}"))
        assert SCRIPT in said
        assert IMAGE in said


NEXT_EDITION = ('version = "', 'version = "next-')


class TestRules:
    def test_anyone_reads_what_is_in_force(self, house: House) -> None:
        said = words(httpx.get(f"{house.url}/rules"))
        assert house.service.rulebook.digest in said
        assert "Propose" not in said

    def test_an_officer_proposes_and_the_committee_decides(self, house: House, officer: Browser) -> None:
        text = house.service.rulebook.source.decode().replace(*NEXT_EDITION, 1).replace("days = 190", "days = 200", 1)
        files = {"file": ("rulebook.toml", text.encode(), "application/toml")}
        made = officer.post("/rules", {"reason": "Inquiries take longer. " + SCRIPT}, page="/rules", files=files)
        address = made.headers["location"].partition("?")[0]
        shown = officer.get(address)
        assert "190" in words(shown) and "200" in words(shown)
        assert SCRIPT not in shown.text
        assert "/adopt" not in shown.text
        refused = officer.post(f"{address}/adopt", {"reason": "I want it"}, page=address)
        assert refused.status_code in (403, 422)
        committee = house.person("committee")
        declined = committee.post(f"{address}/decline", {"reason": "Not yet."}, page=address)
        assert declined.headers["location"].startswith(address)
        assert "Declined" in words(committee.get(address))
        assert house.person("lin").get("/rules").status_code == 200

    def test_a_rulebook_that_is_none_is_refused_whole(self, officer: Browser) -> None:
        files = {"file": ("x.toml", b"[", "application/toml")}
        answer = officer.post("/rules", {"reason": "looks good"}, page="/rules", files=files)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text


class TestKeeping:
    def test_a_hold_is_placed_and_lifted(self, house: House, regulator: Browser) -> None:
        data = {"since": "2026-01-01", "until": "2026-02-01", "reason": f"Inquiry 17 {IMAGE}"}
        placed = regulator.post("/keeping", data, page="/keeping")
        assert placed.headers["location"] == "/keeping?done=held"
        page = regulator.get("/keeping")
        assert IMAGE not in page.text and "Inquiry 17" in words(page)
        lift = re.search(r'action="(/keeping/[^"]+/lift)"', page.text)
        assert lift is not None
        assert regulator.post(lift.group(1), {"reason": ""}, page="/keeping").status_code == 422
        assert regulator.post(lift.group(1), {"reason": "closed"}, page="/keeping").status_code == 303
        assert "Inquiry 17" not in words(regulator.get("/keeping"))

    def test_days_that_are_none_are_one_sentence(self, regulator: Browser) -> None:
        data = {"since": "soon", "until": "2026-02-01", "reason": "Inquiry"}
        answer = regulator.post("/keeping", data, page="/keeping")
        assert (answer.status_code, "'soon' is not a day" in words(answer)) == (422, True)

    def test_a_day_beyond_all_reckoning_is_one_sentence(self, regulator: Browser) -> None:
        data = {"since": "2026-01-01", "until": "9999-12-31", "reason": "Inquiry"}
        answer = regulator.post("/keeping", data, page="/keeping")
        assert (answer.status_code, "'9999-12-31' is not a day" in words(answer)) == (422, True)

    def test_an_admin_sees_holds_and_places_none(self, house: House) -> None:
        admin = house.person("admin")
        assert '<form method="post" action="/keeping"' not in admin.get("/keeping").text
        assert admin.post("/keeping", {"reason": "x" * 9}, page="/people").status_code == 403


class TestVersions:
    def test_two_versions_stand_side_by_side(self, house: House, officer: Browser) -> None:
        listed = words(officer.get(f"/models/{house.sound.model}/versions"))
        assert "version 1" in listed and "version 2" in listed
        beside = words(officer.get(f"/models/{house.sound.model}/compare?a=1&b=2"))
        assert "Version 1 beside version 2" in beside
        assert "Leakage" in beside

    def test_what_is_not_there_is_not_there(self, house: House, officer: Browser) -> None:
        assert officer.get(f"/models/{house.sound.model}/compare?a=1&b=77").status_code == 404
        assert officer.get("/models/nothing/versions").status_code == 404


class TestLaw:
    def test_says_clause_by_clause_what_answers_it(self, house: House, officer: Browser) -> None:
        assert "Law and standards" in words(officer.get("/law"))
        said = words(officer.get("/law/eu-ai-act"))
        assert house.service.compliance.pack("eu-ai-act").clauses[0].says.en in said
        assert "What answers it" in said
        assert officer.get("/law/nothing").status_code == 404

    def test_a_change_is_signed_in_the_text_that_was_read(self, house: House, officer: Browser) -> None:
        page = "/law/eu-gdpr"
        shown = officer.get(page)
        digest = re.search(r'name="digest" value="([0-9a-f]{64})"', shown.text)
        assert digest is not None
        stale = officer.post(f"{page}/adoption", {"digest": "0" * 64, "reason": "it was read"}, page=page)
        assert (stale.status_code, 'role="alert"' in stale.text) == (422, True)
        signed = officer.post(f"{page}/adoption", {"digest": digest[1], "reason": "it was read"}, page=page)
        assert signed.headers["location"] == f"{page}?done=signed"
        assert "Sign the change" not in words(officer.get(page))

    def test_a_snapshot_is_sealed_and_handed_out(self, house: House, officer: Browser) -> None:
        assert (
            officer.post("/law/snapshots", {"reason": "inquiry"}, page="/law").headers["location"] == "/law?done=sealed"
        )
        assert "Snapshot 1" in words(officer.get("/law"))
        assert officer.get("/v1/snapshots/1.pdf").content.startswith(b"%PDF")


class TestMonitors:
    def test_what_is_watched_stands_beside_its_limit(self, house: House, officer: Browser) -> None:
        seen = Reading(
            model=house.sound.model,
            version=house.sound.version,
            monitor="input_psi",
            value=0.31,
            limit=0.25,
            rows=500,
            suspends=False,
            worst="prewage",
        )
        house.service.standing.publish((seen,))
        page = officer.get("/models")
        assert "Drift of inputs 0.31 ≤ 0.25" in words(page)
        assert "input_psi (prewage) is 0.31 over 500 rows" in unescape(page.text)
