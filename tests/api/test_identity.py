"""Accounts, tokens and sessions: kept as digests, ended on time, and silent about what was wrong."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from api.identity import LOCKED_FOR, NAMES_REMEMBERED, SESSION_LASTS, TOKEN_LASTS, TRIES, NotSignedIn, People
from governance.tables import people, tokens
from policies.errors import Conflict, Malformed, NotFound
from policies.permitted_use import PurposeRefused
from policies.roles import Role
from tests.governance.factories import House


@pytest.fixture
def accounts(house: House) -> People:
    """Accounts of a fresh house, with quick hashes."""
    house.service.people._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    house.service.people._decoy = house.service.people._hasher.hash("decoy")
    return house.service.people


class TestAdd:
    def test_signs_in_by_password_and_by_token(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO, site="plant-07")
        assert accounts.by_token(made.token) == accounts.by_token(accounts.sign_in("mei", made.password))
        assert (accounts.person("mei").role, accounts.person("mei").site) == (Role.DSO, "plant-07")

    def test_keeps_neither_password_nor_token_nor_subject(self, accounts: People, house: House) -> None:
        made = accounts.add("wang", Role.EMPLOYEE, subject="w-0042")
        with house.service.database.reading() as connection:
            kept = str(connection.execute(select(people)).all()) + str(connection.execute(select(tokens)).all())
        for secret in (made.password, made.token, "w-0042"):
            assert secret not in kept
        assert accounts.person("wang").subject == house.service.serving.pseudonym_of("w-0042")

    def test_a_service_is_bound_to_risk_intervention(self, accounts: People) -> None:
        assert accounts.by_token(accounts.add("plant", Role.SERVICE).token).purpose == "risk_intervention"

    def test_nobody_is_bound_to_a_refused_purpose(self, accounts: People) -> None:
        with pytest.raises(PurposeRefused):
            accounts.add("plant", Role.SERVICE, purpose="reward")
        with pytest.raises(NotFound):
            accounts.person("plant")

    @pytest.mark.parametrize("name", ["", " ", " mei", "mei ", "x" * 65, "a\nb", "a\x00b", "\ud800"])
    def test_names_are_printable_and_short(self, accounts: People, name: str) -> None:
        with pytest.raises(Malformed, match="an account name has 1 to 64 printable characters"):
            accounts.add(name, Role.DSO)

    @pytest.mark.parametrize("name", ["mingjing", "local-dso", "local-anything"])
    def test_nobody_takes_the_name_of_the_service_or_the_local_operator(self, accounts: People, name: str) -> None:
        with pytest.raises(Malformed, match="is kept for the service itself and the local operator"):
            accounts.add(name, Role.DSO)

    def test_twice_is_a_conflict(self, accounts: People) -> None:
        accounts.add("mei", Role.DSO)
        with pytest.raises(Conflict, match="there is an account 'mei' already"):
            accounts.add("mei", Role.ADMIN)
        assert accounts.person("mei").role is Role.DSO

    def test_of_two_at_the_same_moment_one_is_made(self, accounts: People) -> None:
        outcomes = _together([lambda role=role: accounts.add("mei", role) for role in (Role.DSO, Role.ADMIN)])
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1


class TestTokens:
    def test_end_on_their_day(self, accounts: People, house: House) -> None:
        made = accounts.add("mei", Role.DSO)
        house.clock.now += TOKEN_LASTS - timedelta(seconds=1)
        accounts.by_token(made.token)
        house.clock.go(seconds=1)
        with pytest.raises(NotSignedIn):
            accounts.by_token(made.token)

    @pytest.mark.parametrize("token", ["", "mj_", "mj_wrong", "x" * 5000, "令牌", "' OR 1=1 --"])
    def test_that_are_wrong_say_nothing(self, accounts: People, token: str) -> None:
        with pytest.raises(NotSignedIn) as refused:
            accounts.by_token(token)
        assert refused.value.says.en == "sign in first: the token or password is missing, wrong or expired"

    def test_end_with_their_account(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO)
        session = accounts.sign_in("mei", made.password)
        accounts.disable("mei")
        for token in (made.token, session):
            with pytest.raises(NotSignedIn):
                accounts.by_token(token)
        with pytest.raises(NotSignedIn):
            accounts.sign_in("mei", made.password)
        assert accounts.everyone() == ()


class TestSessions:
    def test_end_after_their_hours(self, accounts: People, house: House) -> None:
        session = accounts.sign_in("mei", accounts.add("mei", Role.DSO).password)
        house.clock.now += SESSION_LASTS
        with pytest.raises(NotSignedIn):
            accounts.by_token(session)

    def test_end_on_signing_out(self, accounts: People) -> None:
        session = accounts.sign_in("mei", accounts.add("mei", Role.DSO).password)
        accounts.sign_out(session)
        with pytest.raises(NotSignedIn):
            accounts.by_token(session)


class TestSignIn:
    @pytest.mark.parametrize("name", ["mei", "nobody"])
    def test_wrong_name_and_wrong_password_are_the_same(self, accounts: People, name: str) -> None:
        accounts.add("mei", Role.DSO)
        with pytest.raises(NotSignedIn) as refused:
            accounts.sign_in(name, "wrong")
        assert refused.value.says.zh == "请先登录：令牌或密码缺失、错误或已过期"

    def test_is_locked_after_some_tries_and_opens_again(self, accounts: People, house: House) -> None:
        made = accounts.add("mei", Role.DSO)
        for _ in range(TRIES):
            with pytest.raises(NotSignedIn):
                accounts.sign_in("mei", "wrong")
        with pytest.raises(NotSignedIn):
            accounts.sign_in("mei", made.password)
        house.clock.go(seconds=LOCKED_FOR + 1)
        accounts.by_token(accounts.sign_in("mei", made.password))

    def test_tries_at_many_names_fill_no_memory(self, accounts: People) -> None:
        accounts._failures.update({f"n{number}": (1, 0.0) for number in range(NAMES_REMEMBERED)})
        for number in range(3):
            with pytest.raises(NotSignedIn):
                accounts.sign_in(f"fresh-{number}", "wrong")
        assert len(accounts._failures) <= NAMES_REMEMBERED


class TestOnce:
    def test_works_one_time(self, accounts: People) -> None:
        accounts.add("mei", Role.DSO)
        once = accounts.once("mei")
        assert accounts.by_token(accounts.redeem(once)).name == "mei"
        with pytest.raises(NotSignedIn):
            accounts.redeem(once)

    def test_is_no_token(self, accounts: People) -> None:
        accounts.add("mei", Role.DSO)
        with pytest.raises(NotSignedIn):
            accounts.by_token(accounts.once("mei"))

    def test_of_many_that_redeem_it_one_gets_in(self, accounts: People) -> None:
        accounts.add("mei", Role.DSO)
        once = accounts.once("mei")
        outcomes = _together([lambda: accounts.redeem(once)] * 5)
        assert sum(not isinstance(outcome, NotSignedIn) for outcome in outcomes) == 1

    def test_ends_after_an_hour(self, accounts: People, house: House) -> None:
        accounts.add("mei", Role.DSO)
        once = accounts.once("mei")
        house.clock.go(hours=1)
        with pytest.raises(NotSignedIn):
            accounts.redeem(once)


def _together(acts: list[Any]) -> list[Any]:
    start = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        start.wait()
        try:
            outcomes[place] = acts[place]()
        except (NotSignedIn, Conflict) as refused:
            outcomes[place] = refused

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
