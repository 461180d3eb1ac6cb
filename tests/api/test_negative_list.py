"""The negative list at the doors: read over HTTP, shown, signed and adopted at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli import run
from policies.roles import Role
from policies.scenario_files import built_in_list
from tests.api.doors import Doors
from tests.policies.test_negative_list import TIGHTER, WHOLE


class TestAddress:
    @pytest.mark.parametrize("role", [None, Role.EMPLOYEE, Role.ML_ENGINEER])
    def test_is_for_anyone_to_read(self, doors: Doors, role: Role | None) -> None:
        told = doors.ask("get", "/v1/negative-list", role).json()
        assert told["digest"] == built_in_list().digest
        assert len(told["scenarios"]) == len(built_in_list().scenarios)
        assert {"name", "owner", "origin", "title", "story", "happened", "remedy", "pattern", "probes"} <= set(
            told["scenarios"][0]
        )


class TestCommands:
    def test_show_lists_and_tells(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = ("--data", str(tmp_path))
        assert run(["negative-list", "show", *data]) == 0
        assert "stuck_sensor_read_as_calm" in capsys.readouterr().out
        assert run(["negative-list", "show", "stuck_sensor_read_as_calm", "--json", *data]) == 0
        assert json.loads(capsys.readouterr().out)["probes"][0]["name"] == "stands_still"
        assert run(["negative-list", "show", "night_shift_missed", *data]) == 0
        assert "night_missed: errors_in_regime on hour, at most 0.15" in capsys.readouterr().out

    def test_an_unknown_scenario_is_2(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["negative-list", "show", "sunspots", "--data", str(tmp_path)]) == 2
        assert "there is no scenario 'sunspots' on the list" in capsys.readouterr().err

    def test_from_group_to_subsidiary(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        group, note = tmp_path / "group", tmp_path / "list.note"
        group.mkdir()
        (group / "hum.toml").write_text(WHOLE, encoding="utf-8")
        (group / "tighter.toml").write_text(TIGHTER, encoding="utf-8")
        sign = ["negative-list", "sign", str(group), "--group", "Group", "--key", str(tmp_path / "group.key")]
        assert run([*sign, "--edition", "2", "--out", str(note)]) == 0
        key = capsys.readouterr().out.strip()
        data = ("--data", str(tmp_path / "plant"))
        assert run(["negative-list", "adopt", str(note), "--key", key, "--json", *data]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["added"], told["withdrawn"], told["met_another_list"]) == (["boiler_hum"], [], [])
        assert run(["negative-list", "show", "boiler_hum", *data]) == 0
        assert run([*sign, "--edition", "1", "--out", str(note)]) == 0
        assert run(["negative-list", "adopt", str(note), *data]) == 2
        assert "edition 1 is not newer than edition 2" in capsys.readouterr().err

    @pytest.mark.parametrize("bad", [("--edition", "0"), ("--edition", "1", "--name", "a b")])
    def test_what_cannot_be_signed_is_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: tuple[str, ...]
    ) -> None:
        (tmp_path / "hum.toml").write_text(WHOLE, encoding="utf-8")
        sign = ["negative-list", "sign", str(tmp_path), "--group", "G", "--key", str(tmp_path / "k")]
        assert run([*sign, "--out", str(tmp_path / "n"), *bad]) == 2
        assert "a list needs scenario files (found 1 in" in capsys.readouterr().err
