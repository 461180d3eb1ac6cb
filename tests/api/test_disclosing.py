"""A quarter from its decisions to what anyone reads: counted, drafted, released, frozen, sealed, corrected."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError
from starlette.testclient import TestClient

from api.app import create_app
from api.rounds import Rounds
from audit.entries import Draft
from audit.quarter_counts import Span, count_quarter
from audit.trace_log import TraceLog
from audit.verify import verify_bundle
from governance.agreement import agreement
from governance.appeals import Asks
from governance.appeals import Outcome as Answer
from governance.disclosures import DraftReplaced, NotDisclosed, NothingPrepared, OneSiteOnly
from governance.outcomes import Outcome
from governance.reviews import Judgement
from policies.errors import Refused, Sentence, Unavailable
from policies.quarters import Quarter, QuarterNotOver
from policies.roles import NotAllowed, Role
from reports.disclosure_table import RATES
from reports.disclosure_words import rate_words
from reports.wording import LANGUAGES, as_percent
from tests.governance.factories import OFFICER, PLANT, SENSORS, House, rows, someone
from tests.reports.pdf_text import squeezed, words_of

LAST = Quarter(2025, 4)
"""The quarter before the one the house's clock stands in."""

IN_IT = LAST.start + timedelta(days=20)
SITES = {"plant-07": 90, "plant-08": 70, "plant-09": 14}


def filled(log: TraceLog, *, harmed: float = 0.4) -> list[str]:
    """Fill last quarter with decisions of three sites, and say of most what really happened; return their ids."""
    drafts = [
        Draft(
            kind="decision",
            payload=b"{}",
            model="gas-leak",
            version="1",
            site=site,
            score=(at % 10) / 10,
            verdict=at % 3 == 0,
            time=IN_IT,
        )
        for site, n in SITES.items()
        for at in range(n)
    ]
    ids = [receipt.id for receipt in log.append(drafts)]
    known = [(id, draft) for at, (id, draft) in enumerate(zip(ids, drafts, strict=True)) if at % 5]
    log.append(
        [
            Draft(
                kind="outcome",
                payload=b"{}",
                about=id,
                model="gas-leak",
                version="1",
                site=draft.site,
                verdict=(at % 10) / 10 < harmed,
                time=IN_IT,
            )
            for at, (id, draft) in enumerate(known)
        ]
    )
    return ids


def released(house: House) -> Any:
    draft = house.service.disclosing.prepare(LAST, by=OFFICER)
    return house.service.disclosing.release(LAST, by=OFFICER, digest=draft.digest)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, TestClient]]:
    """A house that released last quarter, and its HTTP door; tests only read."""
    from tests.governance.factories import a_house

    with a_house(tmp_path_factory.mktemp("told") / "house") as house:
        house.approved()
        filled(house.service.log)
        released(house)
        yield house, TestClient(create_app(house.service), raise_server_exceptions=False)


class TestPrepare:
    @pytest.mark.parametrize("quarter", [Quarter(2026, 1), Quarter(2031, 2)])
    def test_a_quarter_that_is_not_over_is_refused(self, house: House, quarter: Quarter) -> None:
        with pytest.raises(QuarterNotOver):
            house.service.disclosing.prepare(quarter, by=OFFICER)

    def test_an_empty_log_has_nothing_to_say(self, house: House) -> None:
        with pytest.raises(Refused, match="the log is empty; there is nothing to disclose"):
            house.service.disclosing.prepare(LAST, by=OFFICER)

    def test_names_the_checkpoint_that_was_counted(self, house: House) -> None:
        filled(house.service.log)
        draft = house.service.disclosing.prepare(LAST, by=OFFICER)
        _, figures = house.service.disclosing.draft_figures(LAST, OFFICER)
        head = house.service.log.latest_checkpoint()
        assert head is not None
        assert (draft.size, figures.log.root) == (head.size, head.root.hex())

    def test_again_takes_the_place_of_the_draft_before(self, house: House) -> None:
        filled(house.service.log)
        first = house.service.disclosing.prepare(LAST, by=OFFICER)
        house.clock.go(hours=1)
        second = house.service.disclosing.prepare(LAST, by=OFFICER)
        assert first.digest != second.digest
        assert house.service.disclosing.disclosures.draft(LAST) == second

    def test_a_known_site_without_decisions_is_named(self, house: House) -> None:
        house.clock.now = IN_IT
        house.approved(site="plant-12")
        house.clock.now = LAST.end + timedelta(days=30)
        filled(house.service.log)
        house.service.disclosing.prepare(LAST, by=OFFICER)
        _, figures = house.service.disclosing.draft_figures(LAST, OFFICER)
        assert [row.site for row in figures.sites] == ["plant-07", "plant-08", "plant-09", "plant-12"]

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.DSO])
    def test_is_for_the_officer(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            house.service.disclosing.prepare(LAST, by=someone(role))

    def test_an_officer_of_one_site_speaks_for_no_other(self, house: House) -> None:
        with pytest.raises(OneSiteOnly):
            house.service.disclosing.prepare(LAST, by=someone(Role.DSO, site="plant-07"))


class TestPrepareWhenDue:
    def at(self, house: House, month: int, day: int) -> Any:
        house.clock.now = house.clock.now.replace(month=month, day=day)
        return house.service.disclosing.prepare_when_due()

    def test_on_the_first_working_day_and_once(self, house: House) -> None:
        filled(house.service.log)
        assert self.at(house, 1, 1) is None  # New Year
        made = self.at(house, 1, 2)  # a Friday
        assert (made.quarter, made.by) == (LAST, "mingjing")
        assert self.at(house, 1, 5) is None

    def test_not_after_it_was_released(self, house: House) -> None:
        filled(house.service.log)
        released(house)
        assert self.at(house, 1, 8) is None

    def test_not_long_after_its_day(self, house: House) -> None:
        filled(house.service.log)
        assert self.at(house, 3, 2) is None

    def test_is_one_of_the_rounds(self, house: House) -> None:
        filled(house.service.log)
        house.clock.now = house.clock.now.replace(month=1, day=2)
        Rounds(house.service, house.clock.seconds).once()
        assert house.service.disclosing.disclosures.draft(LAST) is not None


class TestRelease:
    def test_seals_every_document_into_the_log(self, house: House) -> None:
        filled(house.service.log)
        made = released(house)
        entry = house.service.log.entry(made.entry)
        raw = house.service.log.payload(made.entry)
        assert raw is not None
        said = json.loads(raw)
        assert (entry.kind, said["number"], said["by"]) == ("publish", "2025Q4-1", OFFICER.name)
        for name, digest in said["documents"].items():
            body = house.service.disclosing.document(LAST, name)
            assert hashlib.sha256(body).hexdigest() == digest == made.digests[name]
        assert set(said["documents"]) == {
            "disclosure.json",
            "disclosure.csv",
            "disclosure.zh.pdf",
            "disclosure.en.pdf",
        }

    def test_its_proof_is_checked_without_us(self, house: House) -> None:
        filled(house.service.log)
        assert verify_bundle(house.service.log.evidence(released(house).entry)).holds

    def test_takes_the_draft_that_was_looked_at_and_no_other(self, house: House) -> None:
        filled(house.service.log)
        looked_at = house.service.disclosing.prepare(LAST, by=OFFICER)
        house.clock.go(minutes=1)
        house.service.disclosing.prepare(LAST, by=OFFICER)
        with pytest.raises(DraftReplaced, match="the draft of 2025Q4 is no longer the one you looked at"):
            house.service.disclosing.release(LAST, by=OFFICER, digest=looked_at.digest)

    def test_needs_a_draft(self, house: House) -> None:
        with pytest.raises(NothingPrepared):
            house.service.disclosing.release(LAST, by=OFFICER, digest="")

    def test_twice_is_refused(self, house: House) -> None:
        filled(house.service.log)
        draft = house.service.disclosing.prepare(LAST, by=OFFICER)
        house.service.disclosing.release(LAST, by=OFFICER, digest=draft.digest)
        with pytest.raises(NothingPrepared):
            house.service.disclosing.release(LAST, by=OFFICER, digest=draft.digest)

    def test_two_officers_at_once_release_one_number(self, house: House) -> None:
        filled(house.service.log)
        book = house.service.disclosing.disclosures
        draft = house.service.disclosing.prepare(LAST, by=OFFICER)

        def writes(_draft: Any, _numbered: Any) -> dict[str, bytes]:
            house.service.disclosing.release(LAST, by=OFFICER, digest=draft.digest)  # the other one is faster
            return {"disclosure.json": b"{}"}

        with pytest.raises(DraftReplaced):
            book.release(LAST, by=OFFICER, digest=draft.digest, kept=lambda _: b"{}", writes=writes)
        assert [one.number for one in book.numbers(LAST)] == ["2025Q4-1"]
        assert house.kinds().count("publish") == 1

    def test_a_report_that_cannot_be_written_releases_nothing(self, house: House) -> None:
        filled(house.service.log)
        draft = house.service.disclosing.prepare(LAST, by=OFFICER)

        def writes(_draft: Any, _numbered: Any) -> dict[str, bytes]:
            raise Unavailable(Sentence(en="a font is away", zh="缺少字体"))

        book = house.service.disclosing.disclosures
        with pytest.raises(Unavailable):
            book.release(LAST, by=OFFICER, digest=draft.digest, kept=lambda _: b"{}", writes=writes)
        assert book.numbers(LAST) == ()
        assert "publish" not in house.kinds()
        assert book.draft(LAST) == draft

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE disclosures SET released_by = 'nobody'",
            "DELETE FROM disclosures",
            "UPDATE disclosure_documents SET body = 'x'",
            "DELETE FROM disclosure_documents",
        ],
    )
    def test_what_is_released_cannot_be_changed(self, house: House, change: str) -> None:
        filled(house.service.log)
        released(house)
        with (
            pytest.raises(DatabaseError, match="evidence is neither changed nor deleted"),
            house.service.database.writing() as connection,
        ):
            connection.exec_driver_sql(change)


class TestCorrection:
    def test_gets_a_new_number_and_leaves_the_old_one(self, house: House) -> None:
        ids = filled(house.service.log)
        first = released(house)
        before = house.service.disclosing.document(LAST, "disclosure.en.pdf")
        house.clock.go(days=3)
        late = [Outcome(decision=id, harmed=True, source="late inspection") for id in ids[::5]]
        house.service.outcomes.hand_in(late, by=PLANT)
        second = released(house)
        assert (second.number, house.service.disclosing.figures(LAST).replaces) == ("2025Q4-2", "2025Q4-1")
        assert house.service.disclosing.document(LAST, "disclosure.en.pdf", 1) == before
        assert house.service.disclosing.disclosures.find(LAST, 1) == first

    def test_figures_stay_as_known_on_the_day(self, house: House) -> None:
        ids = filled(house.service.log)
        draft = house.service.disclosing.prepare(LAST, by=OFFICER)
        house.service.outcomes.hand_in([Outcome(decision=ids[0], harmed=True, source="late")], by=PLANT)
        made = house.service.disclosing.release(LAST, by=OFFICER, digest=draft.digest)
        open_alarms = json.loads(made.kept)["counts"]["plant-07"]["alarm_open"]
        assert open_alarms == sum(1 for at in range(0, 90, 5) if at % 3 == 0)

    def test_the_next_quarter_compares_with_what_was_published(self, house: House) -> None:
        filled(house.service.log)
        house.clock.now = IN_IT + timedelta(days=1)
        house.service.measures.record(
            Quarter(2026, 1),
            by=OFFICER,
            says=Sentence(en="move the sensors", zh="移动传感器"),
            indicator="false_alarm_share",
            target=0.9,
            owner="safety",
        )
        house.clock.now = LAST.end + timedelta(days=4)
        released(house)
        promised = house.service.disclosing.figures(LAST).next_measures
        house.clock.now = Quarter(2026, 1).end + timedelta(days=4)
        house.service.disclosing.prepare(Quarter(2026, 1), by=OFFICER)
        _, figures = house.service.disclosing.draft_figures(Quarter(2026, 1), OFFICER)
        assert figures.before_number == "2025Q4-1"
        assert figures.before == house.service.disclosing.figures(LAST).group
        (measure,) = figures.measures
        assert (measure.says, measure.met) == (promised[0].says, None)  # nothing was decided this quarter
        assert measure.before == pytest.approx(figures.before.rates["false_alarm_share"].value)  # type: ignore[union-attr]


class TestPage:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_page_pdf_json_and_csv_say_the_same(self, told: tuple[House, TestClient], language: Any) -> None:
        house, client = told
        page = unescape(re.sub(r"<[^>]*>", " ", client.get(f"/disclosures/{LAST}?lang={language}").text))
        pdf = words_of(client.get(f"/v1/disclosures/{LAST}.pdf?lang={language}").content)
        document = client.get(f"/v1/disclosures/{LAST}.json").json()
        csv = client.get(f"/v1/disclosures/{LAST}.csv").text
        figures = house.service.disclosing.figures(LAST)
        assert document == figures.as_json()
        wanted = [rate_words(figures.group, name, language) for name in RATES]
        for row in (figures.group, *figures.sites):
            shown = [count for count in row.counts.values() if count is not None]
            wanted += [f"{count:,}" for count in shown]
            assert all(f",{count}," in csv for count in shown)
            wanted += [as_percent(rate.value) for rate in row.rates.values() if rate is not None]
        squeezed_page = squeezed(page)
        assert [each for each in wanted if squeezed(each) not in squeezed_page] == []
        assert [each for each in wanted if squeezed(each) not in pdf] == []

    def test_small_plants_show_no_small_count(self, told: tuple[House, TestClient]) -> None:
        document = told[1].get(f"/v1/disclosures/{LAST}.json").json()
        small = [
            (row["site"], column, count)
            for row in [document["group"], *document["sites"]]
            for column, count in row["counts"].items()
            if count is not None and 0 < count < document["least_cell"]
        ]
        assert small == []
        assert any(count is None for row in document["sites"] for count in row["counts"].values())

    def test_the_list_leads_to_every_form(self, told: tuple[House, TestClient]) -> None:
        _, client = told
        (listed,) = client.get("/v1/disclosures").json()["disclosures"]
        for address in listed["addresses"].values():
            assert client.get(address).status_code == 200, address
            assert address.replace("&", "&amp;") in client.get("/disclosures").text or "evidence" in address

    def test_a_numbered_document_may_be_kept_and_the_newest_may_not(self, told: tuple[House, TestClient]) -> None:
        _, client = told
        assert "immutable" in client.get(f"/v1/disclosures/{LAST}.pdf?revision=1").headers["cache-control"]
        assert client.get(f"/v1/disclosures/{LAST}.pdf").headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        "path", ["2024Q1", "2024Q1.pdf", "2024Q1.json", "2024Q1/evidence", "2025Q4.pdf?revision=7"]
    )
    def test_what_was_not_released_is_not_there(self, told: tuple[House, TestClient], path: str) -> None:
        assert told[1].get(f"/v1/disclosures/{path}").status_code == 404

    def test_what_is_no_quarter_is_refused_in_words(self, told: tuple[House, TestClient]) -> None:
        answer = told[1].get("/v1/disclosures/latest.pdf")
        assert answer.status_code == 422
        assert "'latest' is no quarter; write the year and the quarter, as in 2026Q3" in answer.text

    def test_names_that_try_to_be_markup_are_text(self, house: House) -> None:
        nasty = "<script>alert(1)</script>=cmd"
        house.service.log.append(
            [
                Draft(kind="decision", payload=b"{}", model=nasty, version="1", site=site, verdict=True, time=IN_IT)
                for site in (nasty, "b")
                for _ in range(40)
            ]
        )
        released(house)
        text = TestClient(create_app(house.service)).get(f"/disclosures/{LAST}").text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;=cmd" in text


class TestHTTP:
    def test_the_officer_prepares_looks_and_releases(self, house: House) -> None:
        filled(house.service.log)
        token = house.service.people.add("mei", Role.DSO).token
        client = TestClient(create_app(house.service), headers={"Authorization": f"Bearer {token}"})
        prepared = client.post(f"/v1/disclosures/{LAST}/draft").json()
        seen = client.get(f"/v1/disclosures/{LAST}/draft").json()
        assert prepared["digest"] == seen["digest"]
        assert seen["figures"]["number"] == ""
        answer = client.post(f"/v1/disclosures/{LAST}/release", json={"digest": seen["digest"]})
        assert (answer.status_code, answer.json()["number"]) == (201, "2025Q4-1")
        assert client.get(f"/v1/disclosures/{LAST}/draft").status_code == 404

    def test_outcomes_are_handed_in(self, house: House) -> None:
        house.approved()
        decision = house.decide(X=rows(1, seed=9)[list(SENSORS)]).decisions[0].id
        token = house.service.people.add("scada", Role.SERVICE).token
        client = TestClient(create_app(house.service), headers={"Authorization": f"Bearer {token}"})
        said = {"outcomes": [{"decision": decision, "harmed": True, "source": "inspection", "observed": "2026-03-02"}]}
        assert client.post("/v1/outcomes", json=said).json()["kept"] == 1
        assert client.post("/v1/outcomes", json={"outcomes": []}).status_code == 422


class TestFigures:
    def test_a_draft_is_read_back_as_it_was(self, house: House) -> None:
        filled(house.service.log)
        house.service.disclosing.prepare(LAST, by=OFFICER)
        _, figures = house.service.disclosing.draft_figures(LAST, OFFICER)
        house.service.disclosing.release(
            LAST,
            by=OFFICER,
            digest=house.service.disclosing.disclosures.draft(LAST).digest,  # type: ignore[union-attr]
        )
        out = house.service.disclosing.figures(LAST)
        named = {key: getattr(out, key) for key in ("number", "released", "released_by", "entry")}
        assert replace(figures, **named) == out

    def test_of_what_was_never_released_are_not_there(self, house: House) -> None:
        with pytest.raises(NotDisclosed, match="nothing has been disclosed for 2025Q4"):
            house.service.disclosing.figures(LAST)


class TestCommand:
    def test_writes_a_draft_then_releases_then_hands_out_what_is_frozen(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from contextlib import contextmanager

        from api.cli import run
        from api.commands import disclosing

        @contextmanager
        def this_house(_data: Any) -> Iterator[Any]:
            yield house.service

        monkeypatch.setattr(disclosing, "opened", this_house)
        ids = filled(house.service.log)
        file = tmp_path / "out.pdf"
        assert run(["disclose", str(LAST), "--lang", "zh", "--out", str(file)]) == 0
        assert "草案" in words_of(file.read_bytes())
        assert run(["disclose", str(LAST), "--release", "--out", str(file)]) == 0
        assert file.read_bytes() == house.service.disclosing.document(LAST, "disclosure.en.pdf")
        sheet = tmp_path / "late.csv"
        lines = [f"{id},{'是' if at % 2 else 'no'},inspection,2026-03-01" for at, id in enumerate(ids[:30:5])]
        sheet.write_text("decision,harmed,source,observed\n" + "\n".join(lines), encoding="utf-8")
        assert run(["outcomes", str(sheet)]) == 0
        assert "6 outcomes kept" in capsys.readouterr().out
        assert run(["disclose", str(LAST), "--revise", "--release", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["number"] == "2025Q4-2"

    def test_says_every_wrong_row(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from api.cli import run

        sheet = tmp_path / "wrong.csv"
        sheet.write_text(
            "decision,harmed,source,observed\na,perhaps,x,2026-01-01\nb,yes,x,yesterday\n", encoding="utf-8"
        )
        assert run(["outcomes", str(sheet)]) == 2
        said = capsys.readouterr().err
        assert "row 2: harmed is 'perhaps'; write yes or no" in said
        assert "row 3: 'yesterday' is not a day or moment" in said

    @pytest.mark.parametrize("quarter", ["2026", "2099Q9", "next"])
    def test_what_is_no_quarter_is_refused(self, quarter: str, capsys: pytest.CaptureFixture[str]) -> None:
        from api.cli import run

        assert run(["disclose", quarter]) == 2
        assert "is no quarter" in capsys.readouterr().err


class TestOneCount:
    def test_people_and_disclosure_count_alike(self, house: House) -> None:
        house.approved()
        house.clock.go(days=1)
        frame = rows(6, seed=9)[list(SENSORS)]
        ids = [decision.id for decision in house.decide(X=frame, subjects=["w-1"] * 6).decisions]
        service, worker = house.service, someone(Role.EMPLOYEE, subject=house.service.serving.pseudonym_of("w-1"))
        first, second = someone(Role.REVIEWER, "li"), someone(Role.REVIEWER, "zhao")
        reason = "the valve was closed at the time"
        for id, judgement in ((ids[0], Judgement.CONFIRM), (ids[0], Judgement.OVERRIDE), (ids[1], Judgement.CONFIRM)):
            service.reviews.review(id, judgement, by=first, reason=reason)
        asked = [
            service.appeals.ask(id, asks, by=worker, reason=reason)
            for id, asks in zip(ids, list(Asks) * 2, strict=True)
        ]
        service.appeals.answer(asked[0].id, Answer.EXPLAINED, by=second, reason=reason)
        service.appeals.answer(asked[1].id, Answer.STANDS, by=second, reason=reason)
        service.appeals.answer(asked[2].id, Answer.CHANGED, by=second, reason=reason)
        quarter, size = Quarter(2026, 1), service.log.size()
        span, before = (Span(each.start, each.end, size) for each in (quarter, quarter.before))
        counted = count_quarter(service.database, span, before).sites["plant-07"]
        agreed = agreement(service.log, quarter.start, quarter.end)
        statistics = service.appeals.statistics(quarter.start, quarter.end)
        assert (counted["confirmed"], counted["overridden"]) == (agreed.confirmed, agreed.overridden) == (1, 1)
        assert counted["explained"] == sum(s.answered for s in statistics if s.asks is Asks.EXPLANATION) == 1
        for name, column in (("stands", "stands"), ("changed", "changed"), ("open", "request_open")):
            assert counted[column] == sum(getattr(s, name) for s in statistics)
