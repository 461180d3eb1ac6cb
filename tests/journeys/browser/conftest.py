"""A console with things in it, a Chromium, and a window of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.api.console_house import House, opened_house
from tests.journeys.browser.desk import ARGUMENTS, CHROMIUM, Desk


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest) -> House:
    return opened_house(request.config.add_cleanup)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def desk(chromium: Browser, house: House, request: pytest.FixtureRequest) -> Iterator[Desk]:
    size, lang, scheme = getattr(request, "param", ({"width": 1280, "height": 800}, "en", "light"))
    made = Desk(chromium, house, size=size, lang=lang, scheme=scheme)
    yield made
    made.context.close()
    assert made.complaints == []
