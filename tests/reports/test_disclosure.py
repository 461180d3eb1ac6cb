"""A quarterly disclosure: page, PDF, JSON and CSV say the same, whatever sites, names and gaps come in."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pdfplumber
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from audit.quarter_counts import Drift
from policies.errors import Sentence
from policies.quarters import Quarter
from reports.disclosure import disclosure_report
from reports.disclosure_csv import RUNS, disclosure_csv, safe
from reports.disclosure_figures import DisclosureFigures, json_schema, read_figures
from reports.disclosure_table import COLUMNS, PARTS_OF, RATES, published_rows, true_counts
from reports.disclosure_words import rate_words
from reports.wording import LANGUAGES, Language, as_percent, say
from tests.reports.disclosure_factories import (
    PREPARED,
    a_measure,
    a_model,
    a_site,
    released,
    some_figures,
    some_sites,
)
from tests.reports.pdf_text import pages_of, reader, squeezed, words_of
from tests.reports.schema_check import faults

LONG = "the-very-long-name-of-a-tank-farm-in-the-northern-industrial-park-07"


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


def figures(sites: Any = None, **changed: Any) -> DisclosureFigures:
    made, _ = some_figures(sites, **changed)
    return replace(made, number="2026Q3-1", released=PREPARED, released_by="mei", entry="0192-entry")


def report(language: Language = "en", sites: Any = None, **changed: Any) -> bytes:
    return disclosure_report(figures(sites, **changed), language)


@cache
def of_two_hundred_sites() -> DisclosureFigures:
    return figures({f"plant-{at:03d}": a_site(4_000 + 100 * at, alarms=0.2) for at in range(200)})


class TestTable:
    def test_totals_are_what_their_parts_add_up_to(self) -> None:
        for counts in true_counts(some_sites(), ["plant-99"]).values():
            for total, parts in PARTS_OF.items():
                assert counts[total] == sum(counts[part] for part in parts)

    def test_a_known_site_without_decisions_stands_there_with_zeros(self) -> None:
        shown = {row.site: row for row in figures(counts=true_counts(some_sites(), ["plant-99"])).sites}
        assert set(shown["plant-99"].counts.values()) <= {0, None}
        assert shown["plant-99"].rates["accuracy"] is None

    def test_the_group_is_all_sites_together(self) -> None:
        counts = true_counts({"a": a_site(40_000), "b": a_site(60_000)}, ())
        (group, *sites), _ = published_rows(counts, 11)
        for column in COLUMNS:
            parts = [site.counts[column] for site in sites]
            if group.counts[column] is not None and None not in parts:
                assert group.counts[column] == sum(part or 0 for part in parts)

    def test_no_small_count_is_published(self) -> None:
        made = figures()
        shown = [count for row in (made.group, *made.sites) for count in row.counts.values() if count]
        assert min(shown) >= made.least_cell
        assert any(count is None for row in made.sites for count in row.counts.values())

    def test_a_rate_needs_every_count_it_is_made_of(self) -> None:
        made = figures()
        for row in (made.group, *made.sites):
            for name, (_, below) in RATES.items():
                if any(row.counts[column] is None for column in below):
                    assert row.rates[name] is None

    def test_rates_are_what_their_names_say(self) -> None:
        (group, _), _ = published_rows(
            true_counts({"a": {"alarm_right": 60, "alarm_false": 40, "missed": 20, "quiet_right": 880}}, ()), 11
        )
        found = {name: rate.value for name, rate in group.rates.items() if rate is not None}
        assert found == pytest.approx(
            {
                "accuracy": 0.94,
                "false_alarm_rate": 40 / 920,
                "miss_rate": 0.25,
                "false_alarm_share": 0.4,
                "alarm_share": 0.1,
                "known_share": 1.0,
            }
        )
        assert group.rates["override_share"] is None


class TestMeasures:
    def of(self, **changed: Any) -> Any:
        made = figures({"a": {"alarm_right": 60, "alarm_false": 40}}, measures=[a_measure(**changed)])
        return made.measures[0]

    def test_a_target_that_was_reached(self) -> None:
        assert self.of(target=0.4).met is True

    def test_a_target_that_was_not(self) -> None:
        found = self.of(target=0.39)
        assert (found.met, found.value) == (False, pytest.approx(0.4))

    def test_more_may_be_better(self) -> None:
        assert self.of(indicator="known_share", more_is_better=True, target=0.9).met is True

    def test_nothing_to_count_cannot_be_judged(self) -> None:
        assert self.of(indicator="override_share").met is None

    def test_a_site_that_is_not_there_cannot_be_judged(self) -> None:
        assert self.of(site="nowhere").met is None

    def test_the_quarter_before_is_what_was_published_then(self) -> None:
        before = released(*some_figures({"a": {"alarm_right": 50, "alarm_false": 50}}, quarter=Quarter(2026, 2)))
        made = figures({"a": {"alarm_right": 60, "alarm_false": 40}}, measures=[a_measure()], quarter_before=before)
        assert (made.measures[0].before, made.measures[0].value) == (0.5, 0.4)
        assert made.before == before.figures.group


class TestAgreement:
    def test_every_published_figure_stands_in_the_pdf(self, language: Language) -> None:
        made = figures()
        text = words_of(disclosure_report(made, language))
        wanted = [
            f"{count:,}" for row in (made.group, *made.sites) for count in row.counts.values() if count is not None
        ]
        wanted += [as_percent(rate.value) for row in (made.group, *made.sites) for rate in row.rates.values() if rate]
        wanted += [made.log.root, f"{made.log.size:,}", made.rulebook_digest, made.entry, made.number]
        wanted += [rate_words(made.group, name, language) for name in RATES]
        wanted += [measure.says.in_language(language) for measure in (*made.measures, *made.next_measures)]
        assert [each for each in wanted if squeezed(each) not in text] == []

    def test_the_json_reads_back_as_the_same_figures(self) -> None:
        made = figures()
        assert read_figures(made.as_bytes()) == made

    def test_the_csv_has_every_figure_of_the_json(self) -> None:
        made = figures()
        rows = list(csv.DictReader(io.StringIO(disclosure_csv(made).decode("utf-8-sig"))))
        assert len(rows) == (len(COLUMNS) + len(RATES)) * (1 + len(made.sites))
        by_cell = {(row["site"], row["figure"]): row for row in rows}
        for row, name in ((made.group, "All sites"), *((site, site.site or "") for site in made.sites)):
            for column, count in row.counts.items():
                found = by_cell[name, column]
                assert (found["value"], found["withheld"]) == (("", "yes") if count is None else (str(count), ""))
            for rate_name, rate in row.rates.items():
                value = by_cell[name, rate_name]["value"]
                assert value == "" if rate is None else float(value) == pytest.approx(rate.value, abs=1e-6)

    def test_no_withheld_count_stands_in_any_form(self) -> None:
        sites = {"a": a_site(50_000), "b": a_site(40_000), "c": a_site(70, missed=7, quiet_right=33)}
        made, kept = some_figures(sites)
        secret = {str(kept.counts[site][column]) for site, column in kept.withheld if site and column != "decisions"}
        published = made.as_bytes().decode() + disclosure_csv(made).decode()
        alone = {word for word in published.replace(",", " ").replace("\n", " ").split() if word.isdigit()}
        shown = {str(count) for row in (made.group, *made.sites) for count in row.counts.values() if count is not None}
        assert (secret - shown) & (alone - {str(made.log.size), "11", "30", "15", "1"}) == set()


class TestSchema:
    def test_describes_what_is_released(self) -> None:
        assert faults(json.loads(figures().as_bytes()), json_schema()) == []

    def test_describes_a_draft_and_an_empty_quarter(self) -> None:
        empty, _ = some_figures({}, counts={}, models=(), drift=(), sources={}, measures=(), next_measures=())
        assert faults(json.loads(empty.as_bytes()), json_schema()) == []

    def test_refuses_what_is_not(self) -> None:
        document = json.loads(figures().as_bytes())
        document["group"]["counts"]["alarms"] = "many"
        del document["quarter"]
        found = faults(document, json_schema())
        assert any(fault.startswith("$.group.counts.alarms") for fault in found)
        assert "$: lacks quarter" in found

    def test_is_the_one_that_readers_were_promised(self) -> None:
        kept = Path(reports.__path__[0]) / "schemas" / "disclosure-1.json"
        assert json.loads(kept.read_text(encoding="utf-8")) == json.loads(json.dumps(json_schema()))


class TestDocument:
    def test_same_figures_same_bytes(self, language: Language) -> None:
        assert report(language) == report(language)

    def test_language_title_and_outline(self, language: Language) -> None:
        opened = reader(report(language))
        assert opened.root_object["/Lang"] == ("zh-CN" if language == "zh" else "en")
        assert opened.metadata is not None
        assert say(language, "disclosure.kind") in str(opened.metadata.title)
        assert len([entry for entry in opened.outline if not isinstance(entry, list)]) == 12

    def test_nothing_is_printed_outside_the_margins(self, language: Language) -> None:
        with pdfplumber.open(io.BytesIO(report(language))) as opened:
            for page in opened.pages:
                for character in page.chars:
                    assert 50 <= character["x0"] <= character["x1"] <= 545, character["text"]

    def test_a_draft_says_so_on_every_page(self, language: Language) -> None:
        made, _ = some_figures()
        for text in pages_of(disclosure_report(made, language)):
            assert squeezed(say(language, "disclosure.notice_draft")) in text

    def test_the_size_does_not_follow_the_number_of_decisions(self) -> None:
        few = report("en", {"a": a_site(20_000), "b": a_site(30_000)})
        many = report("en", {"a": a_site(20_000_000), "b": a_site(30_000_000)})
        assert abs(len(few) - len(many)) < 2_000


class TestCorrection:
    def test_says_what_it_replaces_and_marks_what_moved(self, language: Language) -> None:
        first, kept = some_figures()
        sites = some_sites()
        sites["plant-03"] = {**sites["plant-03"]}
        sites["plant-03"]["alarm_open"] -= 5_000
        sites["plant-03"]["alarm_right"] += 5_000
        made, _ = some_figures(sites, earlier=[released(first, kept)], prepared=PREPARED + timedelta(days=60))
        assert (made.revision, made.replaces) == (2, "2026Q3-1")
        assert {"alarm_right", "alarm_open"} <= set(made.group.changed)
        text = words_of(disclosure_report(made, language))
        assert squeezed(say(language, "disclosure.corrections_text", replaces="2026Q3-1", mark="†")) in text
        assert f"{made.group.counts['alarm_right']:,}†" in text

    def test_nothing_moved(self) -> None:
        sites = {"a": a_site(50_000, changed=12, stands=20), "b": a_site(60_000)}
        first, kept = some_figures(sites)
        made, _ = some_figures(sites, earlier=[released(first, kept)])
        assert squeezed("No published figure changed.") in words_of(disclosure_report(made, "en"))


class TestAwkwardInput:
    def test_no_decisions_no_sites_no_measures(self, language: Language) -> None:
        text = words_of(report(language, {}, models=(), drift=(), sources={}, measures=(), next_measures=(), counts={}))
        for key, values in (
            ("disclosure.what_none", {"n": 0}),
            ("disclosure.how_often_none", {}),
            ("disclosure.no_sites", {}),
            ("disclosure.measures_none", {}),
            ("disclosure.next_none", {}),
        ):
            assert squeezed(say(language, key, **values)) in text

    def test_no_outcomes_at_all(self, language: Language) -> None:
        sites = {name: a_site(50_000, known=0.0) for name in ("a", "b")}
        text = words_of(report(language, sites))
        assert squeezed(say(language, "disclosure.how_often_none")) in text
        assert squeezed(say(language, "disclosure.unknown_text", share=0.0)) in text

    def test_one_sided_sites(self, language: Language) -> None:
        only = {"always": {"alarm_right": 400, "alarm_false": 300}, "never": {"quiet_right": 900, "missed": 50}}
        made = figures(only)
        rates = {row.site: row.rates for row in made.sites}
        assert rates["always"]["miss_rate"] is not None and rates["always"]["miss_rate"].value == 0.0
        assert rates["never"]["false_alarm_share"] is None
        assert squeezed(say(language, "chart.too_few")) not in words_of(disclosure_report(made, language))

    def test_names_are_shown_as_they_are(self, language: Language) -> None:
        names = ("<b>bold</b>", "R&D", "=cmd|' /C calc'!A0", "{x}", "%s", "a\\b")
        text = words_of(report(language, {name: a_site(30_000) for name in names}, models=(a_model("<i>x</i>"),)))
        assert [name for name in (*names, "<i>x</i>") if squeezed(name) not in text] == []

    def test_direction_marks_are_shown_and_reported(self) -> None:
        text = words_of(report(sites={"plant\u202e70": a_site(30_000), "b": a_site(30_000)}))
        assert "plant[U+202E]70" in text

    def test_names_of_sixty_characters_are_written_in_full(self, language: Language) -> None:
        sites = {LONG: a_site(30_000), LONG[::-1]: a_site(40_000)}
        text = words_of(report(language, sites, models=(a_model(LONG),), measures=(a_measure(site=LONG),)))
        assert text.count(LONG) >= 5
        assert LONG[::-1] in text

    def test_two_hundred_sites(self, language: Language) -> None:
        made = disclosure_report(of_two_hundred_sites(), language)
        text = words_of(made)
        assert all(f"plant-{at:03d}" in text for at in range(200))
        assert len(made) < 1_000_000
        head = squeezed(say(language, "disclosure.site"))
        with_rows = [page for page in pages_of(made) if page.count("plant-") > 15]
        only_pictures = 1
        assert sum(head in page for page in with_rows) >= len(with_rows) - only_pictures

    def test_words_longer_than_a_page(self) -> None:
        long = "一段很长的说明 with some words. " * 200
        text = words_of(report("zh", measures=(a_measure(says=Sentence(en=long, zh=long)),)))
        assert text.count("一段很长的说明") >= 195

    def test_models_whose_scores_say_nothing(self, language: Language) -> None:
        text = words_of(report(language, drift=(Drift(model="m", before=3, now=4, psi=None),)))
        assert squeezed(say(language, "disclosure.drift_few")) in text


class TestSafe:
    @given(st.sampled_from(RUNS), st.text(max_size=20))
    def test_nothing_begins_like_a_formula(self, start: str, rest: str) -> None:
        assert safe(start + rest) == f"'{start}{rest}"

    @given(st.text(max_size=30))
    def test_a_cell_reads_back(self, text: str) -> None:
        kept = io.StringIO(newline="")
        csv.writer(kept, lineterminator="\r\n").writerow([safe(text), "end"])
        cell = next(csv.reader(io.StringIO(kept.getvalue(), newline="")))[0]
        assert cell.removeprefix("'") == text.removeprefix("'")
        assert not cell.lstrip().startswith(("=", "+", "-", "@"))
