"""The technical file says what is held and names what is not; page, PDF and JSON are one value."""

from __future__ import annotations

from typing import Any

import pytest

from reports.technical_file import HEADINGS, TechnicalFile, technical_file, technical_file_pdf
from reports.wording import LANGUAGES, Language
from tests.reports.factories import DIGEST, a_declaration, some_model_figures
from tests.reports.papers import EARLIER, some_facts
from tests.reports.pdf_text import reader, squeezed, words_of


def line_of(file: TechnicalFile, field: str) -> Any:
    """The line of one field."""
    return next(line for heading in file.headings for line in heading.lines if line.field == field)


class TestHeadings:
    def test_are_the_nine_of_annex_iv_and_the_evaluation_record(self) -> None:
        assert [heading.id for heading in technical_file(some_facts()).headings] == [*"123456789", "TS 4213"]

    def test_hold_what_registry_findings_and_log_hold(self) -> None:
        file = technical_file(some_facts())
        assert line_of(file, "artifact").values[0].en == DIGEST
        assert EARLIER in line_of(file, "earlier").values[0].en
        assert "li.wei" in line_of(file, "verdicts").values[0].en
        assert [value.en for value in line_of(file, "environment").values] == ["numpy 2.4.6", "xgboost-cpu 3.1.0"]
        assert "does not hold" in line_of(file, "standards").values[0].en
        assert "3,120 decisions" in line_of(file, "in_use").values[0].en

    def test_say_what_is_not_held_instead_of_filling_it(self) -> None:
        said = technical_file(some_facts()).as_json()
        assert {"2: method", "8: declaration_of_conformity", "TS 4213: channel_effects"} <= set(said["not_held"])  # type: ignore[call-overload]

    def test_a_version_nobody_examined_has_holes_and_still_a_file(self) -> None:
        bare = some_facts(
            some_model_figures(findings=[], counts=None), standards=(), verdicts=(), data_digests={}, environment={}
        )
        file = technical_file(bare)
        holes = file.as_json()["not_held"]
        assert {"2: validation", "2: robustness", "5: failing", "6: verdicts", "9: in_use"} <= set(holes)  # type: ignore[call-overload]
        for language in LANGUAGES:
            assert "technical" not in words_of(technical_file_pdf(file, language)).lower() or language == "en"

    def test_findings_that_do_not_hold_stand_under_risk(self) -> None:
        failing = line_of(technical_file(some_facts()), "failing")
        assert any("construction" in value.en for value in failing.values)

    def test_each_has_its_filler(self) -> None:
        assert len({name for name, _, _ in HEADINGS}) == len(HEADINGS) == 10


@pytest.mark.parametrize("language", LANGUAGES)
class TestPdf:
    def test_shows_every_line_of_the_json(self, language: Language) -> None:
        file = technical_file(some_facts())
        text = words_of(technical_file_pdf(file, language))
        said: Any = file.as_json()
        for heading in said["headings"]:
            assert squeezed(heading["title"][language]) in text
            for line in heading["lines"]:
                assert squeezed(line["label"][language]) in text
                for value in line["values"]:
                    assert squeezed(value[language]) in text, (heading["id"], line["field"])

    def test_same_file_same_bytes(self, language: Language) -> None:
        made = [technical_file_pdf(technical_file(some_facts()), language) for _ in range(2)]
        assert made[0] == made[1]

    def test_shows_names_with_markup_as_they_are(self, language: Language) -> None:
        figures = some_model_figures(declaration=a_declaration(**{"process-safety-ml": "<b>team & sons"}))
        assert "<b>team&sons" in words_of(technical_file_pdf(technical_file(some_facts(figures)), language))

    def test_has_title_language_and_outline(self, language: Language) -> None:
        document = reader(technical_file_pdf(technical_file(some_facts()), language))
        assert "long-absence" in str(document.metadata.title)  # type: ignore[union-attr]
        assert len(document.outline) == 11
