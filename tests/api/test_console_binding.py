"""What binds is asked twice: tokens, accounts, delegations, tiers and quarterly reports through the pages."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from api.app import create_app
from api.routes.shared import SESSION
from api.tokens import NotSignedIn
from governance.stages import Stage
from governance.tier_changes import ChangeState
from policies.quarters import Quarter
from policies.roles import Role, Scope
from policies.tiers import Tier
from tests.api.console_house import token_in
from tests.api.doors import disclosed
from tests.governance.factories import OFFICER, SITE, House

MARKUP = "<script>alert(1)</script>"
WHY = "Others can follow this."
LAST = Quarter(2025, 4)
GRAVE = {"severity": "serious_injury", "autonomy": "permit", "persons": "none"}
SMALL = {"tier": "L1", "models": "small-one", "until": "2026-04-01", "reason": f"Small models. {MARKUP}"}
PEOPLE: tuple[tuple[str, Role, str | None], ...] = (
    ("mei", Role.DSO, None),
    ("here", Role.DSO, SITE),
    ("committee", Role.COMMITTEE, None),
    ("zhao", Role.REVIEWER, None),
    ("admin", Role.ADMIN, None),
    ("admin-here", Role.ADMIN, SITE),
    ("lin", Role.ML_ENGINEER, None),
    ("plant", Role.SERVICE, SITE),
    ("newcomer", Role.REVIEWER, SITE),
)


class Desk:
    """One person's browser, without a window."""

    def __init__(self, house: House, name: str) -> None:
        people = house.service.people
        self.client = TestClient(create_app(house.service), headers={"accept-language": "en"})
        self.client.cookies.set(SESSION, people.begin_session(people.account(name)))

    def get(self, address: str) -> httpx.Response:
        return self.client.get(address, follow_redirects=False)

    def send(self, address: str, **form: Any) -> httpx.Response:
        """Send a form as the first step."""
        token = token_in(self.get("/account").text)
        return self.client.post(address, data={"form_token": token, **form}, follow_redirects=False)

    def bind(self, address: str, **form: Any) -> httpx.Response:
        """Send a form through both steps: the second is what the first one's page holds."""
        asked = self.send(address, **form)
        assert asked.status_code == 200, said(asked)
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text.split("<main", 1)[1])
        action = re.findall(r'<form method="post" action="([^"]+)" class="buttons">', asked.text)
        assert action == [address]
        kept = {name: unescape(value) for name, value in fields}
        return self.client.post(address, data=kept, follow_redirects=False)


def said(answer: httpx.Response) -> str:
    """The words of a page's main part."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text.split("<main", 1)[-1])))


@pytest.fixture
def desks(house: House) -> House:
    house.service.people._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # tests sign in often
    for name, role, site in PEOPLE:
        house.service.people.add(name, role, site=site)
    return house


@pytest.fixture
def admin(desks: House) -> Desk:
    return Desk(desks, "admin")


@pytest.fixture
def officer(desks: House) -> Desk:
    return Desk(desks, "mei")


class TestTokens:
    def test_is_shown_once_as_narrow_as_asked_and_found_by_what_it_is_for(self, desks: House, admin: Desk) -> None:
        made = admin.send(
            "/people/tokens",
            name="plant",
            note=f"gateway {MARKUP}",
            until="2026-03-20",
            purposes="risk_intervention",
            models="gas-leak, gas-peak",
            sites=SITE,
        )
        assert made.status_code == 201
        token = re.findall(r"mj_[\w-]{43}", made.text)
        assert len(token) == 1
        holder = desks.service.people.by_token(token[0])
        wanted = Scope(sites=(SITE,), models=("gas-leak", "gas-peak"), purposes=("risk_intervention",))
        assert holder.scopes == (wanted,)
        listed = admin.get("/people/account?name=plant")
        assert "mj_" not in listed.text
        assert MARKUP not in listed.text
        assert f"token: gateway {MARKUP}" in said(listed)
        assert "2026-03-21 00:00" in said(listed)

    def test_is_ended_by_the_second_step_only(self, desks: House, admin: Desk) -> None:
        token = desks.service.people.new_token("plant", note="gateway", by="admin")
        line = next(line for line in desks.service.people.tokens("plant") if line.note)
        asked = admin.send("/people/tokens/revoke", name="plant", token=line.id)
        assert "is refused, a second later at the latest" in said(asked)
        assert desks.service.people.by_token(token).name == "plant"
        ended = admin.bind("/people/tokens/revoke", name="plant", token=line.id)
        assert ended.headers["location"] == "/people/account?done=revoked&name=plant"
        with pytest.raises(NotSignedIn):
            desks.service.people.by_token(token)

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"until": "soon"}, "'soon' is not a day"),
            ({"until": "2027-01-01"}, "may end after now and by"),
            ({"purposes": "firing_people"}, "purpose"),
            ({"note": "x" * 300}, "a note about a token has at most 200"),
        ],
    )
    def test_each_fault_is_one_sentence(self, admin: Desk, form: dict[str, str], sentence: str) -> None:
        answer = admin.send("/people/tokens", name="plant", **form)
        assert answer.status_code in (403, 422)
        assert sentence in said(answer)
        assert "mj_" not in answer.text

    def test_an_admin_makes_none_in_the_name_of_a_decider(self, admin: Desk) -> None:
        answer = admin.send("/people/tokens", name="mei")
        assert answer.status_code == 422
        assert "makes tokens in a session of his own" in said(answer)
        assert 'action="/people/tokens"' not in admin.get("/people/account?name=mei").text

    def test_one_makes_and_ends_his_own(self, desks: House, officer: Desk) -> None:
        made = officer.send("/account/tokens", note="export")
        token = re.findall(r"mj_[\w-]{43}", made.text)[0]
        assert desks.service.people.by_token(token).role is Role.DSO
        line = next(line for line in desks.service.people.tokens("mei") if line.note == "export")
        assert officer.bind("/account/tokens/revoke", token=line.id).status_code == 303
        with pytest.raises(NotSignedIn):
            desks.service.people.by_token(token)

    def test_a_token_in_the_cookie_begets_none(self, desks: House, officer: Desk) -> None:
        officer.client.cookies.set(SESSION, desks.service.people.new_token("mei", by="mei"))
        answer = officer.send("/account/tokens", note="heir")
        assert answer.status_code == 403
        assert "needs a session" in said(answer)

    def test_nobody_ends_those_of_another(self, desks: House, officer: Desk) -> None:
        foreign = desks.service.people.tokens("plant")[0]
        assert officer.send("/account/tokens/revoke", token=foreign.id).status_code == 404
        assert desks.service.people.tokens("plant")[0] == foreign


class TestAccount:
    def test_changes_after_the_second_step_and_says_what(self, desks: House, admin: Desk) -> None:
        form = {"name": "newcomer", "role": "dso", "site": "", "until": "2026-05-01", "sites": "", "models": "gas-leak"}
        asked = admin.send("/people/change", **form)
        assert "reviewer → digital safety officer" in said(asked)
        assert f"{SITE} → no limit" in said(asked)
        assert desks.service.people.person("newcomer").role is Role.REVIEWER
        assert admin.bind("/people/change", **form).status_code == 303
        changed = desks.service.people.account("newcomer")
        assert (changed.person.role, changed.person.site) == (Role.DSO, None)
        assert changed.person.only_models == ("gas-leak",)
        assert f"{changed.until:%Y-%m-%d %H:%M}" == "2026-05-02 00:00"

    def test_a_form_sent_as_it_stands_changes_nothing(self, admin: Desk) -> None:
        answer = admin.send("/people/change", name="newcomer", role="reviewer", site=SITE)
        assert (answer.status_code, "nothing is changed" in said(answer)) == (422, True)

    def test_nobody_changes_his_own(self, admin: Desk) -> None:
        answer = admin.send("/people/change", name="admin", role="dso")
        assert (answer.status_code, "another admin must change or end it" in said(answer)) == (403, True)

    def test_an_admin_of_one_site_gives_nobody_every_site(self, desks: House) -> None:
        answer = Desk(desks, "admin-here").send("/people/change", name="newcomer", role="dso", site="")
        assert answer.status_code == 404
        assert desks.service.people.person("newcomer").site == SITE

    def test_a_fresh_password_is_shown_once_and_ends_what_was_signed_in(self, desks: House, admin: Desk) -> None:
        session = desks.service.people.begin_session(desks.service.people.account("newcomer"))
        shown = admin.bind("/people/password", name="newcomer")
        password = re.search(r'<code class="digest">([\w-]{16})</code>', shown.text)
        assert password is not None
        with pytest.raises(NotSignedIn):
            desks.service.people.by_token(session)
        assert desks.service.people.sign_in("newcomer", password[1])

    def test_one_changes_his_own_password_and_signs_in_anew(self, desks: House, officer: Desk) -> None:
        old = desks.service.people.reset_password("mei", by="admin")
        desk = Desk(desks, "mei")
        differ = desk.send("/account/password", old=old, new="a long one 12345", again="another one 123")
        assert "the two new passwords differ" in said(differ)
        wrong = desk.send("/account/password", old="wrong", new="a long one 12345", again="a long one 12345")
        assert "the old password is not right" in said(wrong)
        done = desk.send("/account/password", old=old, new="a long one 12345", again="a long one 12345")
        assert (done.status_code, done.headers["location"]) == (303, "/login")
        assert desk.get("/account").status_code == 303
        assert desks.service.people.sign_in("mei", "a long one 12345")


class TestDelegations:
    def test_is_signed_by_the_second_step_and_withdrawn_with_a_reason(self, desks: House, officer: Desk) -> None:
        asked = officer.send("/delegations", **SMALL)
        assert "approved by itself, without any person" in said(asked)
        assert desks.service.delegations.list(OFFICER) == ()
        assert officer.bind("/delegations", **SMALL).headers["location"] == "/delegations?done=delegated"
        (given,) = desks.service.delegations.list(OFFICER)
        assert (given.tier, given.models, given.by) == (Tier.L1, ("small-one",), "mei")
        page = officer.get("/delegations")
        assert MARKUP not in page.text
        assert MARKUP in said(page)
        assert officer.send(f"/delegations/{given.id}/revoke", reason="").status_code == 422
        assert officer.send(f"/delegations/{given.id}/revoke", reason=WHY).status_code == 303
        assert "withdrawn by mei" in said(officer.get("/delegations"))
        assert officer.send(f"/delegations/{given.id}/revoke", reason=WHY).status_code == 409

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"tier": ""}, "choose a tier first"),
            ({"tier": "L3"}, "L3 cannot be delegated"),
            ({"until": ""}, "a delegation needs its last day"),
            ({"until": "2030-01-01"}, "a delegation ends after now and by"),
            ({"reason": " "}, "needs a reason"),
        ],
    )
    def test_each_fault_is_one_sentence_before_anything_is_signed(
        self, desks: House, officer: Desk, change: dict[str, str], sentence: str
    ) -> None:
        answer = officer.send("/delegations", **{**SMALL, **change})
        assert answer.status_code == 422
        assert sentence in said(answer)
        assert 'value="small-one"' in answer.text
        assert desks.service.delegations.list(OFFICER) == ()

    def test_an_officer_of_one_site_signs_for_that_site(self, desks: House) -> None:
        desk = Desk(desks, "here")
        assert "there is no site 'plant-08'" in said(desk.send("/delegations", **SMALL, sites="plant-08"))
        desk.bind("/delegations", **SMALL)
        assert desks.service.delegations.list(OFFICER)[0].sites == (SITE,)

    def test_a_reviewer_approves_what_is_covered_and_sees_nothing_else(self, desks: House) -> None:
        record = desks.submitted(name="gas-covered")
        other = desks.submitted(name="gas-open", seed=3)
        reviewer = Desk(desks, "zhao")
        assert reviewer.get(f"/delegated/{record.id}").status_code == 404
        until = desks.clock() + timedelta(days=20)
        mei = desks.service.people.person("mei")
        desks.service.delegations.give(Tier.L2, by=mei, reason=WHY, until=until, models=("gas-covered",))
        assert "gas-covered" in said(reviewer.get("/delegations"))
        assert "gas-open" not in said(reviewer.get("/delegations"))
        assert reviewer.get(f"/delegated/{other.id}").status_code == 404
        address = f"/delegated/{record.id}/verdict"
        assert "choose to approve or to return first" in said(reviewer.send(address, verdict="veto", reason=WHY))
        asked = reviewer.send(address, verdict="approve", reason=WHY)
        assert record.artifact_digest in said(asked)
        assert desks.service.book.get(record.id).stage is Stage.EXAMINED
        assert reviewer.bind(address, verdict="approve", reason=WHY).status_code == 303
        assert desks.service.book.get(record.id).stage is Stage.APPROVED
        assert reviewer.get(f"/delegated/{record.id}").status_code == 404

    def test_who_only_reads_is_offered_no_signature(self, desks: House) -> None:
        assert Desk(desks, "lin").get("/delegations").status_code == 200
        assert 'action="/delegations"' not in Desk(desks, "lin").get("/delegations").text
        assert Desk(desks, "admin").get("/delegations").status_code == 403


class TestTiers:
    def test_a_raised_one_ends_the_permit_and_the_page_says_so_first(self, desks: House, officer: Desk) -> None:
        record = desks.approved()
        address = f"/submissions/{record.id}/tier"
        asked = officer.send(address, tier="L4", reason=WHY)
        assert "the model is refused from the next call on" in said(asked)
        assert desks.service.book.get(record.id).tier is record.tier
        assert officer.bind(address, tier="L4", reason=WHY).headers["location"] == f"{address}?done=raised"
        raised = desks.service.book.get(record.id)
        assert (raised.tier, raised.stage) == (Tier.L4, Stage.EXAMINED)

    def test_a_lower_one_waits_for_a_second_person(self, desks: House, officer: Desk) -> None:
        record = desks.submitted(impact=GRAVE)
        address = f"/submissions/{record.id}/tier"
        lower = Tier.L2
        assert record.tier > lower
        made = officer.bind(address, tier=str(lower), reason=WHY)
        assert made.headers["location"] == f"{address}?done=asked_lower"
        (change,) = desks.service.tier_changes.of(record.id, OFFICER)
        assert desks.service.book.get(record.id).tier is record.tier
        assert "another person confirms it" in said(officer.get(address))
        own = officer.send(f"/tier-changes/{change.id}/confirm", reason=WHY)
        assert (own.status_code, "cannot confirm it" in said(own)) == (422, True)
        second = Desk(desks, "committee")
        assert record.model in said(second.get("/queue"))
        assert second.send(f"/tier-changes/{change.id}/confirm", reason="").status_code == 422
        assert second.send(f"/tier-changes/{change.id}/confirm", reason=WHY).status_code == 200
        assert desks.service.book.get(record.id).tier is record.tier
        assert second.bind(f"/tier-changes/{change.id}/confirm", reason=WHY).status_code == 303
        assert desks.service.book.get(record.id).tier is lower
        assert "Lower tiers that wait" not in said(second.get("/queue"))

    def test_a_declined_one_changes_nothing(self, desks: House, officer: Desk) -> None:
        record = desks.submitted(impact=GRAVE)
        officer.bind(f"/submissions/{record.id}/tier", tier="L2", reason=WHY)
        (change,) = desks.service.tier_changes.of(record.id, OFFICER)
        Desk(desks, "committee").send(f"/tier-changes/{change.id}/decline", reason=WHY)
        (declined,) = desks.service.tier_changes.of(record.id, OFFICER)
        assert (declined.state, desks.service.book.get(record.id).tier) == (ChangeState.DECLINED, record.tier)

    def test_under_the_floor_is_not_offered_and_refused(self, desks: House, officer: Desk) -> None:
        record = desks.submitted()
        address = f"/submissions/{record.id}/tier"
        offered = re.findall(r'name="tier" value="(L\d)"', officer.get(address).text)
        assert "L1" not in offered
        assert "floor of" in said(officer.send(address, tier="L1", reason=WHY))

    def test_who_only_reads_is_offered_no_change(self, desks: House) -> None:
        record = desks.submitted()
        page = Desk(desks, "lin").get(f"/submissions/{record.id}/tier")
        assert page.status_code == 200
        assert 'name="tier"' not in page.text


class TestDrafts:
    def test_is_counted_read_in_both_languages_released_and_corrected(self, desks: House, officer: Desk) -> None:
        desks.submitted()  # a log with nothing in it has nothing to count
        page = f"/quarters/{LAST}"
        assert "There is no draft to read." in said(officer.get(page))
        assert officer.send(page).headers["location"] == f"{page}?done=prepared"
        assert "Release" in said(officer.get(page))
        assert "本季度没有作出任何判定" in said(officer.get(f"{page}?lang=zh"))
        assert "No decision was taken in this quarter." in said(officer.get(f"{page}?lang=en"))
        for language in ("zh", "en"):
            assert officer.get(f"{page}/preview.pdf?lang={language}").content.startswith(b"%PDF")
        found = re.search(r'name="digest" value="([0-9a-f]{64})"', officer.get(page).text)
        assert found is not None
        asked = officer.send(f"{page}/release", digest=found[1])
        assert "release it as number 2025Q4-1?" in said(asked)
        assert desks.service.disclosing.disclosures.numbers(LAST) == ()
        released = officer.bind(f"{page}/release", digest=found[1])
        assert released.headers["location"] == f"/disclosures/{LAST}?done=released"
        assert "2025Q4-1" in said(TestClient(create_app(desks.service)).get(f"/disclosures/{LAST}"))

        officer.send(page)
        corrected = re.search(r'name="digest" value="([0-9a-f]{64})"', officer.get(page).text)
        assert corrected is not None
        assert "Corrects number 2025Q4-1" in said(officer.send(f"{page}/release", digest=corrected[1]))
        officer.bind(f"{page}/release", digest=corrected[1])
        assert [one.number for one in desks.service.disclosing.disclosures.numbers(LAST)] == ["2025Q4-2", "2025Q4-1"]

    def test_another_draft_than_the_one_read_is_not_released(self, desks: House, officer: Desk) -> None:
        disclosed(desks)
        stale = officer.send(f"/quarters/{LAST}/release", digest="0" * 64)
        assert (stale.status_code, "no longer the one you looked at" in said(stale)) == (422, True)
        late = officer.send(f"/quarters/{LAST}/release", digest="0" * 64, step="give")
        assert late.status_code == 422
        assert len(desks.service.disclosing.disclosures.numbers(LAST)) == 1

    def test_a_measure_is_recorded_by_the_second_step_and_missed_by_the_draft(
        self, desks: House, officer: Desk
    ) -> None:
        disclosed(desks)
        form = {"zh": "复查漏报", "indicator": "miss_rate", "target": "12.5", "owner": f"safety {MARKUP}"}
        asked = officer.send("/quarters/2026Q1/measures", **form)
        assert "12.5%" in said(asked)
        assert len(desks.service.measures.of(LAST.following)) == 1
        recorded = officer.bind("/quarters/2026Q1/measures", **form)
        assert recorded.headers["location"] == "/quarters/2025Q4?done=measured"
        newest = desks.service.measures.of(LAST.following)[-1]
        assert (newest.target, newest.says.en) == (0.125, "复查漏报")
        page = officer.get(f"/quarters/{LAST}")
        assert MARKUP not in page.text
        assert "1 measure came after the draft was counted" in said(page)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"target": "much"}, "is no number; write percent"),
            ({"target": "1250"}, "expected a share from 0 to 1"),
            ({"indicator": ""}, "there is no indicator"),
            ({"owner": ""}, "say who sees to it"),
            ({"en": ""}, "what will be done"),
        ],
    )
    def test_each_fault_of_a_measure_is_one_sentence(
        self, desks: House, officer: Desk, change: dict[str, str], sentence: str
    ) -> None:
        form = {"en": "look", "indicator": "miss_rate", "target": "10", "owner": "safety", **change}
        answer = officer.send("/quarters/2026Q1/measures", **form)
        assert (answer.status_code, sentence in said(answer)) == (422, True)
        assert desks.service.measures.of(LAST.following) == ()

    def test_a_quarter_that_runs_is_not_counted(self, officer: Desk) -> None:
        assert "The quarter is not over" in said(officer.get("/quarters/2026Q1"))
        assert officer.send("/quarters/2026Q1").status_code == 422
        assert officer.get("/quarters/soon").status_code == 422

    def test_an_officer_of_one_site_speaks_for_no_other(self, desks: House) -> None:
        answer = Desk(desks, "here").get("/quarters")
        assert (answer.status_code, "speaks for all sites" in said(answer)) == (403, True)


class TestRules:
    def test_are_put_into_force_by_the_second_step_of_the_committee(self, desks: House) -> None:
        running = desks.approved()
        text = desks.service.rulebook.source.replace(b"grace_hours = 24", b"grace_hours = 12")
        mei = desks.service.people.person("mei")
        proposed = desks.service.rule_changes.propose(text, by=mei, reason=WHY)
        before, committee = desks.service.rulebook.digest, Desk(desks, "committee")
        address = f"/rules/{proposed.id}/adopt"
        assert committee.send(address, reason="").status_code == 422
        asked = committee.send(address, reason=WHY)
        assert f"Put edition {proposed.book.version} into force?" in said(asked)
        assert proposed.digest in said(asked)
        assert desks.service.rulebook.digest == before
        assert committee.bind(address, reason=WHY).status_code == 303
        assert desks.service.rulebook.digest == proposed.digest
        assert desks.service.book.get(running.id).stage is Stage.APPROVED


class TestHolds:
    def test_one_is_placed_on_a_pseudonym(self, desks: House, officer: Desk) -> None:
        form = {"since": "2026-01-01", "until": "2026-02-01", "reason": WHY, "subject": f"p-1 {MARKUP}"}
        assert officer.send("/keeping", **form).status_code == 303
        page = officer.get("/keeping")
        assert MARKUP not in page.text
        assert f"p-1 {MARKUP}" in said(page)
