"""Every check has a page, with its question and every one of its limits."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from audit.checks.check import Check
from audit.examination import CHECKS
from policies.tiers import Tier
from tests.audit.checks.factories import RULES

PAGES = Path(__file__).resolve().parents[3] / "docs" / "checks"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.name))
class TestPage:
    def test_asks_the_question_of_its_file(self, check: Check) -> None:
        question = (importlib.import_module(type(check).__module__).__doc__ or "").splitlines()[0]
        assert question.endswith("?")
        for page in (f"{check.name}.md", "index.md"):
            text = " ".join((PAGES / page).read_text(encoding="utf-8").split())
            assert question in text, page

    def test_names_every_limit(self, check: Check) -> None:
        page = (PAGES / f"{check.name}.md").read_text(encoding="utf-8")
        for limit in RULES.limits(check.name, Tier.L4):
            assert f"`{limit}`" in page, limit
