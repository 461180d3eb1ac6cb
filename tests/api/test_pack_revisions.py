"""When law changes: the table waits, names the permits it touches, is signed as it was read, and stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.errors import Conflict, Malformed, NotFound, Refused
from policies.regulations import Pack, read_pack
from policies.roles import NotAllowed, Role
from tests.api.doors import Doors
from tests.governance.factories import COMMITTEE, ENGINEER, OFFICER, House, a_house, someone
from tests.policies.packs import a_pack_text
from tests.reports.pdf_text import squeezed, words_of
from tests.reports.workbook import formulas_of, sheets_of

OLD = a_pack_text('check = "performance"')
NEW = a_pack_text('log = "review", per = "model", within_days = 30')


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[House]:
    """A house with a pack of its own and a model at work."""
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "own.toml").write_text(OLD, encoding="utf-8")
    with a_house(tmp_path / "house", regulations=packs) as house:
        house.approved()
        yield house


def changed(house: House, text: str) -> Pack:
    """Put another text of the pack in place, as a restart with another file would."""
    new = read_pack(text.encode(), "own.toml")
    compliance = house.service.compliance
    compliance.packs = tuple(new if pack.id == new.id else pack for pack in compliance.packs)
    return new


def adopted(house: House, by: Any = COMMITTEE) -> Any:
    """Adopt the pack as it is in use."""
    digest = house.service.compliance.pack("test-law").digest
    return house.service.pack_revisions.adopt("test-law", by=by, reason="read with counsel", digest=digest)


class TestPending:
    def test_everything_waits_before_the_first_adoption(self, ruled: House) -> None:
        pending = ruled.service.pack_revisions.pending(OFFICER)
        assert {revision.subject for revision in pending} == {pack.id for pack in ruled.service.compliance.packs}
        first = ruled.service.pack_revisions.of_pack("test-law", OFFICER)
        assert (first.old_version, [change["kind"] for change in first.changes]) == (None, ["added"])

    def test_nothing_waits_once_it_is_adopted(self, ruled: House) -> None:
        adopted(ruled)
        with pytest.raises(Conflict, match="test-law 1 is adopted as it is; nothing changed since"):
            ruled.service.pack_revisions.of_pack("test-law", OFFICER)

    def test_a_change_names_the_permits_it_touches(self, ruled: House) -> None:
        adopted(ruled)
        changed(ruled, NEW)
        found = ruled.service.pack_revisions.of_pack("test-law", OFFICER)
        (line,) = found.touched
        assert (line["model"], line["clauses"]) == ("gas-leak:1", ["1"])
        assert line["because"]["en"] == "1: the log has no 'review'"

    def test_a_change_that_is_answered_touches_nobody(self, ruled: House) -> None:
        adopted(ruled)
        changed(ruled, a_pack_text('log = "examine", per = "model"'))
        found = ruled.service.pack_revisions.of_pack("test-law", OFFICER)
        assert (len(found.changes), found.touched) == (1, ())

    def test_permits_of_other_sites_are_left_out(self, ruled: House) -> None:
        adopted(ruled)
        changed(ruled, NEW)
        elsewhere = someone(Role.DSO, site="plant-08")
        assert ruled.service.pack_revisions.of_pack("test-law", elsewhere).touched == ()


class TestAdoption:
    def test_is_an_entry_of_the_log_and_stays(self, ruled: House) -> None:
        first = adopted(ruled)
        changed(ruled, NEW)
        second = adopted(ruled, by=OFFICER)
        assert (first.number, second.number) == (1, 2)
        assert (second.old_digest, second.by, second.role) == (first.new_digest, OFFICER.name, "dso")
        entry = ruled.service.log.entry(second.entry)
        assert (entry.kind, entry.flags, entry.actor) == ("adopt", ("regulation",), OFFICER.name)
        ruled.clock.go(days=2000)
        assert ruled.service.pack_revisions.signed(1, OFFICER) == first
        assert [revision.number for revision in ruled.service.pack_revisions.adopted(OFFICER)] == [2, 1]

    def test_signs_only_what_was_read(self, ruled: House) -> None:
        before = ruled.service.log.size()
        with pytest.raises(Conflict, match="you read test-law with digest 000000000000"):
            ruled.service.pack_revisions.adopt("test-law", by=COMMITTEE, reason="so it is", digest="0" * 64)
        assert ruled.service.log.size() == before

    def test_needs_a_reason_and_a_role(self, ruled: House) -> None:
        digest = ruled.service.compliance.pack("test-law").digest
        with pytest.raises(Malformed, match="needs a reason"):
            ruled.service.pack_revisions.adopt("test-law", by=COMMITTEE, reason=" ", digest=digest)
        local = someone(Role.COMMITTEE, site="plant-07")
        with pytest.raises(Refused, match="acts for plant-07"):
            ruled.service.pack_revisions.adopt("test-law", by=local, reason="so it is", digest=digest)
        with pytest.raises(NotAllowed, match="'adopt_law' is for dso, committee"):
            ruled.service.pack_revisions.adopt("test-law", by=ENGINEER, reason="so it is", digest=digest)

    def test_what_was_never_signed_is_not_found(self, ruled: House) -> None:
        with pytest.raises(NotFound, match="there is no signed revision 1"):
            ruled.service.pack_revisions.signed(1, OFFICER)


@pytest.mark.parametrize("language", ["zh", "en"])
class TestPapers:
    def test_page_and_workbook_agree_with_the_json(self, ruled: House, language: str) -> None:
        adopted(ruled)
        changed(ruled, NEW.replace("Records stay.", "=cmd <b>Records & stay.").replace("记录应当", "=cmd <b>记录应当"))
        waiting = ruled.service.pack_revisions.of_pack("test-law", OFFICER)
        signed = adopted(ruled)
        for revision in (waiting, signed):
            pdf = ruled.service.papers.revision(revision, language, "pdf")
            text = words_of(pdf)
            for change in revision.changes:
                for part in ("old", "new", "means"):
                    assert squeezed(change[part][language]) in text
            for line in revision.touched:
                assert squeezed(line["because"][language]) in text
            book = ruled.service.papers.revision(revision, language, "xlsx")
            assert formulas_of(book) == []
            changes, touched = sheets_of(book)
            assert (len(changes), len(touched)) == (1 + len(revision.changes), 1 + len(revision.touched))
            assert changes[1][3] == revision.changes[0]["new"][language]
            assert pdf == ruled.service.papers.revision(replace(revision), language, "pdf")
        assert signed.entry in words_of(ruled.service.papers.revision(signed, language, "pdf"))

    def test_of_a_rulebook_has_the_same_form(self, ruled: House, language: str) -> None:
        book = re.sub(rb"(least_balanced_accuracy) = [0-9.]+", rb"\1 = 0.75", ruled.service.rulebook.source)
        proposed = ruled.service.rule_changes.propose(book, by=OFFICER, reason="stricter")
        waiting: Any = ruled.service.papers.rulebook_revision(proposed.id, OFFICER)
        assert [line["model"] for line in waiting["touched"]] == ["gas-leak:1"]
        ruled.service.rule_changes.adopt(proposed.id, by=COMMITTEE, reason="agreed")
        signed: Any = ruled.service.papers.rulebook_revision(proposed.id, OFFICER)
        assert signed["touched"] == waiting["touched"]
        assert "checks.performance.least_balanced_accuracy" in [change["place"] for change in signed["changes"]]
        assert {change["kind"] for change in signed["changes"]} == {"stricter"}
        assert (signed["adopted"]["by"], signed["adopted"]["number"]) == (COMMITTEE.name, 1)
        text = words_of(ruled.service.papers.table(signed, language, "pdf"))
        assert "checks.performance.least_balanced_accuracy" in text
        assert "0.75" in text
        assert sheets_of(ruled.service.papers.table(signed, language, "xlsx"))[0][1][3] == "0.75"


class TestDoor:
    def test_lists_adopts_and_hands_out(self, own_doors: Doors) -> None:
        pending = own_doors.ask("get", "/v1/revisions", Role.COMMITTEE).json()["pending"]
        one = next(line for line in pending if line["subject"] == "eu-gdpr")
        said = {"digest": one["new"]["digest"], "reason": "read with counsel"}
        made = own_doors.ask("post", "/v1/regulations/eu-gdpr/adoption", Role.COMMITTEE, json=said)
        assert (made.status_code, made.json()["adopted"]["number"]) == (201, 2)
        assert own_doors.ask("get", "/v1/regulations/eu-gdpr/revision.json", Role.DSO).status_code == 409
        assert own_doors.ask("get", "/v1/revisions/2.pdf?lang=zh", Role.DSO).content.startswith(b"%PDF")
        assert own_doors.ask("get", "/v1/revisions/9.json", Role.DSO).status_code == 404
