"""Governed serving against bare serving: same model, same load generator, one run, on the loopback.

    python -m benchmarks.serve            # about four minutes; needs `wrk`
    python -m benchmarks.serve --seconds 3

Governed means: exact attributions of every row and a durable sealed trace before the answer. The others only predict.
Starts every server by itself with one worker, warms it up, and takes turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

FEATURES, TREES, DEPTH = 60, 100, 6
NAMES = [f"f{number:02d}" for number in range(FEATURES)]

BARE = """
import numpy as np, orjson, xgboost
from fastapi import FastAPI, Request, Response
app = FastAPI()
booster = xgboost.Booster(model_file={model!r})
booster.set_param({{"nthread": 1}})

@app.post("/invocations")
async def invocations(request: Request) -> Response:
    asked = orjson.loads(await request.body())["dataframe_split"]
    scores = booster.inplace_predict(np.array(asked["data"], dtype=np.float32), validate_features=False)
    return Response(orjson.dumps({{"predictions": scores.tolist()}}), media_type="application/json")
"""


@dataclass(frozen=True)
class Server:
    """Where a server answers, how it wants its rows, and what to send along."""

    name: str
    url: str
    bodies: tuple[str, ...]
    headers: dict[str, str]
    pid: int = 0


@dataclass(frozen=True)
class Measured:
    """What one run of the load generator saw."""

    rate: float
    p50: float
    p99: float
    errors: int


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"the server for {url} ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(f"{url} did not answer")


@contextmanager
def running(words: list[str], ready: str, folder: Path, **more: str) -> Iterator[int]:
    """A server process by its number, stopped at the end."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder, env={**os.environ, **more})  # noqa: TID251 - a benchmark hands its own environment on
        try:
            wait_for(ready, process)
            yield process.pid
        finally:
            process.terminate()
            process.wait(timeout=30)


def make_submission(folder: Path) -> Path:
    """Train the model of the benchmark and lay it out as a submission."""
    import xgboost

    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, FEATURES)).astype(np.float32)
    y = (X[:, :8].sum(axis=1) + rng.normal(size=6000) > 0).astype(int)
    frame = pd.DataFrame(X, columns=NAMES)
    model = xgboost.XGBClassifier(n_estimators=TREES, max_depth=DEPTH, learning_rate=0.1, n_jobs=2, random_state=0)
    model.fit(frame.iloc[:4000], y[:4000])
    folder.mkdir()
    model.get_booster().save_model(folder / "model.ubj")
    evaluation = frame.iloc[4000:].assign(harmed=y[4000:])
    evaluation.to_csv(folder / "evaluation.csv", index=False)
    (folder / "submission.toml").write_text(
        '[model]\nname = "bench"\nartifact = "model.ubj"\nflavour = "xgboost"\n'
        '[use]\npurpose = "risk_intervention"\ndescription = "benchmark"\nsite = "bench"\nowner = "bench"\n'
        '[data]\nevaluation = "evaluation.csv"\nlabel = "harmed"\n'
        'sources = [{ name = "generated", period = "2026", licence = "CC0" }]\n'
        '[impact]\nseverity = "injury"\nautonomy = "alarm"\n',
        encoding="utf-8",
    )
    return folder


def mingjing(*words: str, data: Path) -> dict[str, object]:
    """Run one command of ours and read its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *words, "--data", str(data), "--json"], capture_output=True, text=True
    )
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@contextmanager
def governed(folder: Path, submission: Path, bodies: tuple[str, ...]) -> Iterator[Server]:
    """Mingjing with a permit for the model."""
    data = folder / "data"
    made = mingjing("submit", str(submission), data=data)
    mingjing("verdict", str(made["submission"]), "approve", "--reason", "benchmark", data=data)
    token = str(mingjing("user", "add", "bench", "--role", "service", data=data)["token"])
    port = free_port()
    words = [sys.executable, "-m", "api.cli", "serve", "--data", str(data), "--port", str(port)]
    with running(words, f"http://127.0.0.1:{port}/v2/health/ready", folder) as pid:
        url = f"http://127.0.0.1:{port}/v1/models/bench/invocations"
        yield Server("mingjing, governed", url, bodies, {"Authorization": f"Bearer {token}"}, pid)


@contextmanager
def mlflow_bare(
    folder: Path, submission: Path, split: tuple[str, ...], inputs: tuple[str, ...]
) -> Iterator[list[Server]]:
    """`mlflow models serve` of the same model, asked in both forms."""
    import mlflow.xgboost
    import xgboost
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    booster = xgboost.Booster(model_file=submission / "model.ubj")
    mlflow.xgboost.save_model(booster, str(folder / "frames"))
    signature = ModelSignature(inputs=Schema([TensorSpec(np.dtype("float32"), (-1, FEATURES))]))
    nameless = xgboost.Booster(model_file=submission / "model.ubj")
    nameless.feature_names = None
    mlflow.xgboost.save_model(nameless, str(folder / "tensors"), signature=signature)
    with ExitStack() as stack:
        servers = []
        for model, name, bodies in (("frames", "dataframe_split, as shipped", split), ("tensors", "inputs", inputs)):
            port = free_port()
            words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / model)]
            words += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
            path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]  # noqa: TID251 - mlflow looks for python there
            stack.enter_context(running(words, f"http://127.0.0.1:{port}/ping", folder, PATH=path))
            servers.append(Server(f"mlflow models serve, {name}", f"http://127.0.0.1:{port}/invocations", bodies, {}))
        yield servers


@contextmanager
def fastapi_bare(folder: Path, submission: Path, bodies: tuple[str, ...]) -> Iterator[Server]:
    """A minimal FastAPI that only predicts."""
    (folder / "bare.py").write_text(BARE.format(model=str(submission / "model.ubj")), encoding="utf-8")
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port), "--log-level", "warning"]
    with running(words, f"http://127.0.0.1:{port}/openapi.json", folder):
        yield Server("FastAPI, raw body, predict only", f"http://127.0.0.1:{port}/invocations", bodies, {})


def load(server: Server, connections: int, seconds: int, folder: Path) -> Measured:
    """Ask as fast as answers come."""
    script = folder / "ask.lua"
    (folder / "bodies").write_text("\n".join(server.bodies), encoding="utf-8")
    headers = {"Content-Type": "application/json", **server.headers}
    lines = [
        'wrk.method = "POST"',
        *(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()),
        "local requests, at = {}, 0",
        "init = function()",
        f'for body in io.lines("{folder / "bodies"}") do',
        "requests[#requests + 1] = wrk.format(nil, nil, nil, body) end end",
        "request = function() at = at % #requests + 1; return requests[at] end",
        "done = function(s, l, r) print(string.format('FOUND %f %f %f %d', s.requests / s.duration * 1e6,",
        "l:percentile(50) / 1000, l:percentile(99) / 1000, s.errors.status + s.errors.connect + s.errors.timeout)) end",
    ]
    script.write_text("\n".join(lines), encoding="utf-8")
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), server.url]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.search(r"FOUND (\S+) (\S+) (\S+) (\d+)", said)
    if found is None:
        raise SystemExit(said)
    return Measured(float(found[1]), float(found[2]), float(found[3]), int(found[4]))


def bodies(rows: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Many requests, as MLflow's `dataframe_split` and as its `inputs`, of rows like those the model was examined on.

    The same row over and over would be drift, for which the rulebook suspends a permit within a minute.
    """
    rng = np.random.default_rng(1)
    tables = [
        rng.normal(size=(rows, FEATURES)).astype(np.float32).round(4).tolist() for _ in range(max(50, 2000 // rows))
    ]
    split = tuple(json.dumps({"dataframe_split": {"columns": NAMES, "data": table}}) for table in tables)
    return split, tuple(json.dumps({"inputs": table}) for table in tables)


def compare(rows: int, seconds: int, rounds: int, root: Path) -> None:
    """Print one table for one size of request."""
    split, inputs = bodies(rows)
    folder = Path(tempfile.mkdtemp(dir=root))
    submission = make_submission(folder / "submission")
    with ExitStack() as stack:
        ours = stack.enter_context(governed(folder, submission, split))
        servers = [ours, stack.enter_context(fastapi_bare(folder, submission, split))]
        servers += stack.enter_context(mlflow_bare(folder, submission, split, inputs))
        for connections in (1, 16):
            found: dict[str, list[Measured]] = {server.name: [] for server in servers}
            for server in servers:
                load(server, connections, 2, folder)
            for _ in range(rounds):
                for server in servers:
                    found[server.name].append(load(server, connections, seconds, folder))
            show(rows, connections, found, ours.name)


def show(rows: int, connections: int, found: dict[str, list[Measured]], ours: str) -> None:
    """Print medians over the rounds, and how many times faster we are."""
    rate = {name: statistics.median(run.rate for run in runs) for name, runs in found.items()}
    print(f"\n{rows} row(s) per request, {connections} connection(s)")
    print(f"{'':42}{'req/s':>9}{'min-max':>15}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'ours is':>9}")
    for name, runs in found.items():
        spread = f"{min(run.rate for run in runs):.0f}-{max(run.rate for run in runs):.0f}"
        p50, p99 = (statistics.median(getattr(run, part) for run in runs) for part in ("p50", "p99"))
        times = "" if name == ours else f"{rate[ours] / rate[name]:.1f}x"
        errors = sum(run.errors for run in runs)
        print(f"{name:42}{rate[name]:9.0f}{spread:>15}{p50:9.2f}{p99:9.2f}{errors:8}{times:>9}")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server, in turn")
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 100], help="rows per request")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on this machine; install it (Debian: apt-get install wrk)")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("mlflow", "xgboost-cpu", "fastapi", "uvicorn"))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {libraries}")
    print(f"XGBoost {TREES} trees, depth {DEPTH}, {FEATURES} features; one worker each; load from the same machine")
    with tempfile.TemporaryDirectory() as root:
        for rows in asked.rows:
            compare(rows, asked.seconds, asked.rounds, Path(root))


if __name__ == "__main__":
    main()
