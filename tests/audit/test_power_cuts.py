"""Power cuts: a copy of a disk image, taken at a random moment, holds everything that was acknowledged.

The log lies on a file system of its own in an image file. A writer is stopped dead in the middle of its work and the
image is copied at once: what the kernel had not yet been made to write is not in the copy, as after a power cut. The
copy is mounted, its journal replayed, and the log opened. The control does the same with `synchronous = NORMAL` and
must lose acknowledged entries, or the trial would be blind. The long form (200 cuts) is `pytest -m long`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.migrations import upgrade
from audit.database import open_database
from audit.trace_log import open_log
from tests.audit.conftest import StandingClock

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("mkfs.ext4", "mount", "umount")
PATH = f"{os.defpath}:/sbin:/usr/sbin"


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The file system of an image, until the end of the block."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk image with an empty log on it; skipped by name where one cannot be mounted."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(
            f"power cuts need root, loop devices and {', '.join(TOOLS)} (missing: {', '.join(missing) or 'root'})"
        )
    folder = tmp_path_factory.mktemp("power")
    made = folder / "disk.img"
    with made.open("wb") as disk:
        disk.truncate(96 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(made)], check=True, capture_output=True)
    try:
        with mounted(made, folder / "disk") as disk_folder:
            upgrade(f"sqlite:///{disk_folder / 'log.db'}")
    except subprocess.CalledProcessError as wrong:
        pytest.skip(f"power cuts need a loop device: {wrong.stderr.decode().strip()}")
    return made


def lost_in_a_cut(image: Path, folder: Path, seconds: float, synchronous: str) -> tuple[int, int]:
    """Acknowledged entries, and how many of them the disk no longer has; the log on it must be whole."""
    disk, cut = folder / "disk.img", folder / "cut.img"
    shutil.copyfile(image, disk)
    with mounted(disk, folder / "disk") as place:
        words = ["-m", "tests.audit.appending_process", f"sqlite:///{place / 'log.db'}", str(place / "data")]
        writer = subprocess.Popen(
            [sys.executable, *words, "serve-1", "4", "1000000", synchronous],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert writer.stdout is not None
        told = [writer.stdout.readline()]
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        shutil.copyfile(disk, cut)
        told += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
    acknowledged = [line.strip() for line in told if line.endswith("\n")]
    with mounted(cut, folder / "cut") as place:
        database = open_database(f"sqlite:///{place / 'log.db'}")
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        log = open_log(place / "data", database, StandingClock.at_noon(), "check", tend=False)
        assert log.recheck().faults == []
        known = log.known(acknowledged)
        log.close()
        database.close()
    return len(acknowledged), len(acknowledged) - len(known)


@pytest.mark.parametrize(
    ("cuts", "controls"), [pytest.param(3, 2, id="short"), pytest.param(200, 20, id="long", marks=pytest.mark.long)]
)
def test_a_power_cut_loses_nothing_that_was_acknowledged(cuts: int, controls: int, image: Path, tmp_path: Path) -> None:
    draws = random.Random(11)
    outcomes = [lost_in_a_cut(image, tmp_path, 0.1 + draws.random(), "FULL") for _ in range(cuts)]
    blind = [lost_in_a_cut(image, tmp_path, 0.3 + draws.random() / 2, "NORMAL") for _ in range(controls)]
    assert all(acknowledged > 0 for acknowledged, _ in outcomes)
    assert [lost for _, lost in outcomes] == [0] * cuts
    assert sum(lost for _, lost in blind) > 0
