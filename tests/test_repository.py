"""What a newcomer reads is true: locks, commands, documents and the two READMEs agree with the program."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from api.app import create_app
from api.cli import app
from api.settings import Settings
from api.wiring import open_service
from audit.examination import CHECKS
from policies.rulebook import read_rulebook
from policies.tiers import Tier

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {name: REPOSITORY / "requirements" / f"{name}.txt" for name in ("edge", "demo", "test")}
READMES = (REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md")
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("requirements/*.md"), *REPOSITORY.glob("docs/**/*.md")])
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of the licence text as its authors publish it."""


def read(path: Path) -> str:
    """Return a document as text."""
    return path.read_text(encoding="utf-8")


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> dict[str, list[str]]:
    """Return name==version of every requirement of a lock with the hashes that follow it."""
    requirements: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("    --hash="):
            requirements[list(requirements)[-1]].append(line.strip().removesuffix(" \\").removeprefix("--hash="))
        else:
            requirements[line.split(";")[0].removesuffix("\\").strip()] = []
    return requirements


def wanted(*extras: str) -> set[str]:
    """Return the distributions that the project and these extras ask for, extras of extras included."""
    names: set[str] = set()
    open_lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    while open_lists:
        for line in open_lists.pop():
            inner = re.match(r"mingjing\[([\w,]+)\]", line)
            if inner:
                open_lists += [PROJECT["optional-dependencies"][extra] for extra in inner[1].split(",")]
            else:
                names.add(normal(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]))
    return names


@pytest.mark.parametrize("name", LOCKS)
class TestLocks:
    def test_name_no_index(self, name: str) -> None:
        strange = [
            line for line in read(LOCKS[name]).splitlines() if "://" in line or "index" in line or line[:1] == "-"
        ]
        assert strange == []

    def test_pin_one_version_each(self, name: str) -> None:
        loose = [
            line for line in locked(read(LOCKS[name])) if not re.fullmatch(r"[\w.\-]+(\[[\w,\-]+\])?==[\w.!+]+", line)
        ]
        assert loose == []

    def test_hash_every_file(self, name: str) -> None:
        bare = [line for line, hashes in locked(read(LOCKS[name])).items() if not hashes]
        assert bare == []

    def test_use_sha256(self, name: str) -> None:
        hashes = [found for hashes in locked(read(LOCKS[name])).values() for found in hashes]
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", found) for found in hashes)

    def test_hold_what_the_project_asks_for(self, name: str) -> None:
        pinned = {normal(line.split("==")[0].split("[")[0]) for line in locked(read(LOCKS[name]))}
        assert wanted(name) - pinned == set()


class TestLocksTogether:
    def test_agree_on_every_version(self) -> None:
        edge, demo, test = (set(locked(read(LOCKS[name]))) for name in ("edge", "demo", "test"))
        assert edge <= demo <= test

    def test_edge_carries_neither_mlflow_nor_the_report_library(self) -> None:
        pinned = {normal(line.split("==")[0]) for line in locked(read(LOCKS["edge"]))}
        assert not pinned & {"mlflow", "reportlab", "pytest"}

    def test_a_line_without_a_hash_would_be_seen(self) -> None:
        assert locked("numpy==2.2.0 ; sys_platform == 'linux'\nscipy==1.15.0 \\\n    --hash=sha256:00") == {
            "numpy==2.2.0": [],
            "scipy==1.15.0": ["sha256:00"],
        }


class TestLicence:
    def test_is_the_whole_text(self) -> None:
        assert hashlib.sha256((REPOSITORY / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0

    def test_is_the_one_that_is_declared(self) -> None:
        assert PROJECT["license"] == "Apache-2.0"


class TestMakefile:
    @pytest.mark.parametrize("target", ["demo", "test", "prove", "serve", "lock", "docs", "lint", "clean"])
    def test_has_the_target(self, target: str) -> None:
        assert re.search(rf"^{target}:", read(REPOSITORY / "Makefile"), re.MULTILINE)

    def test_alone_it_tells_what_there_is(self) -> None:
        told = subprocess.run(
            ["make", "--no-print-directory"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        for target in ("demo", "test", "prove", "serve", "lock", "docs", "lint", "clean"):
            assert f"make {target} " in told.stdout

    def test_gate_runs_what_the_readme_tells_to_run(self) -> None:
        assert "make test" in read(REPOSITORY / ".ci" / "run")


def headings(text: str) -> list[int]:
    """Return the levels of a document's headings, in order; what stands in code blocks is none."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [len(found) for found in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class TestReadmes:
    def test_have_the_same_sections(self) -> None:
        assert headings(read(READMES[0])) == headings(read(READMES[1]))

    def test_show_the_same_commands(self) -> None:
        # Each page shows what its reader sees, so the Chinese one sets the language first.
        shown = [
            re.findall(r"^\$ (?:MINGJING_LANGUAGE=zh )?(.*)$", "\n".join(blocks(read(readme), "console")), re.MULTILINE)
            for readme in READMES
        ]
        assert shown[0] == shown[1]
        assert "make demo" in shown[0]

    def test_have_tables_and_lists_of_one_length(self) -> None:
        counted = [len(re.findall(r"^(?:\||- )", read(readme), re.MULTILINE)) for readme in READMES]
        assert counted[0] == counted[1]

    def test_name_each_other(self) -> None:
        assert "README.zh-CN.md" in read(READMES[0])
        assert "README.md" in read(READMES[1])

    @pytest.mark.parametrize("example", blocks(read(READMES[0]), "python"))
    def test_python_in_them_can_be_read(self, example: str) -> None:
        compile(example, "README.md", "exec")


def anchors(text: str) -> set[str]:
    """Return the fragments that a document's headings can be reached by."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title)).strip().lower() for title in titles)
    return {title.replace(" ", "-") for title in plain}


def broken_links(document: Path, text: str) -> list[str]:
    """Return the links of a document that lead nowhere in this repository."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"(https?|mailto):", link):
            continue
        name, _, fragment = unquote(link).partition("#")
        target = document.parent / name if name else document
        reaches = not fragment or fragment in anchors(text if not name else read(target) if target.exists() else "")
        if not (reaches and (target.exists() or not name)):
            broken.append(link)
    return broken


class TestLinks:
    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
    def test_lead_somewhere(self, document: Path) -> None:
        assert broken_links(document, read(document)) == []

    def test_a_broken_one_would_be_seen(self, tmp_path: Path) -> None:
        text = "# One\n[here](#one) [gone](#two) [file](no.md) [code](https://example.org) `[not](a-link)`\n"
        assert broken_links(tmp_path / "page.md", text) == ["#two", "no.md"]


DOCUMENTATION = "\n".join(read(document) for document in DOCUMENTS)


class TestDocumentation:
    @pytest.mark.parametrize("check", [check.name for check in CHECKS])
    def test_has_a_page_for_every_check(self, check: str) -> None:
        assert (REPOSITORY / "docs" / "checks" / f"{check}.md").is_file()
        assert f"{check}.md" in read(REPOSITORY / "docs" / "checks" / "index.md")

    @pytest.mark.parametrize("setting", sorted(Settings.model_fields))
    def test_names_every_setting(self, setting: str) -> None:
        assert f"`MINGJING_{setting.upper()}`" in DOCUMENTATION

    @pytest.mark.parametrize("setting", sorted(Settings.model_fields))
    def test_names_every_default(self, setting: str) -> None:
        default = Settings.model_fields[setting].default
        told = re.search(rf"\| `MINGJING_{setting.upper()}` \| (.*?) \|", read(REPOSITORY / "docs" / "settings.md"))
        assert told is not None
        assert default is None or told[1] == f"`{default}`"

    @pytest.mark.parametrize("check", sorted(read_rulebook().checks))
    def test_the_rulebook_limits_only_checks_that_exist(self, check: str) -> None:
        assert check in {known.name for known in CHECKS}

    def test_every_decision_record_is_listed(self) -> None:
        records = sorted(path.name for path in (REPOSITORY / "docs" / "decisions").glob("0*.md"))
        listed = re.findall(r"\]\((0[\w-]+\.md)\)", read(REPOSITORY / "docs" / "decisions" / "index.md"))
        assert listed == records

    def test_the_changelog_knows_this_version(self) -> None:
        assert f"\n## {PROJECT['version']}" in read(REPOSITORY / "CHANGELOG.md")


def commands(command: Any, path: str = "mingjing") -> Iterator[tuple[str, Any]]:
    """Walk every command of the program with the words it is called by."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from commands(below, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(app)))


class TestCommands:
    @pytest.mark.parametrize("page", ["commands.md", "commands.zh-CN.md"])
    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_is_documented(self, command: str, page: str) -> None:
        assert f"`{command}" in read(REPOSITORY / "docs" / page)

    @pytest.mark.parametrize("page", ["commands.md", "commands.zh-CN.md"])
    @pytest.mark.parametrize("command", COMMANDS)
    def test_so_is_every_option(self, command: str, page: str) -> None:
        told = read(REPOSITORY / "docs" / page)
        options = [name for option in COMMANDS[command].params for name in option.opts if name.startswith("--")]
        assert [name for name in options if f"`{name}" not in told] == []

    @pytest.mark.parametrize("page", ["commands.md", "commands.zh-CN.md"])
    def test_no_page_tells_of_one_that_does_not_exist(self, page: str) -> None:
        told = set(
            re.findall(
                r"^### `(mingjing [a-z]+(?: (?:add|serve|show|change|ask))?)[ `]",
                read(REPOSITORY / "docs" / page),
                re.MULTILINE,
            )
        )
        assert told <= set(COMMANDS)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_shows_an_example_of_itself(self, command: str) -> None:
        assert f"Example: {command}" in (COMMANDS[command].help or "")

    @pytest.mark.parametrize("readme", READMES, ids=["en", "zh"])
    def test_the_help_in_the_readme_is_the_programs(self, readme: Path) -> None:
        shown = next(block for block in blocks(read(readme), "console") if block.startswith("$ mingjing --help\n"))
        told = subprocess.run(
            [sys.executable, "-m", "api.cli", "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"},  # noqa: TID251 - what a terminal sets
        ).stdout
        assert unboxed(shown.removeprefix("$ mingjing --help\n")) == unboxed(told)


def unboxed(text: str) -> list[str]:
    """Return the words of a help text line by line, without the frame a terminal draws around them."""
    lines = (re.sub(r"[─-╿]", " ", line).split() for line in text.replace("python -m api.cli", "mingjing").splitlines())
    return [" ".join(words) for words in lines if words]


BOOK = read_rulebook()


@pytest.mark.parametrize(("page", "language"), [("tiers.md", "en"), ("tiers.zh-CN.md", "zh")])
class TestTiers:
    def test_every_answer_has_its_points(self, page: str, language: str) -> None:
        told = read(REPOSITORY / "docs" / page)
        for question in BOOK.impact.questions:
            section = told[told.index(f"### {question.asks.in_language(language)} `{question.name}`") :]
            for option in question.options:
                said = option.says.in_language(language)
                assert re.search(
                    rf"^\| `{option.answer}` \| {option.points} \| {re.escape(said)}", section, re.MULTILINE
                )

    def test_what_counts_when_unanswered_is_marked(self, page: str, language: str) -> None:
        marked = re.findall(r"^\| `(\w+)` .*(?:not answered|未回答)", read(REPOSITORY / "docs" / page), re.MULTILINE)
        assert marked == [question.unanswered for question in BOOK.impact.questions]

    def test_every_floor_is_told(self, page: str, language: str) -> None:
        told = read(REPOSITORY / "docs" / page)
        for floor in BOOK.impact.floors:
            when = ", ".join(f"`{name}` ≥ `{answer}`" for name, answer in floor.when.items())
            assert f"| {when} | {floor.tier} | {floor.says.in_language(language)} |" in told

    @pytest.mark.parametrize("tier", Tier, ids=str)
    def test_every_tier_has_its_consequences(self, page: str, language: str, tier: Tier) -> None:
        permits, kept = BOOK.permits, BOOK.retention.ceiling_days[tier]
        deciders = ", ".join(f"`{role}`" for role in permits.deciders[tier])
        row = f"| {tier} | {BOOK.impact.tier_from[tier]} | {permits.longest_days[tier]} | {deciders} "
        assert f"{row}| `{permits.inconclusive[tier]}` | {kept} |" in read(REPOSITORY / "docs" / page)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every address of the program, as `METHOD /path`."""
    service = open_service(Settings(data=tmp_path_factory.mktemp("house")))
    try:
        paths = create_app(service).openapi()["paths"]
    finally:
        service.close()
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize("page", ["addresses.md", "addresses.zh-CN.md"])
class TestAddresses:
    def test_every_one_is_documented(self, addresses: list[str], page: str) -> None:
        told = read(REPOSITORY / "docs" / page)
        assert [address for address in addresses if f"`{address}`" not in told] == []

    def test_none_is_told_that_does_not_exist(self, addresses: list[str], page: str) -> None:
        told = re.findall(r"^\| `([A-Z]+ /[^`]*)`", read(REPOSITORY / "docs" / page), re.MULTILINE)
        assert [address for address in told if address not in addresses] == []
