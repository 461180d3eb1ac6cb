"""Every page of the console: named, labelled, readable, small, and without a fault that axe-core finds serious."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from policies.quarters import quarter_of
from tests.api.console_house import House
from tests.journeys.browser.desk import PHONE, WIDE, Desk, needs_chromium

pytestmark = needs_chromium


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
        "": ("/login", "/login/once?token=x", "/reports", f"/reports/{house.sound.model}/1", "/log", "/rules"),
        "mei": (
            "/queue",
            "/submissions",
            f"/submissions/{house.waiting.id}",
            f"/submissions/{house.sound.id}?done=approve",
            f"/submissions/{house.hostile.id}",
            "/models",
            f"/models/{house.sound.model}/versions",
            f"/models/{house.sound.model}/compare?a=1&b=2",
            "/keeping",
            "/law",
            "/law/eu-ai-act",
            f"/submissions/{house.waiting.id}/tier",
            "/delegations",
            "/quarters",
            f"/quarters/{quarter_of(house.service.clock()).before}",
        ),
        "qian": ("/decisions", f"/decisions/{house.alarm}", f"/decisions/{house.hostile_decision}"),
        "zhao": ("/inbox", "/delegations", "/requests", f"/decisions/{house.quiet}"),
        "worker": ("/account", "/requests", "/decisions", f"/decisions/{house.employee_decision}"),
        "lin": ("/submissions", "/submissions/new"),
        "drafter": ("/submissions", "/submissions/new", f"/drafts/{house.draft}"),
        "admin": ("/people", "/people/account?name=plant-system", "/people/account?name=mei", "/health", "/account"),
    }


def found_by_axe(page: Any) -> list[str]:
    """What axe-core finds serious or worse, with where it is."""
    found = Axe().run(page).response["violations"]
    return [
        f"axe {one['id']}: {', '.join(str(node['target'][0]) for node in one['nodes'][:3])}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


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
                found = [*page.evaluate(LOOK), *found_by_axe(page)]
                if found:
                    faults[f"{name or 'visitor'} {address}"] = found
        assert faults == {}

    def test_is_small(self, desk: Desk, house: House) -> None:
        page = desk.go(f"/reports/{house.sound.model}/1")
        loaded = "performance.getEntries().filter(e => 'transferSize' in e).map(e => e.transferSize)"
        sizes = page.evaluate(loaded)
        assert len(sizes) >= 2
        assert sum(sizes) < 150_000


class TestFoundByAxe:
    def test_sees_what_is_planted(self, desk: Desk, house: House) -> None:
        page = desk.go("/reports")
        page.evaluate("document.querySelector('main').append(document.createElement('button'))")
        assert found_by_axe(page) == ["axe button-name: button"]
