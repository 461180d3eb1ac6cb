"""Law at the doors: packs name only what exists, coverage follows what the house holds, snapshots are sealed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from api.app import create_app
from api.controls import ADDRESSES, known_to_packs
from audit.entries import Draft
from policies.coverage import State
from policies.errors import Malformed, NotFound, Refused
from policies.pack_faults import pack_faults
from policies.regulations import read_packs
from policies.roles import NotAllowed, Role
from tests.api.doors import Doors
from tests.governance.factories import COMMITTEE, EMPLOYEE, ENGINEER, L3, OFFICER, REGULATOR, House, a_house, someone
from tests.policies.packs import a_pack_text
from tests.reports.pdf_text import words_of
from tests.reports.workbook import formulas_of, sheets_of

NEW_YORK = ("us-nyc-ll144", "employment_in_nyc")


@pytest.fixture
def two_sites(house: House) -> House:
    """A house with a model at each of two sites."""
    house.approved()
    house.approved(name="gas-peak", seed=3, site="plant-08", impact=dict(L3))
    return house


class TestPacks:
    def test_name_only_controls_and_evidence_that_exist(self, house: House) -> None:
        assert pack_faults(read_packs(), known_to_packs(house.service.rulebook)) == []

    def test_addresses_of_controls_are_in_the_application(self, house: House) -> None:
        paths = create_app(house.service).openapi()["paths"]
        assert {f"{method} {path}" for path, methods in paths.items() for method in methods} >= ADDRESSES

    def test_of_a_company_are_held_to_the_same(self, tmp_path: Path) -> None:
        packs = tmp_path / "packs"
        packs.mkdir()
        (packs / "own.toml").write_text(a_pack_text('check = "colour"'), encoding="utf-8")
        with (
            pytest.raises(Malformed, match="test-law 1: there is no check 'colour'"),
            a_house(tmp_path / "house", regulations=packs),
        ):
            pass

    def test_of_a_company_are_used(self, tmp_path: Path) -> None:
        packs = tmp_path / "packs"
        packs.mkdir()
        (packs / "own.toml").write_text(a_pack_text(), encoding="utf-8")
        with a_house(tmp_path / "house", regulations=packs) as house:
            rows = house.service.compliance.coverage(OFFICER, pack="test-law")
            assert [row.because.en for row in rows] == ["retention.default_days is 190; asked for at least 184"]

    def test_that_are_absent_are_not_found(self, house: House) -> None:
        with pytest.raises(NotFound, match="there is no regulation pack 'gone'"):
            house.service.compliance.pack("gone")


class TestScope:
    def test_is_answered_by_a_person_and_kept_in_the_log(self, house: House) -> None:
        compliance = house.service.compliance
        before = compliance.coverage(OFFICER, pack=NEW_YORK[0])
        answer = compliance.answer_scope(*NEW_YORK, False, by=COMMITTEE, reason="no site in New York")
        after = compliance.coverage(OFFICER, pack=NEW_YORK[0])
        assert {row.state for row in before} == {State.NO_EVIDENCE}
        assert {row.state for row in after} == {State.NOT_IN_SCOPE}
        entry = house.service.log.entry(answer.entry)
        assert (entry.kind, entry.actor, entry.flags) == ("adopt", COMMITTEE.name, ("scope",))

    def test_the_newest_answer_counts(self, house: House) -> None:
        compliance = house.service.compliance
        compliance.answer_scope(*NEW_YORK, False, by=OFFICER, reason="no site there")
        compliance.answer_scope(*NEW_YORK, True, by=OFFICER, reason="one was opened")
        (answer,) = compliance.scope()
        assert (answer.applies, answer.reason) == (True, "one was opened")

    def test_needs_a_reason(self, house: House) -> None:
        with pytest.raises(Malformed, match="needs a reason"):
            house.service.compliance.answer_scope(*NEW_YORK, True, by=OFFICER, reason=" ")

    def test_answers_only_what_is_asked(self, house: House) -> None:
        with pytest.raises(NotFound, match="us-nyc-ll144 asks no question 'colour'; it asks employment_in_nyc"):
            house.service.compliance.answer_scope(NEW_YORK[0], "colour", True, by=OFFICER, reason="why not")

    def test_is_answered_for_the_whole_house(self, house: House) -> None:
        local = someone(Role.DSO, site="plant-07")
        with pytest.raises(Refused, match="a-dso acts for plant-07"):
            house.service.compliance.answer_scope(*NEW_YORK, True, by=local, reason="it is so")

    def test_is_not_for_those_who_submit(self, house: House) -> None:
        with pytest.raises(NotAllowed, match="'adopt_law' is for dso, committee"):
            house.service.compliance.answer_scope(*NEW_YORK, True, by=ENGINEER, reason="it is so")


class TestCoverage:
    def test_follows_what_the_log_holds(self, house: House) -> None:
        house.approved()

        def states() -> dict[str, str]:
            rows = house.service.compliance.coverage(OFFICER, pack="cn-cybersecurity-law")
            return {row.name: row.state.value for row in rows if row.model is None}

        assert states()["health"] == "no_evidence"
        house.service.log.append([Draft(kind="health", payload=b"{}", actor="mingjing")])
        assert states()["health"] == "holds"
        house.clock.go(days=3)
        assert states()["health"] == "does_not_hold"

    def test_follows_what_the_checks_found(self, house: House) -> None:
        record = house.approved()
        rows = house.service.compliance.coverage(OFFICER, model=record.model)
        found = {finding["check"]: finding["holds"] for finding in record.findings}
        checks = [row for row in rows if row.means == "check" and row.state is not State.NOT_IN_SCOPE]
        assert checks
        for row in checks:
            holds = [f["holds"] for f in record.findings if f["check"] == row.name]
            expected = False if False in holds else None if None in holds or not holds else True
            assert row.state is {True: State.HOLDS, False: State.FAILS, None: State.NO_EVIDENCE}[expected], found

    def test_leaves_models_of_other_sites_out(self, two_sites: House) -> None:
        def models(site: str | None) -> set[str]:
            rows = two_sites.service.compliance.coverage(someone(Role.REGULATOR, site=site))
            return {row.model for row in rows if row.model is not None}

        assert models(None) == {"gas-leak:1", "gas-peak:1"}
        assert models("plant-08") == {"gas-peak:1"}
        assert models("plant-09") == set()

    def test_is_not_for_employees(self, house: House) -> None:
        with pytest.raises(NotAllowed):
            house.service.compliance.coverage(EMPLOYEE)


class TestSnapshot:
    def test_is_sealed_numbered_and_frozen(self, two_sites: House) -> None:
        compliance = two_sites.service.compliance
        first = compliance.take_snapshot(by=OFFICER, reason="spring audit")
        two_sites.service.log.append([Draft(kind="health", payload=b"{}", actor="mingjing")])
        compliance.answer_scope(*NEW_YORK, False, by=OFFICER, reason="no site there")
        second = compliance.take_snapshot(by=REGULATOR)
        assert [kept.number for kept in compliance.snapshots(OFFICER)] == [2, 1]
        assert compliance.snapshot(1, OFFICER) == first
        assert first.head()["states"] != second.head()["states"]
        entry = two_sites.service.log.entry(first.entry)
        assert (entry.kind, entry.actor, entry.flags) == ("publish", OFFICER.name, ("snapshot",))

    def test_stands_in_the_log_provably(self, house: House) -> None:
        kept = house.service.compliance.take_snapshot(by=OFFICER)
        house.service.log.checkpoint()
        bundle = house.service.log.evidence(kept.entry)
        assert json.loads(json.dumps(bundle))["entry"]["header"]

    def test_is_taken_by_officer_or_regulator(self, house: House) -> None:
        for person in (COMMITTEE, ENGINEER, EMPLOYEE):
            with pytest.raises(NotAllowed, match="'take_snapshot' is for dso, regulator"):
                house.service.compliance.take_snapshot(by=person)

    def test_that_is_absent_is_not_found(self, house: House) -> None:
        with pytest.raises(NotFound, match="there is no compliance snapshot 7"):
            house.service.compliance.snapshot(7, OFFICER)

    def test_does_not_expire(self, house: House) -> None:
        from audit.expiry import expire

        kept = house.service.compliance.take_snapshot(by=OFFICER)
        house.clock.now += timedelta(days=2000)
        expire(house.service.log, clock_confirmed_by="an officer")
        assert house.service.compliance.snapshot(1, OFFICER) == kept

    def test_shows_a_site_its_own_models_only(self, two_sites: House) -> None:
        compliance = two_sites.service.compliance
        whole = compliance.take_snapshot(by=OFFICER)
        theirs = compliance.snapshot(1, someone(Role.REGULATOR, site="plant-08"))
        assert "gas-leak" not in json.dumps(theirs.as_json())
        assert {model["model"] for model in theirs.body["models"]} == {"gas-peak:1"}
        assert theirs.digest == whole.digest
        assert whole.body["models"][0]["model"] == "gas-leak:1"


class TestPapers:
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_page_and_workbook_agree_with_the_json(self, two_sites: House, language: str) -> None:
        pytest.importorskip("xlsxwriter", reason="XlsxWriter (mingjing[server]) is not installed")
        service = two_sites.service
        kept = service.compliance.take_snapshot(by=OFFICER, reason="<b>&=cmd")
        pdf = service.papers.snapshot(kept, language, "pdf")
        book = service.papers.snapshot(kept, language, "xlsx")
        text = words_of(pdf)
        assert kept.digest in text
        assert "<b>&=cmd" in text
        for count in kept.head()["states"].values():  # type: ignore[attr-defined]
            assert str(count) in text
        clauses, answers = sheets_of(book)
        assert len(clauses) == 1 + len(kept.body["clauses"])
        assert len(answers) == 1 + len(kept.body["rows"])
        for shown, clause in zip(clauses[1:], kept.body["clauses"], strict=True):
            assert shown[2] == clause["says"][language]
            assert "".join(clause["article"][language].split()) in text
        assert formulas_of(book) == []

    def test_same_snapshot_same_bytes(self, house: House) -> None:
        kept = house.service.compliance.take_snapshot(by=OFFICER)
        again = house.service.compliance.snapshot(1, OFFICER)
        assert house.service.papers.snapshot(kept, "zh", "pdf") == house.service.papers.snapshot(again, "zh", "pdf")


class TestDoor:
    def test_lists_and_hands_out(self, doors: Doors) -> None:
        (line,) = doors.ask("get", "/v1/snapshots", Role.REGULATOR).json()["snapshots"]
        whole = doors.ask("get", line["json"], Role.REGULATOR).json()
        assert whole["digest"] == line["digest"]
        assert doors.ask("get", f"{line['pdf']}?lang=zh", Role.REGULATOR).content.startswith(b"%PDF")
        packs = doors.ask("get", "/v1/regulations", None).json()["packs"]
        assert {pack["source"] for pack in packs} == {"public", "identifiers", "supplied"}
        assert doors.ask("get", "/v1/coverage?pack=gone", Role.DSO).status_code == 404

    def test_takes_answers_and_snapshots(self, own_doors: Doors) -> None:
        said = {"question": NEW_YORK[1], "applies": False, "reason": "no site there"}
        assert own_doors.ask("post", f"/v1/regulations/{NEW_YORK[0]}/scope", Role.DSO, json=said).status_code == 201
        assert own_doors.ask("get", "/v1/scope", Role.DSO).json()["answers"][0]["reason"] == "no site there"
        made = own_doors.ask("post", "/v1/snapshots", Role.REGULATOR, json={"reason": "inspection"})
        assert (made.status_code, made.json()["number"]) == (201, 2)
