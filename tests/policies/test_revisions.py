"""What differs between two rulebooks is found, all of it, and it is said whether it became stricter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.revisions import Difference, Direction, differences
from policies.rulebook import read_rulebook

BOOK = read_rulebook()
TEXT = BOOK.source.decode()
STRICTER, LAXER, OTHER = Direction.STRICTER, Direction.LAXER, Direction.OTHER
OPPOSITE = {STRICTER: LAXER, LAXER: STRICTER, OTHER: OTHER}

CHANGES = [
    ("total = 0.25", "total = 0.2", "caps.total", STRICTER),
    ("allow_code = false", "allow_code = true", "code.allow_code", LAXER),
    ('highest_tier = "L2"', 'highest_tier = "L1"', "code.highest_tier", STRICTER),
    ('"年龄", "工龄段"]\ncap = 0.10', '"年龄", "工龄段"]\ncap = 0.2', "caps.features.age.cap", LAXER),
    (
        "least_detection_rate = 0.50",
        "least_detection_rate = 0.6",
        "checks.performance.L3.least_detection_rate",
        STRICTER,
    ),
    ("most_drift = 0.80", "most_drift = 0.85", "checks.coverage.L4.most_drift", LAXER),
    ("L3 = 365, L4 = 180", "L3 = 300, L4 = 180", "permits.longest_days.L3", STRICTER),
    ("grace_hours = 24", "grace_hours = 12", "permits.grace_hours", STRICTER),
    ('L2 = ["dso"], L3', 'L2 = ["dso", "committee"], L3', "permits.deciders.L2", STRICTER),
    ('blocking = ["artifact_safety", ', "blocking = [", "permits.blocking", LAXER),
    ('L3 = "reason", L4 = "blocks"', 'L3 = "blocks", L4 = "blocks"', "permits.inconclusive.L3", STRICTER),
    (
        'severity = "fatality" }\ntier = "L3"',
        'severity = "fatality" }\ntier = "L4"',
        "impact.floors.severity=fatality.tier",
        STRICTER,
    ),
    ("L2 = 4\n", "L2 = 5\n", "impact.tier_from.L2", LAXER),
    (
        'answer = "hard", points = 1',
        'answer = "hard", points = 2',
        "impact.questions.reversibility.options.hard.points",
        STRICTER,
    ),
    ('"full_name", ', "", "deidentification.forbidden", LAXER),
    ("width = 5.0", "width = 10.0", "deidentification.bands.birth_year.width", STRICTER),
    ("appeal_within_days = 30", "appeal_within_days = 20", "reviews.appeal_within_days", LAXER),
    ("answer_appeal_days = 15", "answer_appeal_days = 10", "reviews.answer_appeal_days", STRICTER),
    ('on_exceed = "clip"  ', 'on_exceed = "hand_over"  ', "caps.on_exceed", OTHER),
    ("too_good_auc = 0.995", "too_good_auc = 0.99", "checks.leakage.too_good_auc", OTHER),
    ('en = "Mingjing base rulebook"', 'en = "Ours"', "title.en", OTHER),
    ('"lightgbm-text", ', "", "checks.artifact_safety.formats", STRICTER),
]


def between(old: str, new: str) -> tuple[Difference, ...]:
    """What differs once a part of the built-in rulebook is written otherwise."""
    assert old in TEXT, old
    return differences(BOOK, read_rulebook(TEXT.replace(old, new, 1).encode()))


class TestDifferences:
    @pytest.mark.parametrize(("old", "new", "path", "direction"), CHANGES, ids=[case[2] for case in CHANGES])
    def test_are_found_where_they_are(self, old: str, new: str, path: str, direction: Direction) -> None:
        (found,) = between(old, new)
        assert (found.path, found.direction) == (path, direction)

    @given(st.lists(st.sampled_from(CHANGES), unique_by=lambda case: case[2]))
    def test_are_all_found_and_turn_around_with_the_rulebooks(
        self, cases: list[tuple[str, str, str, Direction]]
    ) -> None:
        text = TEXT
        for old, new, _, _ in cases:
            text = text.replace(old, new, 1)
        other = read_rulebook(text.encode())
        there, back = differences(BOOK, other), differences(other, BOOK)
        assert {one.path for one in there} == {case[2] for case in cases}
        assert [one.path for one in there] == [one.path for one in back] == sorted(one.path for one in there)
        for one, again in zip(there, back, strict=True):
            assert (again.old, again.new, again.direction) == (one.new, one.old, OPPOSITE[one.direction])

    def test_of_comments_and_order_are_none(self) -> None:
        assert between("grace_hours = 24 ", "# a word\ngrace_hours = 24 ") == ()
        assert differences(BOOK, BOOK) == ()

    def test_a_purpose_that_is_gone_is_stricter_and_a_new_floor_too(self) -> None:
        purpose = '[purposes.allowed.drill]\nen = "a drill"\nzh = "演练"\n[purposes.refused.reward]'
        assert {one.direction for one in between("[purposes.refused.reward]", purpose)} == {LAXER}
        floor = (
            '[[impact.floors]]\nwhen = { severity = "property" }\ntier = "L2"\nen = "x"\nzh = "x"\n\n'
            "# ── Caps on what personal"
        )
        assert {one.direction for one in between("# ── Caps on what personal", floor)} == {STRICTER}

    def test_say_what_became_what(self) -> None:
        (found,) = between("total = 0.25", "total = 0.2")
        assert found.says().en == "caps.total: 0.25 becomes 0.2 (stricter)"
        assert found.says().zh == "caps.total：由 0.25 改为 0.2（更严格）"
        (found,) = between('"full_name", ', "")
        assert found.says().en.startswith(
            "deidentification.forbidden: [name, full_name, worker_name, employee_name, surname, id_card*, … "
        )
