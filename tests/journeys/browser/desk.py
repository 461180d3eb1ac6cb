"""One person's browser window, and the complaints of everything in it."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.api.console_house import House

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE, WIDE = {"width": 360, "height": 740}, {"width": 1920, "height": 1080}

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason=f"there is no Chromium at {CHROMIUM}"),
]


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
