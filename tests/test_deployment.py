"""What companies deploy with fits the program: commands and settings exist, and the unit is one systemd takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml

from api.cli import app
from api.listening import DRAIN_SECONDS
from api.settings import Settings

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
class TestEveryFile:
    def test_names_only_settings_that_exist(self, file: Path) -> None:
        known = {f"MINGJING_{name.upper()}" for name in Settings.model_fields} | {"MINGJING_DATABASE_PASSWORD"}
        named = set(re.findall(r"MINGJING_[A-Z_]+", file.read_text(encoding="utf-8")))
        assert named - known == set()

    def test_calls_only_commands_and_options_that_exist(self, file: Path) -> None:
        commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
        text = file.read_text(encoding="utf-8").replace('", "', " ")
        for name, rest in re.findall(r"(?:bin/|\")mingjing ([a-z-]+)([^\"\n]*)", text):
            options = {option for parameter in commands[name].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= options


class TestCompose:
    def test_gives_time_to_drain_and_seal(self) -> None:
        assert int(COMPOSE["services"]["mingjing"]["stop_grace_period"].rstrip("s")) > DRAIN_SECONDS + 15

    def test_waits_for_the_database_and_shows_itself_to_this_machine_alone(self) -> None:
        ours = COMPOSE["services"]["mingjing"]
        assert ours["depends_on"] == {"database": {"condition": "service_healthy"}}
        assert ours["ports"] == ["127.0.0.1:8400:8400"]

    def test_holds_no_password(self) -> None:
        assert re.findall(r"PASSWORD[^$\n]*: (?!\$\{)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")) == []

    def test_database_keeps_what_it_acknowledges(self) -> None:
        assert {"fsync=on", "synchronous_commit=on"} <= set(COMPOSE["services"]["database"]["command"])


class TestUnit:
    def test_gives_time_to_drain_and_seal(self) -> None:
        found = re.search(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "mingjing.service").read_text(), re.MULTILINE)
        assert found is not None
        assert int(found[1]) > DRAIN_SECONDS + 15

    def test_is_one_that_systemd_takes(self, tmp_path: Path) -> None:
        if shutil.which("systemd-analyze") is None:
            pytest.skip("systemd-analyze is not on this machine")
        unit = tmp_path / "mingjing.service"
        text = (DEPLOY / "mingjing.service").read_text(encoding="utf-8")
        unit.write_text(text.replace("/opt/mingjing/bin/mingjing", "/bin/true"), encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if "mingjing.service" in line]
        assert said == []


class TestImage:
    def test_runs_without_rights_and_stops_in_order(self) -> None:
        text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
        last = text[text.rindex("FROM ") :]
        assert re.search(r"^USER mingjing$", last, re.MULTILINE)
        assert "STOPSIGNAL SIGTERM" in last
        assert "--require-hashes" in text

    def test_is_built_from_files_that_exist(self) -> None:
        for name in re.findall(r"^COPY ([\w./-]+) [\w./-]+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
            assert (DEPLOY.parent / name).exists()
