"""A model handed in by form in a real browser: filled in, saved, faulted, mended, examined; in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from api.console.wording import say
from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from policies.declaration import read_declaration
from reports.wording import Language
from tests.api.console_house import EVALUATED, House
from tests.journeys.browser.desk import PHONE, WIDE, Desk, needs_chromium
from tests.journeys.browser.test_every_page import LOOK, found_by_axe

pytestmark = needs_chromium


def faults_of(page: Page) -> list[Any]:
    return [*page.evaluate(LOOK), *found_by_axe(page)]


def press(page: Page, language: Language, key: str) -> None:
    page.click(f"form.draft button:has-text('{say(language, key)}')")


def forget_refusals(desk: Desk) -> None:
    """A browser writes every page of status 422 into its console; that one was meant."""
    meant = [said for said in desk.complaints if "status of 422" in said]
    assert meant == desk.complaints != []
    desk.complaints.clear()


@pytest.mark.parametrize(
    ("desk", "language"),
    [((PHONE, "zh", "dark"), "zh"), ((WIDE, "en", "light"), "en")],
    indirect=["desk"],
    ids=["360-zh-dark", "1920-en-light"],
)
class TestForm:
    def test_fill_save_fault_mend_hand_in_and_read_findings(
        self, desk: Desk, house: House, tmp_path: Path, language: Language
    ) -> None:
        story = STORIES[2]
        folder = write_submission(story, claims().iloc[: TRAINED + CHOSEN + EVALUATED], tmp_path / "handed")
        said = read_declaration((folder / "submission.toml").read_bytes())
        name = f"by-form-{language}"

        page = desk.sign_in("lin")
        page = desk.go("/submissions/new")
        page.click(f"button:has-text('{say(language, 'submit.begin')}')")
        page.wait_for_url("**/drafts/*")
        draft = page.url.removeprefix(house.url)

        # Half filled in, and left for another day.
        page.fill("#f-model-name", name)
        page.select_option("#f-model-flavour", said.model.flavour.value)
        page.set_input_files("#file-artifact", folder / "model.ubj")
        page.set_input_files("#file-evaluation", folder / said.data.evaluation)
        page.press("#f-model-name", "Enter")
        expect(page.locator("p[role=status]")).to_have_text(say(language, "done.saved"))
        desk.go("/submissions")
        page.click(f"a:has-text('{name}')")
        expect(page.locator("#f-model-name")).to_have_value(name)
        expect(page.locator("main")).to_contain_text("model.ubj")

        # Handed in too early: each fault stands beside its field, and the summary leads there.
        page.fill("#f-data-label", "no_such_column")
        page.fill("#f-model-threshold", "a half")
        press(page, language, "submit.send")
        summary = page.locator("#faults")
        expect(summary.locator("h2")).to_have_text(say(language, "draft.faults"))
        expect(page.locator("#e-f-model-threshold")).to_contain_text("a half")
        expect(page.locator("#e-f-use-purpose")).to_be_visible()
        expect(page.locator("#f-model-threshold")).to_have_attribute("aria-invalid", "true")
        assert faults_of(page) == []
        forget_refusals(desk)
        summary.locator("a[href='#f-use-purpose']").click()
        assert page.evaluate("location.hash") == "#f-use-purpose"

        # Mended, with features from the file's first line.
        page.fill("#f-model-threshold", str(said.model.threshold))
        page.select_option("#f-use-purpose", "risk_intervention")
        page.fill("#f-use-site", "plant-07")
        page.fill("#f-use-owner", "team")
        page.fill("#f-use-description", said.use.description)
        press(page, language, "submit.send")
        expect(page.locator("#e-f-data-label")).to_contain_text("no_such_column")
        forget_refusals(desk)
        page.fill("#f-data-label", said.data.label)
        press(page, language, "draft.columns")
        expect(page.locator("p[role=status]")).to_have_text(say(language, "done.columns"))
        rows = page.locator("fieldset.feature")
        for number in range(rows.count()):
            column = page.input_value(f"#f-feature-{number}-name")
            if column and column not in story.features:
                page.fill(f"#f-feature-{number}-name", "")
        for question, answer in said.impact.items():
            page.check(f"input[name='impact.{question}'][value='{answer}']")
        page.fill("#f-source-0-name", "made up")
        press(page, language, "draft.save")
        assert faults_of(page) == []
        with page.expect_download() as download:
            page.click(f"text={say(language, 'draft.download')}")
        written = read_declaration(Path(download.value.path()).read_bytes())
        assert (written.model.name, set(written.features)) == (name, set(story.features))
        assert dict(written.impact) == dict(said.impact)

        press(page, language, "submit.send")
        expect(page.locator("p[role=status]").first).to_have_text(say(language, "done.submitted"), timeout=60_000)
        assert "/submissions/" in page.url
        expect(page.locator("#findings")).to_be_visible()
        desk.go("/submissions")
        expect(page.locator("#drafts-h")).to_have_count(0)
        assert desk.context.request.get(house.url + draft).status == 404
