"""Papers at the doors: made from what the house holds, published only whole, sealed, signed where there is a key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from governance.publications import BIAS_AUDIT
from policies.coverage import State
from policies.errors import Malformed, NotFound
from policies.roles import NotAllowed, Role
from tests.api.doors import Doors
from tests.governance.factories import ENGINEER, OFFICER, House, a_directory, a_house, someone
from tests.reports.papers import WORDS, an_audit
from tests.reports.pdf_text import words_of

PAPERS = "/v1/reports/gas-leak/1"
SAID: dict[str, Any] = {**WORDS, "audit_date": "2026-02-01", "distribution_date": "2026-03-01"}


class TestTechnicalFile:
    def test_holds_what_the_house_holds(self, house: House) -> None:
        record = house.approved()
        said = json.loads(house.service.papers.json(house.service.papers.technical_file_json(record)))
        lines = {line["field"]: line for heading in said["headings"] for line in heading["lines"]}
        assert lines["artifact"]["values"][0]["en"] == record.artifact_digest
        assert OFFICER.name in lines["verdicts"]["values"][0]["en"]
        assert any("ISO/IEC TS 4213:2022" in value["en"] for value in lines["standards"]["values"])
        assert any(value["en"].startswith("numpy ") for value in lines["environment"]["values"])
        assert len(lines["data_digests"]["values"]) == 2
        for finding in record.findings:
            if finding["check"] == "robustness":
                assert any(finding["says"]["en"] in value["en"] for value in lines["robustness"]["values"])

    def test_is_written_before_a_verdict_too(self, house: House) -> None:
        record = house.submitted()
        assert "6: verdicts" in house.service.papers.technical_file_json(record)["not_held"]  # type: ignore[operator]
        assert house.service.papers.technical_file(record, "zh").startswith(b"%PDF")


class TestBiasAudit:
    def test_of_a_real_examination_is_published_and_read_back(self, house: House, tmp_path: Path) -> None:
        groups = {'groups = ["sex"]': 'groups = ["sex", "temperature"]'}
        directory = a_directory(tmp_path / "handed", lines=groups)
        record = house.service.intake.submit(directory, by=ENGINEER)
        said = {**SAID, "race_ethnicity": "temperature"}
        audit, published = house.service.papers.publish_bias_audit(record, said, by=OFFICER)
        assert house.service.papers.published_bias_audit(record) == (audit, published)
        counts = [sum(category.n for category in table.categories) for table in audit.tables]
        assert counts == [200, 200, 200]
        assert max(c.ratio or 0 for table in audit.tables for c in table.categories) == 1.0
        entry = house.service.log.entry(published.entry)
        assert (entry.kind, entry.flags, entry.model) == ("publish", ("bias-audit",), record.model)

    def test_without_its_words_nothing_is_sealed(self, house: House) -> None:
        record = house.approved()
        before = house.service.log.size()
        with pytest.raises(Malformed) as wrong:
            house.service.papers.publish_bias_audit(record, {}, by=OFFICER)
        assert len(wrong.value.faults) == 9
        assert house.service.log.size() == before

    def test_is_published_by_the_officer_at_its_site(self, house: House) -> None:
        record = house.approved()
        with pytest.raises(NotAllowed):
            house.service.papers.publish_bias_audit(record, SAID, by=ENGINEER)
        with pytest.raises(NotFound):
            house.service.papers.publish_bias_audit(record, SAID, by=someone(Role.DSO, site="plant-08"))

    def test_answers_the_clause_that_asks_for_it(self, house: House) -> None:
        record = house.approved()
        compliance = house.service.compliance
        compliance.answer_scope("us-nyc-ll144", "employment_in_nyc", True, by=OFFICER, reason="it is used there")

        def state() -> State:
            rows = compliance.coverage(OFFICER, pack="us-nyc-ll144")
            return next(row.state for row in rows if row.clause == "5-303" and row.means == "log")

        assert state() is State.NO_EVIDENCE
        house.service.papers.publications.publish(BIAS_AUDIT, record, an_audit().as_json(), by=OFFICER)
        assert state() is State.HOLDS


class TestSigned:
    def test_documents_are_signed_where_a_key_is_set(self, tmp_path: Path) -> None:
        pytest.importorskip("pyhanko", reason="pyHanko (mingjing[sign]) is not installed")
        from tests.reports.test_signing import a_key, state_of

        file, word, certificate = a_key(tmp_path)
        with a_house(tmp_path / "house", signing_certificate=file, signing_passphrase=word) as house:
            record = house.approved()
            kept = house.service.compliance.take_snapshot(by=OFFICER)
            made = [
                house.service.telling.report(record, "zh"),
                house.service.papers.technical_file(record, "en"),
                house.service.papers.snapshot(kept, "zh", "pdf"),
            ]
            assert all(state_of(pdf, certificate).bottom_line for pdf in made)
            rows = house.service.compliance.coverage(OFFICER, pack="cn-electronic-evidence")
            assert next(row.state for row in rows if row.name == "signing_certificate") is State.HOLDS

    def test_a_key_that_cannot_be_used_is_told_at_the_start(self, tmp_path: Path) -> None:
        pytest.importorskip("pyhanko", reason="pyHanko (mingjing[sign]) is not installed")
        with (
            pytest.raises(Malformed, match=r"gone\.p12 cannot be used to sign"),
            a_house(tmp_path / "house", signing_certificate=tmp_path / "gone.p12"),
        ):
            pass


class TestDoor:
    def test_hands_papers_out(self, doors: Doors) -> None:
        assert doors.ask("get", f"{PAPERS}/technical-file.pdf?lang=zh", Role.REGULATOR).content.startswith(b"%PDF")
        bill = doors.ask("get", f"{PAPERS}/bom.json", Role.ML_ENGINEER)
        assert bill.headers["content-type"].startswith("application/vnd.cyclonedx+json")
        card = doors.ask("get", f"{PAPERS}/model-card.md?lang=zh", None)
        assert card.headers["content-type"] == "text/markdown; charset=utf-8"
        audit = doors.ask("get", f"{PAPERS}/bias-audit.json", None).json()
        text = words_of(doors.ask("get", f"{PAPERS}/bias-audit.pdf", None).content)
        assert audit["tables"][0]["comparator"] in text
        assert "sex" in doors.ask("get", f"{PAPERS}/bias-audit.csv", None).text

    def test_names_everything_that_is_missing(self, doors: Doors) -> None:
        answer = doors.ask("post", f"{PAPERS}/bias-audit", Role.DSO, json={"auditor": "somebody"})
        assert answer.status_code == 422
        assert len(answer.json()["faults"]) == 8

    def test_keeps_papers_of_what_is_not_at_work_inside(self, doors: Doors) -> None:
        waiting = "/v1/reports/gas-peak/1"
        assert doors.ask("get", f"{waiting}/model-card.md", None).status_code == 404
        assert doors.ask("get", f"{waiting}/technical-file.json", Role.ML_ENGINEER).status_code == 200

    def test_words_in_a_file_are_the_same_words(self) -> None:
        text = "\n".join(f'{key} = "{value}"' for key, value in WORDS.items())
        assert tomllib.loads(text) == WORDS
