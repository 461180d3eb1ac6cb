"""Whether this machine can hold code is found out by trying, and what does not hold is not taken for a box."""

from __future__ import annotations

import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_registry import bubblewrap as module
from model_registry.bubblewrap import Bubblewrap, NoSandbox, bubblewrap, why_not
from model_registry.seccomp import NoFilter
from tests.model_registry.boxes import needs_box

LETS_ALL_THROUGH = '#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n'
FORBIDDEN = "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
HANGS = "#!/bin/sh\nexec sleep 600\n"


def a_program(folder: Path, text: str) -> Path:
    """A program that goes by the name of bubblewrap."""
    path = folder / "bwrap"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def untried() -> Iterator[None]:
    """What was found out about this machine is forgotten, before and after."""
    module._tried.cache_clear()
    yield
    module._tried.cache_clear()


@pytest.mark.usefixtures("untried")
class TestBubblewrap:
    def test_a_machine_without_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(NoSandbox) as refused:
            bubblewrap()
        assert refused.value.says.en == (
            "this machine cannot hold a model that is code: bubblewrap (bwrap) is not installed; install the package "
            "bubblewrap"
        )
        assert "请安装 bubblewrap" in refused.value.says.zh

    def test_a_kernel_that_forbids_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        a_program(tmp_path, FORBIDDEN)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(
            NoSandbox, match=r"\(bwrap: No permissions to create new namespace\); it needs user namespa"
        ):
            bubblewrap()

    @needs_box
    def test_this_machine(self) -> None:
        assert bubblewrap().program.name == "bwrap"


class TestWhyNot:
    def test_one_that_lets_all_through_is_no_box(self, tmp_path: Path) -> None:
        found = why_not(Bubblewrap(program=a_program(tmp_path, LETS_ALL_THROUGH)))
        assert found is not None and "could not hold a harmless program (it does not hold: [False" in found.en

    def test_one_that_hangs(self, tmp_path: Path) -> None:
        found = why_not(Bubblewrap(program=a_program(tmp_path, HANGS)), seconds=1)
        assert found is not None and "TimeoutExpired" in found.en

    def test_one_that_is_gone(self, tmp_path: Path) -> None:
        assert why_not(Bubblewrap(program=tmp_path / "none")) is not None

    def test_a_processor_without_a_filter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module.platform, "machine", lambda: "riscv64")
        found = why_not(Bubblewrap(program=Path("/usr/bin/bwrap")))
        assert found == NoFilter("riscv64").says


@needs_box
class TestCommand:
    def test_sees_what_it_is_shown_and_nothing_else(self, tmp_path: Path) -> None:
        (tmp_path / "shown").write_text("words")
        program = "import os; print(open('/place/shown').read(), sorted(os.listdir('/place')), os.path.exists('/home'))"
        command = bubblewrap().python(program, shown={tmp_path / "shown": "/place/shown"})
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env={})
        assert done.stdout.strip() == "words ['shown'] False", done.stderr

    def test_finds_libraries_that_lie_below_its_own_scratch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as below:
            library = Path(below) / "site-packages"
            library.mkdir()
            (library / "lies_below.py").write_text("word = 'found'")
            (Path(below) / "beside").write_text("secret")
            monkeypatch.syspath_prepend(str(library))
            program = f"import lies_below, os; print(lies_below.word, os.path.exists({below + '/beside'!r}))"
            command = bubblewrap().python(program)
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "found False", done.stderr

    def test_tells_how_it_ended(self) -> None:
        for program, status in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 11)", 128 + 11)):
            command = bubblewrap().python(program)
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            assert done.returncode == status

    def test_ends_when_nobody_speaks_to_it_any_more(self) -> None:
        command = bubblewrap().python("import time\nwhile True: time.sleep(60)")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
            assert started.stdin is not None and started.stdout is not None
            started.stdin.close()
            assert started.stdout.read() == b""  # ends only when the last of them is gone
            assert started.wait(30) == 126
