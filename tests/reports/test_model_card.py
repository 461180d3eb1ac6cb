"""The model card: metadata a machine reads, text in which nothing a team wrote is markup."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from reports.model_card import card_metadata, model_card, model_card_json
from reports.wording import LANGUAGES, Language
from tests.reports.factories import DIGEST, a_declaration, some_findings, some_model_figures
from tests.reports.papers import some_facts


def head_and_body(card: str) -> tuple[dict[str, Any], str]:
    """The metadata and the text of a card."""
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.mark.parametrize("language", LANGUAGES)
class TestCard:
    def test_begins_with_metadata_as_hugging_face_reads_it(self, language: Language) -> None:
        head, body = head_and_body(model_card(some_facts(), language))
        assert head == card_metadata(some_facts(), language)
        assert (head["language"], head["pipeline_tag"]) == ([language], "tabular-classification")
        (entry,) = head["model-index"]
        metrics = {metric["type"]: metric["value"] for metric in entry["results"][0]["metrics"]}
        assert metrics["recall"] == 0.66
        assert entry["name"] in body
        assert DIGEST in body

    def test_shows_every_finding_and_every_limit(self, language: Language) -> None:
        facts = some_facts()
        body = model_card(facts, language)
        for found in facts.figures.findings:
            assert found.says.in_language(language)[:12] in body
        for limit in model_card_json(facts)["limits"]:  # type: ignore[attr-defined]
            assert limit[language] in body

    def test_what_a_team_wrote_is_no_markup(self, language: Language) -> None:
        declared = a_declaration(**{"process-safety-ml": "[click](http://evil) <script> `x` # y |"})
        body = model_card(some_facts(some_model_figures(declaration=declared)), language)
        assert r"\[click\](http://evil) \<script\> \`x\` \# y \|" in body
        assert "\n# y" not in body

    def test_without_figures_it_says_so(self, language: Language) -> None:
        facts = some_facts(some_model_figures(findings=some_findings(performance=None)))
        assert "model-index" not in card_metadata(facts, language)
        assert model_card_json(facts)["performance"] is None
        assert model_card(facts, language)
