"""What pipelines read is well-formed, whole, and says the same as the findings."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.pipeline_formats import junit_of, markdown_of, sarif_of


def finding(holds: bool | None, said: str = "said", check: str = "leakage", **more: Any) -> dict[str, Any]:
    return {
        "check": check, "holds": holds, "measured": 0.25, "limit": 0.1, "unit": "share", "interval": [0.2, 0.3],
        "n": 40, "groups": [], "says": {"en": said, "zh": f"中文 {said}"}, "evidence": {}, **more,
    }  # fmt: skip


def report(*findings: dict[str, Any], holds: bool | None = False) -> dict[str, Any]:
    return {
        "submission": "dir", "model": "gas-leak", "artifact_digest": "a" * 64, "rulebook_digest": "b" * 64,
        "tier": "L3", "tier_because": [], "holds": holds, "findings": list(findings),
    }  # fmt: skip


THREE = report(finding(True, "fine"), finding(False, "bad"), finding(None, "open", "coverage"))


class TestJUnit:
    def test_counts_and_cases_agree(self) -> None:
        root = ElementTree.fromstring(junit_of(THREE))
        assert root.tag == "testsuites"
        (suite,) = root
        for element in (root, suite):
            assert (element.get("tests"), element.get("failures"), element.get("skipped"), element.get("errors")) == (
                "3", "1", "1", "0",
            )  # fmt: skip
        cases = suite.findall("testcase")
        assert [case.get("classname") for case in cases] == [
            "mingjing.leakage",
            "mingjing.leakage",
            "mingjing.coverage",
        ]
        assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["skipped"]]
        assert cases[1][0].get("message") == "bad"
        assert len({case.get("name") for case in cases}) == 3

    def test_speaks_chinese(self) -> None:
        assert "中文 bad" in junit_of(THREE, "zh-CN").decode()

    @given(st.text())
    def test_any_column_name_stays_well_formed(self, name: str) -> None:
        said = ElementTree.fromstring(junit_of(report(finding(False, name)))).find(".//failure")
        assert said is not None

    @pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31m", "\ud800", "]]><x>"])
    def test_letters_xml_cannot_hold(self, text: str) -> None:
        ElementTree.fromstring(junit_of(report(finding(False, text.encode("utf-8", "replace").decode()))))


class TestSarif:
    def test_has_what_the_schema_asks_for(self) -> None:
        document = json.loads(sarif_of(THREE, "./models/x/submission.toml", "0.1.0"))
        assert document["version"] == "2.1.0"
        assert document["$schema"].endswith("sarif-schema-2.1.0.json")
        (run,) = document["runs"]
        driver = run["tool"]["driver"]
        assert (driver["name"], driver["version"]) == ("Mingjing", "0.1.0")
        assert [rule["id"] for rule in driver["rules"]] == ["leakage", "coverage"]
        for result in run["results"]:
            assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["message"]["text"]
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"]["uri"] == "models/x/submission.toml"
            assert place["region"]["startLine"] >= 1

    def test_only_what_fails_is_an_error(self) -> None:
        results = json.loads(sarif_of(THREE, "submission.toml", "1"))["runs"][0]["results"]
        assert [(one["kind"], one["level"]) for one in results] == [
            ("pass", "none"),
            ("fail", "error"),
            ("open", "none"),
        ]

    def test_a_finding_keeps_its_name_when_its_figure_moves(self) -> None:
        prints = [
            json.loads(sarif_of(report(finding(False, said, measured=value)), "s.toml", "1"))["runs"][0]["results"][0][
                "partialFingerprints"
            ]
            for said, value in (("25 %", 0.25), ("26 %", 0.26))
        ]
        assert prints[0] == prints[1]


class TestMarkdown:
    def test_what_does_not_hold_comes_first(self) -> None:
        rows = [line for line in markdown_of(THREE).splitlines() if line.startswith("| ")]
        assert [row.split(" | ")[0] for row in rows[1:]] == ["| **does not hold**", "| cannot say", "| holds"]
        assert markdown_of(THREE).startswith("## gas-leak: something does not hold\n")

    def test_says_when_everything_holds(self) -> None:
        assert markdown_of(report(finding(True), holds=True), "zh").startswith("## gas-leak: 全部符合\n")

    @given(st.text())
    def test_text_stays_in_its_cell(self, text: str) -> None:
        row = markdown_of(report(finding(False, text))).splitlines()[-2]
        assert row.replace("\\\\", "").replace("\\|", "").count("|") == 7
