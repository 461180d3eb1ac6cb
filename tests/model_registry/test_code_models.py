"""Models that are code, in a real box: nothing gets out, and whatever they do is one refused call with a sentence."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from model_registry.code_models import (
    BoxedModel,
    CodeFailed,
    CodeNotAdmitted,
    boxed_model,
    columns_of,
    require_admitted,
)
from model_registry.digests import artifact_digest
from model_registry.limits import Limits
from model_registry.loading import load_predictor
from model_registry.seccomp import DENIED
from policies.declaration import Flavour, read_declaration
from policies.errors import Malformed
from policies.terms import CodeRules
from policies.tiers import Tier
from tests.model_registry.boxes import code, needs_box, score_of, tries, written
from tests.model_registry.makers import FEATURES, TOML, rows

REPOSITORY = Path(__file__).resolve().parents[2]
X = np.arange(12, dtype=np.float64).reshape(6, 2)
ADMITTED = CodeRules(allow_code=True)
PATIENT, SHORT = Limits(worker_seconds=60), Limits(worker_seconds=4)


def boxed(artifact: Path, limits: Limits = PATIENT) -> BoxedModel:
    """An artifact in a box, as an examination opens it."""
    return boxed_model(artifact, artifact_digest(artifact), limits=limits)


def running(artifact: Path) -> list[int]:
    """Processes whose command names the artifact."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(artifact).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # it ended while we looked
    return [pid for pid in found if pid != os.getpid()]


def all_ended(artifact: Path) -> bool:
    """Whether every process of a box is gone, waiting for the kernel to be done with them."""
    until = time.monotonic() + 30
    while running(artifact) and time.monotonic() < until:
        time.sleep(0.05)
    return not running(artifact)


def refusal(model: BoxedModel, X: np.ndarray = X) -> str:
    """The one sentence with which a call is refused."""

    def described_and_asked() -> None:
        model.described()
        model.scores(X, ("a", "b"))

    with pytest.raises(CodeFailed) as refused:
        described_and_asked()
    (said,) = refused.value.faults
    assert said.zh and "\n" not in said.en and "Traceback" not in said.en
    assert said.en.startswith("model.pkl was run in its box and gave no scores: ")
    return said.en


@needs_box
class TestSoundModels:
    """What an honest team hands in."""

    def test_probability_of_the_second_class(self, tmp_path: Path) -> None:
        data = rows(300)
        model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(data[list(FEATURES)], data["harmed"])
        joblib.dump(model, tmp_path / "model.joblib", compress=3)
        held = boxed(tmp_path / "model.joblib")
        assert held.described() == (FEATURES, 3, "probability")
        asked = data[list(FEATURES)].to_numpy(dtype=np.float64)
        expected = model.predict_proba(data[list(FEATURES)])[:, 1]
        assert held.scores(asked, FEATURES) == pytest.approx(expected, abs=1e-12)

    def test_a_value(self, tmp_path: Path) -> None:
        model = LinearRegression().fit(X, X.sum(axis=1))
        joblib.dump(model, tmp_path / "model.joblib")
        held = boxed(tmp_path / "model.joblib")
        assert held.described() == ((), 2, "value")
        assert held.scores(X) == pytest.approx(X.sum(axis=1))

    def test_what_it_prints_is_no_answer(self, tmp_path: Path) -> None:
        source = "print('begun')\n" + score_of("print('x' * 100000); os.write(1, b'y'); sys.stderr.write('z')")
        held = boxed(written(tmp_path, code(source)))
        assert held.scores(X).tolist() == [0.0] * 6

    def test_a_missing_reading_it_cannot_score_is_told_with_what_would_mend_it(self, tmp_path: Path) -> None:
        joblib.dump(LinearRegression().fit(X, X.sum(axis=1)), tmp_path / "model.pkl")
        held = boxed(tmp_path / "model.pkl")
        assert "put an imputer before the model" in refusal(held, np.array([[np.nan, 1.0]]))


@needs_box
class TestNothingGetsOut:
    """Each attempt is made by the model and must fail; the model itself answers how many succeeded."""

    def held(self, tmp_path: Path, *attempts: str) -> float:
        (answer,) = boxed(written(tmp_path / "box", code(tries(*attempts)))).scores(X[:1])
        return float(answer)

    def test_the_count_counts(self, tmp_path: Path) -> None:
        assert self.held(tmp_path, "open('/tmp/own', 'w').write('x')", "must(os.path.exists('/tmp/own'))", "1 / 0") == 2

    def test_files_of_the_machine(self, tmp_path: Path) -> None:
        secret = tmp_path / "mingjing-data" / "keys" / "log.key"
        secret.parent.mkdir(parents=True)
        secret.write_text("secret")
        attempts = [f"open({str(path)!r}).read()" for path in (secret, "/etc/passwd", "/etc/hostname", __file__)]
        attempts += [f"must(os.listdir({str(tmp_path)!r}))", "must(glob.glob('/root/*') and os.listdir('/home'))"]
        attempts += ["open('/proc/1/environ').read()", "open('/proc/self/maps').read()", "os.listdir('/sys')"]
        assert self.held(tmp_path, *attempts) == 0

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        places = [str(canary), "/canary", "/usr/lib/canary", "/mingjing/canary", "/mingjing-model", "/dev/canary"]
        places += [f"{np.__path__[0]}/canary.py", f"{os.path.dirname(os.__file__)}/canary.py"]
        attempts = [f"open({place!r}, 'w').write('x')" for place in places]
        attempts += [
            "os.makedirs('/usr/lib/folder')",
            "os.chmod('/mingjing-model', 0o777)",
            "os.remove('/mingjing-model')",
        ]
        assert self.held(tmp_path, *attempts) == 0
        assert {path.name for path in tmp_path.iterdir()} == {"box"}

    def test_network(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as there, socket.socket(socket.AF_UNIX) as local:
            local.bind(f"\0mingjing-{os.getpid()}")
            local.listen()
            attempts = [
                f"socket.create_connection({there.getsockname()!r}, timeout=3)",
                "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
                "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
                "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
                "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
                "socket.gethostbyname('localhost.example')",
                f"socket.socket(socket.AF_UNIX).connect({local.getsockname()!r})",
            ]
            assert self.held(tmp_path, *attempts) == 0

    def test_other_processes_and_programs(self, tmp_path: Path) -> None:
        attempts = ["os.fork()", "os.system('true') and 1 / 0", "subprocess.run(['/bin/sh', '-c', 'true'], check=True)"]
        attempts += [f"os.kill({pid}, 0)" for pid in (os.getpid(), os.getppid())]
        attempts += [
            f"subprocess.run([{sys.executable!r}, '-c', ''], check=True)",
            "os.posix_spawn('/bin/true', [], {})",
        ]
        assert self.held(tmp_path, *attempts) == 0

    def test_another_user_with_no_rights(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_SECRET", "of the service")
        attempts = ["must(os.getuid() != 65534)", "must(os.getgid() != 65534)", "os.setuid(0)", "os.setgroups([0])"]
        attempts += ["os.environ['MINGJING_SECRET']", "os.environ['PATH']"]
        attempts += ["os.chroot('/tmp')", "os.mknod('/tmp/d', 0o666 | stat.S_IFBLK, os.makedev(8, 0))"]
        assert self.held(tmp_path, *attempts) == 0

    def test_no_descriptor_but_its_pipes(self, tmp_path: Path) -> None:
        others = [
            f"must(not stat.S_ISFIFO(os.fstat({fd}).st_mode) and os.fstat({fd}).st_rdev != os.makedev(1, 3))"
            for fd in range(128)
        ]
        assert self.held(tmp_path, *others) == 0

    @pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are those of x86-64")
    def test_calls_to_the_kernel(self, tmp_path: Path) -> None:
        numbers = [number for number, _ in DENIED.values() if number is not None]
        # 0x541C and 0x5412 type into a terminal; 435 is the clone whose flags no filter reads
        attempts = [f"called({number}, 0, 0, 0, 0, 0, 0)" for number in numbers]
        attempts += ["called(435, 0, 0)", "called(56, 0x10000011, 0, 0, 0, 0)", "called(16, 0, 0x5412, b'x')"]
        assert self.held(tmp_path, *attempts) == 0

    def test_limits_cannot_be_lifted(self, tmp_path: Path) -> None:
        kinds = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_CPU")
        attempts = [f"resource.setrlimit(resource.{kind}, (2**40, 2**40))" for kind in kinds]
        attempts += [
            "[open(f'/tmp/{i}', 'wb').write(bytes(10**7)) for i in range(20)]",
            "open('/tmp/l', 'wb').truncate(10**9)",
        ]
        attempts += ["[os.open('/dev/null', 0) for _ in range(1000)]"]
        assert self.held(tmp_path, *attempts) == 0


ENDLESS = "while True: pass"
CALLS = {
    "memory without end": "held = []\nwhile True: held.append(bytearray(200_000_000))",
    "one allocation of everything": "return np.zeros(10**15)",
    "threads without end": (
        "import threading\nwhile True: threading.Thread(target=lambda: time.sleep(99), daemon=True).start()"
    ),
    "ends itself": "os._exit(0)",
    "a crash": "import ctypes; ctypes.string_at(0)",
    "kills its parent": "os.kill(os.getppid(), 9); os.kill(1, 9); os.kill(-1, 9); os.kill(0, 9)",
    "a bare exception": "raise SystemExit('nothing more')",
    "an exception that lies": "raise type('Fault', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "an answer of another shape": "return np.zeros((3, 3, 3))",
    "fewer answers than rows": "return [1.0]",
    "words": "return ['high'] * len(X)",
    "answers that are not finite": "return np.full(len(X), np.nan)",
    "garbage among the frames": "for fd in range(128):\n  try: os.write(fd, b'garbage' * 9)\n  except OSError: pass",
    "an answer of eight exabytes": "for fd in range(128):\n  try: os.write(fd, b'\\xff' * 8)\n  except OSError: pass",
    "a forged answer of another length": (
        "import json; h = json.dumps({'arrays': [['answer', '<f8', [1]]], 'said': {}}).encode()\n"
        "f = b'MJP1' + len(h).to_bytes(8, 'little') + h + bytes(8)\n"
        "for fd in range(3, 9):\n  try: os.write(fd, len(f).to_bytes(8, 'little') + f)\n  except OSError: pass"
    ),
    "an answer without end": (
        "for fd in range(3, 9):\n"
        "  try:\n    os.write(fd, (10**7).to_bytes(8, 'little'))\n    while True: os.write(fd, bytes(4096))\n"
        "  except OSError: pass"
    ),
    "no pipes any more": "os.closerange(0, 128)",
}


@needs_box
class TestOneRefusedCall:
    """Whatever it does while it is asked: one sentence, and the box is gone."""

    @pytest.mark.parametrize("does", CALLS)
    def test_while_it_is_asked(self, does: str, tmp_path: Path) -> None:
        artifact = written(tmp_path, code("import time\n" + score_of(CALLS[does])))
        held = boxed(artifact, Limits(worker_seconds=10, worker_bytes=2_000_000_000))
        refusal(held)
        held.worker.close()
        assert all_ended(artifact)

    @pytest.mark.parametrize(
        "does", ["memory without end", "ends itself", "kills its parent", "garbage among the frames"]
    )
    def test_while_it_is_opened(self, does: str, tmp_path: Path) -> None:
        artifact = written(tmp_path, code(f"{CALLS[does]}\n{score_of('pass')}"))
        refusal(boxed(artifact, Limits(worker_seconds=10, worker_bytes=2_000_000_000)))
        assert all_ended(artifact)

    @pytest.mark.parametrize("source", [ENDLESS, score_of(ENDLESS)], ids=["opened", "asked"])
    def test_a_loop_without_end(self, source: str, tmp_path: Path) -> None:
        artifact = written(tmp_path, code(source))
        assert "gave no answer in time and was stopped" in refusal(boxed(artifact, SHORT))
        assert all_ended(artifact)

    def test_rows_it_never_reads(self, tmp_path: Path) -> None:
        held = boxed(written(tmp_path, code(score_of("os.kill(os.getpid(), 19)"))), SHORT)
        assert "gave no answer in time" in refusal(held, np.zeros((400_000, 2)))

    def test_an_examination_is_not_kept_waiting_for_ever(self, tmp_path: Path) -> None:
        held = replace(boxed(written(tmp_path, code(score_of("pass")))), patience=1e-9)
        held.described()
        with pytest.raises(CodeFailed, match="kept its examination waiting for more than 1e-09 s in all"):
            held.scores(X)

    def test_the_next_call_is_answered_after_one_that_fell(self, tmp_path: Path) -> None:
        held = boxed(written(tmp_path, code(score_of("if X[0, 0] == 1: os._exit(3)"))))
        assert "it ended without an answer" in refusal(held, np.ones((1, 2)))
        assert held.scores(X).tolist() == [0.0] * 6

    def test_no_model_at_all(self, tmp_path: Path) -> None:
        import pickle

        assert "has neither predict_proba nor predict" in refusal(boxed(written(tmp_path, pickle.dumps({"a": 1}))))

    @pytest.mark.parametrize(
        "names", ["['a', 'a']", "['a' * 1000, 'b']", "['', 'b']", "list(map(str, range(20000)))"], ids=lambda text: text
    )
    def test_columns_that_are_none(self, names: str, tmp_path: Path) -> None:
        source = f"Model.feature_names_in_ = {names}\n{score_of('pass')}"
        assert "asked for its columns and answered something else" in refusal(boxed(written(tmp_path, code(source))))

    def test_an_artifact_that_changed_is_not_opened(self, tmp_path: Path) -> None:
        artifact = written(tmp_path, code(score_of("pass")))
        held = boxed_model(artifact, "0" * 64, limits=PATIENT)
        assert (
            "and 0000000000000000000000000000000000000000000000000000000000000000 was examined; it is not opened"
            in (refusal(held))
        )


OWNER = """
import sys
from pathlib import Path
from model_registry.code_models import boxed_model
from model_registry.digests import artifact_digest
artifact = Path(sys.argv[1])
held = boxed_model(artifact, artifact_digest(artifact))
held.described()
print("ready", flush=True)
sys.stdin.read()
"""


@needs_box
class TestEnd:
    """A box ends with whoever asked for it."""

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_with_a_service_that_is_killed(self, how: signal.Signals, tmp_path: Path) -> None:
        artifact = written(tmp_path, code(score_of("pass")))
        command = [sys.executable, "-c", OWNER, str(artifact)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY) as owner:
            assert owner.stdout is not None and owner.stdout.readline() == b"ready\n"
            assert len(running(artifact)) > 1
            owner.send_signal(how)
            owner.wait(30)
        assert all_ended(artifact)

    def test_when_nobody_holds_it(self, tmp_path: Path) -> None:
        artifact = written(tmp_path, code(score_of("pass")))
        held = boxed(artifact)
        held.described()
        assert running(artifact)
        del held
        assert all_ended(artifact)


class TestAdmission:
    def test_by_default_nothing_is_opened(self, tmp_path: Path) -> None:
        declared = read_declaration(TOML.format(name="gas-leak", flavour="python"))
        absent = tmp_path / "model.pkl"  # not even looked for
        with pytest.raises(CodeNotAdmitted) as refused:
            load_predictor(absent, declared)
        assert refused.value.says.en == (
            "model.pkl is handed in as code: opening it runs what its author wrote, and the rulebook in force admits "
            "none (code.allow_code is false); it was not opened, save the model in a format that is data"
        )

    @pytest.mark.parametrize("tier", list(Tier))
    def test_up_to_a_tier(self, tier: Tier) -> None:
        if tier <= Tier.L2:
            require_admitted("model.pkl", ADMITTED, tier)
        else:
            with pytest.raises(CodeNotAdmitted, match=f"admits code up to L2, and this is {tier}"):
                require_admitted("model.pkl", ADMITTED, tier)

    @needs_box
    def test_what_is_no_pickle_is_not_taken_for_one(self, tmp_path: Path) -> None:
        declared = read_declaration(TOML.format(name="gas-leak", flavour="python"))
        artifact = written(tmp_path, b"import os; os.system('true')", "model.py")
        with pytest.raises(Exception, match="is not a model of flavour 'python'"):
            load_predictor(artifact, declared, code=ADMITTED, tier=Tier.L1)

    @needs_box
    def test_says_of_itself_that_it_is_code(self, tmp_path: Path) -> None:
        declared = read_declaration(TOML.format(name="gas-leak", flavour="python"))
        source = f"Model.n_features_in_ = 3\n{score_of('pass')}"
        loaded = load_predictor(written(tmp_path, code(source)), declared, code=ADMITTED, tier=Tier.L1)
        assert (loaded.flavour, loaded.feature_names) == (Flavour.PYTHON, FEATURES)
        assert (loaded.facts["runs_code"], loaded.facts["held_by"]) == (True, "bubblewrap")
        assert not loaded.predictor.exact


class TestColumnsOf:
    def test_as_the_model_names_them(self) -> None:
        assert columns_of("m", ("a", "b"), 2, ("c",)) == ("a", "b")

    @pytest.mark.parametrize("width", [0, 2])
    def test_as_declared(self, width: int) -> None:
        assert columns_of("m", (), width, ("a", "b")) == ("a", "b")

    def test_neither(self) -> None:
        with pytest.raises(Malformed, match=r"takes 3\), and 2 are declared; declare one \[features.NAME\] table"):
            columns_of("m", (), 3, ("a", "b"))
        with pytest.raises(Malformed, match="takes an unknown number"):
            columns_of("m", (), 0, ())
