"""One journey by mouse: submit, veto, refused call, new version, approve, decide, override, appeal, answer, report."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from governance.stages import Stage
from tests.api.console_house import EVALUATED, House
from tests.journeys.browser.desk import Desk, needs_chromium
from tests.journeys.browser.test_desks import zipped

pytestmark = needs_chromium

NAME = "injury-journey"
FRAME = claims().iloc[: TRAINED + CHOSEN + EVALUATED]


def a_zip(story: int, folder: Path) -> Path:
    """A submission of the journey's own name, so that no other test meets it."""
    written = write_submission(STORIES[story], FRAME, folder)
    declared = written / "submission.toml"
    text = declared.read_text(encoding="utf-8").replace(f'name = "{STORIES[story].name}"', f'name = "{NAME}"', 1)
    declared.write_text(text, encoding="utf-8")
    return zipped(written, folder.with_suffix(".zip"))


def hand_in(page: Page, archive: Path) -> None:
    page.click("nav >> text=Submissions")
    page.click("text=Hand in a model")
    page.set_input_files("#file", archive)
    page.click("button:has-text('Register and examine')")
    expect(page.locator("[role=status]")).to_have_text(
        "Registered and examined. It now waits for a verdict.", timeout=90_000
    )


def decide(page: Page, choice: str, reason: str, button: str) -> None:
    page.click("nav >> text=Queue")
    page.locator("tr", has_text=NAME).locator("a").first.click()
    page.check(f"#v-{choice}")
    page.fill("#reason", reason)
    page.click("button:has-text('Go on to the confirmation')")
    page.click(f"main button:has-text('{button}')")


def an_account(page: Page, name: str, role: str, **fields: str) -> tuple[str, str]:
    """Make an account by form; return its password and token, as shown this once."""
    page.click("nav >> text=People")
    page.fill("#name", name)
    page.select_option("#role", role)
    for field, value in fields.items():
        page.fill(f"#{field}", value)
    page.click("button:has-text('Add an account')")
    shown = page.locator(".made .digest").all_inner_texts()
    return shown[0], next(text for text in shown if text.startswith("mj_"))


class TestWholeJourney:
    def test_from_submission_to_report(self, chromium: Browser, house: House, tmp_path: Path) -> None:
        desks: list[Desk] = []

        def desk(name: str, lang: str = "en") -> Page:
            made = Desk(chromium, house, size={"width": 1280, "height": 800}, lang=lang, scheme="light")
            desks.append(made)
            return made.sign_in(name)

        admin, engineer, officer = desk("admin"), desk("lin"), desk("mei")
        row = FRAME.iloc[-1]
        _, token = an_account(admin, "journey-plant", "service")
        password, _ = an_account(admin, "journey-worker", "employee", subject=str(row["claim"]))
        house.passwords["journey-worker"] = password
        features = STORIES[2].features
        values = [float(row[name]) for name in features]
        call = {"dataframe_split": {"columns": list(features), "data": [values]}, "subjects": [str(row["claim"])]}

        def answer_of_the_plant() -> httpx.Response:
            address = f"{house.url}/v1/models/{NAME}/invocations"
            return httpx.post(address, json=call, headers={"Authorization": f"Bearer {token}"}, timeout=60)

        # A model that knows the outcome is vetoed, and the plant's next call is refused.
        hand_in(engineer, a_zip(0, tmp_path / "hindsight"))
        expect(engineer.locator("#findings")).to_contain_text("known only after the event")
        decide(officer, "veto", "It knows what happens later.", "Veto for good")
        expect(officer.locator("[role=status]")).to_have_text("Vetoed. This model file can never run again.")
        refused = answer_of_the_plant()
        assert refused.status_code in (403, 422)
        assert "manual_control" in refused.text

        # A sound one is approved, and decides.
        hand_in(engineer, a_zip(2, tmp_path / "sound"))
        decide(officer, "approve", "It uses what is known at the time.", "Approve")
        expect(officer.locator("[role=status]")).to_contain_text("Approved.")
        answered = answer_of_the_plant()
        assert answered.status_code == 200, answered.text
        decision = answered.json()["decision_ids"][0]

        # A reviewer overrides; the decision itself stays.
        reviewer = desk("zhao")
        reviewer.goto(f"{house.url}/decisions/{decision}")
        reviewer.locator("[name=judgement]").nth(1).check()
        reviewer.click("[data-reason='4']")
        reviewer.click("button:has-text('Put it in the log')")
        expect(reviewer.locator("[role=status]")).to_contain_text("the decision itself stays as it was")

        # The worker contests his decision; somebody who did not review it answers, and he reads the answer.
        worker = desk("journey-worker")
        worker.click(".list tbody a")
        worker.check("[value=appeal]")
        worker.fill("#reason", "I was back after two weeks.")
        worker.click("button:has-text('Send')")
        expect(worker.locator("[role=status]")).to_contain_text("Your objection was received.")
        officer.click("nav >> text=Requests")
        officer.locator("tr", has_text="Contest the decision").last.locator("a").click()
        expect(officer.locator("blockquote")).to_have_text("I was back after two weeks.")
        officer.check("[value=changed]")
        officer.fill("#reason", "The surgeon's note gives two weeks.")
        officer.click("button:has-text('Send the answer')")
        worker.click("nav >> text=My requests")
        worker.click(".list tbody a")
        expect(worker.locator("main")).to_contain_text("The surgeon's note gives two weeks.")

        # Anyone reads the report, and takes it along.
        reader = Desk(chromium, house, size={"width": 1280, "height": 800}, lang="en", scheme="light")
        desks.append(reader)
        page = reader.go("/reports")
        page.click(f"h2 >> text={NAME}")
        expect(page.locator("h1")).to_contain_text(NAME)
        report = httpx.get(f"{house.url}/v1/reports/{NAME}/2.pdf?lang=en", timeout=60)
        assert report.content.startswith(b"%PDF")

        assert house.service.book.of_version(NAME, "1").stage is Stage.VETOED
        assert house.service.book.of_version(NAME, "2").stage is Stage.APPROVED
        for one in desks:
            one.context.close()
            assert one.complaints == []
