"""By mouse: a token from its making to its end, a delegation, a tier up and down by two people, a quarterly report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from governance.submissions import SubmissionRecord
from policies.quarters import quarter_of
from policies.roles import Role
from policies.tiers import Tier
from tests.api.console_house import EVALUATED, QUOTED, House
from tests.api.doors import let_tokens_be_forgotten
from tests.journeys.browser.desk import Desk, needs_chromium

pytestmark = needs_chromium

NAME = "injury-tier"


@pytest.fixture(scope="module")
def second_thoughts(house: House, tmp_path_factory: pytest.TempPathFactory) -> SubmissionRecord:
    """A submission of its own, so that no other test meets its tier."""
    frame = claims().iloc[: TRAINED + CHOSEN + EVALUATED]
    written = write_submission(STORIES[2], frame, tmp_path_factory.mktemp("tier") / NAME)
    declared = Path(written) / "submission.toml"
    text = declared.read_text(encoding="utf-8").replace(f'name = "{STORIES[2].name}"', f'name = "{NAME}"', 1)
    declared.write_text(text, encoding="utf-8")
    return house.service.submit(written, by=house.service.people.person("lin"))


class TestToken:
    def test_works_until_it_is_ended(self, desk: Desk, house: House) -> None:
        made = house.service.people.add("gateway", Role.SERVICE)
        call = {"dataframe_split": {"columns": [QUOTED, "pressure"], "data": [[1.0, 0.1]]}}

        def answer(token: str) -> httpx.Response:
            address = f"{house.url}/v1/models/{house.hostile.model}/invocations"
            return httpx.post(address, json=call, headers={"Authorization": f"Bearer {token}"}, timeout=60)

        page = desk.sign_in("admin")
        page.click(f"a:has-text('{made.user}')")
        page.fill("#note", "gateway of hall 7")
        page.check("[name=purposes]")
        page.fill("#t-models", house.hostile.model)
        page.click("button:has-text('Make a token')")
        token = page.locator(".made .digest").inner_text()
        assert answer(token).status_code == 200
        page = desk.go(f"/people/account?name={made.user}")
        expect(page.locator("main")).not_to_contain_text(token)
        page.locator("tr", has_text="gateway of hall 7").locator("button").click()
        expect(page.locator("h1")).to_contain_text("End ")
        page.click("main button:has-text('End')")
        expect(page.locator("[role=status]")).to_contain_text("is refused, a second from now at the latest")
        expect(page.locator(".list")).not_to_contain_text("gateway of hall 7")
        let_tokens_be_forgotten()
        assert answer(token).status_code == 401
        house.service.people.disable(made.user)


class TestDelegation:
    def test_is_signed_by_keyboard_and_withdrawn(self, desk: Desk, house: House) -> None:
        page = desk.sign_in("mei")
        page.click("nav >> text=Delegations")
        page.locator("#tier-L1").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("a-model-of-nobody")
        last = house.service.clock() + timedelta(days=30)
        page.fill("#until", f"{last:%Y-%m-%d}")
        page.focus("#reason")
        page.keyboard.type("Only small models.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Sign a delegation for L1?")
        page.locator("main button").focus()
        page.keyboard.press("Enter")
        expect(page.locator("[role=status]")).to_contain_text("Signed.")
        given = page.locator(".acts > li", has_text="a-model-of-nobody")
        given.locator("summary").click()
        given.locator("textarea").fill("Not needed any more.")
        given.locator("button").click()
        expect(page.locator("[role=status]")).to_contain_text("Withdrawn.")
        expect(page.locator(".acts > li", has_text="a-model-of-nobody")).to_contain_text("withdrawn by mei")


class TestTier:
    def test_goes_up_by_one_and_down_by_two(
        self, chromium: Browser, house: House, second_thoughts: SubmissionRecord
    ) -> None:
        desks = [
            Desk(chromium, house, size={"width": 1280, "height": 800}, lang="en", scheme="light") for _ in range(2)
        ]
        officer, second = desks[0].sign_in("mei"), desks[1].sign_in("committee")

        def change(page: Page, tier: str, reason: str, button: str) -> None:
            page.check(f"[name=tier][value={tier}]")
            page.fill("#reason", reason)
            page.click("button:has-text('Go on to the confirmation')")
            page.click(f"main button:has-text('{button}')")

        officer.goto(f"{house.url}/submissions/{second_thoughts.id}")
        officer.click("text=Tier: why, and changes")
        change(officer, "L3", "Its answer is acted on at once.", "Raise the tier")
        expect(officer.locator("[role=status]")).to_contain_text("The tier is raised.")
        assert house.service.book.get(second_thoughts.id).tier is Tier.L3
        change(officer, "L2", "A person decides after all.", "Ask for the lower tier")
        expect(officer.locator("main")).to_contain_text("another person confirms it")
        assert house.service.book.get(second_thoughts.id).tier is Tier.L3

        second.goto(f"{house.url}/queue")
        second.locator(".below a", has_text=NAME).click()
        second.locator("textarea[id^=confirm]").fill("I read the plant's procedure; a person decides.")
        second.locator("form[action$='/confirm'] button").click()
        expect(second.locator("h1")).to_have_text(f"Lower {NAME}, version 1, from L3 to L2?")
        second.click("main button:has-text('Confirm the lower tier')")
        expect(second.locator("[role=status]")).to_contain_text("The lower tier counts from now on.")
        assert house.service.book.get(second_thoughts.id).tier is Tier.L2
        for made in desks:
            made.context.close()
            assert made.complaints == []


class TestQuarterlyReport:
    def test_is_drafted_read_completed_released_and_public(self, chromium: Browser, desk: Desk, house: House) -> None:
        quarter = quarter_of(house.service.clock()).before
        page = desk.sign_in("mei")
        page.click("nav >> text=Quarterly drafts")
        page.locator(f"a[href='/quarters/{quarter}']").click()
        page.click("button:has-text('Count')")
        expect(page.locator("[role=status]")).to_contain_text("Nothing is published")
        page.click("text=Record a measure")
        page.fill("#en", "Look at every missed alarm within a week.")
        page.fill("#zh", "一周内复查每一次漏报。")
        page.select_option("#indicator", "miss_rate")
        page.fill("#target", "10")
        page.fill("#owner", "Plant safety")
        page.click("details button:has-text('Go on to the confirmation')")
        page.click("main button:has-text('Record')")
        expect(page.locator("[role=status]")).to_contain_text("Recorded.")
        expect(page.locator("main")).to_contain_text("1 measure came after the draft was counted")
        page.click("button:has-text('Count')")
        page.click("text=Read in Chinese")
        expect(page.locator("#next-h ~ .scroll")).to_contain_text("一周内复查每一次漏报。")
        page.click("text=阅读英文版")
        page.click(".decide button")
        expect(page.locator("h1")).to_contain_text(f"release it as number {quarter}-1?")
        page.click(f"main button:has-text('Release {quarter}-1')")
        expect(page.locator("[role=status]")).to_contain_text("Anyone can read it.")

        visitor = Desk(chromium, house, size={"width": 360, "height": 740}, lang="zh", scheme="dark")
        read = visitor.go("/disclosures")
        read.click(f"a[href='/disclosures/{quarter}?revision=1']")
        expect(read.locator("main")).to_contain_text(f"{quarter}-1")
        expect(read.locator("main")).to_contain_text("一周内复查每一次漏报。")
        visitor.context.close()
        assert visitor.complaints == []
