"""What somebody changed in the registry by hand binds nothing, is put back where it can be, and is reported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.permits import MayNotRun
from tests.governance.factories import House


def incidents(house: House) -> list[bytes]:
    """What the incidents of the log say, newest first."""
    log = house.service.log
    return [log.payload(entry.id) or b"" for entry in log.search(kind="incident").entries]


class TestLook:
    def test_finds_nothing_in_a_registry_that_nobody_touched(self, house: House) -> None:
        house.veto(house.submitted(name="gas-peak", seed=1))
        house.approved()
        assert house.service.registry_watch.look() == 0
        assert incidents(house) == []

    def test_a_status_changed_by_hand_is_reported_and_put_back(self, house: House) -> None:
        record = house.submitted()
        house.veto(record)
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        with pytest.raises(MayNotRun, match="was vetoed"):
            house.decide()
        assert house.service.registry_watch.look() == 1
        assert b"as 'approved', decided was 'vetoed'; it was put back" in incidents(house)[0]
        assert house.service.store.version(record.model, record.version).status == "vetoed"
        assert house.service.registry_watch.look() == 0

    def test_an_artifact_changed_on_disk_is_reported_once(self, house: House) -> None:
        record = house.approved()
        file = Path(house.service.store.artifact(record.model, record.version))
        file.chmod(0o600)
        file.write_bytes(file.read_bytes() + b" ")
        assert house.service.registry_watch.look() == 1
        assert house.service.registry_watch.look() == 0
        assert b"artifact altered" in incidents(house)[0]
