"""Every chart, on ordinary and on awkward figures: nothing is clipped, nothing written over, nothing made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.charts import (
    Choice,
    Drawing,
    Flip,
    GroupRate,
    Importance,
    Plane,
    ShareStep,
    Step,
    confusion_picture,
    decision_plane,
    flip_lines,
    group_rates,
    importance_bars,
    share_bars,
    to_svg,
    tradeoff_curve,
    waterfall,
)
from reports.charts.scene import ALARM, ALARM_TINT, QUIET, QUIET_TINT, Label, Line, Polygon, Rect, Spot
from reports.wording import LANGUAGES

LONG = "average_hydrogen_sulphide_concentration_upstream_of_valve_07"
CHINESE = "进料阀上游硫化氢平均浓度（近二十四小时移动平均值，单位为百万分之一体积比）含修正系数"
AWKWARD = (LONG, CHINESE, "<b>x</b>", "R&D", "=cmd|' /C calc'!A0", "a\u202eb", "", "x" * 60)


def a_plane(**changed: object) -> Plane:
    x, y = np.linspace(0, 10, 24), np.linspace(-5, 5, 24)
    across, up = np.meshgrid(x, y)
    made: dict[str, object] = {
        "name_x": LONG,
        "name_y": CHINESE,
        "x": x,
        "y": y,
        "scores": 1 / (1 + np.exp(-(across - 5 - up))),
        "supported": (across - 5) ** 2 + up**2 < 16,
        "threshold": 0.5,
        "alarms_at_or_above": True,
        "case_x": (9.9, 9.9),
        "case_y": (4.9, 4.9),
    }
    return Plane(**{**made, **changed})  # type: ignore[arg-type]


def a_flip(**changed: object) -> Flip:
    made: dict[str, object] = {
        "name": LONG,
        "unit": "ppm",
        "low": 0.0,
        "high": 100.0,
        "value": (12.0, 12.0),
        "flips_at": (40.0, 40.0),
        "alarms_now": True,
    }
    return Flip(**{**made, **changed})  # type: ignore[arg-type]


def some_flips() -> list[Flip]:
    return [
        a_flip(),
        a_flip(name=CHINESE, flips_at=None),
        a_flip(value=None),
        a_flip(value=(10.0, 20.0), flips_at=(90.0, 100.0), alarms_now=False),
        a_flip(value=(0.0, 100.0)),
    ]


CHARTS: dict[str, Callable[..., Drawing]] = {
    "waterfall": lambda language, **size: waterfall(
        [Step(name=name, value=(-1.3) ** at) for at, name in enumerate(AWKWARD)],
        base=-2.0,
        score=3.0,
        unit="log-odds",
        threshold=-0.3,
        language=language,
        **size,
    ),
    "waterfall of nothing": lambda language, **size: waterfall(
        [], base=0.0, score=0.0, unit="value", language=language, **size
    ),
    "shares": lambda language, **size: share_bars(
        [ShareStep(name=n, share=0.5, towards_alarm=True, written="50%–60%") for n in AWKWARD],
        language=language,
        **size,
    ),
    "shares of nothing": lambda language, **size: share_bars([], language=language, **size),
    "importance": lambda language, **size: importance_bars(
        [Importance(name=n, share=0.4, cap=0.1 if n else None) for n in AWKWARD], language=language, **size
    ),
    "importance of nothing": lambda language, **size: importance_bars([], language=language, **size),
    "confusion": lambda language, **size: confusion_picture(
        tp=123456, fp=7, fn=0, tn=9876543, language=language, **size
    ),
    "confusion of nothing": lambda language, **size: confusion_picture(
        tp=0, fp=0, fn=0, tn=0, language=language, **size
    ),
    "rates": lambda language, **size: group_rates(
        [GroupRate(name=n, n=123456, value=0.9, low=0.8, high=1.0, stands_out=True) for n in AWKWARD],
        title=f"误报率，按 {LONG} 分组",
        language=language,
        overall=0.4,
        **size,
    ),
    "rates of 200 groups": lambda language, **size: group_rates(
        [GroupRate(name=f"group {at}", n=at, value=None if at % 3 else 0.2) for at in range(200)],
        title="t",
        language=language,
        **size,
    ),
    "rates of nothing": lambda language, **size: group_rates([], title="t", language=language, **size),
    "curve": lambda language, **size: tradeoff_curve(
        [Choice(threshold=t, missed=t**2, false_alarms=(1 - t) ** 2) for t in np.linspace(0, 1, 41).tolist()],
        chosen=Choice(threshold=0.5, missed=0.25, false_alarms=0.25),
        language=language,
        **size,
    ),
    "curve in the far corner": lambda language, **size: tradeoff_curve(
        [], chosen=Choice(threshold=0.5, missed=1.0, false_alarms=1.0), language=language, **size
    ),
    "flips": lambda language, **size: flip_lines(some_flips(), language=language, **size),
    "flips of nothing": lambda language, **size: flip_lines([], language=language, **size),
    "plane": lambda language, **size: decision_plane(a_plane(), language=language, **size),
    "plane in bands": lambda language, **size: decision_plane(
        a_plane(case_x=(9, 10), case_y=(0, 1)), language=language, **size
    ),
    "plane without the case": lambda language, **size: decision_plane(a_plane(case_x=None), language=language, **size),
}


WIDTHS = (216.0, 270.0, 440.0)
"""On a phone, beside another picture, alone."""


@pytest.fixture(
    params=[(name, language, width) for name in CHARTS for language in LANGUAGES for width in WIDTHS],
    ids=lambda p: f"{p[0]}-{p[1]}-{p[2]:.0f}",
)
def drawing(request: pytest.FixtureRequest) -> Drawing:
    name, language, width = request.param
    return CHARTS[name](language, width=width)


def corners(drawing: Drawing) -> Iterator[tuple[float, float]]:
    for shape in drawing.shapes:
        match shape:
            case Rect():
                assert shape.width >= 0
                assert shape.height >= 0
                yield shape.x, shape.y
                yield shape.x + shape.width, shape.y + shape.height
            case Line() | Polygon():
                yield from shape.points
            case Label():
                left, right = shape.extent
                yield left, shape.y - 0.72 * shape.size
                yield right, shape.y + 0.22 * shape.size


class TestEveryChart:
    def test_nothing_leaves_the_picture(self, drawing: Drawing) -> None:
        for x, y in corners(drawing):
            assert -0.5 <= x <= drawing.width + 0.5
            assert -0.5 <= y <= drawing.height + 0.5

    def test_no_text_is_written_over_other_text(self, drawing: Drawing) -> None:
        for one, other in combinations(drawing.labels, 2):
            (a, b), (c, d) = one.extent, other.extent
            apart = b <= c + 0.6 or d <= a + 0.6
            above = one.y <= other.y - 0.72 * other.size or other.y <= one.y - 0.72 * one.size
            assert apart or above or not one.text or not other.text, (one.text, other.text)

    def test_it_can_be_written_as_svg(self, drawing: Drawing) -> None:
        assert to_svg(drawing).startswith("<svg ")

    def test_it_says_what_it_shows(self, drawing: Drawing) -> None:
        assert drawing.title
        assert drawing.says


class TestSpots:
    @pytest.mark.parametrize("language", ["en", "zh"])
    @pytest.mark.parametrize("chart", ["waterfall", "importance", "rates"])
    def test_every_row_tells_its_name_and_figure_to_whoever_points_at_it(self, chart: str, language: str) -> None:
        drawing = CHARTS[chart](language)
        spots = [shape for shape in drawing.shapes if isinstance(shape, Spot)]
        assert len(spots) >= 2
        assert any(LONG in spot.says for spot in spots)
        assert all(("：" if language == "zh" else ": ") in spot.says for spot in spots)
        assert [spot.y for spot in spots] == sorted(spot.y for spot in spots)


class TestWaterfall:
    def test_a_sixty_character_name_is_written_in_full(self) -> None:
        drawing = CHARTS["waterfall"]("en")
        assert LONG in "".join(label.text for label in drawing.labels)

    @given(st.lists(st.floats(-5, 5), max_size=8), st.floats(-3, 3), st.floats(-3, 3))
    def test_what_is_left_over_is_drawn_so_that_it_adds_up(
        self, values: list[float], base: float, score: float
    ) -> None:
        drawing = waterfall(
            [Step(name=f"f{at}", value=value) for at, value in enumerate(values)],
            base=base,
            score=score,
            unit="value",
            language="en",
        )
        rest = score - base - sum(values)
        shown = any(label.text == "All other features" for label in drawing.labels)
        assert shown == (abs(rest) > 1e-9 * max(abs(base), abs(score), 1e-12, *map(abs, [*values, 0.0])))

    def test_colour_follows_the_alarm_and_not_the_sign(self) -> None:
        def colours(alarms_above: bool) -> set[str | None]:
            made = waterfall(
                [Step(name="f", value=2.0)], base=0, score=2, unit="v", language="en", alarms_above=alarms_above
            )
            return {
                shape.fill
                for shape in made.shapes
                if isinstance(shape, Rect) and shape.height == 11 and shape.width > 5
            }

        assert colours(True) == {ALARM}
        assert colours(False) == {QUIET}


class TestImportanceBars:
    def test_only_capped_features_have_a_mark(self) -> None:
        made = importance_bars(
            [Importance(name="a", share=0.3), Importance(name="b", share=0.2, cap=0.1)], language="en"
        )
        assert sum(isinstance(shape, Polygon) for shape in made.shapes) == 1
        assert [label.text for label in made.labels if "cap " in label.text] == ["20.0% (cap 10%)"]


class TestConfusionPicture:
    def test_the_counts_are_those_handed_in(self) -> None:
        made = confusion_picture(tp=11, fp=22, fn=33, tn=44, language="en")
        texts = [label.text for label in made.labels]
        assert {"11", "22", "33", "44", "44 cases", "66 cases"} <= set(texts)


class TestGroupRates:
    def test_a_group_too_small_has_no_mark(self) -> None:
        made = group_rates([GroupRate(name="a", n=3, value=None)], title="t", language="en")
        assert not any(isinstance(shape, Polygon) for shape in made.shapes)
        assert "too few cases to say" in [label.text for label in made.labels]

    def test_axis_figures_are_not_rounded_into_each_other(self) -> None:
        made = group_rates([GroupRate(name="a", n=300, value=0.012, low=0.01, high=0.014)], title="t", language="en")
        figures = [label.text for label in made.labels if label.text.endswith("%")]
        assert len(figures) == len(set(figures))


class TestTradeoffCurve:
    def test_the_chosen_threshold_is_said_with_its_price(self) -> None:
        text = " ".join(label.text for label in CHARTS["curve"]("en").labels)
        assert "chosen threshold 0.5: misses 25.0% of harm, alarms on 25.0% of harmless cases" in text


class TestFlipLines:
    def test_nothing_is_claimed_beyond_the_nearest_flip(self) -> None:
        made = flip_lines([a_flip(value=(50.0, 50.0), flips_at=(60.0, 60.0))], language="en")
        tints = [
            s for s in made.shapes if isinstance(s, Rect) and s.height == 10 and s.fill in (ALARM_TINT, QUIET_TINT)
        ]
        frame = next(s for s in made.shapes if isinstance(s, Rect) and s.height == 10 and s.fill is None)
        assert sum(tint.width for tint in tints) == pytest.approx(0.26 * frame.width, rel=0.01)

    def test_a_verdict_that_holds_everywhere_is_tinted_everywhere(self) -> None:
        made = flip_lines([a_flip(flips_at=None, alarms_now=False)], language="en")
        (tint,) = [s for s in made.shapes if isinstance(s, Rect) and s.height == 10 and s.fill == QUIET_TINT]
        frame = next(s for s in made.shapes if isinstance(s, Rect) and s.height == 10 and s.fill is None)
        assert tint.width == pytest.approx(frame.width)

    def test_a_band_as_wide_as_the_range_is_kept_back(self) -> None:
        made = flip_lines([a_flip(value=(0.0, 100.0))], language="en")
        assert "this case: not shown in this view" in [label.text for label in made.labels]
        assert not any(isinstance(shape, Polygon) for shape in made.shapes)


class TestDecisionPlane:
    def tints(self, drawing: Drawing) -> list[Rect]:
        return [
            s for s in drawing.shapes if isinstance(s, Rect) and s.fill in (ALARM_TINT, QUIET_TINT) and s.stroke is None
        ]

    def test_nothing_is_coloured_without_data(self) -> None:
        made = decision_plane(a_plane(supported=np.zeros((24, 24), dtype=bool)), language="en")
        assert self.tints(made) == []

    def test_both_sides_are_coloured_where_data_lie(self) -> None:
        fills = {rect.fill for rect in self.tints(decision_plane(a_plane(), language="en"))}
        assert fills == {ALARM_TINT, QUIET_TINT}

    def test_sides_swap_for_a_model_that_grants_permits(self) -> None:
        above = self.tints(decision_plane(a_plane(), language="en"))
        below = self.tints(decision_plane(a_plane(alarms_at_or_above=False), language="en"))
        swapped = {ALARM_TINT: QUIET_TINT, QUIET_TINT: ALARM_TINT}
        assert [rect.fill for rect in below] == [swapped[str(rect.fill)] for rect in above]
