"""The HTTP door: problem documents, submissions and verdicts over the wire, and whatever else may be sent."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from policies.roles import Role
from tests.api.doors import ABSENT, Doors
from tests.governance.factories import SITE, a_directory

PROBLEM = "application/problem+json"


def zipped(directory: Path) -> bytes:
    """A submission directory as one file."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for file in sorted(directory.iterdir()):
            archive.write(file, file.name)
    return raw.getvalue()


class TestProblems:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("get", "/v1/nothing", 404), ("delete", "/v1/decisions", 405), ("get", "/v1/decisions", 401)],
    )
    def test_are_rfc_9457_documents(self, doors: Doors, method: str, path: str, status: int) -> None:
        answer = doors.ask(method, path, None)
        assert answer.status_code == status
        assert answer.headers["content-type"] == PROBLEM
        document = answer.json()
        assert {"type", "title", "status", "detail"} <= set(document)
        assert document["status"] == status

    def test_speak_the_callers_language(self, doors: Doors) -> None:
        for asked in ({"headers": {"Accept-Language": "zh-CN"}}, {"params": {"lang": "zh"}}):
            assert (
                doors.ask("get", f"/v1/decisions/{ABSENT}", Role.DSO, **asked).json()["detail"].startswith("此处没有")
            )

    def test_carry_no_cache_and_no_sniffing(self, doors: Doors) -> None:
        answer = doors.ask("get", "/v1/nothing", None)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_a_database_that_is_away_is_503(self, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: Any, **__: Any) -> Any:
            raise OperationalError("SELECT secret", {}, OSError("connection refused"))

        monkeypatch.setattr(type(doors.house.service.book), "search", away)
        answer = doors.ask("get", "/v1/submissions", Role.DSO)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "secret" not in answer.text

    def test_a_bug_is_a_500_that_tells_nothing(self, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise KeyError("the officer's password")

        monkeypatch.setattr(type(doors.house.service.book), "search", broken)
        answer = doors.ask("get", "/v1/submissions", Role.DSO)
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert "password" not in answer.text


class TestSubmissions:
    def test_come_in_as_a_zip_and_get_a_verdict(self, own_doors: Doors, tmp_path: Path) -> None:
        raw = zipped(a_directory(tmp_path / "handed", name="gas-third", seed=7))
        made = own_doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, files={"file": ("s.zip", raw)})
        assert made.status_code == 201, made.text
        id = made.json()["id"]
        shown = own_doors.ask("get", f"/v1/submissions/{id}/findings", Role.DSO).json()
        assert {finding["check"] for finding in shown["findings"]} >= {"performance", "purpose"}
        said = {"verdict": "approve", "reason": "it was looked at", "until": "2026-05-01T00:00:00"}
        ruling = own_doors.ask("post", f"/v1/submissions/{id}/verdict", Role.DSO, json=said)
        assert ruling.status_code == 200, ruling.text
        assert ruling.json()["permit"]["until"] == "2026-05-01T00:00:00+00:00"
        again = own_doors.ask("post", f"/v1/submissions/{id}/verdict", Role.DSO, json=said)
        assert again.status_code == 409
        assert "is approved; it can become examined, vetoed, suspended, retired, not approved" in again.json()["detail"]

    def test_come_in_under_any_name_and_as_a_plain_body(self, own_doors: Doors, tmp_path: Path) -> None:
        for number, sent in enumerate(("form", "body")):
            raw = zipped(a_directory(tmp_path / sent, name=f"gas-{sent}", seed=20 + number))
            how: dict[str, Any] = {"files": {"submission": ("s.zip", raw)}}
            if sent == "body":
                how = {"content": raw, "headers": {"Content-Type": "application/zip"}}
            made = own_doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, **how)
            assert made.status_code == 201, made.text

    def test_without_a_zip_are_told_how_to_send_one(self, doors: Doors) -> None:
        for how in ({"content": b"x", "headers": {"Content-Type": "text/csv"}}, {"data": {"file": "text"}}, {}):
            answer = doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, **how)
            assert answer.status_code == 422
            assert "send the zipped submission directory" in answer.json()["detail"]

    def test_of_a_refused_purpose_are_403_and_leave_nothing(self, own_doors: Doors, tmp_path: Path) -> None:
        raw = zipped(a_directory(tmp_path / "handed", name="gas-third", purpose="punishment"))
        answer = own_doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, files={"file": ("s.zip", raw)})
        assert answer.status_code == 403
        assert "a risk model is not a basis for punishment" in answer.json()["detail"]
        assert own_doors.house.service.store.versions("gas-third") == ()

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all"])
    def test_that_are_no_zip_are_422(self, doors: Doors, content: bytes) -> None:
        answer = doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, files={"file": ("s.zip", content)})
        assert answer.status_code == 422
        assert answer.json()["faults"][0]["zh"]

    @pytest.mark.parametrize("name", ["../evil.toml", "/etc/evil", "a/../../evil"])
    def test_that_climb_out_of_their_zip_are_422(self, doors: Doors, name: str) -> None:
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w") as archive:
            archive.writestr(name, "x")
        answer = doors.ask("post", "/v1/submissions", Role.ML_ENGINEER, files={"file": ("s.zip", raw.getvalue())})
        assert answer.status_code == 422


class TestVerdicts:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"verdict": "bless", "reason": "it was looked at"},
            {"verdict": "approve", "reason": None},
            {"verdict": "approve", "reason": "it was looked at", "until": "soon"},
            {"verdict": "approve", "reason": "it was looked at", "until": "0001-01-01T00:00:00"},
            {"verdict": "approve", "reason": "it was looked at", "until": "9999-12-31T23:59:59+14:00"},
            {"verdict": "approve", "reason": "it was looked at", "until": 10**18},
            {
                "verdict": "approve",
                "reason": "it was looked at",
                "conditions": [{"kind": "threshold", "value": 10**400}],
            },
            {"verdict": "approve", "reason": "fine", "conditions": [{"kind": {"a": 1}}]},
            {"verdict": "approve", "reason": "fine", "conditions": "review_alarms"},
            {"verdict": "return", "reason": " "},
        ],
    )
    def test_that_cannot_be_read_are_422_and_change_nothing(self, doors: Doors, body: dict[str, Any]) -> None:
        answer = doors.ask("post", f"/v1/submissions/{doors.submission}/verdict", Role.DSO, json=body)
        assert answer.status_code == 422, answer.text
        assert doors.house.service.book.get(doors.submission).verdicts == ()


class TestLog:
    def test_proofs_are_consistent(self, doors: Doors) -> None:
        size = doors.house.service.log.size()
        assert doors.ask("get", "/v1/log/consistency", None, params={"from": 1, "to": size}).status_code == 200
        for older, newer in ((2, 1), (0, size + 1), (-1, 1), (10**30, 10**31)):
            asked = {"from": older, "to": newer}
            assert doors.ask("get", "/v1/log/consistency", None, params=asked).status_code == 422

    def test_an_entry_of_another_site_looks_absent(self, doors: Doors) -> None:
        answers = [doors.ask("get", f"/v1/log/proof/{id}", Role.DSO, "elsewhere") for id in (doors.decision, ABSENT)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(doors.decision, ABSENT) == answers[1].text


class TestReports:
    def test_of_what_was_not_approved_are_not_public(self, doors: Doors) -> None:
        listed = doors.ask("get", "/v1/reports", None).json()["reports"]
        assert [(report["model"], report["site"]) for report in listed] == [("gas-leak", SITE)]
        waiting = doors.ask("get", "/v1/reports/gas-peak/1.json", None)
        none = doors.ask("get", "/v1/reports/gas-peek/1.json", None)
        assert waiting.status_code == none.status_code == 404
        assert waiting.text.replace("gas-peak", "gas-peek") == none.text


QUERIES = st.dictionaries(
    st.sampled_from(
        ["model", "since", "until", "subject", "flag", "verdict", "after", "limit", "stage", "lang", "from"]
    ),
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(["", "0", "-1", "9" * 40, "null", "%", "' OR 1=1", "2026-01-01", "2026-01-01T00:00:00", "zh"]),
        st.integers().map(str),
    ),
    max_size=4,
)


class TestAnything:
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.sampled_from(["/v1/decisions", "/v1/submissions", "/v1/reports", "/v1/log/consistency", "/v1/rulebook"]),
        QUERIES,
        st.sampled_from([Role.DSO, Role.EMPLOYEE, Role.REGULATOR]),
    )
    def test_asked_is_answered_or_refused(self, doors: Doors, path: str, query: dict[str, str], role: Role) -> None:
        answer = doors.ask("get", path, role, params=query)
        assert answer.status_code in (200, 403, 422), (answer.status_code, answer.text)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.text(min_size=1, max_size=12), st.sampled_from(["", "/explanation", "/evidence", "/reviews", "/letter.pdf"])
    )
    def test_named_is_found_or_absent(self, doors: Doors, name: str, what: str) -> None:
        from urllib.parse import quote

        answer = doors.ask("get", f"/v1/decisions/{quote(name, safe='')}{what}", Role.DSO)
        assert answer.status_code in (404, 405), (answer.status_code, answer.text)


class TestPurposeOfQueries:
    def test_that_turns_on_people_is_403_and_logged(self, doors: Doors) -> None:
        before = len(doors.house.service.log.search(kind="refuse", limit=1000).entries)
        for options in (
            {"headers": {"X-Mingjing-Purpose": "punishment"}},
            {"params": {"group_by": "reviewer"}},
            {"params": {"reviewer": "li"}},
        ):
            answer = doors.ask("get", "/v1/decisions", Role.DSO, **options)
            assert answer.status_code == 403
        assert doors.ask("get", "/v1/decisions", Role.REVIEWER, params={"subject": "x"}).status_code == 403
        assert len(doors.house.service.log.search(kind="refuse", limit=1000).entries) == before + 4

    def test_is_kept_with_every_look(self, doors: Doors) -> None:
        headers = {"X-Mingjing-Purpose": "incident_investigation"}
        assert doors.ask("get", f"/v1/decisions/{doors.decision}", Role.DSO, headers=headers).status_code == 200
        newest = doors.house.service.log.search(kind="access", limit=1).entries[0]
        assert b'"purpose":"incident_investigation"' in (doors.house.service.log.payload(newest.id) or b"")

    def test_a_reviewer_sees_no_pseudonym(self, doors: Doors) -> None:
        told = {
            role: doors.ask("get", f"/v1/decisions/{doors.decision}", role).json()["subject"]
            for role in (Role.DSO, Role.REGULATOR, Role.REVIEWER, Role.COMMITTEE)
        }
        assert told[Role.DSO] == told[Role.REGULATOR] is not None
        assert told[Role.REVIEWER] is told[Role.COMMITTEE] is None

    def test_a_search_about_a_person_is_kept(self, doors: Doors) -> None:
        pseudonym = doors.house.service.serving.pseudonym_of("w-1")
        found = doors.ask("get", "/v1/decisions", Role.DSO, params={"subject": pseudonym}).json()["decisions"]
        assert [line["id"] for line in found] == [doors.decision]
        newest = doors.house.service.log.search(kind="access", limit=1).entries[0]
        assert pseudonym.encode() in (doors.house.service.log.payload(newest.id) or b"")


class TestMoments:
    @pytest.mark.parametrize(
        "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00"]
    )
    @pytest.mark.parametrize(
        "path", ["/v1/decisions?since=", "/v1/appeals/statistics?to=", "/v1/reviews/agreement?from="]
    )
    def test_nobody_can_reckon_with_are_malformed(self, doors: Doors, path: str, moment: str) -> None:
        answer = doors.ask("get", f"{path}{quote(moment)}", Role.DSO)
        assert answer.status_code == 422
        assert "is no moment of the years 1900 to 9000" in answer.json()["detail"]
