"""A box away from the network: a day with a signed package, then flagged alarms, then nothing; traces come home."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.commands.edging import KINDS
from api.edge import AnotherRuns, EdgeHouse, create_edge_app, open_edge
from api.edge_exports import Exported, boxes_of, export_package
from audit.entries import Draft
from audit.forward_clock import ForwardClock
from audit.offline_spool import OfflineSpool, StrangeRecord
from governance.edge_package import NothingToPack, PackageRefused
from governance.permits import MayNotRun
from model_registry.version import ArtifactAltered
from policies.errors import Malformed
from policies.roles import Role
from tests.governance.factories import OFFICER, PURPOSE, SENSORS, SITE, House, rows, someone

FRAME = rows(12, seed=9)[list(SENSORS)]
BOX = "furnace-2"
SPLIT = {"dataframe_split": {"columns": list(SENSORS), "data": FRAME.to_numpy().tolist()}}
CALLER = someone(Role.SERVICE, "plant", purpose=PURPOSE)


def packed(house: House) -> Exported:
    """A package of the house's permits."""
    return export_package(house.service, box=BOX, site=SITE, by=OFFICER)


@contextmanager
def box_of(house: House, exported: Exported, folder: Path) -> Iterator[EdgeHouse]:
    """A box that was brought a package."""
    folder.mkdir(exist_ok=True)
    (folder / "package.zip").write_bytes(exported.package)
    latest = [0.0]

    def steady() -> float:
        latest[0] = max(latest[0], house.clock.seconds())  # what nobody can set back
        return latest[0]

    trust = exported.fingerprint
    box = open_edge(folder / "package.zip", folder / "data", trusted=trust, clock=house.clock, monotonic=steady)
    try:
        yield box
    finally:
        box.close()


def decide(box: EdgeHouse) -> Any:
    """Decide some rows on the box."""
    return box.serving.decide("gas-leak", FRAME, purpose=PURPOSE, by=CALLER, subjects=None)


class TestDeciding:
    def test_is_as_at_head_office(self, house: House, tmp_path: Path) -> None:
        house.approved()
        with box_of(house, packed(house), tmp_path / "box") as box:
            here, there = decide(box), house.decide(X=FRAME)
            assert here.scores.tolist() == there.scores.tolist()
            assert here.verdicts.tolist() == there.verdicts.tolist()
            assert box.spool.waiting() == 12

    def test_over_http_knows_the_callers_of_its_site(self, house: House, tmp_path: Path) -> None:
        house.approved()
        people = house.service.people
        ours = people.add("plant-a", Role.SERVICE, site=SITE).token
        theirs = people.add("plant-b", Role.SERVICE, site="plant-99").token
        officer = people.add("mei", Role.DSO).token
        with box_of(house, packed(house), tmp_path / "box") as box:
            client = TestClient(create_edge_app(box))

            def ask(token: str, path: str = "/v1/models/gas-leak/invocations") -> Any:
                return client.post(path, json=SPLIT, headers={"Authorization": f"Bearer {token}"})

            assert ask(ours).status_code == 200
            assert all(ask(ours).json()["decision_ids"])
            assert [ask(token).status_code for token in (theirs, officer, "mj_none")] == [401] * 3
            assert client.get("/v2/health/ready").json() == {"ready": True}
            assert ask(ours, "/v1/submissions").status_code == 404
            assert client.get("/login").status_code == 404
            client.app.state.batches.close()  # type: ignore[attr-defined]

    def test_needs_neither_registry_nor_report_library(self) -> None:
        code = "import sys\nfor n in ('mlflow', 'reportlab'): sys.modules[n] = None\nimport api.edge, api.listening"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


class TestTime:
    def test_after_a_day_only_flagged_alarms_leave_and_after_the_grace_nothing(
        self, house: House, tmp_path: Path
    ) -> None:
        house.approved()
        with box_of(house, packed(house), tmp_path / "box") as box:
            verdicts = decide(box).verdicts.tolist()
            house.clock.go(hours=23, minutes=59)
            assert decide(box).answered.all()
            house.clock.go(minutes=2)
            late = decide(box)
            assert late.answered.tolist() == verdicts
            assert all("permit_lapsed" in d.flags for d in late.decisions if d is not None)
            house.clock.go(hours=24)
            with pytest.raises(MayNotRun) as refused:
                decide(box)
            assert refused.value.reason == "lapsed"

    def test_a_clock_set_back_buys_no_time(self, house: House, tmp_path: Path) -> None:
        house.approved()
        exported = packed(house)
        with box_of(house, exported, tmp_path / "box") as box:
            house.clock.go(hours=25)
            assert not decide(box).answered.all()
            house.clock.go(hours=-20)
            assert not decide(box).answered.all()
        with box_of(house, exported, tmp_path / "box") as again:
            assert not decide(again).answered.all()

    def test_a_permit_that_ends_sooner_ends_sooner(self, house: House, tmp_path: Path) -> None:
        record = house.submitted()
        house.approve(record, until=house.clock.now + timedelta(hours=2))
        with box_of(house, packed(house), tmp_path / "box") as box:
            house.clock.go(hours=3)
            assert not decide(box).answered.all()


class TestForwardClock:
    def test_goes_on_by_the_steady_clock_when_the_wall_clock_goes_back(self, house: House, tmp_path: Path) -> None:
        seconds = [0.0]
        clock = ForwardClock(house.clock, lambda: seconds[0], tmp_path / "moment")
        start = clock()
        house.clock.go(days=-400)
        seconds[0] = 90.0
        assert (clock() - start).total_seconds() == 90.0
        clock.keep()
        again = ForwardClock(house.clock, lambda: 0.0, tmp_path / "moment")
        assert again() >= start


class TestPackage:
    def test_holds_no_secret(self, house: House) -> None:
        house.approved()
        made = house.service.people.add("plant-a", Role.SERVICE, site=SITE)
        with zipfile.ZipFile(io.BytesIO(packed(house).package)) as archive:
            whole = b"".join(archive.read(name) for name in archive.namelist())
        keys = house.folder / "data" / "keys"
        secrets = [file.read_bytes().strip() for file in keys.iterdir()]
        assert secrets
        for secret in (*secrets, made.token.encode(), made.password.encode(), b"argon2"):
            assert secret not in whole

    def test_names_a_day_at_most(self, house: House) -> None:
        house.approved()
        assert (packed(house).until - house.clock.now).total_seconds() == 24 * 3600

    def test_is_said_in_the_log(self, house: House) -> None:
        house.approved()
        assert boxes_of(house.service) == frozenset()
        packed(house)
        assert boxes_of(house.service) == {BOX}
        assert house.kinds()[-1] == "publish"

    def test_of_nothing_is_not_made(self, house: House) -> None:
        house.approved()
        with pytest.raises(NothingToPack, match="no model holds a live permit for plant-99"):
            export_package(house.service, box=BOX, site="plant-99", by=OFFICER)
        house.veto(house.service.telling.record_of("gas-leak"))
        with pytest.raises(NothingToPack):
            packed(house)

    @pytest.mark.parametrize("name", ["", "Furnace", "-a", "a b", "a" * 64, "../x"])
    def test_for_a_box_without_a_proper_name_is_not_made(self, house: House, name: str) -> None:
        house.approved()
        with pytest.raises(Malformed, match="is no name of a box"):
            export_package(house.service, box=name, site=SITE, by=OFFICER)


def changed(package: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A package with its files changed and zipped again."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return made.getvalue()


def _longer(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    manifest["until"] += 10**12
    files["manifest.json"] = json.dumps(manifest).encode()


def _another_rulebook(files: dict[str, bytes]) -> None:
    files["rulebook.toml"] += b"\n"


def _another_model(files: dict[str, bytes]) -> None:
    files["models/0/artifact/model.ubj"] += b"x"


def _unsigned(files: dict[str, bytes]) -> None:
    files["signature"] = bytes(64)


def _without_manifest(files: dict[str, bytes]) -> None:
    del files["manifest.json"]


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (_longer, "its signature does not hold"),
            (_another_rulebook, "rulebook.toml was changed after it was signed"),
            (_another_model, "model.ubj was changed after it was signed"),
            (_unsigned, "its signature does not hold"),
            (_without_manifest, "it cannot be read"),
        ],
    )
    def test_is_a_package_that_was_changed(self, house: House, tmp_path: Path, change: Any, sentence: str) -> None:
        house.approved()
        good = packed(house)
        bad = Exported(
            package=changed(good.package, change), until=good.until, models=good.models, fingerprint=good.fingerprint
        )
        with pytest.raises((PackageRefused, Malformed), match=sentence), box_of(house, bad, tmp_path / "box"):
            pass

    def test_is_one_that_another_key_signed(self, house: House, tmp_path: Path) -> None:
        house.approved()
        good = packed(house)
        other = Exported(package=good.package, until=good.until, models=good.models, fingerprint="0" * 64)
        with pytest.raises(PackageRefused, match="it is signed by"), box_of(house, other, tmp_path / "box"):
            pass

    def test_is_another_key_than_the_first_one_trusted(self, house: House, tmp_path: Path) -> None:
        house.approved()
        good = packed(house)
        with box_of(house, good, tmp_path / "box"):
            pass
        other = Exported(package=good.package, until=good.until, models=good.models, fingerprint="0" * 64)
        with pytest.raises(PackageRefused, match="this box trusts"), box_of(house, other, tmp_path / "box"):
            pass

    def test_is_an_older_one_once_a_newer_was_in_use(self, house: House, tmp_path: Path) -> None:
        house.approved()
        old = packed(house)
        house.clock.go(hours=1)
        with box_of(house, packed(house), tmp_path / "box"):
            pass
        with pytest.raises(PackageRefused, match="before one that was in use"), box_of(house, old, tmp_path / "box"):
            pass

    def test_is_what_is_no_package(self, house: House, tmp_path: Path) -> None:
        (tmp_path / "package.zip").write_bytes(b"PK nothing")
        with pytest.raises(Malformed, match="it cannot be read"):
            open_edge(
                tmp_path / "package.zip",
                tmp_path / "data",
                trusted="0" * 64,
                clock=house.clock,
                monotonic=house.clock.seconds,
            )

    def test_is_a_second_process_in_the_same_folder(self, house: House, tmp_path: Path) -> None:
        house.approved()
        exported = packed(house)
        second = box_of(house, exported, tmp_path / "box")
        said = "another process serves from"
        with box_of(house, exported, tmp_path / "box"), pytest.raises(AnotherRuns, match=said), second:
            pass

    def test_is_a_model_that_was_altered_on_the_box(self, house: House, tmp_path: Path) -> None:
        house.approved()
        with box_of(house, packed(house), tmp_path / "box") as box:
            file = next((tmp_path / "box").rglob("artifact/model.ubj"))
            file.write_bytes(file.read_bytes() + b"x")
            with pytest.raises((MayNotRun, ArtifactAltered)) as refused:
                decide(box)
            assert getattr(refused.value, "reason", "altered") == "altered"


class TestHandIn:
    def handed(self, house: House, folder: Path) -> Any:
        """Bring a copy of the box's spool home, as the command does."""
        copy = folder / "copy"
        shutil.copytree(folder / "data" / "spool", copy)
        spool = OfflineSpool(copy, house.clock, f"edge-{BOX}")
        spool.require_kinds(KINDS)
        try:
            return spool.hand_in(house.service.log)
        finally:
            spool.close()

    def test_every_decision_is_in_the_log_and_proven(self, house: House, tmp_path: Path) -> None:
        house.approved()
        with box_of(house, packed(house), tmp_path / "box") as box:
            decided = decide(box)
        taken = self.handed(house, tmp_path / "box")
        assert (taken.traces, taken.gaps) == (12, ())
        log = house.service.log
        for id, score in zip(decided.ids, decided.scores.tolist(), strict=True):
            entry = log.entry(str(id))
            assert (entry.score, entry.source) == (score, f"edge-{BOX}")
            assert "spooled" in entry.flags
        assert log.recheck().faults == []
        house.service.telling.evidence(str(decided.ids[0]))

    def test_what_is_missing_is_reported_and_stays_visible(self, house: House, tmp_path: Path) -> None:
        house.approved()
        exported = packed(house)
        for _ in range(3):
            with box_of(house, exported, tmp_path / "box") as box:
                decide(box)
            house.clock.go(minutes=1)
        files = sorted((tmp_path / "box" / "data" / "spool").glob("*.spool"))
        assert len(files) == 3
        files[1].unlink()
        files[1].with_suffix(".key").unlink()
        taken = self.handed(house, tmp_path / "box")
        assert taken.traces == 24
        assert [gap.missing for gap in taken.gaps] == [12]
        assert "incident" in house.kinds()
        assert house.service.log.recheck().faults == []

    def test_acts_of_governance_are_not_taken_from_a_box(self, house: House, tmp_path: Path) -> None:
        spool = OfflineSpool(tmp_path / "spool", house.clock, f"edge-{BOX}")
        spool.append([Draft(kind="veto", payload=b"{}")])
        with pytest.raises(StrangeRecord, match="this spool holds an entry of kind 'veto', which no edge box writes"):
            spool.require_kinds(KINDS)
        spool.close()
