"""The six desks in a real browser: by mouse, by keyboard, on a phone and on a wide screen, in both languages."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from audit.verify import verify_bundle
from governance.permits import MayNotRun
from governance.stages import Stage
from tests.api.console_house import EVALUATED, IMAGE, House, opened_house

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason=f"there is no Chromium at {CHROMIUM}"),
]

PHONE, WIDE = {"width": 360, "height": 740}, {"width": 1920, "height": 1080}


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest) -> House:
    return opened_house(request.config.add_cleanup)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Desk:
    """One person's window. Whatever the console of the browser or the network complains about is kept."""

    def __init__(self, chromium: Browser, house: House, *, size: dict[str, int], lang: str, scheme: str) -> None:
        self.house = house
        self.complaints: list[str] = []
        self.context: BrowserContext = chromium.new_context(
            viewport=size,  # type: ignore[arg-type]
            locale="zh-CN" if lang == "zh" else "en-GB",
            color_scheme=scheme,  # type: ignore[arg-type]
            accept_downloads=True,
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self._own_host)

    def sign_in(self, name: str) -> Page:
        self.page.goto(f"{self.house.url}/login")
        self.page.fill("#name", name)
        self.page.fill("#password", self.house.passwords[name])
        self.page.press("#password", "Enter")
        self.page.wait_for_url(lambda url: "/login" not in url)
        return self.page

    def go(self, address: str) -> Page:
        self.page.goto(self.house.url + address)
        return self.page

    def _own_host(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith((self.house.url, "data:", "blob:")):
            self.complaints.append(f"asked another host: {url}")


@pytest.fixture
def desk(chromium: Browser, house: House, request: pytest.FixtureRequest) -> Iterator[Desk]:
    size, lang, scheme = getattr(request, "param", ({"width": 1280, "height": 800}, "en", "light"))
    made = Desk(chromium, house, size=size, lang=lang, scheme=scheme)
    yield made
    made.context.close()
    assert made.complaints == []


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
        expect(page.locator("h1")).to_have_text("Decisions")
        page.locator(f".list a[href='/decisions/{house.alarm}']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/decisions/{house.alarm}")
        page.locator("[name=judgement]").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("The surgeon's note gives two weeks.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("[role=status]")).to_contain_text("the decision itself stays as it was")
        expect(page.locator(".acts")).to_contain_text("The surgeon's note gives two weeks.")

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
        page.click("button:has-text('提交申诉')")
        expect(page.locator("[role=status]")).to_contain_text("申诉已收到")
        expect(page.locator(".acts")).to_contain_text("我两周后就回到了岗位。")


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

LOOK = """() => {
  const faults = [];
  const shown = node => node.checkVisibility({opacityProperty: true, visibilityProperty: true});
  const name = node => node.tagName.toLowerCase() + (node.id ? '#' + node.id : '') + '.' + node.className;
  for (const script of document.scripts)
    if (script.textContent || new URL(script.src).origin !== location.origin) faults.push('a script of its own');
  if (document.querySelectorAll('style, [style]').length) faults.push('an inline style');
  if (document.querySelectorAll('main').length !== 1) faults.push('main landmark');
  if (document.querySelectorAll('h1').length !== 1) faults.push('h1');
  if (!document.documentElement.lang || !document.title) faults.push('lang or title');
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) faults.push('runs ' + wide + ' px over the window');
  const ids = [...document.querySelectorAll('[id]')].map(n => n.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('id twice: ' + id);
  for (const part of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const id of (part.getAttribute('aria-labelledby') || part.getAttribute('aria-describedby')).split(' '))
      if (!document.getElementById(id)) faults.push('no such label: ' + id);
  for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
    if (!field.labels.length) faults.push('no label: ' + name(field));
  for (const link of document.querySelectorAll('a, button, summary'))
    if (!(link.innerText || link.textContent || '').trim() && !link.getAttribute('aria-label'))
      faults.push('nameless: ' + name(link));
  for (const table of document.querySelectorAll('table'))
    if (!table.caption || !table.caption.textContent.trim()) faults.push('table without a caption');
  for (const cell of document.querySelectorAll('thead th')) if (!cell.scope) faults.push('th without scope');
  for (const picture of document.querySelectorAll('svg'))
    if (!picture.hasAttribute('aria-hidden') &&
        (picture.getAttribute('role') !== 'img' || !picture.querySelector('title')))
      faults.push('picture without words');
  const heads = [...document.querySelectorAll('h1, h2, h3')].map(h => +h.tagName[1]);
  heads.forEach((level, i) => { if (i && level > heads[i - 1] + 1) faults.push('heading jumps to h' + level); });
  for (const part of document.querySelectorAll('nav, aside'))
    if (!part.getAttribute('aria-label')) faults.push('landmark without a name');

  const rgb = text => { const m = text.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const under = node => { for (let at = node; at; at = at.parentElement) {
    const c = rgb(getComputedStyle(at).backgroundColor);
    if (c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !shown(node)) continue;
    if (node.closest('.picture, option, .hidden, .skip')) continue;
    if (node.closest('label')?.querySelector(':disabled')) continue;
    const style = getComputedStyle(node), size = parseFloat(style.fontSize);
    const [a, b] = [light(rgb(style.color).slice(0, 3)), light(under(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const needs = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < needs) seen.add(name(node) + ' has contrast ' + ratio.toFixed(2));
    if (size < 12) seen.add(name(node) + ' is ' + size + ' px small');
  }
  return [...faults, ...seen];
}"""


def pages_of(house: House) -> dict[str, tuple[str, ...]]:
    return {
        "": ("/login", "/login/once?token=x", "/reports", f"/reports/{house.sound.model}/1", "/log"),
        "mei": (
            "/queue",
            "/submissions",
            f"/submissions/{house.waiting.id}",
            f"/submissions/{house.sound.id}?done=approve",
            f"/submissions/{house.hostile.id}",
            "/models",
        ),
        "qian": ("/decisions", f"/decisions/{house.alarm}", f"/decisions/{house.hostile_decision}"),
        "zhao": (f"/decisions/{house.quiet}",),
        "worker": ("/decisions", f"/decisions/{house.employee_decision}"),
        "lin": ("/submissions", "/submissions/new"),
        "admin": ("/people",),
    }


class TestEveryPage:
    @pytest.mark.parametrize(
        "desk", [(PHONE, "zh", "dark"), (WIDE, "en", "light")], indirect=True, ids=["360-zh-dark", "1920-en-light"]
    )
    def test_is_named_labelled_readable_and_fits(self, desk: Desk, house: House) -> None:
        faults: dict[str, list[str]] = {}
        for name, addresses in pages_of(house).items():
            if name:
                desk.context.clear_cookies()
                desk.sign_in(name)
            for address in addresses:
                page = desk.go(address)
                found = page.evaluate(LOOK)
                if found:
                    faults[f"{name or 'visitor'} {address}"] = found
        assert faults == {}

    def test_is_small(self, desk: Desk, house: House) -> None:
        page = desk.go(f"/reports/{house.sound.model}/1")
        loaded = "performance.getEntries().filter(e => 'transferSize' in e).map(e => e.transferSize)"
        sizes = page.evaluate(loaded)
        assert len(sizes) >= 2
        assert sum(sizes) < 150_000
