"""A rulebook whose figures make no sense, or whose rules undo each other, is refused with what would mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.errors import Malformed
from policies.rulebook import read_rulebook
from policies.tiers import Tier
from tests.policies.test_rulebook import changed, faults_of

NO_DAYS = "longest_days = { L1 = 730, L2 = 365, L3 = 365, L4 = 0 }"
AGE = '"年龄", "工龄段"]\ncap = 0.10'


class TestCaps:
    @pytest.mark.parametrize("cap", ["1.5", "-0.1", "nan", "inf"])
    def test_a_cap_that_is_no_share(self, cap: str) -> None:
        (fault,) = faults_of(changed(AGE, AGE.replace("0.10", cap)))
        assert fault.en == f"the cap of 'age' is {float(cap):g}; a cap is a share in [0, 1]"
        assert fault.zh == f"“age”的上限为 {float(cap):g}，上限应为 [0, 1] 内的份额"

    def test_a_total_that_is_no_share(self) -> None:
        (fault,) = faults_of(changed("total = 0.25", "total = -1"))
        assert fault.en == "caps.total is -1; a cap is a share in [0, 1]"

    def test_a_cap_without_columns(self) -> None:
        (fault,) = faults_of(changed('columns = ["married", "marital*", "婚姻*"]', "columns = []"))
        assert fault.en == "the cap of 'marital status' names no column"
        assert fault.zh == "“marital status”的上限没有列出任何列名"

    def test_one_bare_column_is_not_a_list_of_letters(self) -> None:
        (fault,) = faults_of(changed('columns = ["married", "marital*", "婚姻*"]', 'columns = "married"'))
        assert "'columns' = 'married' (expected a list of texts)" in fault.en


class TestBands:
    @pytest.mark.parametrize("width", ["0", "-5", "nan"])
    def test_a_width_no_number_can_be_rounded_to(self, width: str) -> None:
        (fault,) = faults_of(changed("width = 5.0", f"width = {width}"))
        assert fault.en == (
            f"the band of birth_year, year_of_birth, 出生年份 is {float(width):g} wide; a width is a number above 0"
        )


class TestPurposes:
    @pytest.mark.parametrize("purpose", ["reward", "punishment", "ranking", "dismissal"])
    def test_no_rulebook_may_allow_what_turns_on_people(self, purpose: str) -> None:
        (fault,) = faults_of(changed(f"[purposes.refused.{purpose}]", f"[purposes.allowed.{purpose}]"))
        assert fault.en == f"purposes.allowed.{purpose}: no rulebook may allow this; move it to purposes.refused"
        assert fault.zh == f"purposes.allowed.{purpose}：任何规则文件都不得允许该用途，请移至 purposes.refused"

    def test_one_that_is_both(self) -> None:
        both = "[purposes.refused.risk_intervention]\nen = 'no'\nzh = '否'\n[purposes.refused.reward]"
        (fault,) = faults_of(changed("[purposes.refused.reward]", both))
        assert fault.en == "purpose 'risk_intervention' is both allowed and refused; keep one"


class TestImpact:
    def test_a_question_asked_twice(self) -> None:
        faults = faults_of(changed('name = "reversibility"', 'name = "severity"'))
        assert faults[0].en == "impact question 'severity' is asked twice"
        assert len(faults) == len(set(faults))

    def test_an_answer_that_is_there_twice(self) -> None:
        (fault,) = faults_of(changed('answer = "hours", points = 0', 'answer = "days", points = 0'))
        assert fault.en == "impact question 'time_to_intervene': the answer 'days' is there twice"

    def test_a_question_without_options(self) -> None:
        question = '[[impact.questions]]\nname = "mood"\nunanswered = "bad"\nen = "?"\nzh = "？"\noptions = []\n'
        (fault,) = faults_of(changed("[caps]\n", question + "[caps]\n"))
        assert fault.en == "impact question 'mood' has no options"

    def test_a_tier_that_begins_at_a_word(self) -> None:
        (fault,) = faults_of(changed("L3 = 9\n", 'L3 = "nine"\n'))
        assert "invalid literal for int() with base 10: 'nine'" in fault.en


class TestPermits:
    def test_no_days_at_all(self) -> None:
        (fault,) = faults_of(changed("longest_days = { L1 = 730, L2 = 365, L3 = 365, L4 = 180 }", NO_DAYS))
        assert fault.en == "permits.longest_days [730, 365, 365, 0] must be at least 1 and may not rise from L1 to L4"

    def test_a_graver_tier_that_may_run_longer(self) -> None:
        (fault,) = faults_of(changed("L3 = 365, L4 = 180 }", "L3 = 365, L4 = 999 }"))
        assert fault.en == "permits.longest_days [730, 365, 365, 999] must be at least 1 and may not rise from L1 to L4"

    @pytest.mark.parametrize("hours", ["-1", "nan"])
    def test_a_grace_that_is_no_time(self, hours: str) -> None:
        (fault,) = faults_of(changed("grace_hours = 24 ", f"grace_hours = {hours} "))
        assert fault.en == f"permits.grace_hours is {float(hours):g}; expected hours from 0 to 24"

    def test_a_decider_nobody_is(self) -> None:
        (fault,) = faults_of(changed('deciders = { L1 = ["dso"]', 'deciders = { L1 = ["boss"]'))
        assert fault.en.startswith("permits.deciders.L1: boss cannot decide; name one or more of ml_engineer, dso,")

    def test_nobody_to_decide(self) -> None:
        (fault,) = faults_of(changed('deciders = { L1 = ["dso"]', "deciders = { L1 = []"))
        assert fault.zh.startswith("permits.deciders.L1：空缺，应为 ml_engineer、dso、")

    def test_an_open_question_treated_in_an_unknown_way(self) -> None:
        (fault,) = faults_of(changed('inconclusive = { L1 = "note"', 'inconclusive = { L1 = "shrug"'))
        assert fault.en == "permits.inconclusive.L1 is 'shrug'; expected one of note, reason, blocks"


class TestCode:
    def test_no_rulebook_admits_it_at_the_gravest_tier(self) -> None:
        (fault,) = faults_of(changed('highest_tier = "L2"', 'highest_tier = "L4"'))
        assert (
            fault.en == "code.highest_tier is L4; no rulebook admits models that are code at L4, expected L1, L2 or L3"
        )

    @pytest.mark.parametrize("word", ['"false"', "1", '"yes"'])
    def test_only_true_is_yes(self, word: str) -> None:
        (fault,) = faults_of(changed("allow_code = false", f"allow_code = {word}"))
        assert "'code.allow_code' =" in fault.en and "(expected true or false)" in fault.en

    @pytest.mark.parametrize("tier", ['"L9"', "2"])
    def test_a_tier_that_is_none(self, tier: str) -> None:
        (fault,) = faults_of(changed('highest_tier = "L2"', f"highest_tier = {tier}"))
        assert fault.en.startswith("the rulebook lacks or misstates")

    def test_a_rulebook_that_says_nothing_admits_none(self) -> None:
        silent = changed("[code]\nallow_code = false", "[code]\nallow_code = false").decode()
        part = silent[silent.index("[code]") : silent.index("[reviews]")]
        book = read_rulebook(silent.replace(part, "").encode())
        assert not any(book.code.admits(tier) for tier in Tier)

    def test_up_to_its_tier(self) -> None:
        book = read_rulebook(changed("allow_code = false", "allow_code = true"))
        assert [book.code.admits(tier) for tier in Tier] == [True, True, False, False]


class TestReviews:
    def test_a_deadline_that_is_over_before_it_begins(self) -> None:
        (fault,) = faults_of(changed("answer_appeal_days = 15", "answer_appeal_days = 0"))
        assert fault.en == "reviews.answer_appeal_days is 0; a deadline is at least 1 day"
        assert fault.zh == "reviews.answer_appeal_days 为 0，期限至少 1 天"

    def test_a_grave_decision_that_may_wait_longer(self) -> None:
        (fault,) = faults_of(changed("L3 = 24, L4 = 4 }", "L3 = 24, L4 = 48 }"))
        assert fault.en.startswith("reviews.review_within_hours [168, 72, 24, 48] must be at least 1 and may not rise")

    def test_figures_about_two_people_speak_of_each(self) -> None:
        (fault,) = faults_of(changed("least_reviewers = 3", "least_reviewers = 2"))
        assert fault.en == "reviews.least_reviewers is 2; it is at least 3"

    def test_figures_a_rulebook_does_not_name_have_their_old_value(self) -> None:
        begin, end = "decide_by_person_days", "# ── Retention"
        text = read_rulebook().source.decode()
        older = text[: text.index(begin)] + text[text.index(end) :]
        assert read_rulebook(older.encode()).reviews == read_rulebook().reviews


class TestRetention:
    def test_a_ceiling_under_the_default(self) -> None:
        (fault,) = faults_of(changed("ceiling_days = { L1 = 400", "ceiling_days = { L1 = 185"))
        assert fault.en == "retention ceiling at L1 is 185 days, under the default of 190"
        assert fault.zh == "L1 的保存上限为 185 天，低于默认的 190 天"


class TestChecks:
    def test_a_limit_that_a_graver_tier_loosens(self) -> None:
        (fault,) = faults_of(changed("least_detection_rate = 0.70", "least_detection_rate = 0.10"))
        assert fault.en == (
            "checks.performance.L4.least_detection_rate is 0.1, laxer than 0.5 below it; "
            "a graver tier may only be stricter"
        )

    def test_a_ceiling_that_a_graver_tier_lifts(self) -> None:
        (fault,) = faults_of(changed("most_false_alarm_rate = 0.35", "most_false_alarm_rate = 0.90"))
        assert fault.en.startswith("checks.performance.L4.most_false_alarm_rate is 0.9, laxer than 0.4 below it")

    def test_a_section_that_is_no_table(self) -> None:
        (fault,) = faults_of(changed("[checks.purpose]", "[checks]\npurpose = 1\n[checks.nothing]"))
        assert fault.en == "checks.purpose must be a table, found 1"


class TestParts:
    def test_an_unknown_one(self) -> None:
        (fault,) = faults_of(changed("[checks.purpose]", "[astrology]\n[checks.purpose]"))
        assert fault.en.startswith("the rulebook has an unknown part 'astrology'; expected version, title, purposes,")

    def test_several_faults_are_told_at_once(self) -> None:
        raw = changed("total = 0.25", "total = 2").replace(b"width = 5.0", b"width = 0")
        assert len(faults_of(raw)) == 2


class TestFile:
    def test_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed, match=r"the rulebook '.*none\.toml' cannot be read: No such file or directory"):
            read_rulebook(tmp_path / "none.toml")


class TestDisclosures:
    def test_small_counts_are_never_published(self) -> None:
        (fault,) = faults_of(changed("least_cell = 11 ", "least_cell = 10 "))
        assert fault.en == "disclosures.least_cell is 10; counts under 11 are never published"
        assert fault.zh == "disclosures.least_cell 为 10，小于 11 的计数不得公布"

    @pytest.mark.parametrize("day", ["1-1", "02-30", "2026-01-01", "New Year"])
    def test_a_day_off_that_no_year_has(self, day: str) -> None:
        (fault,) = faults_of(changed('days_off = ["01-01"', f'days_off = ["{day}"'))
        assert fault.en == f"disclosures.days_off has '{day}'; write a day of the year as MM-DD"

    @pytest.mark.parametrize("psi", ["0.0", "-1", "nan"])
    def test_an_index_that_everything_or_nothing_passes(self, psi: str) -> None:
        (fault,) = faults_of(changed("moved_psi = 0.25              # population", f"moved_psi = {psi} # population"))
        assert fault.en == f"disclosures.moved_psi is {float(psi)}; it must be above 0"
