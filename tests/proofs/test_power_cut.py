"""What was acknowledged survives a power cut, a kill, a full disk and a disk that turns read-only.

A power cut is played on a file system inside an image file: while a process writes, the image is copied as it stands.
What the process had only in memory, and what the kernel had not yet written to the image, is missing from the copy, as
after a cut. The control runs the same with weaker synchronisation and must lose something, or the test would be blind.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.entries import Draft
from audit.trace_log import TraceLog
from policies.errors import Unavailable
from tests.proofs.writing import opened

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2

REPOSITORY = Path(__file__).resolve().parents[2]


def _can_mount() -> str | None:
    if os.geteuid() != 0:
        return "mounting a disk image needs root"
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 is not on this machine"
    return None if Path("/dev/loop-control").exists() else "there are no loop devices on this machine"


class Disk:
    """A small ext4 file system in an image file."""

    def __init__(self, folder: Path, megabytes: int = 128) -> None:
        if (reason := _can_mount()) is not None:
            pytest.skip(reason)
        self.image = folder / "disk.img"
        self._folder = folder
        with self.image.open("wb") as image:
            image.truncate(megabytes * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)

    @contextmanager
    def mounted(self, image: Path | None = None, options: str = "loop") -> Iterator[Path]:
        """The image as a folder."""
        place = self._folder / f"mounted-{time.monotonic_ns()}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-o", f"loop,{options}", image or self.image, place], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"this machine does not mount images: {done.stderr.strip()}")
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
            place.rmdir()

    def cut(self) -> Path:
        """The image as it stands now."""
        copy = self._folder / "cut.img"
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        return copy


@contextmanager
def writing(folder: Path, acknowledged: Path, synchronous: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes into the log in `folder`, after its first acknowledgement."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.proofs.writing", folder, acknowledged, synchronous], cwd=REPOSITORY
    )
    try:
        until = time.monotonic() + 60
        while not acknowledged.exists() or not acknowledged.stat().st_size:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def standing_still(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process, stopped between two instructions."""
    process.send_signal(signal.SIGSTOP)
    while (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.0005)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def promised(acknowledged: Path) -> list[str]:
    """Ids that were acknowledged, each on a whole line."""
    return acknowledged.read_text().rpartition("\n")[0].split()


def missing(folder: Path, ids: list[str]) -> int:
    """How many of the ids the log in `folder` lost; everything it still has must be sound."""
    log = opened(folder)
    try:
        there = {entry.id for entry in log._reader.each(0, log.size())}
        found = log.recheck()
        assert [fault.en for fault in found.faults] == []
        assert found.entries == log.size()
    finally:
        log.close()
        log.database.close()
    return len([one for one in ids if one not in there])


CUTS_PER_DISK = 20


def cut_many_times(tmp_path: Path, trials: int, synchronous: str) -> list[int]:
    """Cut the power `trials` times at random moments; return how many acknowledged entries were lost each time."""
    chance, lost = random.Random(20260101), list[int]()
    while len(lost) < trials:
        folder = tmp_path / f"from-{len(lost)}"
        folder.mkdir()
        lost += _cut_one_disk(folder, min(CUTS_PER_DISK, trials - len(lost)), synchronous, chance)
        shutil.rmtree(folder)
    return lost


def _cut_one_disk(folder: Path, trials: int, synchronous: str, chance: random.Random) -> list[int]:
    disk, acknowledged, lost = Disk(folder), folder / "acknowledged", list[int]()
    with disk.mounted() as place, writing(place, acknowledged, synchronous) as process:
        for _ in range(trials):
            time.sleep(chance.uniform(0.0, 0.05))
            with standing_still(process):
                ids = promised(acknowledged)
                image = disk.cut()
                with disk.mounted(image) as after:
                    lost.append(missing(after, ids) if (after / "log.db").exists() else len(ids))
    return lost


class TestPowerCut:
    def test_nothing_acknowledged_is_lost(self, tmp_path: Path) -> None:
        assert cut_many_times(tmp_path, 10, "full") == [0] * 10

    def test_the_test_sees_what_weaker_synchronisation_loses(self, tmp_path: Path) -> None:
        assert sum(cut_many_times(tmp_path, 10, "normal")) > 0

    @pytest.mark.long
    def test_nothing_acknowledged_is_lost_in_200_cuts(self, tmp_path: Path) -> None:
        assert cut_many_times(tmp_path, 200, "full") == [0] * 200


def kill_many_times(tmp_path: Path, trials: int) -> None:
    """Kill a writer at random moments and let the next one go on; nothing acknowledged may ever be missing."""
    chance, acknowledged = random.Random(20260102), tmp_path / "acknowledged"
    for trial in range(trials):
        before = acknowledged.stat().st_size if acknowledged.exists() else 0
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.writing", tmp_path, acknowledged, "full"], cwd=REPOSITORY
        )
        until = time.monotonic() + 60
        while (acknowledged.stat().st_size if acknowledged.exists() else 0) <= before:
            assert time.monotonic() < until, trial
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.03))
        process.kill()
        process.wait()
    assert missing(tmp_path, promised(acknowledged)) == 0


class TestKill:
    def test_nothing_acknowledged_is_lost(self, tmp_path: Path) -> None:
        kill_many_times(tmp_path, 5)

    @pytest.mark.long
    def test_nothing_acknowledged_is_lost_in_1000_kills(self, tmp_path: Path) -> None:
        kill_many_times(tmp_path, 1000)


def fill(log: TraceLog, kept: list[str]) -> None:
    """Append until the log refuses; what it acknowledged is in `kept`."""
    for _ in range(4000):
        kept.extend(receipt.id for receipt in log.append([Draft(kind="health", payload=os.urandom(20_000))]))


def let_go(log: TraceLog) -> None:
    """Close without a last signature, as a process does whose disk is in trouble."""
    log._writer.close()
    log.database.close()


def goes_on(folder: Path) -> None:
    """The log takes entries again."""
    log = opened(folder)
    assert log.append([Draft(kind="health", payload=b"on")])
    let_go(log)


class TestDiskTrouble:
    def test_a_full_disk_refuses_and_recovers(self, tmp_path: Path) -> None:
        disk, kept = Disk(tmp_path, megabytes=24), list[str]()
        with disk.mounted() as place:
            log = opened(place)
            ballast = place / "ballast"
            ballast.write_bytes(bytes(8 * 1024 * 1024))
            with pytest.raises(Unavailable):
                fill(log, kept)
            let_go(log)
            ballast.unlink()
            assert kept
            assert missing(place, kept) == 0
            goes_on(place)

    def test_a_disk_that_fails_under_the_log_refuses_and_recovers(self, tmp_path: Path) -> None:
        disk, kept = Disk(tmp_path), list[str]()
        with disk.mounted() as place:
            log = opened(place)
            kept += [receipt.id for receipt in log.append([Draft(kind="health", payload=b"one")])]
            handle = os.open(place, os.O_RDONLY)
            # From here on every access to this file system is an input/output error, and its journal stops here.
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
            os.close(handle)
            with pytest.raises(Unavailable):
                log.append([Draft(kind="health", payload=b"two")])
            let_go(log)
        with disk.mounted() as place:
            assert missing(place, kept) == 0
            goes_on(place)

    def test_a_disk_that_turns_read_only_refuses_and_recovers(self, tmp_path: Path) -> None:
        disk, kept = Disk(tmp_path), list[str]()
        with disk.mounted(options="errors=remount-ro") as place:
            fault = Path("/sys/fs/ext4") / _device_of(place) / "trigger_fs_error"
            if not fault.exists():
                pytest.skip("this kernel plays no file system errors (/sys/fs/ext4/…/trigger_fs_error)")
            log = opened(place)
            kept += [receipt.id for receipt in log.append([Draft(kind="health", payload=b"one")])]
            fault.write_text("1")  # the kernel does what it does when it finds damage: it remounts read-only
            with pytest.raises(OSError, match="Read-only file system"):
                (place / "probe").touch()
            with pytest.raises(Unavailable):
                log.append([Draft(kind="health", payload=b"two")])
            let_go(log)
        with disk.mounted() as place:
            assert missing(place, kept) == 0
            goes_on(place)


def _device_of(place: Path) -> str:
    """The name of the block device that is mounted there."""
    lines = Path("/proc/mounts").read_text().splitlines()
    return next(line.split()[0] for line in lines if line.split()[1] == str(place)).rpartition("/")[2]
