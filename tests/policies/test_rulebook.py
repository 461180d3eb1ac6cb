"""A rulebook is one value with a digest; a wrong one is refused with the sentence that mends it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Malformed, Sentence
from policies.feature_caps import OnExceed
from policies.rulebook import BUILT_IN, read_rulebook
from policies.tiers import Tier

TEXT = BUILT_IN.read_text(encoding="utf-8")
RAW = TEXT.encode("utf-8")
HEADINGS = [number for number, line in enumerate(TEXT.splitlines()) if line.startswith("[")]


def changed(old: str, new: str) -> bytes:
    """Return the built-in rulebook with one place changed; the place must exist exactly once."""
    assert TEXT.count(old) == 1, f"{old!r} is there {TEXT.count(old)} times"
    return TEXT.replace(old, new).encode("utf-8")


def faults_of(raw: bytes) -> tuple[Sentence, ...]:
    """Return everything that is said against a rulebook."""
    with pytest.raises(Malformed) as refused:
        read_rulebook(raw)
    return refused.value.faults


class TestBuiltIn:
    def test_is_valid(self) -> None:
        assert read_rulebook().version == "2026.1"

    def test_has_a_title_in_both_languages(self) -> None:
        assert read_rulebook().title == Sentence(en="Mingjing base rulebook", zh="明镜基础规则")

    def test_clips_above_the_cap(self) -> None:
        caps = read_rulebook().caps
        assert (caps.on_exceed, caps.total) == (OnExceed.CLIP, 0.25)

    def test_has_rules_for_every_tier(self) -> None:
        book = read_rulebook()
        assert set(book.permits.longest_days) == set(Tier)
        assert set(book.permits.deciders) == set(Tier)
        assert set(book.permits.inconclusive) == set(Tier)
        assert set(book.retention.ceiling_days) == set(Tier)

    def test_the_gravest_tier_needs_two_people_and_no_open_question(self) -> None:
        permits = read_rulebook().permits
        assert permits.deciders[Tier.L4] == ("dso", "committee")
        assert permits.inconclusive[Tier.L4] == "blocks"

    def test_keeps_traces_no_longer_than_its_ceilings(self) -> None:
        retention = read_rulebook().retention
        assert retention.floor_days <= retention.default_days <= min(retention.ceiling_days.values())

    def test_cannot_be_changed_in_place(self) -> None:
        book = read_rulebook()
        with pytest.raises(dataclasses.FrozenInstanceError):
            book.version = "2027.1"  # type: ignore[misc]
        with pytest.raises(TypeError):
            book.checks["performance"] = {}  # type: ignore[index]


class TestDigest:
    def test_is_the_sha256_of_the_bytes(self) -> None:
        assert read_rulebook(RAW).digest == hashlib.sha256(RAW).hexdigest()

    def test_is_the_same_from_file_and_from_bytes(self, tmp_path: Path) -> None:
        file = tmp_path / "company.toml"
        file.write_bytes(RAW)
        assert read_rulebook(file).digest == read_rulebook(RAW).digest

    def test_the_bytes_are_kept(self) -> None:
        assert read_rulebook(RAW).source == RAW

    @given(st.sampled_from(HEADINGS), st.sampled_from(["\n", "# another word\n", " \n"]))
    def test_changes_with_what_means_nothing(self, line: int, addition: str) -> None:
        lines = TEXT.splitlines(keepends=True)
        other = read_rulebook("".join([*lines[:line], addition, *lines[line:]]).encode("utf-8"))
        book = read_rulebook()
        assert other.digest != book.digest
        assert dataclasses.replace(other, digest=book.digest, source=book.source) == book

    def test_changes_with_one_figure(self) -> None:
        assert read_rulebook(changed("total = 0.25", "total = 0.26")).digest != read_rulebook(RAW).digest


class TestLimits:
    def test_hold_for_every_tier_unless_one_says_otherwise(self) -> None:
        book = read_rulebook()
        assert book.limits("performance", Tier.L1)["least_rows"] == book.limits("performance", Tier.L4)["least_rows"]

    def test_of_a_tier_hold_above_it_too(self) -> None:
        raw = changed("[checks.robustness.L4]", "[checks.robustness.L2]")
        book = read_rulebook(raw)
        at = {tier: book.limits("robustness", tier)["most_verdicts_changed_by_noise"] for tier in Tier}
        assert at == {Tier.L1: 0.10, Tier.L2: 0.05, Tier.L3: 0.05, Tier.L4: 0.05}

    def test_never_hold_below_it(self) -> None:
        book = read_rulebook()
        at = [book.limits("performance", tier)["least_detection_rate"] for tier in Tier]
        assert at == sorted(at)
        assert at[0] < at[-1]

    def test_hold_no_tables_of_tiers(self) -> None:
        for check in read_rulebook().checks:
            for tier in Tier:
                assert not set(read_rulebook().limits(check, tier)) & set(Tier.__members__)

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(TypeError):
            read_rulebook().limits("performance", Tier.L1)["least_rows"] = 0  # type: ignore[index]

    def test_of_an_unknown_check_do_not_exist(self) -> None:
        with pytest.raises(KeyError, match="astrology"):
            read_rulebook().limits("astrology", Tier.L1)


class TestNotTOML:
    def test_broken_line(self) -> None:
        (fault,) = faults_of(b"version = \n")
        assert fault.en == "the rulebook is not valid TOML: Invalid value (at line 1, column 11)"
        assert fault.zh == "规则文件不是合法的 TOML：Invalid value (at line 1, column 11)"

    def test_not_utf_8(self) -> None:
        (fault,) = faults_of(TEXT.encode("gbk", errors="ignore"))
        assert fault.en.startswith("the rulebook is not valid TOML: 'utf-8' codec can't decode byte")

    def test_empty(self) -> None:
        (fault,) = faults_of(b"")
        assert fault.en == "the rulebook lacks or misstates 'purposes'; compare it with policies/rules/rulebook.toml"
        assert fault.zh == "规则文件缺少或写错了 'purposes'，请对照 policies/rules/rulebook.toml"


class TestMissingParts:
    @pytest.mark.parametrize(
        "part",
        ["purposes", "impact", "caps", "deidentification", "permits", "reviews", "retention", "disclosures", "checks"],
    )
    def test_each_is_named(self, part: str) -> None:
        raw = TEXT.replace(f"[{part}", f"[no_{part}").encode("utf-8")
        (fault,) = faults_of(raw)
        assert fault.en == f"the rulebook lacks or misstates '{part}'; compare it with policies/rules/rulebook.toml"

    def test_a_tier_without_a_figure_is_named(self) -> None:
        (fault,) = faults_of(changed("longest_days = { L1 = 730, L2 = 365,", "longest_days = { L1 = 730,"))
        assert fault.en == "the rulebook lacks or misstates 'L2'; compare it with policies/rules/rulebook.toml"

    def test_a_sentence_without_its_chinese_half(self) -> None:
        (fault,) = faults_of(changed('zh = "明镜基础规则"', ""))
        assert fault.en == "the rulebook lacks or misstates 'zh'; compare it with policies/rules/rulebook.toml"

    def test_a_word_where_a_number_belongs(self) -> None:
        (fault,) = faults_of(changed("grace_hours = 24 ", 'grace_hours = "long" '))
        assert "could not convert string to float: 'long'" in fault.en

    def test_an_unknown_consequence(self) -> None:
        (fault,) = faults_of(changed('on_exceed = "clip" ', 'on_exceed = "shrug" '))
        assert "'shrug' is not a valid OnExceed" in fault.en

    def test_an_unknown_tier_of_a_floor(self) -> None:
        (fault,) = faults_of(TEXT.replace('tier = "L4"', 'tier = "L5"').encode("utf-8"))
        assert fault.en == "the rulebook lacks or misstates 'L5'; compare it with policies/rules/rulebook.toml"

    def test_an_unknown_key_of_the_reviews(self) -> None:
        (fault,) = faults_of(changed("appeal_within_days = 30", "appeal_within_days = 30\nshout = 1"))
        assert "unexpected keyword argument 'shout'" in fault.en


class TestImpactFaults:
    def test_points_that_fall(self) -> None:
        (fault,) = faults_of(changed('answer = "serious_injury", points = 4', 'answer = "serious_injury", points = 2'))
        assert fault.en == "impact question 'severity': points [0, 1, 3, 2, 6] must not fall from mild to grave"
        assert fault.zh == "影响评估问题“severity”：分值 [0, 1, 3, 2, 6] 从轻到重不得下降"

    def test_points_below_zero(self) -> None:
        (fault,) = faults_of(changed('answer = "easy", points = 0', 'answer = "easy", points = -1'))
        assert fault.en == "impact question 'reversibility': points [-1, 1, 3] must not fall from mild to grave"

    def test_unanswered_that_is_no_answer(self) -> None:
        (fault,) = faults_of(changed('unanswered = "hard"', 'unanswered = "perhaps"'))
        assert fault.en == "impact question 'reversibility': unanswered = 'perhaps' is not an option"
        assert fault.zh == "影响评估问题“reversibility”：unanswered = “perhaps”不在选项中"

    def test_tiers_that_do_not_rise(self) -> None:
        (fault,) = faults_of(changed("L3 = 9\n", "L3 = 3\n"))
        assert fault.en == "impact.tier_from [0, 4, 3, 15] must rise from 0 at L1"
        assert fault.zh == "impact.tier_from [0, 4, 3, 15] 应从 L1 的 0 递增"

    def test_a_lowest_tier_that_not_everyone_reaches(self) -> None:
        (fault,) = faults_of(changed("L1 = 0\n", "L1 = 1\n"))
        assert fault.en == "impact.tier_from [1, 4, 9, 15] must rise from 0 at L1"

    def test_a_floor_on_an_unknown_question(self) -> None:
        (fault,) = faults_of(changed('when = { persons = "sensitive" }', 'when = { moon = "full" }'))
        assert fault.en == "impact floor: 'moon = full' is not an answer of this matrix"
        assert fault.zh == "影响评估底线：“moon = full”不是本矩阵的回答"

    def test_a_floor_on_an_unknown_answer(self) -> None:
        (fault,) = faults_of(changed('when = { persons = "sensitive" }', 'when = { persons = "famous" }'))
        assert fault.en == "impact floor: 'persons = famous' is not an answer of this matrix"


class TestRetentionFaults:
    def test_floor_under_the_law(self) -> None:
        (fault,) = faults_of(changed("floor_days = 180", "floor_days = 90"))
        assert fault.en == ("retention floor 90 days, 6 months: it may not be under 180 days and 6 calendar months")
        assert fault.zh == "保存下限为 90 天、6 个月，不得低于 180 天及 6 个日历月"

    def test_months_under_the_law(self) -> None:
        (fault,) = faults_of(changed("floor_months = 6 ", "floor_months = 5 "))
        assert fault.en == ("retention floor 180 days, 5 months: it may not be under 180 days and 6 calendar months")

    def test_default_under_the_floor(self) -> None:
        (fault,) = faults_of(changed("default_days = 190", "default_days = 170"))
        assert fault.en == "retention default 170 days is under its floor 180"
        assert fault.zh == "默认保存 170 天，低于下限 180 天"

    def test_impact_and_retention_are_told_together(self) -> None:
        raw = changed("floor_days = 180", "floor_days = 90").replace(b"L1 = 0\n", b"L1 = 1\n")
        assert len(faults_of(raw)) == 2


class TestGrace:
    def test_is_never_above_a_day(self) -> None:
        assert read_rulebook(changed("grace_hours = 24 ", "grace_hours = 100 ")).permits.grace_hours == 24.0
