"""The command line: exit codes, JSON for machines, help with an example, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import typer.main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import wiring
from api.cli import app, run
from api.clock import system_clock
from api.commands.shared import end_of_day
from governance.permits import MayNotRun
from model_registry.memory_store import MemoryStore
from policies.roles import Role
from tests.governance.factories import (
    ENGINEER,
    L2,
    PLANT,
    SENSORS,
    House,
    a_directory,
    a_house,
    an_examination,
    rows,
)


class Terminal:
    """Runs commands on one data folder and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str], data: Path) -> None:
        self._capsys = capsys
        self.data = data
        self.out = self.err = ""

    def run(self, *arguments: str) -> int:
        """Run one command on the data folder."""
        return self.plain(*arguments, "--data", str(self.data))

    def plain(self, *arguments: str) -> int:
        """Run one command as it is."""
        self._capsys.readouterr()
        code = run(list(arguments))
        said = self._capsys.readouterr()
        self.out, self.err = said.out, said.err
        assert "Traceback" not in self.out + self.err
        return code

    def json(self, *arguments: str) -> Any:
        """Run one command with --json and read what it prints."""
        self.code = self.run(*arguments, "--json")
        return json.loads(self.out)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, MemoryStore, dict[str, str]]]:
    """A data folder with a model at work, one waiting, a decision, and people."""
    folder = tmp_path_factory.mktemp("cli")
    store = MemoryStore(folder / "models")
    with a_house(folder / "house", store=store) as house:
        house.clock.now = system_clock()  # the commands read the real one
        tokens = {}
        for role in (Role.EMPLOYEE, Role.REVIEWER, Role.SERVICE, Role.ML_ENGINEER, Role.ADMIN):
            subject = "w-1" if role is Role.EMPLOYEE else None
            tokens[role.value] = house.service.people.add(role.value, role, subject=subject).token
        house.approved()
        waiting = house.service.intake.take_in(
            an_examination(house.folder / "waiting", name="gas-peak", seed=3), by=ENGINEER
        )
        decisions = house.decide(X=rows(2, seed=9)[list(SENSORS)], by=PLANT, subjects=["w-1", "w-2"]).decisions
        ids = {"decision": decisions[0].id, "other": decisions[1].id, "waiting": waiting.id}
        yield house.folder / "data", store, {**tokens, **ids}


@pytest.fixture
def terminal(
    kept: tuple[Path, MemoryStore, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Terminal:
    """A terminal in an empty folder; the registry is the one in memory."""
    monkeypatch.chdir(tmp_path)
    for name in ("MINGJING_DATA", "MINGJING_TOKEN", "MINGJING_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(wiring, "model_store", lambda _settings: kept[1])
    return Terminal(capsys, kept[0])


@pytest.fixture
def ids(kept: tuple[Path, MemoryStore, dict[str, str]]) -> dict[str, str]:
    """Tokens by role, and ids of what is there."""
    return kept[2]


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand there is."""
    root = typer.main.get_command(app)
    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, (*path, name))
        else:
            found.append(path)

    walk(root, ())
    return found


class TestHelp:
    @pytest.mark.parametrize("command", commands(), ids=" ".join)
    def test_has_an_example(self, terminal: Terminal, command: tuple[str, ...]) -> None:
        assert terminal.plain(*command, "--help") == 0
        assert "Example: mingjing " + " ".join(command) in " ".join(terminal.out.split())

    def test_names_the_commands_people_rely_on(self) -> None:
        relied_on = ["serve", "demo", "check", "submit", "verdict", "predict", "trace", "verify", "report", "doctor"]
        assert {(name,) for name in relied_on} <= set(commands())

    def test_without_a_command_it_is_shown(self, terminal: Terminal) -> None:
        assert terminal.plain() in (0, 2)


class TestCheck:
    def test_prints_the_findings_for_machines(self, terminal: Terminal, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "handed")
        assert terminal.plain("check", str(directory), "--json") == 0
        report = json.loads(terminal.out)
        assert set(report) == {
            *("submission", "model", "artifact_digest", "rulebook_digest"),
            *("tier", "tier_because", "holds", "findings"),
        }
        for finding in report["findings"]:
            assert set(finding) == {
                *("check", "holds", "measured", "limit", "unit", "interval"),
                *("n", "groups", "says", "evidence"),
            }
            assert set(finding["says"]) == {"en", "zh"}

    def test_is_1_when_something_does_not_hold(self, terminal: Terminal, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "handed", purpose="reward")
        assert terminal.plain("check", str(directory)) == 1
        assert "does not hold" in terminal.out

    def test_is_2_with_a_sentence_when_it_cannot_be_read(self, terminal: Terminal, tmp_path: Path) -> None:
        assert terminal.plain("check", str(tmp_path / "none")) == 2
        assert terminal.err.strip() == "none is not a directory; expected one that holds submission.toml"

    def test_speaks_chinese(self, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_LANGUAGE", "zh")
        assert terminal.plain("check", str(tmp_path / "none")) == 2
        assert terminal.err.strip() == "none 不是目录，应为包含 submission.toml 的目录"

    def test_writes_what_pipelines_read(self, terminal: Terminal, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "handed", purpose="reward")
        files = {name: tmp_path / name for name in ("junit", "sarif", "markdown")}
        options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
        assert terminal.plain("check", str(directory), "--json", *options) == 1
        findings = json.loads(terminal.out)["findings"]
        cases = ElementTree.parse(files["junit"]).findall(".//testcase")
        assert len(cases) == len(findings)
        assert sum(case.find("failure") is not None for case in cases) == sum(f["holds"] is False for f in findings)
        results = json.loads(files["sarif"].read_text(encoding="utf-8"))["runs"][0]["results"]
        assert [one["ruleId"] for one in results] == [finding["check"] for finding in findings]
        assert "**does not hold** | purpose" in files["markdown"].read_text(encoding="utf-8")
        assert terminal.plain("check", str(directory), "--markdown", str(files["markdown"])) == 1
        assert files["markdown"].read_text(encoding="utf-8").count("## gas-leak") == 2

    def test_a_file_that_cannot_be_written_is_3(self, terminal: Terminal, tmp_path: Path) -> None:
        directory = a_directory(tmp_path / "handed")
        assert terminal.plain("check", str(directory), "--junit", str(tmp_path / "none" / "x.xml")) == 3

    def test_prints_the_questions_in_both_languages(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        for language, sentences in (
            ("en", ("What is the worst", "L1 0, L2 4, L3 9, L4 15", "L4  It acts without a person")),
            ("zh", ("最坏会造成什么后果", "L1 0, L2 4, L3 9, L4 15", "L4  在可能致人死亡的场合")),
        ):
            monkeypatch.setenv("MINGJING_LANGUAGE", language)
            assert terminal.plain("check", "--questions") == 0
            assert all(sentence in terminal.out for sentence in sentences)

    def test_prints_the_questions(self, terminal: Terminal) -> None:
        assert terminal.plain("check", "--questions", "--json") == 0
        assert {"severity", "autonomy"} <= {question["question"] for question in json.loads(terminal.out)["questions"]}


class TestVerdict:
    def test_needs_a_reason(self, terminal: Terminal, ids: dict[str, str]) -> None:
        assert terminal.run("verdict", ids["waiting"], "approve") == 2
        assert "a verdict needs a reason that others can follow" in terminal.err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("none", "approve", "--reason", "fine"), "there is no submission 'none' here"),
            (
                ("waiting", "bless", "--reason", "fine"),
                "a verdict is approve, return or veto; found 'bless'",
            ),
            (("waiting", "approve", "--reason", "fine", "--until", "soon"), "'soon' is not a day or moment"),
            (("waiting", "approve", "--reason", "fine", "--until", "1999-01-01"), "ends after now"),
            (
                ("waiting", "approve", "--reason", "fine", "--condition", "threshold=9"),
                "is not known or incomplete",
            ),
            (("waiting", "approve", "--reason", "fine", "--as", "nobody"), "there is no account 'nobody'"),
            (
                ("waiting", "approve", "--reason", "fine", "--as", "reviewer"),
                "'give_verdict' is for dso, committee",
            ),
        ],
        ids=lambda part: " ".join(part)[:40] if isinstance(part, tuple) else "",
    )
    def test_that_cannot_be_given_is_2(
        self, terminal: Terminal, ids: dict[str, str], arguments: tuple[str, ...], said: str
    ) -> None:
        submission, *rest = arguments
        assert terminal.run("verdict", ids.get(submission, submission), *rest) == 2
        assert said in terminal.err


class TestUntil:
    @pytest.mark.parametrize(
        ("text", "end"),
        [
            ("2026-05-01", "2026-05-01T23:59:59.999999+00:00"),
            ("9999-12-30", "9999-12-30T23:59:59.999999+00:00"),
            ("2026-05-01T08:00", "2026-05-01T08:00:00+00:00"),
            ("2026-05-01T08:00:00+08:00", "2026-05-01T00:00:00+00:00"),
        ],
    )
    def test_covers_its_last_day(self, text: str, end: str) -> None:
        found = end_of_day(text)
        assert found is not None
        assert found.isoformat() == end


class TestArguments:
    def test_that_are_no_text_are_2(self, terminal: Terminal, ids: dict[str, str]) -> None:
        assert terminal.run("verdict", ids["waiting"], "return", "--reason", "fine \udcff") == 2
        assert terminal.err.strip() == "an argument is not text in UTF-8; set the terminal to UTF-8"


class TestPredict:
    def test_answers_a_file(self, terminal: Terminal, tmp_path: Path) -> None:
        rows(5, seed=9)[list(SENSORS)].to_csv(tmp_path / "rows.csv", index=False)
        said = terminal.json("predict", "gas-leak", "--input", "rows.csv", "--out", "answers.csv")
        assert (terminal.code, said["rows"], said["refused"]) == (0, 5, 0)
        answers = pd.read_csv(tmp_path / "answers.csv")
        assert answers["decision_id"].notna().all()
        assert terminal.run("trace", answers["decision_id"][0]) == 0

    @pytest.mark.parametrize("suffix", ["parquet", "json"])
    def test_reads_and_writes_other_files(self, terminal: Terminal, tmp_path: Path, suffix: str) -> None:
        frame = rows(3, seed=9)[list(SENSORS)]
        if suffix == "parquet":
            frame.to_parquet(tmp_path / "rows.parquet")
        else:
            frame.to_json(tmp_path / "rows.json", orient="records")
        assert terminal.run("predict", "gas-leak", "--input", f"rows.{suffix}", "--out", f"out.{suffix}") == 0
        assert (tmp_path / f"out.{suffix}").stat().st_size > 0

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("none.csv", None, "there is no file none.csv"),
            ("rows.xlsx", b"x", "expected a file ending in .csv, .parquet, .json"),
            ("rows.csv", b"", "rows.csv"),
            ("rows.csv", b"\xff\xfe\x00", "is not UTF-8"),
            ("rows.csv", b"temperature,pressure\n1,high\n", "'pressure' holds 'high'"),
            ("rows.csv", b"temperature\n1\n", "column 'pressure' is missing"),
            ("rows.csv", b"temperature,pressure,salary\n1,2,3\n", "column 'salary' is unknown"),
            ("rows.json", b"{", "rows.json"),
            ("rows.json", b"[1, 2]", "column"),
            ("rows.parquet", b"no parquet", "rows.parquet"),
        ],
    )
    def test_rows_that_cannot_be_read_are_2(
        self, terminal: Terminal, tmp_path: Path, name: str, content: bytes | None, said: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert terminal.run("predict", "gas-leak", "--input", name) == 2
        assert said in terminal.err

    @pytest.mark.parametrize(
        ("model", "purpose", "said"),
        [
            ("none", "risk_intervention", "there is no model of this name here"),
            ("gas-peak", "risk_intervention", "no version of it holds a permit"),
            ("gas-leak", "reward", "purpose 'reward' is refused"),
        ],
    )
    def test_refusals_are_2(self, terminal: Terminal, tmp_path: Path, model: str, purpose: str, said: str) -> None:
        rows(2)[list(SENSORS)].to_csv(tmp_path / "rows.csv", index=False)
        assert terminal.run("predict", model, "--input", "rows.csv", "--purpose", purpose) == 2
        assert said in terminal.err

    def test_answers_that_cannot_be_written_are_3(self, terminal: Terminal, tmp_path: Path) -> None:
        rows(2)[list(SENSORS)].to_csv(tmp_path / "rows.csv", index=False)
        assert terminal.run("predict", "gas-leak", "--input", "rows.csv", "--out", "no/such/folder/out.csv") == 3
        assert "did not do what was asked" in terminal.err


class TestTrace:
    def test_shows_one_decision(self, terminal: Terminal, ids: dict[str, str]) -> None:
        said = terminal.json("trace", ids["decision"])
        assert said["id"] == ids["decision"]
        assert {line["feature"] for line in said["explanation"]["contributions"]} == set(SENSORS)

    def test_finds_by_raw_id_and_by_pseudonym(self, terminal: Terminal, ids: dict[str, str]) -> None:
        by_id = terminal.json("trace", "--subject", "w-2")["decisions"]
        assert [line["id"] for line in by_id] == [ids["other"]]
        pseudonym = terminal.json("trace", ids["other"])["subject"]
        assert terminal.json("trace", "--subject", pseudonym)["decisions"] == by_id

    def test_an_absent_one_is_2(self, terminal: Terminal) -> None:
        assert terminal.run("trace", "none") == 2
        assert terminal.err.strip() == "there is no decision 'none' here, or it is outside your scope"

    @pytest.mark.parametrize("moment", ["soon", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", ""])
    def test_a_moment_that_is_none_is_2(self, terminal: Terminal, moment: str) -> None:
        assert terminal.run("trace", "--from", moment) == 2
        assert "is not a day or moment; write YYYY-MM-DD or an RFC 3339 time" in terminal.err

    def test_under_a_token_shows_what_the_role_may_see(
        self, terminal: Terminal, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MINGJING_TOKEN", ids["employee"])
        assert [line["id"] for line in terminal.json("trace")["decisions"]] == [ids["decision"]]
        assert terminal.run("trace", ids["decision"]) == 0
        assert terminal.run("trace", ids["other"]) == 2
        assert terminal.run("trace", ids["decision"], "--evidence", "bundle.json") == 2
        assert "'export_evidence' is for dso, regulator" in terminal.err
        monkeypatch.setenv("MINGJING_TOKEN", ids["service"])
        assert terminal.run("trace", ids["decision"]) == 2
        monkeypatch.setenv("MINGJING_TOKEN", "mj_wrong")
        assert terminal.run("trace", ids["decision"]) == 2
        assert terminal.err.strip() == "sign in first: the token or password is missing, wrong or expired"


class TestVerify:
    @pytest.fixture
    def bundle(self, terminal: Terminal, ids: dict[str, str], tmp_path: Path) -> Path:
        assert terminal.run("trace", ids["decision"], "--evidence", "bundle.json") == 0
        return tmp_path / "bundle.json"

    def test_proves_a_bundle_without_a_service(self, terminal: Terminal, bundle: Path) -> None:
        assert terminal.plain("verify", str(bundle), "--json") == 0
        said = json.loads(terminal.out)
        assert said["holds"] is True
        assert all(step["holds"] for step in said["steps"])

    def test_every_string_changed_is_found_or_harmless_to_the_entry(self, terminal: Terminal, bundle: Path) -> None:
        """Change one character in every text under the entry: no change of what was sealed goes unseen."""
        document = json.loads(bundle.read_text())
        for name, value in document["entry"].items():
            if isinstance(value, str) and len(value) > 8:
                changed = json.loads(bundle.read_text())
                place = len(value) // 2
                changed["entry"][name] = value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :]
                bundle.with_name("changed.json").write_text(json.dumps(changed))
                assert terminal.plain("verify", str(bundle.with_name("changed.json"))) == 1, name

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"null", b"5", b'"x"', b"{}", b"\xff", b'{"format": 1}', b"[" * 100_000]
    )
    def test_what_is_no_bundle_is_1_or_2(self, terminal: Terminal, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "bundle.json").write_bytes(content)
        assert terminal.plain("verify", "bundle.json") in (1, 2)

    def test_an_absent_file_is_2(self, terminal: Terminal) -> None:
        assert terminal.plain("verify", "none.json") == 2
        assert terminal.plain("verify", ".") == 2


class TestLetter:
    def test_is_written(self, terminal: Terminal, ids: dict[str, str], tmp_path: Path) -> None:
        assert terminal.run("letter", ids["decision"], "--lang", "zh", "--out", "letter.pdf") == 0
        assert (tmp_path / "letter.pdf").read_bytes().startswith(b"%PDF")

    def test_nobody_sees_more_than_his_role(
        self, terminal: Terminal, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MINGJING_TOKEN", ids["employee"])
        assert terminal.run("letter", ids["decision"], "--view", "regulator", "--out", "letter.pdf") == 2
        assert "sees the view 'employee', not 'regulator'" in terminal.err

    @pytest.mark.parametrize("option", [("--lang", "fr"), ("--view", "boss")])
    def test_what_is_not_there_is_2(self, terminal: Terminal, ids: dict[str, str], option: tuple[str, str]) -> None:
        assert terminal.run("letter", ids["decision"], "--out", "letter.pdf", *option) == 2


class TestReport:
    def test_is_written_in_both_languages(self, terminal: Terminal, tmp_path: Path) -> None:
        for language in ("zh", "en"):
            assert terminal.run("report", "gas-leak", "--lang", language, "--out", f"{language}.pdf") == 0
            assert (tmp_path / f"{language}.pdf").read_bytes().startswith(b"%PDF")

    def test_of_an_absent_model_is_2(self, terminal: Terminal) -> None:
        assert terminal.run("report", "none", "--out", "none.pdf") == 2


class TestUser:
    def test_prints_its_secrets_once(self, terminal: Terminal) -> None:
        said = terminal.json("user", "add", "lin", "--role", "ml_engineer")
        assert set(said) == {"user", "password", "token"}
        listed = terminal.json("user", "list")
        assert said["token"] not in terminal.out
        assert "lin" in {person["user"] for person in listed}
        assert terminal.json("user", "disable", "lin") == {"user": "lin", "disabled": True}

    def test_an_unknown_role_is_2(self, terminal: Terminal) -> None:
        assert terminal.run("user", "add", "lin", "--role", "king") == 2
        assert "there is no role 'king'; expected one of ml_engineer" in terminal.err

    def test_under_a_token_is_for_the_admin(
        self, terminal: Terminal, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MINGJING_TOKEN", ids["reviewer"])
        assert terminal.run("user", "add", "x", "--role", "dso") == 2
        assert "'manage_people' is for admin" in terminal.err
        monkeypatch.setenv("MINGJING_TOKEN", ids["admin"])
        assert terminal.run("user", "list") == 0


class TestSurroundings:
    def test_a_data_folder_that_is_a_file_is_3(self, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        terminal.data = tmp_path / "file"
        assert terminal.run("trace") == 3

    def test_a_database_that_is_none_is_said(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_DATABASE_URL", "mysql://somewhere")
        assert terminal.run("trace") == 2
        assert "is no database for the log" in terminal.err

    def test_a_database_that_does_not_answer_is_3(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_DATABASE_URL", "postgresql://127.0.0.1:1/none")
        assert terminal.run("trace") == 3

    def test_a_setting_that_cannot_be_read_is_2(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_PORT", "high")
        assert terminal.run("trace") == 2
        assert "the setting MINGJING_PORT is 'high'" in terminal.err

    def test_a_rulebook_that_is_not_there_is_said(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_RULEBOOK", "none.toml")
        assert terminal.run("trace") in (2, 3)
        assert terminal.plain("check", ".") in (2, 3)

    def test_the_doctor_looks_at_everything(self, terminal: Terminal) -> None:
        said = terminal.json("doctor")
        looked = {"python", "rooms", "rulebook", "data", "database", "registry", "registry shows", "fonts", "kernel"}
        assert looked | {"sandbox"} <= {look["name"] for look in said["checks"]}


SAFE = [command for command in commands() if command[0] not in ("serve", "demo", "snapshot", "witness")]
WORDS = st.one_of(
    st.sampled_from(
        [
            "--json",
            "--data",
            "--model",
            "--reason",
            "--role",
            "--limit",
            "--lang",
            "--out",
            "--as",
            "--help",
            "--",
            "-x",
        ]
    ),
    st.text(max_size=6),
    st.sampled_from(["", "\x00", "..", "/", "none", "9" * 30, "-1", "氯气", "\ud800", "--limit=-1", "--from=tomorrow"]),
)


class TestAnything:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from(SAFE), st.lists(WORDS, max_size=4))
    def test_is_answered_or_refused_without_a_traceback(
        self, terminal: Terminal, command: tuple[str, ...], words: list[str]
    ) -> None:
        assert terminal.plain(*command, *words, "--data", str(terminal.data)) in (0, 1, 2, 3)


@pytest.fixture
def own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[House, Terminal]]:
    """A house of one's own beside a terminal on its data folder, both by the real clock."""
    store = MemoryStore(tmp_path / "own-models")
    for name in ("MINGJING_DATA", "MINGJING_TOKEN", "MINGJING_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(wiring, "model_store", lambda _settings: store)
    with a_house(tmp_path / "own", store=store) as house:
        house.clock.now = system_clock()
        yield house, Terminal(capsys, house.folder / "data")


class TestChangeLogKey:
    def test_prints_the_new_key_and_the_log_goes_on_under_it(self, own: tuple[House, Terminal]) -> None:
        house, terminal = own
        house.approved()
        terminal.run("witness", "log-key")
        before = terminal.out.split()[-1]
        assert terminal.run("witness", "change-log-key") == 0
        after = terminal.out.split()[-1]
        assert after != before
        terminal.run("witness", "log-key")
        assert terminal.out.split()[-1] == after
        house.decide()
        house.service.log.checkpoint()  # the running process takes the new key from its file
        assert terminal.json("recheck")["holds"] is True


class TestReviewAndAppeal:
    def test_from_the_queue_to_the_figures(self, own: tuple[House, Terminal], tmp_path: Path) -> None:
        house, terminal = own
        house.approved([{"kind": "review_alarms"}])
        decided = house.decide(subjects=[f"w-{i}" for i in range(6)]).decisions
        for name, role, subject in (("lin", Role.EMPLOYEE, "w-0"), ("bo", Role.REVIEWER, None)):
            house.service.people.add(name, role, subject=subject)
        first = decided[0].id

        waiting = terminal.json("review", "queue", "--model", "gas-leak")["waiting"]
        assert {line["id"] for line in waiting} == {d.id for d in decided if d.verdict}
        assert terminal.run("review", "queue") == 0
        assert terminal.run("review", "add", first, "override", "--reason", "sound", "--label", "safety=well") == 0
        assert terminal.json("review", "add", first, "confirm", "--reason", "not sound")["kind"] == "review"
        told = terminal.json("review", "agreement")["over_reliance"]["withheld"]["en"]
        assert told.startswith("1 person reviewed")
        assert terminal.run("review", "agreement") == 0
        assert "gas-leak: 1 of 6 decisions were reviewed, 100.0% of them confirmed" in terminal.out
        assert terminal.run("review", "labels", "gas-leak", "--out", str(tmp_path / "labels.csv")) == 0
        assert "1 rows written" in terminal.out

        made = terminal.json("appeal", "add", first, "--reason", "I was not there", "--as", "lin")
        assert terminal.run("appeal", "list", "--open") == 0
        assert made["id"] in terminal.out
        assert terminal.json("appeal", "list", "--due")["appeals"] == []
        answer = ("appeal", "answer", made["id"], "changed", "--reason", "he was not there")
        assert terminal.run(*answer) == 2
        assert "local-reviewer reviewed decision" in terminal.err
        assert terminal.json(*answer, "--as", "bo")["outcome"] == "changed"
        assert terminal.run("appeal", "statistics") == 0
        assert "1 received, 1 answered (1 in time), 0 overdue, 1 changed" in terminal.out

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("review", "add", "x", "maybe"), "a review is confirm or override; found 'maybe'"),
            (("review", "add", "x", "confirm", "--label", "sound"), "'sound' is no label; write TRACK=LABEL"),
            (("appeal", "add", "x", "--asks", "money"), "'money' is none of explanation, human_decision, appeal"),
            (("appeal", "answer", "x", "won"), "'won' is none of explained, stands, changed"),
        ],
    )
    def test_says_what_is_wrong(self, terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
        assert terminal.run(*arguments) == 2
        assert sentence in terminal.err


class TestLaw:
    def test_a_snapshot_is_sealed_and_written_by_suffix(self, terminal: Terminal, tmp_path: Path) -> None:
        pytest.importorskip("xlsxwriter", reason="XlsxWriter (mingjing[server]) is not installed")
        files = [tmp_path / f"s.{kind}" for kind in ("json", "pdf", "xlsx")]
        outs = [word for file in files for word in ("--out", str(file))]
        assert terminal.run("snapshot", "--lang", "zh", *outs) == 0
        assert [file.read_bytes()[:2] for file in files] == [b"{\n", b"%P", b"PK"]
        number = json.loads(files[0].read_text(encoding="utf-8"))["number"]
        again = terminal.json("snapshot", "--number", str(number))
        assert again["digest"] == json.loads(files[0].read_text(encoding="utf-8"))["digest"]

    def test_what_cannot_be_written_is_told_before_anything_is_sealed(self, terminal: Terminal) -> None:
        before = terminal.json("trace", "--model", "gas-leak")
        assert terminal.run("snapshot", "--lang", "fr", "--out", "s.doc") == 2
        assert "there is no language 'fr'" in terminal.err
        assert "a file ending in '.doc' is not written" in terminal.err
        assert terminal.json("trace", "--model", "gas-leak") == before

    def test_packs_are_listed(self, terminal: Terminal) -> None:
        assert terminal.run("law", "list") == 0
        assert "cn-pipl" in terminal.out
        assert len(terminal.json("law", "list")) >= 8

    def test_coverage_is_shown_with_its_reasons(self, terminal: Terminal) -> None:
        assert terminal.run("law", "coverage", "--pack", "cn-cybersecurity-law") == 0
        assert "retention.default_days is 190; asked for at least 184" in terminal.out
        assert terminal.run("law", "coverage", "--pack", "gone") == 2

    def test_scope_is_answered(self, terminal: Terminal) -> None:
        asked = ("law", "scope", "eu-gdpr", "people_in_the_union", "--does-not-apply")
        assert terminal.run(*asked, "--reason", "no sites in the Union") == 0
        assert "does not apply" in terminal.out
        assert terminal.run("law", "scope", "eu-gdpr", "colour", "--applies", "--reason", "so it is") == 2


class TestRulebook:
    def test_is_proposed_shown_declined_adopted_and_listed(self, own: tuple[House, Terminal], tmp_path: Path) -> None:
        house, terminal = own
        house.approved()
        first = house.service.rulebook
        for number, hours in enumerate((12, 6)):
            text = first.source.replace(b"grace_hours = 24", f"grace_hours = {hours}".encode())
            (tmp_path / f"rules-{number}.toml").write_bytes(text)
        propose = ("rulebook", "propose", str(tmp_path / "rules-0.toml"), "--reason", "half a day is enough")
        assert terminal.run(*propose) == 0
        assert "permits.grace_hours: 24 becomes 12 (stricter)" in terminal.out
        assert terminal.run(*propose) == 2
        assert "waits for the committee already" in terminal.err
        waiting = terminal.json("rulebook", "history")["rulebooks"][0]["id"]
        assert terminal.run("rulebook", "decline", waiting, "--reason", "too short") == 0
        made = terminal.json("rulebook", "propose", str(tmp_path / "rules-1.toml"), "--reason", "six hours are enough")
        assert [change["path"] for change in made["differences"]] == ["permits.grace_hours"]
        assert terminal.run("rulebook", "adopt", made["id"], "--reason", "discussed in May") == 0
        assert "is in force" in terminal.out
        assert terminal.json("rulebook", "show")["digest"] == made["digest"]
        assert terminal.run("rulebook", "show") == 0
        assert terminal.run("rulebook", "history") == 0
        assert "proposed by local-dso, decided by local-committee" in terminal.out
        assert terminal.run("rulebook", "diff", first.digest[:8], made["digest"][:8]) == 0
        assert "permits.grace_hours: 24 becomes 6 (stricter)" in terminal.out
        assert terminal.json("rulebook", "examine-again")["permits"][0]["model"] == "gas-leak"
        assert terminal.run("rulebook", "examine-again") == 0
        assert terminal.run("rulebook", "propose", "--built-in", "--reason", "as it was") == 0

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("rulebook", "propose"), "name the rulebook: mingjing rulebook propose FILE, or --built-in"),
            (("rulebook", "propose", "no.toml"), "there is no file no.toml"),
            (("rulebook", "diff", "00", "11"), "there is no rulebook '00' here"),
        ],
    )
    def test_says_what_is_wrong(self, terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
        assert terminal.run(*arguments) == 2
        assert sentence in terminal.err


class TestPapers:
    @pytest.mark.parametrize(
        ("kind", "suffix", "begins"),
        [
            ("technical-file", "pdf", b"%PDF"),
            ("technical-file", "json", b"{"),
            ("model-card", "md", b"---\nlanguage"),
            ("model-card", "json", b"{"),
            ("bom", "json", b'{\n  "bomFormat": "CycloneDX"'),
        ],
    )
    def test_are_written_by_suffix(
        self, terminal: Terminal, tmp_path: Path, kind: str, suffix: str, begins: bytes
    ) -> None:
        file = tmp_path / f"paper.{suffix}"
        assert terminal.run("report", "gas-leak", "--kind", kind, "--out", str(file)) == 0
        assert file.read_bytes().startswith(begins)

    def test_unknown_kinds_and_forms_are_refused(self, terminal: Terminal) -> None:
        assert terminal.run("report", "gas-leak", "--kind", "poem") == 2
        assert "expected one of transparency, technical-file" in terminal.err
        assert terminal.run("report", "gas-leak", "--kind", "bom", "--out", "x.pdf") == 2
        assert "a bom is written to .json" in terminal.err

    def test_an_audit_without_words_names_all_of_them(self, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "words.toml").write_text("", encoding="utf-8")
        asked = ("report", "gas-leak", "--kind", "bias-audit", "--publish", "--metadata", str(tmp_path / "words.toml"))
        assert terminal.run(*asked) == 2
        assert len(terminal.err.strip().splitlines()) == 9

    def test_an_audit_nobody_published_is_not_there(self, terminal: Terminal) -> None:
        assert terminal.run("report", "gas-leak", "--kind", "bias-audit") == 2
        assert "no bias audit of gas-leak:1 was published" in terminal.err


class TestRevisions:
    def test_are_shown_and_signed_as_they_were_read(self, terminal: Terminal, tmp_path: Path) -> None:
        files = [tmp_path / f"r.{kind}" for kind in ("json", "pdf", "xlsx")]
        outs = [word for file in files for word in ("--out", str(file))]
        assert terminal.run("law", "revision", "us-sr-26-2", *outs) == 0
        assert "permits to examine again" in terminal.out
        digest = json.loads(files[0].read_text(encoding="utf-8"))["new"]["digest"]
        assert terminal.run("law", "adopt", "us-sr-26-2", "--digest", "0" * 64, "--reason", "it was read") == 2
        assert "read the revision again" in terminal.err
        signed = terminal.json("law", "adopt", "us-sr-26-2", "--digest", digest, "--reason", "it was read")
        assert signed["adopted"]["role"] == "committee"
        assert terminal.run("law", "revision", "us-sr-26-2") == 2
        assert "nothing changed since" in terminal.err


class TestTierAndDelegation:
    def test_are_changed_confirmed_given_and_revoked(self, own: tuple[House, Terminal]) -> None:
        house, terminal = own
        record = house.submitted(impact={"severity": "serious_injury", "autonomy": "permit", "persons": "none"})
        made = terminal.json("tier", "change", record.id, "L2", "--reason", "nobody is near when it runs")
        assert made["state"] == "waits"
        assert terminal.run("tier", "confirm", made["id"], "--reason", "so it is", "--decline") == 0
        assert terminal.run("tier", "change", record.id, "L4", "--reason", "beside a school") == 0
        assert "L3 to L4, done" in terminal.out
        given = terminal.json(
            "delegation", "add", "L2", "--until", house.clock.now.date().isoformat(), "--reason", "for today",
            "--model", "gas-leak", "--site", "plant-07",
        )  # fmt: skip
        assert (given["how"], given["models"]) == ("reviewer", ["gas-leak"])
        assert terminal.run("delegation", "list") == 0
        assert "by local-dso: gas-leak, plant-07" in terminal.out
        assert terminal.run("delegation", "revoke", given["id"], "--reason", "over") == 0
        assert terminal.json("delegation", "list")["delegations"][0]["revoked_by"] == "local-dso"

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("tier", "change", "x", "L9"), "'L9' is no tier; expected one of L1, L2, L3, L4"),
            (("delegation", "add", "L3", "--until", "2026-12-31"), "L3 cannot be delegated"),
        ],
    )
    def test_say_what_is_wrong(self, terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
        assert terminal.run(*arguments) == 2
        assert sentence in terminal.err


class TestUse:
    def test_is_shown_before_it_is_changed_and_listed_after(self, own: tuple[House, Terminal]) -> None:
        house, terminal = own
        record = house.approved(impact=L2)
        asked = ("use", "change", record.id, "--answer", "severity=fatality", "--reason", "the line was rebuilt")
        assert terminal.json(*asked, "--preview")["outcome"] == "decided_anew"
        assert house.decide().decisions
        assert terminal.run(*asked) == 0
        assert "L2 to L3: nothing runs until a new verdict" in terminal.out
        house.clock.go(seconds=1)
        with pytest.raises(MayNotRun):
            house.decide()
        (listed,) = terminal.json("use", "list")["changes"]
        assert (listed["by"], listed["after"]["impact"]["severity"]) == ("local-ml_engineer", "fatality")
        assert terminal.json("use", "list", record.id)["changes"] == [listed]

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("use", "change", "x", "--answer", "graver"), "'graver' is no answer; write QUESTION=ANSWER"),
            (("use", "change", "x", "--reason", "so it is"), "there is no submission 'x' here"),
        ],
    )
    def test_says_what_is_wrong(self, terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
        assert terminal.run(*arguments) == 2
        assert sentence in terminal.err


class TestErasure:
    @pytest.fixture
    def house(self, own: tuple[House, Terminal]) -> House:
        """A house in which something is known about somebody."""
        own[0].approved()
        own[0].decide(X=rows(1, seed=9)[list(SENSORS)], subjects=["w-1"])
        return own[0]

    def test_takes_two_accounts_by_password_and_by_token(
        self, own: tuple[House, Terminal], house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, terminal = own
        mei, zhao = house.service.people.add("mei", Role.DSO), house.service.people.add("zhao", Role.COMMITTEE)
        monkeypatch.setattr("sys.stdin", StringIO(f"{mei.password}\n{mei.password}\n{zhao.password}\n"))
        made = terminal.json("erasure", "ask", "w-1", "--as", "mei", "--reason", "asked for by the person")
        assert (made["by"], made["state"]) == ("mei", "waits")
        approve = ("erasure", "approve", made["id"], "--reason", "nothing stands against it")
        assert terminal.run(*approve, "--as", "mei") == 2
        assert "mei asked for this erasure and cannot approve it" in terminal.err
        assert terminal.run(*approve, "--as", "zhao") == 0
        assert "asked by mei: done (0 erased, 1 restricted, 0 held)" in terminal.out
        monkeypatch.setenv("MINGJING_TOKEN", zhao.token)
        assert terminal.json("erasure", "list")["erasures"][0]["decided_by"] == "zhao"
        other = terminal.json("erasure", "ask", "w-2", "--reason", "asked for by the person")
        assert terminal.run("erasure", "approve", other["id"], "--reason", "taken back", "--decline") == 0

    def test_a_name_alone_is_nobody(
        self, own: tuple[House, Terminal], house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, terminal = own
        house.service.people.add("mei", Role.DSO)
        monkeypatch.setattr("sys.stdin", StringIO("a guess\n"))
        assert terminal.run("erasure", "ask", "w-1", "--as", "mei", "--reason", "asked for by the person") == 2
        assert "sign in first" in terminal.err
        assert terminal.run("erasure", "ask", "w-1", "--reason", "asked for by the person") == 2
        assert "this takes two people, each as himself" in terminal.err
        assert house.service.log.search(kind="propose").entries == ()
