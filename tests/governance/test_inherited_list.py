"""From group to subsidiary: adopt, add, tighten, and never less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings
from api.wiring import open_service
from audit.shared_list import ListRefused, SharedList, named_key, sign_list
from audit.signed_note import SigningKey
from governance.inherited_list import KEY, NOTE, Adopted, adopt, list_in_force, met_another_list
from governance.intake import examine_directory
from model_registry.memory_store import MemoryStore
from policies.negative_list import Loosened, Origin
from policies.roles import NotAllowed, Role
from policies.rulebook import read_rulebook
from policies.scenario_files import built_in_list
from tests.governance.factories import OFFICER, House, StandingClock, a_directory, someone
from tests.policies.test_negative_list import TIGHTER, WHOLE

GROUP, STRANGER = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)


def signed(edition: int = 1, key: SigningKey = GROUP, **files: str) -> str:
    told = files or {"hum": WHOLE, "tighter": TIGHTER}
    shared = SharedList(group="Group", edition=edition, files={f"{name}.toml": text for name, text in told.items()})
    return sign_list(shared, "group", key)


def adopted(house: House, note: str, key: SigningKey | None = GROUP, **changes: Any) -> Adopted:
    said: dict[str, Any] = {"by": OFFICER, "data": house.service.settings.data, "own": None, "log": house.service.log}
    return adopt(note, key=named_key("group", key) if key else None, **{**said, **changes})


class TestAdopt:
    def test_lays_the_groups_list_over_the_products(self, house: House) -> None:
        done = adopted(house, signed())
        assert done.added == ("boiler_hum",) and done.withdrawn == ()
        known = list_in_force(house.service.settings.data, None)
        assert known.digest == done.digest
        stuck = known.scenario("stuck_sensor_read_as_calm")
        assert stuck is not None and stuck.probes[0].most == 0.2 and stuck.origin is Origin.BUILT_IN
        assert house.kinds()[-1] == "publish"

    def test_the_key_is_pinned(self, house: House) -> None:
        adopted(house, signed())
        with pytest.raises(ListRefused, match="'group' was pinned with another key"):
            adopted(house, signed(2, STRANGER), STRANGER)
        with pytest.raises(ListRefused, match="the list is not signed by 'group'"):
            adopted(house, signed(2, STRANGER), None)
        assert adopted(house, signed(2), None).edition == 2

    def test_the_first_time_needs_the_key(self, house: House) -> None:
        with pytest.raises(ListRefused, match="no key of the group is known here; give it with --key"):
            adopted(house, signed(), None)

    def test_an_older_edition_is_refused(self, house: House) -> None:
        adopted(house, signed(2))
        with pytest.raises(ListRefused, match="edition 1 is not newer than edition 2"):
            adopted(house, signed(1))

    def test_what_the_group_withdraws_is_said(self, house: House) -> None:
        adopted(house, signed(1))
        assert adopted(house, signed(2, tighter=TIGHTER)).withdrawn == ("boiler_hum",)

    def test_a_file_altered_on_the_disk_is_refused(self, house: House) -> None:
        adopted(house, signed())
        note = house.service.settings.data / NOTE
        note.write_text(note.read_text(encoding="utf-8").replace("0.05", "0.95"), encoding="utf-8")
        with pytest.raises(ListRefused):
            list_in_force(house.service.settings.data, None)

    def test_a_key_taken_away_is_no_way_around_it(self, house: House) -> None:
        adopted(house, signed())
        (house.service.settings.data / KEY).unlink()
        with pytest.raises(ListRefused, match="no key of the group is known here"):
            list_in_force(house.service.settings.data, None)

    @pytest.mark.parametrize("role", [Role.ML_ENGINEER, Role.REVIEWER, Role.REGULATOR, Role.ADMIN, Role.SERVICE])
    def test_is_for_those_who_give_verdicts(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            adopted(house, signed(), by=someone(role))
        assert not (house.service.settings.data / NOTE).exists()

    def test_a_refused_list_leaves_everything_as_it_was(self, house: House) -> None:
        with pytest.raises(ListRefused):
            adopted(house, signed(key=STRANGER))
        assert "publish" not in house.kinds()
        assert list_in_force(house.service.settings.data, None).digest == built_in_list().digest


class TestModelsAtWork:
    def test_those_tried_on_another_list_are_named(self, house: House) -> None:
        house.approved()
        service = house.service
        assert met_another_list(service.permits, service.book, built_in_list()) == ()
        adopted(house, signed())
        known = list_in_force(service.settings.data, None)
        assert met_another_list(service.permits, service.book, known) == ("gas-leak",)

    def test_a_vetoed_model_is_not_at_work(self, house: House) -> None:
        house.veto(house.approved())
        adopted(house, signed())
        known = list_in_force(house.service.settings.data, None)
        assert met_another_list(house.service.permits, house.service.book, known) == ()


class TestOwnFolder:
    def folder(self, path: Path, **files: str) -> Path:
        path.mkdir()
        for name, text in files.items():
            (path / f"{name}.toml").write_text(text, encoding="utf-8")
        return path

    def test_adds_and_tightens_what_the_group_sent(self, house: House, tmp_path: Path) -> None:
        adopted(house, signed())
        own = self.folder(tmp_path / "own", a=WHOLE.replace("boiler_hum", "pump_hum"), b=TIGHTER.replace("0.2", "0.1"))
        known = list_in_force(house.service.settings.data, own)
        stuck = known.scenario("stuck_sensor_read_as_calm")
        assert stuck is not None and stuck.probes[0].most == 0.1 and stuck.tightened_by == ("plant-07", "plant-07")
        assert known.scenario("pump_hum") is not None and known.scenario("boiler_hum") is not None

    def test_cannot_loosen_what_the_group_tightened(self, house: House, tmp_path: Path) -> None:
        adopted(house, signed())
        own = self.folder(tmp_path / "own", a=TIGHTER.replace("0.2", "0.3"))
        with pytest.raises(Loosened, match=r"would rise from 0\.2 to 0\.3"):
            list_in_force(house.service.settings.data, own)

    def test_is_in_force_for_submissions(self, tmp_path: Path) -> None:
        own = self.folder(tmp_path / "own", a=ALWAYS)
        service = open_service(
            Settings(data=tmp_path / "data", negative_list=own),
            clock=StandingClock(),
            store=MemoryStore(tmp_path / "m"),
        )
        try:
            assert service.negative_list.scenario("hot_release") is not None
            record = service.intake.submit(a_directory(tmp_path / "handed"), by=someone(Role.ML_ENGINEER))
        finally:
            service.close()
        told = [f for f in record.findings if f["check"] == "negative_list" and f["holds"] is False]
        assert [f["evidence"]["scenario"] for f in told] == ["hot_release"]

    def test_is_in_force_for_a_check_too(self, tmp_path: Path) -> None:
        known = list_in_force(tmp_path, self.folder(tmp_path / "own", a=ALWAYS))
        found = examine_directory(a_directory(tmp_path / "handed"), read_rulebook(), negative_list=known)
        assert "hot_release" in {str(f.evidence.get("scenario")) for f in found.findings if f.holds is False}


ALWAYS = (
    WHOLE.replace("boiler_hum", "hot_release")
    .replace('words = [["boiler", "锅炉"]]', "")
    .replace('"noise*"', '"temperature"')
    .replace("share_of_sd = 0.3", "share_of_sd = 2.0")
)
