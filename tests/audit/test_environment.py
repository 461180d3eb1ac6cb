"""The watch over clock and disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.entries import Draft, Receipt
from audit.environment import LEAST_FREE, EnvironmentWatch


@dataclass
class World:
    """A clock, a steady clock and a disk that the test moves by hand, and a log that is a list."""

    wall: datetime = datetime(2026, 5, 1, tzinfo=UTC)
    steady: float = 100.0
    free: int = 50 * LEAST_FREE
    kept: list[Draft] = field(default_factory=list)

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Keep drafts in memory."""
        self.kept.extend(drafts)
        return ()

    def passes(self, seconds: float, stepped: float = 0.0) -> None:
        """Let time pass; `stepped` moves the wall clock alone."""
        self.steady += seconds
        self.wall += timedelta(seconds=seconds + stepped)

    def watch(self) -> EnvironmentWatch:
        """Return a watch over this world."""
        return EnvironmentWatch(self, lambda: self.wall, lambda: self.steady, Path("."), lambda _: self.free)


@pytest.fixture
def world() -> World:
    """A world in which nothing happens by itself."""
    return World()


class TestLook:
    def test_a_quiet_minute_leaves_no_entry(self, world: World) -> None:
        watch = world.watch()
        world.passes(60)
        assert watch.look() == ()
        assert world.kept == []

    @pytest.mark.parametrize("step", [400 * 86_400.0, -400 * 86_400.0, 3.0, -3.0])
    def test_a_clock_step_is_recorded_with_its_size(self, world: World, step: float) -> None:
        watch = world.watch()
        world.passes(60, stepped=step)
        assert watch.look() == ("clock",)
        assert json.loads(world.kept[0].payload)["seconds"] == f"{step:.3f}"

    def test_one_step_is_recorded_once(self, world: World) -> None:
        watch = world.watch()
        world.passes(60, stepped=30)
        watch.look()
        world.passes(60)
        assert watch.look() == ()

    def test_slow_drift_within_two_seconds_is_no_step(self, world: World) -> None:
        watch = world.watch()
        world.passes(60, stepped=1.9)
        assert watch.look() == ()

    def test_a_filling_disk_is_recorded_when_it_fills_and_when_it_eases(self, world: World) -> None:
        watch = world.watch()
        world.free = LEAST_FREE - 1
        assert watch.look() == ("health",)
        assert watch.look() == ()
        world.free = LEAST_FREE
        assert watch.look() == ("health",)
        said = [json.loads(draft.payload)["what"] for draft in world.kept]
        assert said == ["disk_pressure", "disk_eased"]


class TestStarted:
    def test_start_names_the_versions_and_stop_is_told_apart(self, world: World) -> None:
        watch = world.watch()
        watch.started({"mingjing": "0.1.0"})
        watch.stopped()
        first, last = (json.loads(draft.payload) for draft in world.kept)
        assert first == {"format": 1, "what": "started", "versions": {"mingjing": "0.1.0"}}
        assert last["what"] == "stopped"
        assert {draft.kind for draft in world.kept} == {"restart"}
