"""A command becomes one in a box: no network, no files but its own, another user, fewer calls to the kernel.

The box is bubblewrap's. Whether this machine can make one is found out by making one.
"""

from __future__ import annotations

import base64
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.seccomp import filter_for
from policies.errors import Fault, Refused, Sentence

ROOT = Path(__file__).resolve().parent.parent
ENTERING = ROOT / "model_registry" / "entering.py"
HOUSE = "/mingjing"
"""Where the few files of ours lie in the box that the command needs."""

MODEL = "/mingjing-model"
"""Where the artifact lies in the box, under a name of ours."""

NOBODY = "65534"
SCRATCH_BYTES = 64_000_000
OPEN_FILES = 128
LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/urandom")
PROBE_SECONDS = 20.0
INSIDE = "boxed"
HARMLESS = f"""
import os, socket, sys
def refused(what):
    try: what()
    except OSError: return True
    return False
held = [
    os.getuid() == {NOBODY}, set(os.listdir('/tmp')) <= set(sys.argv[1:]), not os.environ.get('PATH'),
    not os.path.exists('/etc/passwd'), not os.path.exists('/proc/self'),
    refused(lambda: open('/file', 'w')), refused(os.fork),
    refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
]
print('{INSIDE}' if all(held) else held)
"""


class NoSandbox(Refused):
    """This machine cannot hold a model that is code."""

    def __init__(self, because: Sentence) -> None:
        super().__init__(
            Sentence(
                en=f"this machine cannot hold a model that is code: {because.en}",
                zh=f"本机无法隔离运行含代码的模型：{because.zh}",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Bubblewrap:
    """How commands are boxed on this machine.

    Parameters
    ----------
    program : Path
        The `bwrap` to use.
    limits : Limits
        `worker_bytes` bounds the address space, `code_seconds` processor time over the whole life of a command.
    """

    program: Path
    limits: Limits = DEFAULT_LIMITS

    def command(self, inner: Sequence[str], shown: Mapping[Path, str] | None = None) -> tuple[str, ...]:
        """Return what to start so that `inner` runs boxed. Standard input and output go through; the rest is closed.

        Parameters
        ----------
        inner : sequence of str
            A command that finds in the box: this interpreter, its libraries, and what is shown.
        shown : mapping of Path to str
            Files and folders of this machine, and where they lie, read-only, in the box.

        Raises
        ------
        NoFilter
            When the processor is neither x86-64 nor 64-bit ARM.
        """
        job = {
            "filter": base64.b64encode(filter_for(platform.machine())).decode(),
            "AS": self.limits.worker_bytes,
            "CPU": round(self.limits.code_seconds),
            "FSIZE": SCRATCH_BYTES,
            "NOFILE": OPEN_FILES,
            "CORE": 0,
            "command": [str(self.program), *self._box(shown or {}), "--", *inner],
        }
        return (sys.executable, "-I", "-S", str(ENTERING), json.dumps(job))

    def python(self, program: str, *arguments: str, shown: Mapping[Path, str] | None = None) -> tuple[str, ...]:
        """Return what to start so that a Python program runs boxed, with the libraries this process has."""
        begin = f"import sys; sys.path += {library_folders()!r}\n"
        return self.command([interpreter(), "-I", "-S", "-B", "-c", begin + program, *arguments], shown)

    def _box(self, shown: Mapping[Path, str]) -> list[str]:
        alone = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        alone += ["--unshare-cgroup-try", "--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL"]
        alone += ["--die-with-parent", "--new-session", "--clearenv"]
        said = {"HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}  # noqa: S108 - the box's own, made just below
        said |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        told = [part for name, value in said.items() for part in ("--setenv", name, value)]
        seen = [part for path in _libraries() for part in ("--ro-bind-try", path, path)]
        seen += [part for path in DEVICES for part in ("--dev-bind-try", path, path)]
        seen += [part for path, place in shown.items() for part in ("--ro-bind", str(path.resolve()), place)]
        scratch = ["--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp", "--chdir", "/tmp"]  # noqa: S108
        # scratch first: what is seen may itself lie below /tmp, where this house was installed there
        return [*alone, *told, *scratch, *seen, "--remount-ro", "/", "--seccomp", "filter"]


def interpreter() -> str:
    """Return the interpreter itself, behind the links of an environment."""
    return str(Path(sys.executable).resolve())


def library_folders() -> list[str]:
    """Return where this process finds installed packages; not where it finds its own rooms."""
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def _libraries() -> list[str]:
    """Return what an interpreter needs to start: its own files, packages, and the libraries of the system."""
    own = [interpreter(), sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *library_folders()]
    shared = sysconfig.get_config_var("LIBDIR")
    return list(dict.fromkeys([*LIBRARIES, *([shared] if shared else []), *own]))


def _shown_below_scratch() -> list[str]:
    """Return what lies in the box's own scratch from the start: the way to libraries that are installed below it."""
    return sorted(
        {path.parts[2] for path in map(Path, _libraries()) if path.parts[:2] == ("/", "tmp") and path.exists()}
    )


def bubblewrap(limits: Limits = DEFAULT_LIMITS) -> Bubblewrap:
    """Return the box of this machine.

    Raises
    ------
    NoSandbox
        Says what is missing: the program, a processor it knows, or the kernel's leave, as inside most containers.
    """
    found = _tried()
    if isinstance(found, Sentence):
        raise NoSandbox(found)
    return Bubblewrap(program=found, limits=limits)


@cache
def _tried() -> Path | Sentence:
    """Return where bubblewrap is, or why it cannot be used. Tried once; a machine does not change while we run."""
    where = shutil.which("bwrap")
    if where is None:
        return Sentence(
            en="bubblewrap (bwrap) is not installed; install the package bubblewrap",
            zh="未安装 bubblewrap（bwrap），请安装 bubblewrap 软件包",
        )
    return why_not(Bubblewrap(program=Path(where))) or Path(where)


def why_not(box: Bubblewrap, seconds: float = PROBE_SECONDS) -> Sentence | None:
    """Return why a harmless program cannot run in a box, or is not held by it; None when all is as it should be."""
    try:
        command = box.python(HARMLESS, *_shown_below_scratch())
        done = subprocess.run(  # noqa: S603 - our own program; a pipe that is closed at once would end it
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except Fault as fault:
        return fault.says
    except (OSError, subprocess.TimeoutExpired) as error:
        return _failed(f"{type(error).__name__}: {error}"[:200])
    if done.returncode == 0 and done.stdout.strip() == INSIDE.encode():
        return None
    said = (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return _failed(said[:200] if done.returncode else f"it does not hold: {done.stdout.decode(errors='replace')}"[:200])


def _failed(said: str) -> Sentence:
    return Sentence(
        en=f"bubblewrap could not hold a harmless program ({said}); it needs user namespaces of the kernel, which "
        "containers often forbid",
        zh=f"bubblewrap 未能隔离一个无害的程序（{said}）；它需要内核的用户命名空间，容器中往往禁止使用",
    )
