from __future__ import annotations

from audit.checks.documentation import SAID, Documentation
from policies.declaration import Feature, Source
from policies.tiers import Tier
from tests.audit.checks.factories import RULES, of_predictions, run


class TestDocumentation:
    def test_complete(self) -> None:
        found = run(Documentation(), of_predictions([0, 1], [0.1, 0.9]))[0]
        assert found.holds is False  # the source of the factory leaves its period empty
        assert [line["field"] for line in found.groups if not line["holds"]] == ["data.sources"]

    def test_everything_said(self) -> None:
        sources = (Source(name="own", period="2020-2024", licence="internal"),)
        found = run(Documentation(), of_predictions([0, 1], [0.1, 0.9], sources=sources))[0]
        assert found.holds is True and found.measured == 0.0

    def test_everything_missing_is_named_at_once(self) -> None:
        said = {"description": "", "site": " ", "owner": "", "sources": ()}
        found = run(Documentation(), of_predictions([0, 1], [0.1, 0.9], **said))[0]
        assert found.measured == 4.0 and found.says.en == (
            "4 of 4 required parts say nothing or not enough: 'use.description', 'use.site', 'use.owner', "
            "'data.sources'; complete them in submission.toml (a source needs name, period and licence)"
        )

    def test_a_sensor_without_range(self) -> None:
        examined = of_predictions([0, 1], [0.1, 0.9])
        changed = {"required": ["features.sensors"]}
        from dataclasses import replace

        for feature, holds in ((Feature(name="p", sensor=True, unit="MPa"), False), (Feature(name="p"), True)):
            declaration = replace(examined.declaration, features={"p": feature})
            assert run(Documentation(), replace(examined, declaration=declaration), **changed)[0].holds is holds

    def test_every_part_of_the_rulebook_has_words(self) -> None:
        asked = {part for tier in Tier for part in RULES.limits("documentation", tier)["required"]}
        assert asked <= set(SAID)
