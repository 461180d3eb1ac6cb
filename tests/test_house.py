"""Seven rooms and no more, one staircase, and every file says its thought first."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("policies", "explainers", "audit", "model_registry", "governance", "reports", "api")
BESIDE_THE_ROOMS = {"tests", "benchmarks"}
MADE_HERE = {"build", "dist", "site", "node_modules", "mingjing-data"}
Plant = Callable[[str, str], "subprocess.CompletedProcess[str]"]
RUN_BY_PATH = {"api/migrations/versions", "reports/fonts"}
"""Folders whose files are run by their path and imported by nobody; the import contracts do not see them."""
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def packages_in(root: Path) -> set[str]:
    """Return the folders of `root` that Python would import, with or without an `__init__.py`."""
    folders = (item for item in root.iterdir() if item.is_dir() and item.name not in MADE_HERE)
    return {item.name for item in folders if not item.name.startswith(".") and any(item.glob("*.py"))}


def modules_of(*folders: str) -> Iterator[Path]:
    """Walk the Python files of these folders in a fixed order."""
    for folder in folders:
        yield from sorted(REPOSITORY.joinpath(folder).rglob("*.py"))


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the import contracts over the tree at `root`."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


class TestRooms:
    def test_are_seven_and_no_more(self) -> None:
        assert packages_in(REPOSITORY) == set(ROOMS) | BESIDE_THE_ROOMS

    def test_an_eighth_would_be_seen(self, tmp_path: Path) -> None:
        for room in (*ROOMS, "utils"):
            (tmp_path / room).mkdir()
            (tmp_path / room / "thing.py").touch()
        assert packages_in(tmp_path) - set(ROOMS) == {"utils"}

    def test_are_what_the_wheel_holds(self) -> None:
        assert tuple(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == ROOMS

    def test_are_what_the_type_checker_reads(self) -> None:
        assert tuple(PROJECT["tool"]["mypy"]["packages"]) == ROOMS

    def test_stand_on_the_staircase_in_this_order(self) -> None:
        staircase = PROJECT["tool"]["importlinter"]["contracts"][0]
        assert staircase["type"] == "layers"
        assert tuple(reversed(staircase["layers"])) == ROOMS

    def test_hold_no_loose_modules_beside_them(self) -> None:
        assert [item.name for item in REPOSITORY.glob("*.py")] == []


class TestFiles:
    def test_each_says_its_thought_in_the_first_line(self) -> None:
        silent = []
        for module in modules_of(*ROOMS, "benchmarks"):
            source = module.read_text(encoding="utf-8")
            said = (ast.get_docstring(ast.parse(source)) or "").splitlines()
            if source.strip() and not (said and said[0].strip()):
                silent.append(str(module.relative_to(REPOSITORY)))
        assert silent == []

    def test_every_folder_of_tests_is_a_package(self) -> None:
        folders = {module.parent for module in modules_of("tests")}
        assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []

    def test_every_folder_of_a_room_is_a_package(self) -> None:
        folders = {module.parent for module in modules_of(*ROOMS)}
        missing = {str(folder.relative_to(REPOSITORY)) for folder in folders if not (folder / "__init__.py").exists()}
        assert missing <= RUN_BY_PATH


@pytest.fixture(scope="module")
def copy_of_the_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms in which a fault can be planted."""
    root = tmp_path_factory.mktemp("house")
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    for room in ROOMS:
        shutil.copytree(
            REPOSITORY / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "console", "fonts")
        )
    return root


@pytest.fixture
def plant(copy_of_the_house: Path) -> Iterator[Plant]:
    """A way to add a module to the copy; it is gone when the test is over."""
    planted: list[Path] = []

    def add(module: str, source: str) -> subprocess.CompletedProcess[str]:
        path = copy_of_the_house / module
        assert not path.exists()
        path.write_text(source, encoding="utf-8")
        planted.append(path)
        return lint_imports(copy_of_the_house)

    yield add
    for path in planted:
        path.unlink()


class TestFloors:
    def test_hold(self) -> None:
        linted = lint_imports(REPOSITORY)
        assert linted.returncode == 0, linted.stdout + linted.stderr

    def test_break_on_a_look_up_the_stairs(self, plant: Plant) -> None:
        linted = plant("policies/planted.py", "import reports\n")
        assert linted.returncode == 1
        assert "policies is not allowed to import reports" in linted.stdout

    def test_break_on_one_that_only_types_need(self, plant: Plant) -> None:
        source = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import governance\n"
        linted = plant("explainers/planted.py", source)
        assert linted.returncode == 1
        assert "explainers is not allowed to import governance" in linted.stdout

    def test_break_on_a_library_of_numbers_in_the_rules(self, plant: Plant) -> None:
        linted = plant("policies/planted.py", "import numpy\n")
        assert linted.returncode == 1
        assert "Policies stand on the standard library BROKEN" in linted.stdout

    def test_break_on_a_second_module_that_speaks_mlflow(self, plant: Plant) -> None:
        linted = plant("governance/planted.py", "import mlflow\n")
        assert linted.returncode == 1
        assert "One module speaks MLflow BROKEN" in linted.stdout

    def test_break_on_the_web_below_the_registry(self, plant: Plant) -> None:
        linted = plant("audit/planted.py", "import fastapi\n")
        assert linted.returncode == 1
        assert "Floors one to three know no web, no registry, no PDF BROKEN" in linted.stdout


class TestCircles:
    def test_break_the_house_also_inside_one_room(self, copy_of_the_house: Path, plant: Plant) -> None:
        (copy_of_the_house / "reports" / "planted_a.py").write_text("import reports.planted_b\n", encoding="utf-8")
        linted = plant("reports/planted_b.py", "import reports.planted_a\n")
        (copy_of_the_house / "reports" / "planted_a.py").unlink()
        assert linted.returncode == 1
        assert "No circles inside a room BROKEN" in linted.stdout


class TestSmallInstallations:
    def test_an_edge_box_needs_no_registry_and_no_report_library(self) -> None:
        absent = ["mlflow", "reportlab", "xlsxwriter", "authlib", "apprise", "pyhanko", "shap", "lime"]
        wanted = ["api.cli", "api.clock", "api.edge", "api.listening"]
        code = f"import sys; sys.modules.update(dict.fromkeys({absent})); [__import__(name) for name in {wanted}]"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
