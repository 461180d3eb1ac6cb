"""Accounts, tokens and sessions: kept as digests, ended on time, and silent about what was wrong."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from api.accounts import NeedsSession, NotYourToken, OwnAccount
from api.identity import REGULATOR_LASTS, People
from api.sign_in_limits import ADDRESS_LOCKED_FOR, ADDRESS_TRIES, LOCKED_FOR, TRIES, TooManyTries
from api.tokens import IDLE_LASTS, REGULATOR_SESSION_LASTS, SESSION_LASTS, TOKEN_LASTS, NotSignedIn
from api.wiring import open_service
from governance.permits import MayNotRun
from governance.serving import WrongPurpose
from governance.statements import read_statement
from governance.tables import people, sign_in_tries, tokens
from policies.errors import Conflict, Malformed, NotFound
from policies.permitted_use import PurposeRefused
from policies.roles import Role, Scope
from tests.governance.factories import NOW, PURPOSE, SITE, House


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

    def test_end_when_nobody_uses_them(self, accounts: People, house: House) -> None:
        session = accounts.sign_in("mei", accounts.add("mei", Role.DSO).password)
        for _ in range(3):
            house.clock.now += IDLE_LASTS - timedelta(minutes=1)
            accounts.by_token(session)
        house.clock.now += IDLE_LASTS
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

    def test_is_locked_in_every_process(self, accounts: People, house: House) -> None:
        made = accounts.add("mei", Role.DSO)
        for _ in range(TRIES):
            with pytest.raises(NotSignedIn):
                accounts.sign_in("mei", "wrong")
        other = open_service(house.service.settings, clock=house.clock, store=house.service.store)
        try:
            with pytest.raises(NotSignedIn):
                other.people.sign_in("mei", made.password)
        finally:
            other.close()

    def test_many_at_the_same_moment_get_no_more_tries(self, accounts: People, house: House) -> None:
        accounts.add("mei", Role.DSO)
        examined: list[bool] = []
        accounts._is_password = lambda found, _password: examined.append(found is not None)  # type: ignore[assignment,func-returns-value]
        _together([lambda: accounts.sign_in("mei", "wrong")] * (TRIES + 3))
        assert sum(examined) == TRIES

    def test_an_address_is_shut_whatever_accounts_it_tries(self, accounts: People, house: House) -> None:
        made = accounts.add("mei", Role.DSO)
        for number in range(ADDRESS_TRIES):
            with pytest.raises(NotSignedIn):
                accounts.sign_in(f"guess-{number}", "wrong", "203.0.113.9")
        with pytest.raises(TooManyTries, match="too many sign-ins from this address failed; try again in 10 minutes"):
            accounts.sign_in("mei", made.password, "203.0.113.9")
        assert accounts.sign_in("mei", made.password, "203.0.113.10")
        house.clock.go(seconds=ADDRESS_LOCKED_FOR + 1)
        assert accounts.sign_in("mei", made.password, "203.0.113.9")

    def test_addresses_of_one_line_are_one(self, accounts: People) -> None:
        for number in range(ADDRESS_TRIES):
            with pytest.raises(NotSignedIn):
                accounts.sign_in(f"guess-{number}", "wrong", f"2001:db8:0:1::{number:x}")
        with pytest.raises(TooManyTries):
            accounts.sign_in("mei", "wrong", "2001:db8:0:1:ffff::1")
        with pytest.raises(NotSignedIn) as refused:
            accounts.sign_in("mei", "wrong", "2001:db8:0:2::1")
        assert not isinstance(refused.value, TooManyTries)

    def test_a_good_account_does_not_wash_an_address_clean(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO)
        for number in range(ADDRESS_TRIES):
            with pytest.raises(NotSignedIn):
                accounts.sign_in(f"guess-{number}", "wrong", "203.0.113.9")
            if number < ADDRESS_TRIES - 1:
                accounts.sign_in("mei", made.password, "203.0.113.9")
        with pytest.raises(TooManyTries):
            accounts.sign_in("mei", made.password, "203.0.113.9")

    def test_what_was_tried_is_kept_as_a_digest_and_forgotten(self, accounts: People, house: House) -> None:
        with pytest.raises(NotSignedIn):
            accounts.sign_in("my-password-in-the-wrong-field", "wrong", "203.0.113.9")
        with house.service.database.reading() as connection:
            kept = connection.execute(select(sign_in_tries)).all()
        assert len(kept) == 2 and "my-password" not in str(kept) and "203.0.113.9" not in str(kept)
        house.clock.go(seconds=ADDRESS_LOCKED_FOR + 1)
        with pytest.raises(NotSignedIn):
            accounts.sign_in("other", "wrong")
        with house.service.database.reading() as connection:
            assert len(connection.execute(select(sign_in_tries)).all()) == 1

    @pytest.mark.parametrize("password", ["", "x" * 100_000, "\ud800"])
    def test_strange_passwords_are_wrong_ones(self, accounts: People, password: str) -> None:
        accounts.add("mei", Role.DSO)
        with pytest.raises(NotSignedIn):
            accounts.sign_in("mei", password)


class TestScopedTokens:
    def test_narrows_sites_and_models(self, accounts: People) -> None:
        accounts.add("dcs", Role.SERVICE, site="east")
        scope = Scope(sites=("east/plant-07",), models=("gas-leak",))
        person = accounts.by_token(accounts.new_token("dcs", scope=scope))
        assert person.sees("east/plant-07", "gas-leak")
        for site, model in (
            ("east/plant-08", "gas-leak"),
            ("east/plant-07", "other"),
            ("west", "gas-leak"),
            (None, None),
        ):
            assert not person.sees(site, model)

    def test_never_reaches_beyond_its_account(self, accounts: People) -> None:
        accounts.add("dcs", Role.SERVICE, site="east")
        assert not accounts.by_token(accounts.new_token("dcs", scope=Scope(sites=("west",)))).sees_site("west")

    def test_another_model_is_as_unknown_as_an_absent_one(self, accounts: People, house: House) -> None:
        house.approved()
        accounts.add("dcs", Role.SERVICE, site=SITE)
        held = accounts.by_token(accounts.new_token("dcs", scope=Scope(models=("other",))))
        good = accounts.by_token(accounts.new_token("dcs", scope=Scope(models=("gas-leak",))))
        said = []
        for model in ("gas-leak", "gas-leek"):
            with pytest.raises(MayNotRun) as refused:
                house.decide(model, by=held)
            said.append(refused.value.says.en.replace(model, "X"))
        assert said[0] == said[1]
        assert all(house.decide(by=good).decisions)

    def test_a_purpose_that_is_not_the_tokens_is_refused_and_logged(self, accounts: People, house: House) -> None:
        house.approved()
        accounts.add("dcs", Role.SERVICE)
        held = accounts.by_token(accounts.new_token("dcs", scope=Scope(purposes=(PURPOSE,))))
        assert all(house.decide(by=held, purpose=None).decisions)
        with pytest.raises(WrongPurpose):
            house.decide(by=held, purpose="ranking")
        assert house.kinds()[-1] == "refuse"

    def test_no_token_for_a_refused_purpose(self, accounts: People) -> None:
        accounts.add("dcs", Role.SERVICE)
        with pytest.raises(PurposeRefused):
            accounts.new_token("dcs", scope=Scope(purposes=("reward",)))

    def test_ends_when_told(self, accounts: People, house: House) -> None:
        accounts.add("dcs", Role.SERVICE)
        token = accounts.new_token("dcs", until=NOW + timedelta(days=2))
        house.clock.now = NOW + timedelta(days=2) - timedelta(seconds=1)
        accounts.by_token(token)
        house.clock.go(seconds=1)
        with pytest.raises(NotSignedIn):
            accounts.by_token(token)
        assert accounts.forget_expired() == 1

    @pytest.mark.parametrize("away", [timedelta(0), timedelta(days=-1), TOKEN_LASTS + timedelta(seconds=1)])
    def test_an_end_lies_ahead_and_not_too_far(self, accounts: People, away: timedelta) -> None:
        accounts.add("dcs", Role.SERVICE)
        with pytest.raises(Malformed, match="a token of this account may end after now and by 2026-05-31"):
            accounts.new_token("dcs", until=NOW + away)

    @pytest.mark.parametrize(
        "scope", [Scope(sites=()), Scope(models=("",)), Scope(purposes=("a\nb",)), Scope(sites=("x",) * 101)]
    )
    def test_a_scope_means_something(self, accounts: People, scope: Scope) -> None:
        accounts.add("dcs", Role.SERVICE)
        with pytest.raises(Malformed, match="of a scope names 1 to 100 of them"):
            accounts.new_token("dcs", scope=scope)

    def test_lists_show_no_token_and_revoking_ends_one(self, accounts: People) -> None:
        made = accounts.add("dcs", Role.SERVICE)
        token = accounts.new_token("dcs", note="gateway", scope=Scope(models=("gas-leak",)))
        lines = accounts.tokens("dcs")
        assert {line.note for line in lines} == {"", "gateway"}
        assert token not in str([line.as_json() for line in lines])
        accounts.revoke("dcs", next(line.id for line in lines if line.note == "gateway"))
        with pytest.raises(NotSignedIn):
            accounts.by_token(token)
        assert accounts.by_token(made.token).name == "dcs"

    @pytest.mark.parametrize("identifier", ["", "%", "0" * 16, "_" * 16, "x" * 5000])
    def test_revoking_what_is_not_there(self, accounts: People, identifier: str) -> None:
        made = accounts.add("dcs", Role.SERVICE)
        with pytest.raises(NotFound):
            accounts.revoke("dcs", identifier)
        assert accounts.by_token(made.token)

    def test_nobody_revokes_anothers_through_his_own_list(self, accounts: People) -> None:
        accounts.add("dcs", Role.SERVICE)
        other = accounts.add("mei", Role.DSO)
        with pytest.raises(NotFound):
            accounts.revoke("dcs", accounts.tokens("mei")[0].id)
        assert accounts.by_token(other.token)

    def test_an_admin_makes_none_of_a_decider(self, accounts: People) -> None:
        accounts.add("mei", Role.DSO)
        with pytest.raises(NotYourToken, match="mei is dso and makes tokens in a session of his own"):
            accounts.new_token("mei", by="root")
        assert accounts.by_token(accounts.new_token("mei", by="mei")).role is Role.DSO

    def test_a_token_is_no_session(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO)
        with pytest.raises(NeedsSession):
            accounts.require_session(made.token)
        assert accounts.require_session(accounts.sign_in("mei", made.password)).name == "mei"


class TestChange:
    def test_a_new_role_ends_what_the_old_one_was_signed_in_with(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO)
        session = accounts.sign_in("mei", made.password)
        assert accounts.change("mei", role=Role.REVIEWER).person.role is Role.REVIEWER
        for token in (made.token, session):
            with pytest.raises(NotSignedIn):
                accounts.by_token(token)
        assert accounts.by_token(accounts.sign_in("mei", made.password)).role is Role.REVIEWER

    def test_what_is_left_out_stays(self, accounts: People) -> None:
        accounts.add("mei", Role.DSO, site="east", scope=Scope(models=("gas-leak",)))
        changed = accounts.change("mei", site="west").person
        assert (changed.role, changed.site, changed.only_models) == (Role.DSO, "west", ("gas-leak",))

    def test_nobody_changes_or_ends_himself(self, accounts: People) -> None:
        accounts.add("root", Role.ADMIN)
        with pytest.raises(OwnAccount):
            accounts.change("root", by="root", role=Role.DSO)
        with pytest.raises(OwnAccount):
            accounts.disable("root", by="root")

    def test_each_act_is_in_the_log(self, accounts: People, house: House) -> None:
        accounts.add("mei", Role.DSO, by="root")
        accounts.change("mei", role=Role.REVIEWER, by="root")
        accounts.new_token("mei", by="mei")
        accounts.revoke("mei", accounts.tokens("mei")[0].id, by="root")
        accounts.reset_password("mei", by="root")
        accounts.disable("mei", by="root")
        log = house.service.log
        entries = log.search(kind="account").entries[::-1]
        said = [read_statement(log.payload(entry.id) or b"") for entry in entries]
        assert [(each["what"], each["by"]) for each in said] == [
            ("added", "root"),
            ("changed", "root"),
            ("token", "mei"),
            ("revoked", "root"),
            ("password", "root"),
            ("disabled", "root"),
        ]

    def test_an_account_that_cannot_be_logged_is_not_made(self, accounts: People, house: House) -> None:
        class Away:
            def append(self, drafts: Any) -> Any:
                raise OSError("no log")

        accounts._log, kept = Away(), accounts._log
        with pytest.raises(OSError):
            accounts.add("mei", Role.DSO)
        accounts._log = kept
        with pytest.raises(NotFound):
            accounts.person("mei")


class TestRegulators:
    def test_an_account_ends_by_itself(self, accounts: People, house: House) -> None:
        made = accounts.add("inspector", Role.REGULATOR, scope=Scope(models=("gas-leak",)))
        assert accounts.account("inspector").until == NOW + REGULATOR_LASTS
        assert accounts.person("inspector").only_models == ("gas-leak",)
        house.clock.now += REGULATOR_LASTS
        with pytest.raises(NotSignedIn):
            accounts.sign_in("inspector", made.password)
        with pytest.raises(NotSignedIn):
            accounts.by_token(made.token)
        with pytest.raises(NotFound):
            accounts.person("inspector")

    def test_a_session_is_short_and_never_outlasts_the_account(self, accounts: People, house: House) -> None:
        made = accounts.add("inspector", Role.REGULATOR, until=NOW + timedelta(hours=1))
        session = accounts.sign_in("inspector", made.password)
        house.clock.go(hours=1)
        with pytest.raises(NotSignedIn):
            accounts.by_token(session)
        assert REGULATOR_SESSION_LASTS < SESSION_LASTS

    def test_who_becomes_one_is_time_boxed_too(self, accounts: People) -> None:
        accounts.add("mei", Role.REVIEWER)
        assert accounts.change("mei", role=Role.REGULATOR).until == NOW + REGULATOR_LASTS

    def test_an_end_lies_ahead(self, accounts: People) -> None:
        with pytest.raises(Malformed, match="an account cannot end at"):
            accounts.add("inspector", Role.REGULATOR, until=NOW)


class TestPasswords:
    def test_a_new_one_ends_everything_else(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO)
        session = accounts.sign_in("mei", made.password)
        accounts.change_password("mei", made.password, "a longer password")
        for token in (made.token, session):
            with pytest.raises(NotSignedIn):
                accounts.by_token(token)
        assert accounts.sign_in("mei", "a longer password")

    def test_the_old_one_is_asked_for(self, accounts: People) -> None:
        made = accounts.add("mei", Role.DSO)
        with pytest.raises(NotSignedIn):
            accounts.change_password("mei", "wrong", "a longer password")
        assert accounts.sign_in("mei", made.password)

    @pytest.mark.parametrize("new", ["short", "x" * 1001])
    def test_has_a_length(self, accounts: People, new: str) -> None:
        made = accounts.add("mei", Role.DSO)
        with pytest.raises(Malformed, match="a password has 12 to 1000 characters"):
            accounts.change_password("mei", made.password, new)


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
