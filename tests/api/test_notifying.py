"""What is told outside: when, in which words, signed, again until it arrives, and never to an inner address."""

from __future__ import annotations

import ipaddress
import json
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_string, policy
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from mlflow.webhooks.delivery import _generate_hmac_signature
from starlette.testclient import TestClient

from api.app import create_app
from api.notifying import guarded
from api.notifying.channels import ChannelRefused, MessageChannel, WebhookChannel
from api.notifying.guarded import InnerAddress, NotAWebhook, NotDelivered, is_public, post, read_networks
from api.notifying.notices import KINDS, PHRASES, Notice
from api.notifying.outbox import PAUSES, Outbox
from api.notifying.signing import MOST_APART, is_ours, signed_headers
from api.rounds import Rounds
from api.settings import Settings, read_settings
from api.wiring import open_service
from governance.appeals import REMIND_BEFORE, Asks, Outcome
from governance.use_changes import Asked
from policies.errors import Malformed
from policies.roles import Person, Role
from policies.tiers import Tier
from tests.api.receivers import Receiver, a_mailbox, a_receiver
from tests.governance.factories import ENGINEER, NOW, OFFICER, SENSORS, House, a_house, rows

SECRET = "a secret of the company"
HERE = read_networks(["127.0.0.0/8"])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A system of the company, on this machine."""
    with a_receiver() as made:
        yield made


@contextmanager
def telling(folder: Path, receiver: Receiver, **settings: Any) -> Iterator[House]:
    """Open a house that tells a receiver."""
    hook = {"url": f"{receiver.url}/hook", "secret": SECRET}
    defaults: dict[str, Any] = {"webhooks": [hook], "webhook_allow": ["127.0.0.0/8"]}
    with a_house(folder / "house", **{**defaults, **settings}) as house:
        house.service.outside.once()
        yield house


@pytest.fixture
def house_that_tells(tmp_path: Path, receiver: Receiver) -> Iterator[House]:
    """A house that tells everything."""
    with telling(tmp_path, receiver) as house:
        yield house


def told(receiver: Receiver) -> list[dict[str, Any]]:
    """What the receiver has been told so far."""
    return [json.loads(each.body) for each in receiver.received]


class TestNotices:
    def test_tell_a_life_in_order(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        record = house.submitted()
        house.approve(record)
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="drift was seen")
        house.veto(house.submitted(name="gas-peak", seed=3))
        house.service.outside.once()
        said = sorted((line["kind"], line["model"]) for line in told(receiver))
        assert said == [
            ("approved", "gas-leak"),
            ("submission_waits", "gas-leak"),
            ("submission_waits", "gas-peak"),
            ("suspension", "gas-leak"),
            ("veto", "gas-peak"),
        ]

    def test_are_told_once_however_often_one_looks(self, house_that_tells: House, receiver: Receiver) -> None:
        house_that_tells.submitted()
        for _ in range(3):
            house_that_tells.service.outside.once()
        assert len(receiver.received) == 1

    def test_are_told_once_by_several_processes(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        house.submitted()
        other = open_service(house.service.settings, clock=house.clock, store=house.service.store)
        try:
            for service in (other, house.service, other):
                service.outside.once()
        finally:
            other.close()
        assert len(receiver.received) == 1

    def test_what_happened_before_anybody_listened_is_not_told(self, tmp_path: Path, receiver: Receiver) -> None:
        with a_house(tmp_path / "house") as house:
            house.submitted()
            hook = WebhookChannel(url=receiver.url, secret=SECRET, allowed=HERE)
            outside = house.service.outside
            outside.outbox = Outbox(house.service.database, house.clock, (hook,))
            outside.once()
            assert receiver.received == []

    def test_permits_that_end_soon(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        house.approve(house.submitted(), until=NOW + timedelta(days=30))
        house.service.outside.once()
        assert "permit_ends" not in {line["kind"] for line in told(receiver)}
        house.clock.now = NOW + timedelta(days=20)
        for _ in range(2):
            house.service.outside.once()
        (line,) = [line for line in told(receiver) if line["kind"] == "permit_ends"]
        assert line["text"]["en"] == (
            "The permit of gas-leak version 1 ends on 2026-04-01. Without a new verdict its calls are refused then."
        )

    def test_name_no_person(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        house.approved()
        house.decide(subjects=[f"w-{number}" for number in range(6)])
        house.veto(house.submitted(name="gas-peak", seed=3))
        house.service.outside.once()
        everything = b"".join(each.body for each in receiver.received).decode()
        for personal in (
            "a-dso",
            "a-ml_engineer",
            "w-0",
            house.service.serving.pseudonym_of("w-0"),
            "it was looked at",
        ):
            assert personal not in everything

    def test_the_rounds_tell(self, house_that_tells: House, receiver: Receiver) -> None:
        house_that_tells.submitted()
        Rounds(house_that_tells.service, house_that_tells.clock.seconds).once()
        assert [line["kind"] for line in told(receiver)] == ["submission_waits"]

    def test_only_the_kinds_a_channel_wants(self, tmp_path: Path, receiver: Receiver) -> None:
        hook = {"url": receiver.url, "secret": SECRET, "kinds": ["veto"]}
        with telling(tmp_path, receiver, webhooks=[hook]) as house:
            house.veto(house.submitted())
            house.service.outside.once()
        assert [line["kind"] for line in told(receiver)] == ["veto"]


class TestReminders:
    """One for each step of a deadline, once, in both languages, whoever restarts and however long it stays open."""

    def asked(self, house: House) -> tuple[str, Person]:
        """Decide about somebody who then contests it; return the request and its day."""
        house.service.people.add("wang", Role.EMPLOYEE, subject="w-1")
        house.approved()
        (decision,) = house.decide(X=rows(1, seed=9)[list(SENSORS)], subjects=["w-1"]).decisions
        worker = house.service.people.person("wang")
        request = house.service.appeals.ask(decision.id, Asks.APPEAL, by=worker, reason="I was not on site")
        return request.id, worker

    def reminders(self, receiver: Receiver) -> list[dict[str, Any]]:
        return [line for line in told(receiver) if line["kind"].startswith("appeal_")]

    def wait(self, house: House, days: float) -> None:
        """Let time pass, with a round each half day."""
        for _ in range(int(days * 2)):
            house.clock.now += timedelta(hours=12)
            house.service.outside.once()
            house.service.outside.forget_old()

    def test_come_before_the_day_and_after_it(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        request, worker = self.asked(house)
        due = house.service.appeals.get(request, worker).due
        self.wait(house, (due - house.clock.now - REMIND_BEFORE).days)
        assert self.reminders(receiver) == []
        self.wait(house, 2)
        assert [line["kind"] for line in self.reminders(receiver)] == ["appeal_due"]
        self.wait(house, 60)
        (before, after) = self.reminders(receiver)
        assert (before["kind"], after["kind"]) == ("appeal_due", "appeal_overdue")
        assert after["title"] == {
            "en": f"gas-leak: an answer to a person was due on {due:%Y-%m-%d}",
            "zh": f"gas-leak：对当事人的答复已于 {due:%Y-%m-%d} 逾期",
        }

    def test_survive_a_restart(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        request, worker = self.asked(house)
        house.clock.now = house.service.appeals.get(request, worker).due - timedelta(days=1)
        house.service.outside.once()
        for _ in range(2):
            other = open_service(house.service.settings, clock=house.clock, store=house.service.store)
            try:
                other.outside.once()
                other.outside.forget_old()
            finally:
                other.close()
        assert [line["kind"] for line in self.reminders(receiver)] == ["appeal_due"]

    def test_stop_with_the_answer(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        request, worker = self.asked(house)
        due = house.service.appeals.get(request, worker).due
        house.service.appeals.answer(request, Outcome.STANDS, by=OFFICER, reason="the readings were sound")
        house.clock.now = due + timedelta(days=1)
        house.service.outside.once()
        assert self.reminders(receiver) == []

    def test_a_house_that_stood_still_tells_only_what_is_so_now(
        self, house_that_tells: House, receiver: Receiver
    ) -> None:
        house = house_that_tells
        request, worker = self.asked(house)
        house.clock.now = house.service.appeals.get(request, worker).due + timedelta(days=2)
        for _ in range(2):
            house.service.outside.once()
        assert [line["kind"] for line in self.reminders(receiver)] == ["appeal_overdue"]

    def test_the_rounds_send_them(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        request, worker = self.asked(house)
        house.clock.now = house.service.appeals.get(request, worker).due - timedelta(days=1)
        Rounds(house.service, house.clock.seconds).once()
        assert [line["kind"] for line in self.reminders(receiver)] == ["appeal_due"]


class TestChangedUses:
    def test_are_told(self, house_that_tells: House, receiver: Receiver) -> None:
        house = house_that_tells
        record = house.approved()
        other = house.submitted(name="gas-peak", seed=3)
        house.service.tier_changes.change(other.id, Tier.L4, by=OFFICER, reason="beside a school")
        asked = Asked(description="Will anybody be harmed?")
        house.service.use_changes.change(record.id, asked, by=ENGINEER, reason="said in other words")
        house.service.outside.once()
        changed = [line for line in told(receiver) if line["kind"] == "use_changed"]
        assert [line["model"] for line in changed] == ["gas-leak"], "a tier raised by people is no changed use"


class TestWords:
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_every_kind_has_its_words_and_only_known_facts(self, language: str) -> None:
        phrases = tomllib.loads((PHRASES / f"{language}.toml").read_text(encoding="utf-8"))
        assert set(phrases) == set(KINDS)
        for said in phrases.values():
            assert set(said) == {"title", "text"}
            used = {name for text in said.values() for _, name, _, _ in Formatter().parse(text) if name is not None}
            assert used <= {"model", "version", "site", "until", "at"}

    def test_both_languages_use_the_same_facts(self) -> None:
        both = [tomllib.loads((PHRASES / f"{name}.toml").read_text(encoding="utf-8")) for name in ("zh", "en")]
        for kind in KINDS:
            zh, en = (
                {n for t in phrases[kind].values() for _, n, _, _ in Formatter().parse(t) if n} for phrases in both
            )
            assert zh == en

    def test_a_veto(self) -> None:
        facts = {"model": "gas-leak", "version": "3", "site": "plant-07"}
        title, text = Notice(kind="veto", key="x", at=NOW, facts=facts).words()
        assert title.zh == "gas-leak：已被否决"
        assert text.en == (
            "gas-leak version 3 (plant-07) was vetoed at 2026-03-02 08:00 UTC. "
            "It runs nowhere any more; fall back to manual control."
        )


class TestWebhooks:
    def test_are_signed_and_dated(self, house_that_tells: House, receiver: Receiver) -> None:
        house_that_tells.submitted()
        house_that_tells.service.outside.once()
        (got,) = receiver.received
        now = NOW.timestamp()
        assert got.path == "/hook"
        assert is_ours(SECRET, got.headers, got.body, now)
        assert not is_ours("another secret of somebody", got.headers, got.body, now)
        assert not is_ours(SECRET, got.headers, got.body + b" ", now)
        assert not is_ours(SECRET, got.headers, got.body, now + MOST_APART + 1)
        assert not is_ours(SECRET, got.headers | {"Mingjing-Delivery": "other"}, got.body, now)
        assert not is_ours(SECRET, got.headers | {"Mingjing-Timestamp": str(int(now) + 60)}, got.body, now)

    @pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e9", "9" * 40, "１７"])
    def test_a_strange_time_is_no_signature(self, stamp: str) -> None:
        headers = signed_headers(SECRET, "d", b"", 0.0) | {"Mingjing-Timestamp": stamp}
        assert not is_ours(SECRET, headers, b"", 0.0)

    def test_are_tried_again_with_growing_pauses_under_the_same_id(
        self, house_that_tells: House, receiver: Receiver
    ) -> None:
        house, outside = house_that_tells, house_that_tells.service.outside
        receiver.answers = [500, 429, 200]
        house.submitted()
        assert outside.once() == 0
        assert outside.once() == 0
        assert len(receiver.received) == 1
        house.clock.go(minutes=PAUSES[0])
        assert outside.once() == 0
        house.clock.go(minutes=PAUSES[0])
        assert outside.once() == 0
        house.clock.go(minutes=PAUSES[1])
        assert outside.once() == 1
        assert len({line["id"] for line in told(receiver)}) == 1
        assert len(receiver.received) == 3
        assert outside.outbox.state().waiting == 0

    def test_survive_the_process(self, tmp_path: Path, receiver: Receiver) -> None:
        with telling(tmp_path, receiver) as house:
            receiver.answers = [503, 200]
            house.submitted()
            house.service.outside.once()
            house.clock.go(minutes=PAUSES[0])
            other = open_service(house.service.settings, clock=house.clock, store=house.service.store)
            try:
                assert other.outside.once() == 1
            finally:
                other.close()
        assert len(receiver.received) == 2

    def test_are_given_up_in_the_end_and_counted(self, house_that_tells: House, receiver: Receiver) -> None:
        house, outside = house_that_tells, house_that_tells.service.outside
        receiver.answers = [500]
        house.submitted()
        for pause in (*PAUSES, 0, 0):
            outside.once()
            house.clock.go(minutes=pause)
        assert len(receiver.received) == len(PAUSES) + 1
        assert (outside.outbox.state().waiting, outside.outbox.state().gave_up) == (0, 1)

    @pytest.mark.parametrize("status", [400, 401, 404, 410])
    def test_a_refusal_for_good_is_not_repeated(self, house_that_tells: House, receiver: Receiver, status: int) -> None:
        receiver.answers = [status]
        house_that_tells.submitted()
        house_that_tells.service.outside.once()
        house_that_tells.clock.go(days=1)
        house_that_tells.service.outside.once()
        assert len(receiver.received) == 1
        assert house_that_tells.service.outside.outbox.state().gave_up == 1

    def test_one_channel_that_is_away_keeps_no_other_waiting(self, tmp_path: Path, receiver: Receiver) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
        hooks = [{"url": dead, "secret": SECRET}, {"url": receiver.url, "secret": SECRET}]
        with telling(tmp_path, receiver, webhooks=hooks) as house:
            house.submitted()
            assert house.service.outside.once() == 1
            assert house.service.outside.outbox.state().waiting == 1

    def test_a_redirect_is_not_followed(self, house_that_tells: House, receiver: Receiver) -> None:
        with a_receiver() as elsewhere:
            receiver.answers, receiver.location = [302], elsewhere.url
            house_that_tells.submitted()
            assert house_that_tells.service.outside.once() == 0
            assert elsewhere.received == []


INNER = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "localhost",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
]


class TestInnerAddresses:
    @pytest.mark.parametrize("host", INNER)
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_are_refused(self, host: str, scheme: str) -> None:
        with pytest.raises((InnerAddress, NotDelivered)) as refused:
            post(f"{scheme}://{host}:9/", b"", {})
        assert isinstance(refused.value, InnerAddress) or "the name is not known" in refused.value.says.en

    def test_are_refused_and_the_notice_is_given_up(self, tmp_path: Path, receiver: Receiver) -> None:
        with telling(tmp_path, receiver, webhook_allow=[]) as house:
            house.submitted()
            house.service.outside.once()
            assert receiver.received == []
            assert house.service.outside.outbox.state().gave_up == 1

    def test_only_the_networks_named_are_open(self, receiver: Receiver) -> None:
        assert post(receiver.url, b"x", {}, HERE) == 200
        with pytest.raises(InnerAddress, match="an address that is not public"):
            post(receiver.url, b"x", {}, read_networks(["10.0.0.0/8", "::1/128"]))

    def test_one_bad_address_of_a_name_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def two(*_: Any, **__: Any) -> list[Any]:
            return [(2, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]

        monkeypatch.setattr(guarded.socket, "getaddrinfo", two)
        with pytest.raises(InnerAddress, match=r"rebind\.example is 10\.0\.0\.1"):
            post("https://rebind.example/", b"", {})

    def test_a_name_is_asked_once_and_that_address_spoken_to(
        self, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
    ) -> None:
        asked: list[str] = []
        real = socket.getaddrinfo

        def names(host: str, port: int, *rest: Any, **options: Any) -> Any:
            if host != "plant.example":
                return real(host, port, *rest, **options)
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "127.9.9.9", port, *rest, **options)

        monkeypatch.setattr(guarded.socket, "getaddrinfo", names)
        port = receiver.url.rpartition(":")[2]
        assert post(f"http://plant.example:{port}/x?y=1", b"z", {}, HERE) == 200
        assert asked == ["plant.example"]
        assert receiver.received[0].headers["Host"] == f"plant.example:{port}"
        assert receiver.received[0].path == "/x?y=1"

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://x.example",
            "file:///etc/passwd",
            "https://",
            "https://u:p@x.example",
            "https://x.example:99999",
            "gopher://x",
        ],
    )
    def test_other_addresses_are_no_webhooks(self, url: str) -> None:
        with pytest.raises(NotAWebhook):
            post(url, b"", {})

    def test_http_to_the_world_is_refused(self) -> None:
        with pytest.raises(NotAWebhook, match="is not https"):
            post("http://93.184.216.34/", b"", {})

    def test_a_certificate_of_nobody_is_refused(self, receiver: Receiver) -> None:
        with pytest.raises(NotDelivered):
            post(receiver.url.replace("http://", "https://"), b"", {}, HERE)

    def test_networks_that_are_none(self) -> None:
        with pytest.raises(Malformed) as refused:
            read_networks(["10.0.0.1/8", "localhost"])
        assert len(refused.value.faults) == 2

    @pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
    def test_public_ones_are_public(self, address: str) -> None:
        assert is_public(ipaddress.ip_address(address))


class TestMessages:
    def test_arrive_by_mail_in_both_languages(self, tmp_path: Path, receiver: Receiver) -> None:
        with a_mailbox() as mailbox:
            url = (
                f"mailto://127.0.0.1:{mailbox.port}?from=mingjing@plant.example&to=officer@plant.example&mode=insecure"
            )
            with telling(tmp_path, receiver, webhooks=[], notify=[{"url": url}]) as house:
                house.veto(house.submitted())
                assert house.service.outside.once() == 2
        mail = message_from_string(mailbox.mails[-1], policy=policy.default)
        texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
        assert mail["Subject"] == "gas-leak：已被否决"
        assert "被否决，不得再在任何地方运行" in texts[0]
        assert "It runs nowhere any more" in texts[0]

    def test_wait_while_the_service_is_away(self, tmp_path: Path, receiver: Receiver) -> None:
        with a_mailbox() as mailbox:
            url = f"mailto://127.0.0.1:{mailbox.port}?from=a@plant.example&to=b@plant.example&mode=insecure"
        with telling(tmp_path, receiver, webhooks=[], notify=[{"url": url}]) as house:
            house.submitted()
            assert house.service.outside.once() == 0
            assert house.service.outside.outbox.state().waiting == 1

    @pytest.mark.parametrize(
        "url",
        [
            f"dingtalk://{'a' * 64}",
            "wecombot://01234567-89ab-cdef-0123-456789abcdef",
            f"feishu://{'a' * 36}",
            "mailtos://user:word@mail.example.com",
        ],
    )
    def test_addresses_that_apprise_reads(self, url: str) -> None:
        from api.notifying.channels import _apprise

        assert len(_apprise(url)) == 1

    def test_an_address_that_it_does_not_read_is_given_up(self, house: House) -> None:
        channel = MessageChannel(url="dingtalk://?")
        with pytest.raises(ChannelRefused, match="the dingtalk address in MINGJING_NOTIFY cannot be read"):
            channel.send("d", Notice(kind="veto", key="k", at=NOW), NOW)

    @pytest.mark.parametrize("url", ["json://10.0.0.1", "xml://x", "syslog://", "file:///etc", "", "dingtalk:x"])
    def test_other_services_are_refused(self, url: str) -> None:
        with pytest.raises(ChannelRefused, match="MINGJING_NOTIFY names the service"):
            MessageChannel(url=url)

    def test_names_and_reprs_tell_no_secret(self) -> None:
        token = "b" * 64
        message = MessageChannel(url=f"dingtalk://{token}")
        hook = WebhookChannel(url=f"https://x.example/{token}", secret=token)
        assert token not in f"{message!r} {message.name} {hook.name}"
        assert "secret" not in repr(hook)


class TestSettings:
    @pytest.mark.parametrize("kinds", [("evil",), ()])
    def test_kinds_nobody_knows(self, kinds: tuple[str, ...]) -> None:
        with pytest.raises(ChannelRefused, match="there is no kind of notice"):
            WebhookChannel(url="https://x.example", secret=SECRET, kinds=kinds)

    def test_short_secrets(self) -> None:
        with pytest.raises(ChannelRefused, match="at least 16 characters; found 5"):
            WebhookChannel(url="https://x.example", secret="short")

    def test_a_malformed_one_does_not_show_its_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_WEBHOOKS", '[{"url": "https://x.example", "secret": ["hush hush"]}]')
        with pytest.raises(Malformed) as refused:
            read_settings()
        assert "hush" not in str(refused.value)

    def test_are_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_NOTIFY", '[{"url": "dingtalk://x", "languages": ["zh"], "kinds": ["veto"]}]')
        assert Settings().notify[0].languages == ("zh",)


class TestHints:
    @pytest.fixture
    def browser(self, tmp_path: Path) -> Iterator[tuple[TestClient, House]]:
        """A house that MLflow may hint to."""
        with a_house(tmp_path / "house", mlflow_webhook_secret=SECRET) as house:
            yield TestClient(create_app(house.service)), house

    def hint(self, client: TestClient, body: str, secret: str = SECRET, late: float = 0.0) -> Any:
        """Send a webhook as MLflow signs it."""
        stamp = str(int(NOW.timestamp() - late))
        headers = {
            "X-MLflow-Delivery-Id": "d-1",
            "X-MLflow-Timestamp": stamp,
            "X-MLflow-Signature": _generate_hmac_signature(secret, "d-1", stamp, body),
        }
        return client.post("/v1/hints/mlflow", content=body, headers=headers)

    def changed(self, model: str) -> str:
        """What MLflow says when an alias was moved."""
        data = {"name": model, "version": "7", "alias": "champion"}
        return json.dumps({"entity": "model_version_alias", "action": "created", "timestamp": "", "data": data})

    def test_a_model_is_looked_at_again(self, browser: tuple[TestClient, House]) -> None:
        client, house = browser
        record = house.approved()
        assert all(house.decide().decisions)
        assert self.hint(client, self.changed("gas-leak")).json() == {"looked_at": "gas-leak", "sound": True}
        artifact = house.service.store.artifact(record.model, record.version)
        artifact.write_bytes(artifact.read_bytes()[:-1] + b"!")
        answer = self.hint(client, self.changed("gas-leak"))
        assert (answer.status_code, answer.json()) == (202, {"looked_at": "gas-leak", "sound": False})
        assert house.kinds()[-1] == "incident"

    def test_nothing_it_says_is_believed(self, browser: tuple[TestClient, House]) -> None:
        client, house = browser
        house.approved()
        before = house.kinds()
        assert self.hint(client, self.changed("unheard-of")).json() == {"looked_at": "unheard-of", "sound": True}
        assert house.kinds() == before
        assert all(house.decide().decisions)

    def test_unsigned_stale_and_foreign_ones_are_refused(self, browser: tuple[TestClient, House]) -> None:
        client, _ = browser
        body = self.changed("gas-leak")
        assert client.post("/v1/hints/mlflow", content=body).status_code == 401
        assert self.hint(client, body, secret="another secret").status_code == 401
        assert self.hint(client, body, late=MOST_APART + 1).status_code == 401
        assert self.hint(client, body + " " * 1_000_001).status_code == 401

    @pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"data": 1}', "[" * 50_000])
    def test_signed_nonsense_is_malformed(self, browser: tuple[TestClient, House], body: str) -> None:
        assert self.hint(browser[0], body).status_code == 422
