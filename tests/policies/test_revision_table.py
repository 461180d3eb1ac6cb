"""The revision table: each difference is told with what it means, who acts and by when; nothing else is."""

from __future__ import annotations

from datetime import date

import pytest

from policies.regulations import Pack, read_packs
from policies.revision_table import Change, Kind, pack_changes, rule_changes
from policies.revisions import differences
from policies.rulebook import read_rulebook
from tests.policies.packs import BOUND, a_pack

DAY = date(2026, 3, 2)


def change(old: Pack | None, new: Pack) -> Change:
    """The only change between two packs."""
    (found,) = pack_changes(old, new, DAY)
    assert found.means.zh
    return found


class TestPackChanges:
    @pytest.mark.parametrize("pack", read_packs(), ids=lambda pack: pack.id)
    def test_of_a_pack_to_itself_there_are_none(self, pack: Pack) -> None:
        assert pack_changes(pack, pack, DAY) == ()

    @pytest.mark.parametrize("pack", read_packs(), ids=lambda pack: pack.id)
    def test_of_a_first_pack_every_clause_is_new(self, pack: Pack) -> None:
        found = pack_changes(None, pack, DAY)
        assert [line.place for line in found] == [clause.id for clause in pack.clauses]
        assert {line.kind for line in found} == {Kind.ADDED}
        assert all(line.old is None and line.new is not None for line in found)

    def test_a_higher_floor_is_stricter(self) -> None:
        found = change(a_pack(), a_pack(BOUND.replace("184", "200")))
        assert (found.kind, found.means.en) == (
            Kind.STRICTER,
            "rule 'retention.default_days' must be at least 200 instead of at least 184",
        )
        assert found.rules == ("rule: retention.default_days",)

    def test_a_lower_floor_is_looser(self) -> None:
        assert change(a_pack(), a_pack(BOUND.replace("184", "100"))).kind is Kind.LOOSER

    @pytest.mark.parametrize(
        ("old", "new", "kind"),
        [
            ('log = "health", within_days = 9', 'log = "health", within_days = 2', Kind.STRICTER),
            ('log = "health", within_days = 2', 'log = "health", within_days = 9', Kind.LOOSER),
            ('log = "health"', 'log = "health", within_days = 9', Kind.STRICTER),
            ('log = "health", within_days = 9', 'log = "health"', Kind.LOOSER),
            ('rule = "caps.total", at_most = 0.3', 'rule = "caps.total", at_most = 0.2', Kind.STRICTER),
            ('log = "health"', 'log = "clock"', Kind.CHANGED),
        ],
    )
    def test_which_way_a_bound_moved(self, old: str, new: str, kind: Kind) -> None:
        assert change(a_pack(old), a_pack(new)).kind is kind

    def test_another_control_is_named(self) -> None:
        found = change(a_pack('log = "health"'), a_pack('log = "clock"'))
        assert found.means.en == "now also answered by log 'clock'; no longer answered by log 'health'"
        assert found.rules == ("log: health", "log: clock")

    def test_a_moved_date_is_told_and_due_on_that_day(self) -> None:
        later = a_pack(clause='asks_of = "admin"').source.replace(b"since = 2020-01-01", b"since = 2027-12-02")
        from policies.regulations import read_pack

        found = change(a_pack(), read_pack(later))
        assert found.means.en == "applies from 2027-12-02 instead of 2020-01-01 (in_force)"
        assert (found.who, found.by) == ("admin", date(2027, 12, 2))

    def test_a_change_in_force_is_due_within_the_packs_days(self) -> None:
        new = a_pack(BOUND.replace("184", "200"), pack="act_within_days = 10")
        assert change(a_pack(), new).by == date(2026, 3, 12)

    def test_a_clause_that_went_is_told(self) -> None:
        more = '[[clauses]]\nid = "2"\nsince = 2020-01-01\nen = "x"\nzh = "某"\n'
        more += 'answered_by = [{ log = "health", en = "x", zh = "某" }]'
        found = change(a_pack(more=more), a_pack())
        assert (found.place, found.kind, found.new) == ("2", Kind.REMOVED, None)

    @pytest.mark.parametrize(
        ("clause", "said"),
        [
            ("figures = { days = 3 }", "its figures changed"),
            ('tiers = ["L4"]', "it asks other models or other companies"),
            ('since_source = "secondary sources"', "only its wording or its source changed"),
        ],
    )
    def test_other_differences_are_told(self, clause: str, said: str) -> None:
        assert change(a_pack(), a_pack(clause=clause)).means.en == said

    def test_become_json(self) -> None:
        said = change(a_pack(), a_pack(BOUND.replace("184", "200"))).as_json()
        assert said["old"] == {"en": "Records stay. (from 2020-01-01)", "zh": "记录应当保存。（自 2020-01-01 起）"}


class TestRuleChanges:
    def test_are_the_differences_of_two_rulebooks_as_lines(self) -> None:
        book = read_rulebook()
        new = read_rulebook(
            book.source.replace(b"total = 0.25", b"total = 0.2").replace(b"grace_hours = 24", b"grace_hours = 12")
        )
        lines = rule_changes(differences(book, new), DAY)
        assert [(line.place, line.kind, line.by) for line in lines] == [
            ("caps.total", Kind.STRICTER, DAY),
            ("permits.grace_hours", Kind.STRICTER, DAY),
        ]
        assert lines[0].means.en == (
            "stricter: personal features may weigh another share; permits at work are held against it"
        )
        assert (lines[0].old, lines[0].new) != (None, None)

    def test_new_and_gone_rules_say_so(self) -> None:
        book = read_rulebook()
        more = book.source.replace(
            b"[purposes.refused.reward]",
            b'[purposes.refused.sale]\nen = "no"\nzh = "\xe4\xb8\x8d"\n[purposes.refused.reward]',
        )
        assert {line.kind for line in rule_changes(differences(book, read_rulebook(more)), DAY)} == {Kind.ADDED}
        assert {line.kind for line in rule_changes(differences(read_rulebook(more), book), DAY)} == {Kind.REMOVED}
