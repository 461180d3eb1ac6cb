"""The list as it is written: every scenario whole in both languages, and no way to take anything back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Malformed
from policies.negative_list import ColumnPattern, Loosened, NegativeList, Origin, is_said
from policies.probes import Kind
from policies.scenario_files import BUILT_IN, built_in_list, list_from_files, read_negative_list

WHOLE = """
format = 1
name = "boiler_hum"
owner = "plant-07"
title = { en = "hum of a boiler", zh = "锅炉嗡鸣" }
story = { en = "It hummed.", zh = "嗡嗡作响。" }
happened = { en = "Here.", zh = "本厂。" }
remedy = { en = "listen twice", zh = "听两遍" }
[pattern]
words = [["boiler", "锅炉"]]
[pattern.columns.sound]
names = ["noise*"]
[[probes]]
name = "hum_alone"
kind = "ripple"
on = "sound"
most = 0.05
measure = "alarms_raised"
share_of_sd = 0.3
"""
TIGHTER = """
format = 1
tightens = "stuck_sensor_read_as_calm"
owner = "plant-07"
why = { en = "it happened here", zh = "本厂发生过" }
[most]
stands_still = 0.2
"""


def files(**told: str) -> Mapping[str, bytes]:
    return {f"{name}.toml": text.encode() for name, text in told.items()}


def limit(known: NegativeList, scenario: str, probe: str) -> float:
    found = known.scenario(scenario)
    assert found is not None
    return next(one.most for one in found.probes if one.name == probe)


class TestBuiltIn:
    def test_holds_at_least_25_scenarios_and_every_kind_of_probe(self) -> None:
        scenarios = built_in_list().scenarios
        assert len(scenarios) >= 25
        assert {probe.kind for one in scenarios for probe in one.probes} == set(Kind)

    def test_names_are_those_of_the_files(self) -> None:
        assert {one.name for one in built_in_list().scenarios} == {path.stem for path in BUILT_IN.glob("*.toml")}

    @pytest.mark.parametrize("scenario", built_in_list().scenarios, ids=lambda one: str(one.name))
    def test_is_told_in_both_languages(self, scenario: object) -> None:
        for said in (scenario.title, scenario.story, scenario.happened, scenario.remedy):  # type: ignore[attr-defined]
            assert said.en
            assert any("一" <= letter <= "鿿" for letter in said.zh)

    def test_knows_the_failures_the_list_was_made_for(self) -> None:
        wanted = {
            *("welding_ripple_read_as_bearing_failure", "stirring_ripple_read_as_runaway", "night_shift_missed"),
            *("one_plant_size_in_training", "stuck_sensor_read_as_calm", "temperature_unit_mixup"),
            *("bypass_silences_the_model", "sensor_replaced", "label_by_later_outcome"),
        }
        assert wanted <= {one.name for one in built_in_list().scenarios}

    def test_same_list_same_digest(self) -> None:
        assert built_in_list().digest == read_negative_list(BUILT_IN).digest


class TestPattern:
    def test_a_name_is_met_where_a_word_begins(self) -> None:
        dust = ColumnPattern(names=("dust*",))
        assert dust.fits("coal_dust", None, False)
        assert dust.fits("CoalDust", None, False)
        assert not dust.fits("industry", None, False)

    def test_a_unit_will_do_where_the_name_says_nothing(self) -> None:
        assert ColumnPattern(names=("temp",), units=("degC",)).fits("T4711", "degC", False)

    def test_a_sensor_has_to_be_declared_one(self) -> None:
        assert not ColumnPattern(sensor=True).fits("gas", None, False)
        assert ColumnPattern(sensor=True).fits("gas", None, True)

    @given(st.text(max_size=12), st.text(max_size=12))
    def test_what_is_said_is_in_the_text(self, word: str, text: str) -> None:
        assert not is_said(word, text) or word.casefold() in text.casefold()


class TestReading:
    def test_an_own_scenario_joins_the_list(self) -> None:
        known = list_from_files(files(own=WHOLE), onto=built_in_list())
        added = known.scenario("boiler_hum")
        assert added is not None
        assert added.origin is Origin.OWN
        assert len(known.scenarios) == len(built_in_list().scenarios) + 1
        assert known.digest != built_in_list().digest

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ("format = 1", "format = 2", "a.toml: format must be 1, found 2"),
            (
                'name = "boiler_hum"',
                'name = "B"',
                "a.toml: name 'B' may hold small letters, digits and '_', 3 to 64 of",
            ),
            ('owner = "plant-07"', 'owner = " "', "a.toml: owner must be a text that is not empty"),
            (', zh = "听两遍"', "", "a.toml: remedy must be { en = …, zh = … }"),
            ("most = 0.05", "most = 5", "a.toml: probes.hum_alone.most must be a share in [0, 1], found 5"),
            ("most = 0.05\n", "", "a.toml: probes.hum_alone.most must be a share in [0, 1], found None"),
            (
                'kind = "ripple"',
                'kind = "magic"',
                "a.toml: probe 'hum_alone': kind 'magic' is not known; expected one of",
            ),
            ('on = "sound"', 'on = "light"', "a.toml: probe 'hum_alone' is done on 'light', which is none of"),
            ("share_of_sd = 0.3", "phase = 1", "a.toml: 'probes.hum_alone.phase' is not known; expected one of"),
            ("share_of_sd = 0.3\n", "", "a.toml: probe 'hum_alone': a probe of kind 'ripple' needs share_of_sd"),
            (
                'measure = "alarms_raised"',
                'measure = "mood"',
                "measure is 'mood'; expected alarms_raised or alarms_lost",
            ),
            ('names = ["noise*"]', "", "a.toml: pattern.columns.sound fits no column"),
            ("[[probes]]", "[probes]", "a.toml: at least one [[probes]] is needed"),
            ("[pattern]", "[pattern]\nmoon = 1", "a.toml: 'pattern.moon' is not known; expected one of"),
            ("words = ", 'tasks = ["poetry"]\nwords = ', "a.toml: pattern.tasks: 'poetry' is no task"),
            ("format = 1", "format = ", "a.toml: is not TOML in UTF-8"),
        ],
    )
    def test_every_fault_has_its_sentence(self, old: str, new: str, sentence: str) -> None:
        assert old in WHOLE
        with pytest.raises(Malformed) as wrong:
            list_from_files(files(a=WHOLE.replace(old, new, 1)))
        assert any(sentence in fault.en for fault in wrong.value.faults), [fault.en for fault in wrong.value.faults]
        assert all(fault.zh.startswith("a.toml：") for fault in wrong.value.faults)

    def test_all_faults_of_all_files_at_once(self) -> None:
        bad = WHOLE.replace("most = 0.05", "most = 2").replace('owner = "plant-07"', "")
        with pytest.raises(Malformed) as wrong:
            list_from_files(files(a=bad, b=bad))
        assert [fault.en[:6] for fault in wrong.value.faults] == ["a.toml", "a.toml", "b.toml", "b.toml"]

    def test_a_pattern_that_fits_everything_is_refused(self) -> None:
        text = (
            WHOLE[: WHOLE.index("words")]
            + '[[probes]]\nname = "x_y"\nkind = "judged_twice"\nmost = 0.1\nlabels = ["x"]\n'
        )
        with pytest.raises(Malformed, match="so it would apply to every model"):
            list_from_files(files(a=text))

    def test_a_regime_is_named_in_one_way(self) -> None:
        probe = 'kind = "errors_in_regime"\nerror = "missed"\nhours = [22, 6]\nabove = 3\n'
        text = WHOLE[: WHOLE.index('kind = "ripple"')] + probe + 'on = "sound"\nmost = 0.1\n'
        with pytest.raises(Malformed, match="by exactly one of hours, months"):
            list_from_files(files(a=text))

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed, match="is no folder; expected one that holds"):
            read_negative_list(tmp_path / "none")


class TestTightening:
    def test_lowers_a_limit(self) -> None:
        known = list_from_files(files(a=TIGHTER), onto=built_in_list())
        assert limit(known, "stuck_sensor_read_as_calm", "stands_still") == 0.2
        assert limit(built_in_list(), "stuck_sensor_read_as_calm", "stands_still") == 0.5

    def test_widens_names_and_words(self) -> None:
        text = TIGHTER.replace("stuck_sensor_read_as_calm", "stirring_ripple_read_as_runaway").replace(
            "[most]\nstands_still = 0.2", 'words = ["kettle"]\n[names]\nspeed = ["R7_N*"]'
        )
        found = list_from_files(files(a=text), onto=built_in_list()).scenario("stirring_ripple_read_as_runaway")
        assert found is not None
        assert found.pattern.columns["speed"].fits("R7_N1", None, False)
        assert found.pattern.speaks_of("kettle 7")
        assert found.tightened_by == ("plant-07",)

    def test_a_limit_never_rises(self) -> None:
        with pytest.raises(Loosened) as refused:
            list_from_files(files(a=TIGHTER.replace("0.2", "0.6")), onto=built_in_list())
        assert refused.value.says.en == (
            "'stuck_sensor_read_as_calm': the limit of 'stands_still' would rise from 0.5 to 0.6; "
            "an inherited limit may only be lowered"
        )

    def test_an_inherited_name_cannot_be_taken_over(self) -> None:
        text = WHOLE.replace("boiler_hum", "stuck_sensor_read_as_calm")
        with pytest.raises(Malformed, match="'stuck_sensor_read_as_calm' is on the list already; tighten it with"):
            list_from_files(files(a=text), onto=built_in_list())

    def test_what_is_not_there_cannot_be_tightened(self) -> None:
        with pytest.raises(Loosened, match="'sunspots' is not on the inherited negative list"):
            list_from_files(files(a=TIGHTER.replace("stuck_sensor_read_as_calm", "sunspots")), onto=built_in_list())

    def test_an_unknown_probe_is_named(self) -> None:
        with pytest.raises(Loosened, match="has no probe 'stands_up'; it has stands_still"):
            list_from_files(files(a=TIGHTER.replace("stands_still", "stands_up")), onto=built_in_list())

    def test_one_that_tightens_nothing(self) -> None:
        with pytest.raises(Malformed, match="it tightens nothing"):
            list_from_files(files(a=TIGHTER.replace("[most]\nstands_still = 0.2", "")), onto=built_in_list())

    @given(
        st.dictionaries(st.sampled_from([one.name for one in built_in_list().scenarios]), st.floats(0, 1), max_size=4)
    )
    def test_whatever_is_laid_on_top_nothing_is_lost(self, wishes: dict[str, float]) -> None:
        told = {}
        for name, wish in wishes.items():
            probe = built_in_list().scenario(name).probes[0].name  # type: ignore[union-attr]
            text = TIGHTER.replace("stuck_sensor_read_as_calm", name).replace(
                "stands_still = 0.2", f"{probe} = {wish!r}"
            )
            told[f"t_{name}"] = text
        try:
            known = list_from_files(files(**told), onto=built_in_list())
        except Loosened:
            assert any(wish > built_in_list().scenario(name).probes[0].most for name, wish in wishes.items())  # type: ignore[union-attr]
            return
        for old in built_in_list().scenarios:
            new = known.scenario(old.name)
            assert new is not None
            assert all(now.most <= before.most for now, before in zip(new.probes, old.probes, strict=True))
