"""A small regulation pack and what a house may hold, in a word; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from policies.coverage import Counted, Holdings, ModelHolding
from policies.errors import Sentence
from policies.regulations import Pack, read_pack
from policies.tiers import Tier

DAY = date(2026, 3, 2)
SAYS = Sentence(en="as measured", zh="实测")
BOUND = 'rule = "retention.default_days", at_least = 184'


def a_pack_text(measure: str = BOUND, *, clause: str = "", pack: str = "", more: str = "") -> str:
    """The text of a pack with one clause that one measure answers."""
    return f"""format = 1
id = "test-law"
version = "1"
written = 2026-01-01
jurisdiction = "CN"
source = "public"
title = {{ en = "Test law", zh = "测试法" }}
citation = {{ en = "Test law, 2020", zh = "《测试法》，2020年" }}
{pack}
[[questions]]
name = "here"
en = "Does it apply here?"
zh = "是否适用？"
[[clauses]]
id = "1"
since = 2020-01-01
en = "Records stay."
zh = "记录应当保存。"
{clause}
answered_by = [{{ {measure}, en = "they do", zh = "已保存" }}]
{more}
"""


def a_pack(measure: str = BOUND, **parts: str) -> Pack:
    """A pack with one clause that one measure answers."""
    return read_pack(a_pack_text(measure, **parts).encode())


class Entries:
    """A log that is a table of counts."""

    def __init__(self, counts: Mapping[tuple[str, str | None, str | None], Counted]) -> None:
        self.counts = counts

    def counted(self, kind: str, flag: str | None, model: str | None) -> Counted:
        """Return the count in the table, none where it has none."""
        return self.counts.get((kind, flag, model), Counted())


def a_model(**changed: Any) -> ModelHolding:
    """A model at work whose one check holds."""
    made: dict[str, Any] = {
        "model": "gas-leak",
        "version": "1",
        "site": "plant-07",
        "tier": Tier.L3,
        "submission": "s-1",
        "findings": {"performance": (True, SAYS)},
        "declared": frozenset({"impact"}),
        "impact": {"persons": "identifiable"},
    }
    return ModelHolding(**{**made, **changed})


def held(counts: Mapping[tuple[str, str | None, str | None], Counted] | None = None, **changed: Any) -> Holdings:
    """A house that keeps records 190 days and holds nothing else."""
    made: dict[str, Any] = {
        "day": DAY,
        "rules": {"retention": {"default_days": 190}, "permits": {"deciders": {"L4": ["dso"]}}},
        "routes": frozenset({"get /v1/reports"}),
        "documents": frozenset({"bom"}),
        "settings": frozenset({"rulebook"}),
        "anchors": {},
        "log": Entries(counts or {}),
        "models": (a_model(),),
    }
    return Holdings(**{**made, **changed})
