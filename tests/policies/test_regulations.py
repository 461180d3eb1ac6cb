"""Packs are read whole or refused with every fault; the built-in ones say everything in both languages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Malformed, Sentence
from policies.regulations import BUILT_IN, Clause, Origin, Pack, Standing, clause_json, read_pack, read_packs
from tests.policies.packs import a_pack, a_pack_text

PACKS = read_packs()
CLAUSES = [(pack, clause) for pack in PACKS for clause in pack.clauses]
HALF_WIDTH = re.compile(r"[一-鿿][,;:?!]|[,;:?!][一-鿿]")


def sentences(pack: Pack) -> list[Sentence]:
    """Every sentence of a pack."""
    said = [pack.title, pack.citation, *([pack.note] if pack.note else []), *(asked.asks for asked in pack.questions)]
    for clause in pack.clauses:
        said += [clause.says, *(measure.says for measure in clause.measures)]
    return said


def refused(text: str) -> list[str]:
    """The English faults of a pack that cannot be read."""
    with pytest.raises(Malformed) as wrong:
        read_pack(text.encode(), "law.toml")
    assert all(fault.zh and fault.zh != fault.en for fault in wrong.value.faults)
    return [fault.en for fault in wrong.value.faults]


class TestBuiltIn:
    def test_cover_at_least_eight_laws_four_of_them_chinese(self) -> None:
        assert len(PACKS) >= 8
        assert sum(pack.jurisdiction == "CN" for pack in PACKS) >= 4

    def test_have_a_file_each(self) -> None:
        assert len(PACKS) == len(list(BUILT_IN.glob("*.toml")))

    def test_hold_the_laws_the_house_is_built_for(self) -> None:
        assert {pack.id for pack in PACKS} >= {
            *("cn-pipl", "cn-cybersecurity-law", "cn-work-safety", "cn-electronic-evidence", "cn-algorithm-provisions"),
            *("eu-ai-act", "eu-gdpr", "us-nyc-ll144", "us-nist-ai-rmf", "us-sr-26-2"),
        }

    def test_one_is_supplied_by_the_operator_and_says_so(self) -> None:
        assert [pack.id for pack in PACKS if pack.origin is Origin.SUPPLIED] == ["cn-2026-transparency"]

    @pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.id)
    def test_say_everything_in_both_languages(self, pack: Pack) -> None:
        for said in sentences(pack):
            assert re.search("[一-鿿]", said.zh), said
            assert not re.search("[一-鿿]", said.en), said
            assert not HALF_WIDTH.search(said.zh), said

    @pytest.mark.parametrize("pack", [p for p in PACKS if p.origin is Origin.IDENTIFIERS], ids=lambda pack: pack.id)
    def test_hold_one_short_line_of_ours_where_the_text_is_protected(self, pack: Pack) -> None:
        assert all(len(clause.says.en) <= 120 and len(clause.says.zh) <= 60 for clause in pack.clauses)

    @pytest.mark.parametrize(("pack", "clause"), CLAUSES, ids=[f"{p.id} {c.id}" for p, c in CLAUSES])
    def test_say_where_each_date_is_known_from(self, pack: Pack, clause: Clause) -> None:
        assert clause.since_source in (
            "not compared with the official text",
            "secondary sources",
            "operator",
            "year of the edition",
        )
        assert clause.since.year >= 1978

    def test_ask_for_scope_before_the_algorithm_provisions(self) -> None:
        pack = next(pack for pack in PACKS if pack.id == "cn-algorithm-provisions")
        assert all(clause.scope is not None for clause in pack.clauses)

    def test_hold_dates_and_figures_as_data(self) -> None:
        act = next(pack for pack in PACKS if pack.id == "eu-ai-act")
        assert act.clause("73").figures["critical_infrastructure_days"] == 2
        assert act.clause("12").since.isoformat() == "2027-12-02"
        assert act.clause("12").since_source == "secondary sources"

    def test_carry_the_digest_of_their_bytes(self) -> None:
        assert a_pack().digest != a_pack(clause='asks_of = "admin"').digest

    def test_become_json(self) -> None:
        for pack in PACKS:
            assert len(pack.as_json()["clauses"]) == len(pack.clauses)  # type: ignore[arg-type]


class TestCompanyFolder:
    def test_adds_a_pack(self, tmp_path: Path) -> None:
        (tmp_path / "own.toml").write_text(a_pack_text(), encoding="utf-8")
        assert [pack.id for pack in read_packs(tmp_path) if pack not in PACKS] == ["test-law"]

    def test_takes_the_place_of_a_built_in_one(self, tmp_path: Path) -> None:
        own = a_pack_text().replace('id = "test-law"', 'id = "cn-2026-transparency"')
        (tmp_path / "own.toml").write_text(own, encoding="utf-8")
        packs = read_packs(tmp_path)
        assert len(packs) == len(PACKS)
        assert next(pack for pack in packs if pack.id == "cn-2026-transparency").version == "1"

    def test_that_is_away_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed, match=r"the folder of regulation packs '.*gone' is not there"):
            read_packs(tmp_path / "gone")

    def test_faults_of_all_files_are_told_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "a.toml").write_text("= 1", encoding="utf-8")
        (tmp_path / "b.toml").write_text(a_pack_text(pack="colour = 1"), encoding="utf-8")
        with pytest.raises(Malformed) as wrong:
            read_packs(tmp_path)
        assert [fault.en.partition(":")[0] for fault in wrong.value.faults] == ["a.toml is not valid TOML", "b.toml"]


class TestFaults:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("format = 1", "format = 2", "law.toml: format is 2; expected 1"),
            ('id = "test-law"', "", "law.toml: id is None; expected a text that is not empty"),
            ("written = 2026-01-01", 'written = "soon"', "law.toml: written is 'soon'; expected a date"),
            (
                'source = "public"',
                'source = "hearsay"',
                "law.toml: source is 'hearsay'; expected one of public, identifiers, supplied",
            ),
            ('zh = "测试法"', 'zh = " "', "law.toml: title.zh is ' '; expected a text that is not empty"),
            ("since = 2020-01-01", "", "law.toml: clauses[1].since is None; expected a date"),
            (
                "since = 2020-01-01",
                "since = 2020-01-01\nuntil = 2019-01-01",
                "law.toml: clauses[1].until is datetime.date(2019, 1, 1); expected after 2020-01-01",
            ),
            (
                "since = 2020-01-01",
                'since = 2020-01-01\nscope = "there"',
                "law.toml: clauses '1' scope is 'there'; expected one of ['here']",
            ),
            (
                "since = 2020-01-01",
                'since = 2020-01-01\ntiers = ["L9"]',
                "law.toml: clauses[1].tiers is ['L9']; expected tiers of L1, L2, L3, L4",
            ),
            (
                "since = 2020-01-01",
                "since = 2020-01-01\nfigures = { days = true }",
                "law.toml: clauses[1].figures.days is True; expected a number or a text",
            ),
            (
                "since = 2020-01-01",
                'since = 2020-01-01\nwhen = { persons = "none" }',
                "law.toml: clauses[1].when.persons is 'none'; expected a list of answers",
            ),
            (
                "since = 2020-01-01",
                'since = 2020-01-01\nstatus = "dead"',
                "law.toml: clauses[1].status is 'dead'; expected one of in_force, announced, repealed, voluntary",
            ),
            (
                "at_least = 184",
                'at_least = "many"',
                "law.toml: clauses[1].answered_by[1].at_least is 'many'; expected a number",
            ),
            (
                "at_least = 184",
                "within_days = 1.5",
                "law.toml: clauses[1].answered_by[1].within_days is 1.5; expected a whole number of days",
            ),
            (
                'rule = "retention.default_days"',
                'rule = "x", log = "health"',
                "law.toml: clauses[1].answered_by[1] is ['at_least', 'en', 'log', 'rule', 'zh']; expected exactly one "
                "of check, rule, log, declared, route, setting, anchor, document, outside",
            ),
        ],
    )
    def test_are_told(self, old: str, new: str, said: str) -> None:
        assert old in a_pack_text()
        assert said in refused(a_pack_text().replace(old, new))

    def test_two_clauses_of_one_id(self) -> None:
        again = a_pack_text().partition("[[clauses]]")[2]
        assert "law.toml: clauses is '1'; expected each once" in refused(a_pack_text(more=f"[[clauses]]{again}"))

    def test_a_clause_that_nothing_answers(self) -> None:
        text = re.sub(r"answered_by = .*", "answered_by = []", a_pack_text())
        assert refused(text) == ["law.toml: clauses[1].answered_by is []; expected at least one measure"]

    def test_a_pack_without_clauses(self) -> None:
        text = a_pack_text().partition("[[clauses]]")[0]
        assert refused(text) == ["law.toml: clauses is 'none'; expected at least one"]

    def test_an_unknown_key(self) -> None:
        assert "law.toml: 'clauses[1].colour' is not known" in refused(a_pack_text(clause="colour = 1"))[0]

    def test_what_is_no_toml(self) -> None:
        assert refused("a = = 1")[0].startswith("law.toml is not valid TOML")

    def test_a_file_that_is_away(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed, match=r"gone\.toml cannot be read: No such file"):
            read_pack(tmp_path / "gone.toml")

    @given(st.data())
    def test_whatever_stands_in_a_key_it_is_read_or_refused(self, data: st.DataObject) -> None:
        document = tomllib.loads(a_pack_text())
        tables: list[dict[str, Any]] = [document, document["clauses"][0], document["clauses"][0]["answered_by"][0]]
        table = data.draw(st.sampled_from(tables))
        key = data.draw(st.sampled_from([*table, "since", "when", "figures", "flag", "scope", "within_days"]))
        table[key] = data.draw(ANYTHING)
        try:
            pack = read_pack(written(document).encode(), "law.toml")
        except Malformed:
            return
        assert [clause_json(clause)["id"] for clause in pack.clauses]


ANYTHING = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 400), st.text("ab1-", max_size=3), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("xy"), inner, max_size=2)),
    max_leaves=3,
)


def written(value: Any) -> str:
    """Write a document as TOML, tables inline."""

    def inline(item: Any) -> str:
        if isinstance(item, bool):
            return str(item).lower()
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{key} = {inline(each)}" for key, each in item.items()) + " }"
        if isinstance(item, list):
            return "[" + ", ".join(map(inline, item)) + "]"
        if isinstance(item, str):
            return '"' + item + '"'
        return str(item)

    return "\n".join(f"{key} = {inline(item)}" for key, item in value.items())


class TestStanding:
    def test_has_a_word_for_every_state_of_a_text(self) -> None:
        assert {clause.standing for _, clause in CLAUSES} <= set(Standing)
