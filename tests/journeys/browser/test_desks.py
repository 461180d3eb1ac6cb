"""The six desks in a real browser: by mouse, by keyboard, on a phone and on a wide screen, in both languages."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from audit.verify import verify_bundle
from governance.permits import MayNotRun
from governance.stages import Stage
from tests.api.console_house import EVALUATED, IMAGE, House
from tests.journeys.browser.desk import PHONE, Desk, needs_chromium

pytestmark = needs_chromium

ON_A_PHONE = pytest.mark.parametrize("desk", [(PHONE, "zh", "dark")], indirect=True, ids=["360-zh-dark"])


def zipped(folder: Path, into: Path) -> Path:
    with zipfile.ZipFile(into, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return into


class TestFromSubmissionToVeto:
    def test_engineer_hands_in_officer_vetoes_and_the_next_call_is_refused(
        self, chromium: Browser, desk: Desk, house: House, tmp_path: Path
    ) -> None:
        frame = claims().iloc[: TRAINED + CHOSEN + EVALUATED]
        folder = write_submission(STORIES[1], frame, tmp_path / "with-age")
        archive = zipped(folder, tmp_path / f"{IMAGE.replace('/', '')}.zip")

        page = desk.sign_in("lin")
        page.click("text=Hand in a model")
        page.set_input_files("#file", archive)
        page.click("button:has-text('Register and examine')")
        expect(page.locator("[role=status]")).to_have_text(
            "Registered and examined. It now waits for a verdict.", timeout=60_000
        )
        expect(page.locator("#findings")).to_contain_text("Weight caps")
        assert page.locator("form[action$='/verdict']").count() == 0

        officer = Desk(chromium, house, size={"width": 1280, "height": 800}, lang="en", scheme="light")
        page = officer.page
        page.goto(house.once("mei"))
        page.click("main button")
        page.click(f"a:has-text('{STORIES[1].name}')")
        page.check("#v-veto")
        page.fill("#reason", "Age weighs more than its cap.")
        page.click("button:has-text('Go on to the confirmation')")
        expect(page.locator("h1")).to_have_text(f"Veto {STORIES[1].name}, version 1?")
        page.click("button:has-text('Veto for good')")
        expect(page.locator("[role=status]")).to_have_text("Vetoed. This model file can never run again.")
        expect(page.locator("main")).to_contain_text("Age weighs more than its cap.")
        page.click("nav >> text=Queue")
        expect(page.locator("main")).not_to_contain_text(STORIES[1].name)
        officer.context.close()
        assert officer.complaints == []

        rows = frame.tail(1)[list(STORIES[1].features)]
        with pytest.raises(MayNotRun, match="vetoed"):
            house.service.serving.decide(
                STORIES[1].name, rows, purpose="risk_intervention", by=house.service.people.person("plant-system")
            )


class TestOfficer:
    def test_conditions_show_only_with_the_verdict_that_needs_them(self, desk: Desk, house: House) -> None:
        desk.sign_in("mei")
        page = desk.go(f"/submissions/{house.waiting.id}")
        expect(page.locator(".conditions")).to_be_hidden()
        page.check("#v-conditions")
        expect(page.locator(".conditions")).to_be_visible()
        page.check("[name=review_alarms]")
        page.fill("#threshold", "0.4")
        page.fill("#reason", "Only with a person at every alarm.")
        page.click(".decide button")
        expect(page.locator("main")).to_contain_text("a person reviews every alarm")
        expect(page.locator("main")).to_contain_text("threshold 0.4")
        page.click("text=Back, change nothing")
        assert house.service.book.get(house.waiting.id).stage is Stage.EXAMINED


class TestRegulator:
    def test_three_clicks_from_the_desk_to_a_proof_in_hand(self, desk: Desk, tmp_path: Path) -> None:
        page = desk.sign_in("qian")
        page.select_option("#verdict", "alarm")
        page.click("button:has-text('Find')")  # one
        page.locator(".list tbody a").first.click()  # two
        expect(page.locator("text=proven just now")).to_be_visible()
        with page.expect_download() as download:
            page.click("text=Take the evidence along")  # three
        download.value.save_as(tmp_path / "evidence.json")
        bundle = json.loads((tmp_path / "evidence.json").read_text(encoding="utf-8"))
        assert verify_bundle(bundle).holds
        assert bundle["id"] in page.url


class TestReviewer:
    def test_overrides_by_keyboard_alone(self, desk: Desk, house: House) -> None:
        page = desk.sign_in("zhao")
        expect(page.locator("h1")).to_have_text("What waits for a person")
        page.locator(f".list a[href='/decisions/{house.alarm}']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/decisions/{house.alarm}")
        page.locator("[name=judgement]").first.focus()
        page.keyboard.press("ArrowDown")
        for _ in range(5):  # past the ready-made reasons
            page.keyboard.press("Tab")
        page.keyboard.type("The surgeon's note gives two weeks.")
        for _ in range(2):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("[role=status]")).to_contain_text("the decision itself stays as it was")
        expect(page.locator(".acts")).to_contain_text("The surgeon's note gives two weeks.")

    def test_confirms_with_a_reason_in_two_keystrokes(self, desk: Desk, house: House) -> None:
        page = desk.sign_in("zhao")
        page = desk.go(f"/decisions/{house.quiet}")
        expect(page.locator("[data-keys]")).to_be_visible()
        page.keyboard.press("c")
        page.keyboard.press("1")
        expect(page.locator("[role=status]")).to_contain_text("Your confirmation is in the log.")
        expect(page.locator(".acts")).to_contain_text("Checked against the readings on site.")

    def test_skip_link_is_the_first_stop_and_leads_to_the_content(self, desk: Desk) -> None:
        page = desk.sign_in("zhao")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


class TestEmployee:
    @ON_A_PHONE
    def test_reads_why_and_objects_from_a_phone(self, desk: Desk, house: House) -> None:
        page = desk.sign_in("worker")
        expect(page.locator("h1")).to_have_text("与您有关的判定")
        page.click(".list tbody a")
        expect(page.locator("#because-h")).to_have_text("最主要的因素")
        assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 18
        page.fill("#reason", "我两周后就回到了岗位。")
        page.click("button:has-text('提交')")
        expect(page.locator("[role=status]")).to_contain_text("申诉已收到")
        expect(page.locator(".acts")).to_contain_text("我两周后就回到了岗位。")

    def test_is_answered_by_somebody_else_and_reads_it(self, chromium: Browser, desk: Desk, house: House) -> None:
        page = desk.sign_in("worker")
        page.click(".list tbody tr:last-child a")
        page.check("[value=explanation]")
        page.fill("#reason", "Why was I flagged?")
        page.click("button:has-text('Send')")
        expect(page.locator("[role=status]")).to_contain_text("A person will explain the decision to you.")

        officer = Desk(chromium, house, size={"width": 1280, "height": 800}, lang="en", scheme="light")
        other = officer.sign_in("mei")
        other.click("nav >> text=Requests")
        other.locator("tr", has_text="Explain the decision").locator("a").click()
        expect(other.locator("blockquote")).to_have_text("Why was I flagged?")
        other.check("[value=explained]")
        other.fill("#reason", "Being taken to hospital weighed most.")
        other.click("button:has-text('Send the answer')")
        expect(other.locator("[role=status]")).to_contain_text("Your answer is in the log")
        officer.context.close()
        assert officer.complaints == []

        page.click("nav >> text=My requests")
        page.locator("tr", has_text="explained").locator("a").click()
        expect(page.locator("main")).to_contain_text("Being taken to hospital weighed most.")


class TestAdmin:
    def test_makes_an_account_and_ends_it(self, desk: Desk, house: House) -> None:
        page = desk.sign_in("admin")
        page.fill("#name", "newcomer")
        page.select_option("#role", "tester")
        page.click("button:has-text('Add an account')")
        expect(page.locator(".made")).to_contain_text("mj_")
        page.click("[aria-label='End the account newcomer']")
        page.click("main button:has-text('End')")
        expect(page.locator("[role=status]")).to_contain_text("The account has ended")
        expect(page.locator(".list")).not_to_contain_text("newcomer")


class TestReader:
    def test_reads_a_report_without_login_and_switches_the_language(self, desk: Desk, house: House) -> None:
        page = desk.go("/reports")
        page.click(f"h2 >> text={house.sound.model}")
        expect(page.locator("#limits-h")).to_have_text("What these figures do not prove")
        page.click("text=中文")
        expect(page.locator("#limits-h")).to_have_text("这些数字不能证明什么")
        page.go_back()
        page.goto(f"{house.url}/reports")
        expect(page.locator("h1")).to_have_text("模型透明度报告")


# ── Every page, both languages, both colour schemes, the narrowest and the widest window ─────────────────
