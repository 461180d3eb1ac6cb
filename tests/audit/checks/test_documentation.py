from __future__ import annotations

from dataclasses import replace

from audit.checks.documentation import SAID, Documentation
from policies.declaration import RECORD_FIELDS, Feature, Source
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
            "'data.sources'; complete them in submission.toml (a source needs name, period and licence); "
            "the team fills 0 of 9 fields of the evaluation record"
        )

    def test_a_source_whose_period_is_a_wide_blank(self) -> None:
        sources = (Source(name="own", period="\u3000", licence="internal"),)
        assert run(Documentation(), of_predictions([0, 1], [0.1, 0.9], sources=sources))[0].holds is False

    def test_a_sensor_without_range(self) -> None:
        examined = of_predictions([0, 1], [0.1, 0.9])
        changed = {"required": ["features.sensors"]}
        for feature, holds in ((Feature(name="p", sensor=True, unit="MPa"), False), (Feature(name="p"), True)):
            declaration = replace(examined.declaration, features={"p": feature})
            assert run(Documentation(), replace(examined, declaration=declaration), **changed)[0].holds is holds

    def test_every_part_of_the_rulebook_has_words(self) -> None:
        asked = {part for tier in Tier for part in RULES.limits("documentation", tier)["required"]}
        assert asked <= set(SAID)


class TestRecord:
    def test_what_the_team_says_and_what_checks_measure(self) -> None:
        examined = of_predictions([0, 1], [0.1, 0.9], {"a": [0, 1], "b": [0, 1]}, labels_by={"one": "a", "two": "b"})
        examined = replace(examined, declaration=replace(examined.declaration, record={"environment": "Python 3.11"}))
        found = run(Documentation(), examined)[0]
        fields = {line["field"]: line for line in found.as_json()["evidence"]["record"]}
        assert list(fields) == list(RECORD_FIELDS) and fields["environment"]["said"] == "Python 3.11"
        assert fields["ground_truth"]["measured_by"] == "data_quality"  # two tracks of labels are compared
        assert fields["baselines"]["measured_by"] == "performance"
        assert fields["separation"]["measured_by"] is None  # no training data were handed in
        assert "the team fills 1 of 9 fields" in found.says.en and "已填写 1 项" in found.says.zh

    def test_the_gravest_tier_asks_for_what_no_check_can_measure(self) -> None:
        examined = of_predictions([0, 1], [0.1, 0.9])
        found = Documentation().run(examined, RULES.limits("documentation", Tier.L4))[0]
        assert {line["field"] for line in found.groups if not line["holds"]} >= {
            "record.preprocessing", "record.channel_effects", "record.hyperparameters", "record.environment",
        }  # fmt: skip
