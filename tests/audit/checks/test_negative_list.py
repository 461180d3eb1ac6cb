from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.checks.negative_list import NegativeListCheck, try_probe
from audit.checks.probes.matching import Match, match_of
from audit.checks.probes.measured import Measured
from audit.checks.probes.regimes import rows_of_regime
from policies.errors import Sentence
from policies.negative_list import NegativeList, Probe, Scenario
from policies.scenario_files import built_in_list
from tests.audit.checks.factories import of_predictions
from tests.audit.checks.known_failures import examined_of

TRIALS = [(one, probe) for one in built_in_list().scenarios for probe in one.probes]


@pytest.mark.parametrize(("scenario", "probe"), TRIALS, ids=[f"{one.name}-{probe.name}" for one, probe in TRIALS])
class TestEveryScenario:
    def test_is_found_where_it_was_planted(self, scenario: Scenario, probe: Probe) -> None:
        examined = examined_of(scenario, probe, planted=True)
        match = match_of(scenario, examined)
        assert isinstance(match, Match), match
        tried = try_probe(probe, match, examined)
        assert tried.holds is False, tried.says.en
        failed = [one for one in NegativeListCheck().run(examined, {}) if one.holds is False]
        told = next(one for one in failed if one.evidence["scenario"] == scenario.name)
        assert scenario.title.en in told.says.en and scenario.remedy.zh in told.says.zh
        assert told.measured is not None and told.limit is not None and told.measured > told.limit

    def test_leaves_a_clean_model_alone(self, scenario: Scenario, probe: Probe) -> None:
        examined = examined_of(scenario, probe, planted=False)
        match = match_of(scenario, examined)
        if isinstance(match, Match):  # a model that does not read the column at all is no case
            tried = try_probe(probe, match, examined)
            assert tried.holds is True, tried.says.en
            assert isinstance(tried.answer, Measured)


class TestWhatItSays:
    def test_the_last_finding_names_what_held_and_the_list(self) -> None:
        scenario, probe = TRIALS[0]
        last = NegativeListCheck().run(examined_of(scenario, probe, planted=False), {})[-1]
        assert last.holds is True and last.n == len(built_in_list().scenarios)
        assert last.evidence["list_digest"] == built_in_list().digest
        assert {line["scenario"] for line in last.groups if line["applies"] is False} < {
            one.name for one in built_in_list().scenarios
        }

    def test_no_scenario_fits_bare_predictions(self) -> None:
        found = NegativeListCheck().run(of_predictions([0, 1] * 50, [0.2, 0.8] * 50), {})
        n = len(built_in_list().scenarios)
        assert [one.says.en for one in found] == [f"none of the {n} known failures fits this model"]
        assert found[0].holds is True

    def test_predictions_that_fit_cannot_conclude(self) -> None:
        examined = of_predictions(
            [0, 1] * 50, [0.2, 0.8] * 50, {"stir_speed": np.arange(100.0)}, description="thermal runaway of a reactor"
        )
        found = {str(one.evidence.get("scenario")): one for one in NegativeListCheck().run(examined, {})}
        told = found["stirring_ripple_read_as_runaway"]
        assert told.holds is None and told.measured is None
        assert told.says.en == (
            "known failure 'ripple of the stirring speed read as a thermal runaway': cannot conclude: the model was "
            "not handed in, so nothing can be fed to it; hand in the model"
        )

    def test_an_interval_across_the_limit_cannot_conclude(self) -> None:
        hours = np.tile([23.0, 12.0], 60)
        truth = np.ones(120)
        truth[100:] = 0
        scores = np.where((hours > 20) & (np.arange(120) % 5 == 0), 0.1, 0.9)
        found = NegativeListCheck().run(of_predictions(truth, scores, {"hour": hours}), {})
        told = next(one for one in found if one.evidence.get("scenario") == "night_shift_missed")
        assert (
            told.holds is None
            and "the interval reaches across it: cannot conclude, more rows are needed" in told.says.en
        )

    def test_a_model_that_does_not_read_the_column_is_no_case(self) -> None:
        scenario = next(one for one in built_in_list().scenarios if one.name == "clock_decides")
        examined = examined_of(built_in_list().scenarios[0], built_in_list().scenarios[0].probes[0], planted=False)
        examined = replace(examined, evaluation=examined.evaluation.assign(hour=3))
        found = match_of(scenario, examined)
        assert isinstance(found, Sentence) and found.en == "it has no column for clock"

    def test_a_task_of_another_kind_is_no_case(self) -> None:
        scenario = next(one for one in built_in_list().scenarios if one.name == "clocks_apart")
        found = match_of(scenario, of_predictions([0, 1] * 50, [0.2, 0.8] * 50))
        assert isinstance(found, Sentence) and found.en == "the task is classification"

    def test_chinese_words_and_columns_are_met_too(self) -> None:
        examined = of_predictions(
            [0, 1] * 50, [0.2, 0.8] * 50, {"搅拌转速": np.arange(100.0)}, description="反应釜热失控预警"
        )
        scenario = next(one for one in built_in_list().scenarios if one.name == "stirring_ripple_read_as_runaway")
        found = match_of(scenario, examined)
        assert isinstance(found, Match) and found.columns["speed"] == ("搅拌转速",)

    def test_same_seed_same_findings(self) -> None:
        scenario, probe = TRIALS[3]
        once, again = (
            [one.as_json() for one in NegativeListCheck().run(examined_of(scenario, probe, planted=True), {})]
            for _ in range(2)
        )
        assert once == again

    def test_a_row_the_model_refuses_goes_to_a_person(self) -> None:
        scenario = next(one for one in built_in_list().scenarios if one.name == "stuck_sensor_read_as_calm")
        examined = examined_of(scenario, scenario.probes[0], planted=True)
        gone = replace(scenario.probes[0], parameters={"measure": "alarms_lost", "reading": "missing"})
        match = match_of(scenario, examined)
        assert isinstance(match, Match)
        tried = try_probe(gone, match, examined)  # a linear model takes no missing value
        assert tried.holds is True and "'tag_sensor' missing loses 0.0 %" in tried.says.en

    def test_a_list_of_its_own_is_tried(self) -> None:
        scenario = next(one for one in built_in_list().scenarios if one.name == "stuck_sensor_read_as_calm")
        examined = examined_of(scenario, scenario.probes[0], planted=False)
        strict = replace(scenario, probes=(replace(scenario.probes[0], most=0.0),))
        found = NegativeListCheck().run(replace(examined, negative_list=NegativeList(scenarios=(strict,))), {})
        assert [one.n for one in found][-1] == 1 and found[0].holds is not False


SENTENCES = {
    "stuck_sensor_read_as_calm": (
        "'tag_sensor' standing at -0.716 loses 100.0 % (99.4–100.0 %) of 600 alarms; at most 50 % is allowed",
        "“tag_sensor”恒为 -0.716 时，600 次报警中有 100.0 %（99.4–100.0 %）消失，上限为 50 %",
    ),
    "one_plant_size_in_training": (
        "100.0 % of 1,200 training rows have one kind of 'enterprise_size', < 20; at most 95 % is allowed",
        "1,200 行训练数据中 100.0 % 属于“enterprise_size”的同一类（< 20），上限为 95 %",
    ),
    "night_shift_missed": (
        "misses with 'hour' from 22:00 to 6:00: 48.2 % of 365, elsewhere 0.0 % of 411, a gap of 48.2 points",
        "“hour”处于 22 时至 6 时的样本漏报率为 48.2 %（365 行），其余为 0.0 %（411 行），相差 48.2 个百分点",
    ),
    "station_decides": (
        "'line_id' carries 100.0 % of the explanation (100.0–100.0 %); at most 25 % is allowed",
        "“line_id” 合计占解释的 100.0 %（100.0–100.0 %），上限为 25 %",
    ),
    "label_by_later_outcome": (
        "harm is in 0.0 % of the newest 120 rows and in 50.0 % of those before, a fall by 100 % (91–100 %)",
        "最新 120 行的有害率为 0.0 %，此前为 50.0 %，下降 100 %（91–100 %），上限为 50 %",
    ),
}


class TestSentences:
    @pytest.mark.parametrize("name", SENTENCES)
    def test_say_what_was_measured_in_both_languages(self, name: str) -> None:
        scenario = next(one for one in built_in_list().scenarios if one.name == name)
        examined = examined_of(scenario, scenario.probes[-1], planted=True)
        told = next(f for f in NegativeListCheck().run(examined, {}) if f.evidence.get("scenario") == name)
        en, zh = SENTENCES[name]
        assert en in told.says.en and zh in told.says.zh


class TestRegimes:
    def test_hours_reach_over_midnight(self) -> None:
        found = rows_of_regime(pd.Series([21.0, 22.0, 3.0, 6.0, np.nan]), {"hours": [22, 6]})
        assert found is not None
        assert found[0].tolist() == [False, True, True, False, False]
        assert found[1].tolist() == [True, True, True, True, False]

    def test_hours_are_read_from_times(self) -> None:
        times = pd.Series(["2026-01-01 23:30", "2026-07-01 12:00"])
        found = rows_of_regime(times, {"hours": [22, 6]})
        assert found is not None and found[0].tolist() == [True, False]
        winter = rows_of_regime(times, {"months": [11, 4]})
        assert winter is not None and winter[0].tolist() == [True, False]

    def test_a_day_without_its_time_tells_no_hour(self) -> None:
        assert rows_of_regime(pd.Series(["2026-01-01", "2026-07-01"]), {"hours": [22, 6]}) is None

    def test_values_are_compared_without_case(self) -> None:
        found = rows_of_regime(pd.Series(["Contractor", "own", None]), {"values": ["contractor"]})
        assert found is not None and found[0].tolist() == [True, False, False]

    def test_the_newest_tenth(self) -> None:
        found = rows_of_regime(pd.Series(np.arange(100.0)), {"lowest": 0.1})
        assert found is not None and found[0].sum() == 10

    def test_text_has_no_quantiles(self) -> None:
        assert rows_of_regime(pd.Series(["a", "b"]), {"lowest": 0.1}) is None
