"""The company's sign-in against a real provider: who is let in, as whom, and each way in which a token is no proof."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.company import BEGUN_LASTS, LEEWAY, Provider, provider_of
from api.settings import Settings
from policies.errors import Malformed
from policies.roles import Role
from tests.api.oidc_provider import (
    CLIENT,
    SECRET,
    OidcProvider,
    an_oidc_provider,
    another_curve,
    signed_by_a_stranger,
    signed_with_the_public_key,
    unsigned,
)
from tests.governance.factories import House, StandingClock, a_house

PUBLIC = "http://127.0.0.1:8400"
ROLES = {"officer": "dso", "desk": "reviewer", "inspector": "regulator"}


@dataclass
class Company:
    """A house, its provider, and a browser."""

    house: House
    provider: OidcProvider
    browser: TestClient

    def begin(self, wanted: str = "") -> str:
        """Follow the link on the sign-in page; return where the provider is asked."""
        answer = self.browser.get("/login/company", params={"next": wanted} if wanted else {})
        assert answer.status_code == 303
        return str(answer.headers["location"])

    def come_back(self, back: str) -> Any:
        """Come back from the provider."""
        return self.browser.get(back)

    def sign_in(self, wanted: str = "") -> Any:
        """Sign in from end to end."""
        return self.come_back(self.provider.authorize(self.begin(wanted)))

    def who(self) -> Any:
        """Who the browser's session belongs to."""
        return self.browser.get("/v1/me")


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A house whose company runs a provider on this machine."""
    clock = StandingClock()
    with an_oidc_provider(clock) as provider:
        settings = {
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": ROLES,
            "public_url": PUBLIC,
        }
        with a_house(tmp_path / "house", **settings) as house:
            provider.clock = house.clock
            browser = TestClient(create_app(house.service), base_url=PUBLIC, follow_redirects=False)
            yield Company(house, provider, browser)


def words(answer: Any) -> str:
    """What a page says."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


class TestSignIn:
    def test_makes_an_account_with_the_mapped_role(self, company: Company) -> None:
        answer = company.sign_in("/queue?x=1")
        assert answer.status_code == 200
        assert 'content="0;url=/queue?x=1"' in answer.text
        assert company.who().json()["user"] == "mei.chen"
        assert (company.who().json()["role"], company.who().json()["external"]) == ("dso", True)

    def test_a_second_time_finds_the_same_account(self, company: Company) -> None:
        for _ in range(2):
            assert company.sign_in().status_code == 200
        assert [account.person.name for account in company.house.service.people.accounts()] == ["mei.chen"]

    def test_a_role_changed_there_changes_here_and_ends_the_old_sessions(self, company: Company) -> None:
        company.sign_in()
        old = company.browser.cookies["mingjing_session"]
        company.provider.person["roles"] = ["desk", "lunch"]
        company.browser.cookies.clear()
        company.sign_in()
        assert company.who().json()["role"] == "reviewer"
        stale = company.browser.get("/v1/me", headers={"Authorization": f"Bearer {old}"})
        assert stale.status_code == 401

    def test_has_no_password(self, company: Company) -> None:
        company.sign_in()
        for password in ("", "None"):
            answer = company.browser.post("/v1/sessions", json={"name": "mei.chen", "password": password})
            assert answer.status_code == 401

    def test_a_regulator_is_time_boxed_here_too(self, company: Company) -> None:
        company.provider.person["roles"] = "inspector"
        company.sign_in()
        assert company.who().json()["until"] is not None

    def test_other_keys_and_a_curve_are_learned(self, company: Company) -> None:
        company.sign_in()
        company.house.clock.go(minutes=2)
        company.provider.key, company.provider.alg = another_curve(), "ES256"
        assert company.sign_in().status_code == 200
        assert company.provider.keys_asked == 2

    def test_the_page_offers_it(self, company: Company) -> None:
        assert 'href="/login/company"' in company.browser.get("/login").text

    @pytest.mark.parametrize("wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
    def test_leads_to_no_other_host(self, company: Company, wanted: str) -> None:
        assert 'content="0;url=/queue"' in company.sign_in(wanted).text


TWISTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "issuer": (lambda claims: claims.update(iss="https://evil.example"), "its ID token is from another issuer"),
    "audience": (lambda claims: claims.update(aud="other"), "its ID token is for another service"),
    "party": (lambda claims: claims.update(aud=[CLIENT, "x"], azp="x"), "its ID token was given to another service"),
    "nonce": (lambda claims: claims.update(nonce="other"), "its ID token belongs to another sign-in"),
    "no nonce": (lambda claims: claims.pop("nonce"), "its ID token belongs to another sign-in"),
    "expired": (lambda claims: claims.update(exp=claims["iat"] - LEEWAY - 1), "its ID token has expired"),
    "no end": (lambda claims: claims.pop("exp"), "its ID token cannot be trusted"),
    "later": (lambda claims: claims.update(iat=claims["iat"] + 9999), "its ID token cannot be trusted"),
    "nobody": (lambda claims: claims.pop("sub"), "its ID token cannot be trusted"),
    "text": (lambda claims: claims.update(exp="never"), "its ID token cannot be trusted"),
}


class TestNoProof:
    @pytest.mark.parametrize("what", TWISTS)
    def test_a_claim_that_is_wrong(self, company: Company, what: str) -> None:
        company.provider.twist, said = TWISTS[what]
        answer = company.sign_in()
        assert answer.status_code == 401
        assert f"the company's sign-in was not accepted: {said}; begin again from the sign-in page" in words(answer)
        assert company.who().status_code == 401
        assert company.house.service.people.accounts() == ()

    @pytest.mark.parametrize("sign", ["none", "stranger", "confusion", "garbage"])
    def test_a_signature_that_is_none_of_the_providers(self, company: Company, sign: str) -> None:
        company.provider.sign = {
            "none": unsigned,
            "stranger": signed_by_a_stranger,
            "confusion": signed_with_the_public_key(company.provider),
            "garbage": lambda _claims: "a.b.c",
        }[sign]
        answer = company.sign_in()
        assert answer.status_code == 401
        assert "its ID token cannot be trusted" in words(answer)
        assert company.who().status_code == 401

    def test_a_key_nobody_knows_is_asked_for_once_a_minute(self, company: Company) -> None:
        stranger = another_curve()
        company.provider.sign = lambda claims: __import__("joserfc.jwt").jwt.encode(
            {"alg": "ES256", "kid": "two"}, claims, stranger
        )
        for _ in range(3):
            assert "its key is not one of the provider's" in words(company.sign_in())
        assert company.provider.keys_asked == 1
        company.house.clock.go(minutes=2)
        company.sign_in()
        assert company.provider.keys_asked == 2

    def test_a_code_used_twice(self, company: Company) -> None:
        begun = company.begin()
        kept = company.browser.cookies["mingjing_company"]
        back = company.provider.authorize(begun)
        assert company.come_back(back).status_code == 200
        company.browser.cookies.clear()
        company.browser.cookies.set("mingjing_company", kept)
        answer = company.come_back(back)
        assert answer.status_code == 401
        assert "the provider did not take its code back" in words(answer)

    def test_another_browsers_code(self, company: Company) -> None:
        back = company.provider.authorize(company.begin())
        company.browser.cookies.clear()
        assert "this browser did not begin it" in words(company.come_back(back))
        company.begin()
        assert "this browser did not begin it" in words(company.come_back(back))
        assert company.who().status_code == 401

    @pytest.mark.parametrize("cookie", ["x", "e30=", "bnVsbA==", "WzFd", "{}"])
    def test_a_cookie_that_was_made_up(self, company: Company, cookie: str) -> None:
        back = company.provider.authorize(company.begin())
        company.browser.cookies.clear()
        company.browser.cookies.set("mingjing_company", cookie)
        assert "this browser did not begin it" in words(company.come_back(back))

    def test_a_stolen_code_without_its_verifier(self, company: Company) -> None:
        stolen = dict(parse_qsl(urlsplit(company.provider.authorize(company.begin())).query))["code"]
        own = dict(parse_qsl(urlsplit(company.begin()).query))["state"]
        answer = company.come_back(f"/login/company/callback?{urlencode({'code': stolen, 'state': own})}")
        assert "the provider did not take its code back" in words(answer)

    def test_too_late(self, company: Company) -> None:
        back = company.provider.authorize(company.begin())
        company.house.clock.now += BEGUN_LASTS
        assert "it took more than ten minutes" in words(company.come_back(back))

    def test_an_answer_of_another_provider(self, company: Company) -> None:
        back = company.provider.authorize(company.begin())
        asked = dict(parse_qsl(urlsplit(back).query)) | {"iss": "https://evil.example"}
        assert "another provider answered" in words(company.come_back(f"/login/company/callback?{urlencode(asked)}"))

    def test_a_refusal_there(self, company: Company) -> None:
        state = dict(parse_qsl(urlsplit(company.begin()).query))["state"]
        answer = company.come_back(f"/login/company/callback?state={state}&error=access_denied")
        assert "the provider refused it" in words(answer)


class TestRoles:
    @pytest.mark.parametrize(
        "roles", [None, [], ["boss"], "boss", ["officer", "desk"], 7, [["officer"]], {"officer": 1}]
    )
    def test_without_exactly_one_mapped_role_nobody_gets_in(self, company: Company, roles: Any) -> None:
        company.provider.person["roles"] = roles
        answer = company.sign_in()
        assert answer.status_code == 403
        assert "your company account has no single role here" in words(answer)
        assert company.house.service.people.accounts() == ()

    def test_a_role_taken_away_lets_nobody_in_any_more(self, company: Company) -> None:
        company.sign_in()
        company.provider.person["roles"] = []
        assert company.sign_in().status_code == 403

    def test_a_local_account_of_that_name_is_not_taken_over(self, company: Company) -> None:
        company.house.service.people.add("mei.chen", Role.ADMIN)
        answer = company.sign_in()
        assert answer.status_code == 409
        assert "there is an account 'mei.chen' already" in words(answer)
        assert company.who().status_code == 401

    def test_an_account_ended_here_stays_ended(self, company: Company) -> None:
        company.sign_in()
        company.house.service.people.disable("mei.chen")
        assert company.sign_in().status_code == 401
        assert company.who().status_code == 401


class TestAway:
    @pytest.mark.parametrize(
        ("about", "said"),
        [
            ({"issuer": "https://evil.example"}, "it calls itself 'https://evil.example'"),
            ({"token_endpoint": "http://evil.example/token"}, "its token_endpoint is not https"),
        ],
    )
    def test_a_provider_that_describes_itself_wrongly(self, company: Company, about: dict[str, str], said: str) -> None:
        company.provider.about = about
        answer = company.browser.get("/login/company")
        assert answer.status_code == 503
        assert said in words(answer)

    def test_without_a_provider_there_is_no_such_page(self, house: House) -> None:
        browser = TestClient(create_app(house.service), follow_redirects=False)
        assert browser.get("/login/company").status_code == 404
        assert browser.get("/login/company/callback").status_code == 404
        assert "/login/company" not in browser.get("/login").text


class TestSettings:
    def test_half_a_provider_is_refused_with_what_is_missing(self) -> None:
        with pytest.raises(
            Malformed, match="MINGJING_OIDC_CLIENT_ID, MINGJING_OIDC_ROLES, MINGJING_PUBLIC_URL must be"
        ):
            provider_of(Settings(oidc_issuer="https://id.example"))

    def test_none_is_none(self) -> None:
        assert provider_of(Settings()) is None

    def test_a_provider_without_https_is_refused(self) -> None:
        with pytest.raises(Malformed, match=r"the company's sign-in needs https: its issuer is 'http://id\.example'"):
            Provider(issuer="http://id.example", client_id="x", redirect="https://x.example", roles={})

    def test_the_secret_is_not_shown(self) -> None:
        assert "hush" not in repr(Settings(oidc_client_secret="hush"))
