"""The transparency report, read back from its PDF: the figures agree, whatever names and numbers come in."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pdfplumber
import pytest

from policies.errors import Sentence
from reports.model_figures import ModelFigures
from reports.transparency import transparency_report
from reports.wording import LANGUAGES, Language, as_percent, say
from tests.reports.factories import (
    a_declaration,
    a_group,
    a_group_bias,
    a_negative_list,
    a_performance,
    a_plain_finding,
    a_verdict,
    a_weight_caps,
    some_counts,
    some_findings,
    some_model_figures,
)
from tests.reports.pdf_text import pages_of, reader, squeezed, words_of

LONG = "average_hydrogen_sulphide_concentration_upstream_of_valve_07"


def report(language: Language = "en", **changed: Any) -> bytes:
    return transparency_report(some_model_figures(**changed), language)


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


def figures_as_written(figures: ModelFigures, language: Language) -> list[str]:
    """Return every figure of the JSON the way the report must write it."""
    found = figures.performance
    assert found is not None
    areas = [rate for name, rate in found.rates.items() if name in ("roc_auc", "auc_pr")]
    rates = [rate for name, rate in found.rates.items() if name not in ("roc_auc", "auc_pr")]
    shares = [rate.value for rate in rates]
    shares += [cap.share for cap in figures.caps] + [cap.after for cap in figures.caps if cap.after is not None]
    shares += [end for rate in rates for end in (rate.lo, rate.hi) if end is not None]
    shares += [rate.value for group in figures.groups for rate in (group.miss_rate, group.false_alarm_rate) if rate]
    shares += [probe.verdicts_changed for probe in figures.probes if probe.verdicts_changed is not None]
    shares += [feature.share for feature in figures.features if feature.share is not None]
    counts = [found.tp, found.fp, found.fn, found.tn, found.n, *(group.n for group in figures.groups)]
    texts = [figures.version.artifact_digest, figures.rulebook_digest, figures.tier, figures.version.name]
    texts += [f.says.in_language(language) for f in figures.findings]
    assert figures.log is not None
    texts += [figures.log.root, f"{figures.log.size:,}"]
    texts += [f"{number:.3f}" for rate in areas for number in (rate.value, rate.lo, rate.hi) if number is not None]
    return [*(as_percent(share) for share in shares), *(f"{n:,}" for n in counts), *texts]


class TestFigures:
    def test_every_figure_of_the_json_stands_in_the_pdf(self, language: Language) -> None:
        figures = some_model_figures()
        text = words_of(transparency_report(figures, language))
        missing = [each for each in figures_as_written(figures, language) if squeezed(each) not in text]
        assert missing == []

    def test_the_errors_stand_on_the_first_page_in_whole_cases(self) -> None:
        first = pages_of(report("en"))[0]
        assert squeezed("Of 100 alarms, 26 were false. Of 100 cases in which harm happened, it missed 34.") in first
        first = pages_of(report("zh"))[0]
        assert squeezed("每 100 次报警中有 26 次是误报；每 100 起实际发生的伤害中，漏报 34 起。") in first

    def test_other_figures_give_another_report(self) -> None:
        changed = words_of(report(findings=some_findings(performance=a_performance(tp=100, fp=100))))
        assert squeezed("Of 100 alarms, 50 were false") in changed
        assert squeezed("Of 100 alarms, 26 were false") not in changed


class TestDocument:
    def test_same_figures_same_bytes(self, language: Language) -> None:
        assert report(language) == report(language)

    def test_reports_written_at_the_same_time_do_not_mix(self) -> None:
        alone = {language: report(language) for language in LANGUAGES}
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(report, LANGUAGES * 3))
        assert together == [alone[language] for language in LANGUAGES * 3]

    def test_language_title_and_author_are_set(self, language: Language) -> None:
        opened = reader(report(language))
        assert opened.root_object["/Lang"] == ("zh-CN" if language == "zh" else "en")
        assert opened.metadata is not None
        assert opened.metadata.title == f"{say(language, 'report.kind')}: long-absence"
        assert opened.metadata.author == say(language, "pdf.author")

    def test_the_outline_leads_to_every_section(self, language: Language) -> None:
        opened = reader(report(language))
        titles = [str(entry.title) for entry in opened.outline if not isinstance(entry, list)]
        assert len(titles) == 18
        assert titles[-1].endswith(say(language, "log.title"))
        pages = [opened.get_destination_page_number(entry) for entry in opened.outline if not isinstance(entry, list)]
        assert pages == sorted(pages)
        assert pages[-1] == len(opened.pages) - 1

    def test_every_page_says_its_number_of_how_many(self, language: Language) -> None:
        pages = pages_of(report(language))
        for at, text in enumerate(pages, start=1):
            assert squeezed(say(language, "pdf.page", page=at)) in text

    def test_fonts_are_embedded_and_no_other_is_used(self, language: Language) -> None:
        fonts = {
            str(font.get_object()["/BaseFont"])
            for page in reader(report(language)).pages
            for font in page["/Resources"]["/Font"].values()
        }
        assert fonts
        assert all("NotoSansSC" in font for font in fonts), fonts

    def test_nothing_is_printed_outside_the_margins(self, language: Language) -> None:
        with pdfplumber.open(io.BytesIO(report(language))) as opened:
            for page in opened.pages:
                for character in page.chars:
                    assert 50 <= character["x0"] <= character["x1"] <= 545, character["text"]


class TestKnownFailures:
    def test_the_repeated_one_stands_first_with_what_would_mend_it(self, language: Language) -> None:
        figures = some_model_figures(findings=[*some_findings(), *a_negative_list()])
        assert [(one.scenario, one.holds) for one in figures.known_failures] == [
            ("stuck-sensor", False),
            ("night-shift", True),
        ]
        assert figures.known_failures_aside == 1
        text = words_of(transparency_report(figures, language))
        assert squeezed(say(language, "failures.text", n=3, fit=2)) in text
        for failure in figures.known_failures:
            assert squeezed(failure.title.in_language(language)) in text
            assert all(squeezed(says.in_language(language)) in text for says in failure.says)
        for words in (
            {"en": "at a tank farm", "zh": "某罐区"},
            {"en": "alarm on a frozen reading", "zh": "读数长时间不变"},
        ):
            assert squeezed(words[language]) in text

    def test_a_version_that_was_not_tried_says_so(self, language: Language) -> None:
        assert squeezed(say(language, "failures.none")) in words_of(report(language))

    def test_what_the_real_check_finds_is_told(self) -> None:
        from audit.checks.negative_list import NegativeListCheck
        from policies.scenario_files import built_in_list
        from tests.audit.checks.known_failures import examined_of

        scenario = built_in_list().scenarios[0]
        examined = examined_of(scenario, scenario.probes[0], planted=True)
        found = [finding.as_json() for finding in NegativeListCheck().run(examined, {})]
        figures = some_model_figures(findings=[*some_findings(), *found])
        assert figures.known_failures_aside is not None
        total = found[-1]["evidence"]["scenarios"]
        assert len(figures.known_failures) + figures.known_failures_aside == total


class TestAwkwardInput:
    def test_names_are_shown_as_they_are(self, language: Language) -> None:
        names = ("<b>bold</b>", "R&D", "=cmd|' /C calc'!A0", "{x}", "%s", "a\\b")
        bias = a_group_bias([a_group("line", name) for name in names])
        text = words_of(report(language, findings=some_findings(group_bias=bias)))
        assert [name for name in names if squeezed(name) not in text] == []

    def test_direction_marks_are_shown_and_reported(self) -> None:
        bias = a_group_bias([a_group("line", "pump\u202egnp")])
        text = words_of(report(findings=some_findings(group_bias=bias)))
        assert "pump[U+202E]gnp" in text
        assert (
            squeezed("Some characters are not in the font of this report and are shown by their code: [U+202E].")
            in text
        )

    def test_a_rare_character_is_shown_by_code_and_reported(self) -> None:
        text = words_of(report("zh", verdict=a_verdict(reason="由㐂工复核")))
        assert "由[U+3402]工复核" in text
        assert "以编码代替显示：[U+3402]。" in text

    def test_names_of_sixty_characters_are_written_in_full(self, language: Language) -> None:
        caps = a_weight_caps()
        caps["evidence"]["importance"] = [{"feature": LONG, "mean_abs": 1.0, "share": 0.7}]
        caps["groups"] = [{"feature": LONG, "share": 0.7, "lo": 0.6, "hi": 0.8, "cap": 0.1, "holds": False}]
        bias = a_group_bias([a_group(LONG, LONG[::-1])])
        text = words_of(report(language, findings=some_findings(weight_caps=caps, group_bias=bias)))
        assert text.count(LONG) >= 4
        assert LONG[::-1] in text

    def test_two_hundred_groups_all_stand_in_the_table_under_a_repeated_head(self, language: Language) -> None:
        groups = [a_group("team", f"team-{at:03d}", 40 + at) for at in range(200)]
        made = report(language, findings=some_findings(group_bias=a_group_bias(groups)))
        pages = pages_of(made)
        text = "".join(pages)
        assert all(f"team-{at:03d}" in text for at in range(200))
        head = squeezed(say(language, "groups.ratio") + say(language, "groups.conclusion"))
        with_rows = [page for page in pages if page.count("team-") > 15]
        assert len(with_rows) >= 4
        assert sum(squeezed(say(language, "groups.conclusion")) in page for page in with_rows) >= 4, head
        assert len(made) < 1_000_000

    def test_two_hundred_groups_with_names_of_sixty_characters(self) -> None:
        groups = [a_group("team", f"{LONG[:57]}{at:03d}", 40 + at) for at in range(200)]
        text = words_of(report(findings=some_findings(group_bias=a_group_bias(groups))))
        assert all(f"{LONG[:57]}{at:03d}" in text for at in range(200))

    def test_texts_longer_than_a_page_run_over_several(self, language: Language) -> None:
        long = "一段很长的说明 with some words. " * 150
        found = a_performance()
        found["says"] = {"en": long, "zh": long}
        declared = a_declaration(**{"Will this injury keep the worker off work for more than eight weeks?": long})
        made = report(
            language,
            declaration=declared,
            findings=some_findings(performance=found),
            verdict=a_verdict(reason=long, conditions=(long,)),
        )
        pages = pages_of(made)
        broken_by_a_page = len(pages)
        assert "".join(pages).count("一段很长的说明") >= 6 * 150 - broken_by_a_page

    def test_no_decisions_yet(self, language: Language) -> None:
        for counts in (None, some_counts(decisions=0, alarms=0)):
            assert squeezed(say(language, "use.none")) in words_of(report(language, counts=counts))

    def test_no_findings_no_verdict_no_log(self, language: Language) -> None:
        text = words_of(report(language, findings=[], verdict=None, log=None, counts=None, shares_after=None))
        for key in (
            "summary.wrong_none",
            "summary.standing_none",
            "groups.none",
            "caps.none",
            "log.none",
            "findings.none",
        ):
            assert squeezed(say(language, key)) in text

    def test_a_model_that_never_alarms(self) -> None:
        text = words_of(report(findings=[a_performance(tp=0, fp=0)]))
        assert squeezed("raised no alarm at all: how often its alarms are false cannot be said") in text

    def test_no_harm_in_the_evaluation(self) -> None:
        text = words_of(report(findings=[a_performance(tp=0, fn=0)]))
        assert squeezed("how much harm it misses cannot be said") in text
        assert squeezed("the evaluation holds no case of harm") in text

    def test_one_sided_groups_cannot_conclude(self) -> None:
        bare = a_group(
            "sex", "men", miss_rate=None, false_alarm_rate=None, impact_ratio=None, conclusion="cannot_conclude"
        )
        bias = a_group_bias([bare])
        bias["evidence"]["comparisons"] = []
        text = words_of(report(findings=some_findings(group_bias=bias)))
        assert squeezed("too few cases to say") in text
        assert squeezed("cannot conclude") in text

    def test_a_model_that_grants_permits(self) -> None:
        text = words_of(report(declaration=a_declaration(at_or_above="below")))
        assert squeezed("a score under 0.42 refuses it") in text

    @pytest.mark.parametrize("outcome", ["return", "veto"])
    def test_a_model_that_may_not_run(self, outcome: str, language: Language) -> None:
        made = report(language, verdict=a_verdict(outcome=outcome, until=None, conditions=()))
        assert squeezed(say(language, f"outcome.{outcome}")) in words_of(made)

    def test_a_suspended_model_is_not_called_approved(self) -> None:
        figures = some_model_figures()
        from dataclasses import replace

        stopped = replace(figures, version=replace(figures.version, status="suspended"))
        text = words_of(transparency_report(stopped, "en"))
        assert squeezed("has been suspended since; it does not run") in text
        assert squeezed("may run until") not in text

    def test_a_role_is_said_in_the_language_of_the_report(self) -> None:
        verdict = a_verdict(decided_by=("dso: mei", "Li Wei, works council"))
        assert "mei（数字安全官）、LiWei,workscouncil" in words_of(report("zh", verdict=verdict))
        assert squeezed("mei, digital safety officer, Li Wei, works council") in words_of(report("en", verdict=verdict))

    def test_a_chance_too_small_to_write_is_said_as_such(self) -> None:
        bias = a_group_bias()
        bias["evidence"]["comparisons"][1]["p"] = 3e-11
        assert squeezed("18.0% (8.0–28.0) < 0.001") in words_of(report(findings=some_findings(group_bias=bias)))

    def test_a_detail_that_repeats_its_finding_is_said_once(self) -> None:
        finding = a_plain_finding("purpose", True, "said only once", "只说一遍")
        finding["groups"] = [{"says": {"en": said, "zh": "只说一遍"}} for said in ("only once", "more", "more")]
        text = words_of(report(findings=[finding]))
        assert text.count("onlyonce") == 1
        assert "saidonlyonce;more" in text
        assert "more;more" not in text

    def test_conditions_are_said_in_the_language_of_the_report(self) -> None:
        verdict = a_verdict(
            conditions=(Sentence(en="a person reviews every alarm", zh="每次报警均须人工复核"), "line 3")
        )
        assert "每次报警均须人工复核" in words_of(report("zh", verdict=verdict))
        assert squeezed("a person reviews every alarm") in words_of(report("en", verdict=verdict))
