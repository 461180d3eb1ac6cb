"""Governed serving against bare serving: same model, same load generator, one run, on the loopback.

    python -m benchmarks.serve            # about five minutes; needs `wrk`
    python -m benchmarks.serve --kserve OTHER/bin/python --bentoml ANOTHER/bin/python --workers 2

Governed means: exact attributions of every row and a durable sealed trace before the answer. The others only predict.
Starts every server with one worker (ours once more with as many as asked for). They take turns: two seconds to warm up,
then the run that counts, while the others' processes are stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.bare_servers import (
    Server,
    Table,
    alone,
    bentoml_bare,
    fastapi_bare,
    free_port,
    kserve_bare,
    mlflow_served,
    named,
    nameless,
    running,
    saved_for_mlflow,
    tensors,
)

FEATURES, TREES, DEPTH = 60, 100, 6
V1, V2 = "/v1/models/bench/invocations", "/v2/models/bench/infer"
NAMES = [f"f{number:02d}" for number in range(FEATURES)]


@dataclass(frozen=True)
class Measured:
    """What one run of the load generator saw."""

    rate: float
    p50: float
    p99: float
    errors: int


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


def data_of(folder: Path, workers: int = 1) -> Path:
    """Where a governed server of so many workers keeps its data."""
    return folder / f"data-{workers}"


@contextmanager
def governed(folder: Path, submission: Path, bodies: tuple[str, ...], *, workers: int = 1) -> Iterator[Server]:
    """Mingjing with a permit for the model."""
    data = data_of(folder, workers)
    made = mingjing("submit", str(submission), data=data)
    mingjing("verdict", str(made["submission"]), "approve", "--reason", "benchmark", data=data)
    token = str(mingjing("user", "add", "bench", "--role", "service", data=data)["token"])
    port = free_port()
    words = [sys.executable, "-m", "api.cli", "serve", "--data", str(data), "--port", str(port)]
    with running([*words, "--workers", str(workers)], f"http://127.0.0.1:{port}/v2/health/ready", folder) as pid:
        url = f"http://127.0.0.1:{port}{V1}"
        name = "mingjing, governed" + (f", {workers} workers" if workers > 1 else "")
        yield Server(name, url, bodies, {"Authorization": f"Bearer {token}"}, pid)


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


def tables_of(rows: int) -> list[Table]:
    """The rows of many requests, like those the model was examined on.

    The same row over and over would be drift, for which the rulebook suspends a permit within a minute.
    """
    rng = np.random.default_rng(1)
    return [
        rng.normal(size=(rows, FEATURES)).astype(np.float32).round(4).tolist() for _ in range(max(50, 2000 // rows))
    ]


def compare(rows: int, asked: argparse.Namespace, root: Path) -> None:
    """Print one table for one size of request."""
    tables = tables_of(rows)
    split, inputs = named(tables, NAMES), nameless(tables, "inputs")
    folder = Path(tempfile.mkdtemp(dir=root))
    submission = make_submission(folder / "submission")
    model = submission / "model.ubj"
    saved = saved_for_mlflow(folder, model, NAMES)
    with ExitStack() as stack:
        enter = stack.enter_context
        ours = enter(governed(folder, submission, split))
        servers = [
            ours,
            replace(ours, name=f"{ours.name}, inputs", bodies=inputs),
            replace(ours, name=f"{ours.name}, tensors", bodies=tensors(tables), url=ours.url.replace(V1, V2)),
        ]
        if asked.workers > 1:
            servers.append(enter(governed(folder, submission, split, workers=asked.workers)))
        servers += [
            enter(fastapi_bare(folder, model, split)),
            enter(mlflow_served(folder, "dataframe_split, inferred signature", split, saved["signed"])),
            enter(mlflow_served(folder, "dataframe_split, no signature", split, saved["unsigned"])),
            enter(mlflow_served(folder, "inputs, tensor signature", inputs, saved["tensor"])),
        ]
        if asked.kserve is not None:
            servers.append(enter(kserve_bare(folder, model, tables, asked.kserve)))
        if asked.bentoml is not None:
            servers.append(enter(bentoml_bare(folder, model, tables, asked.bentoml)))
        for connections in (1, 16):
            found: dict[str, list[Measured]] = {server.name: [] for server in servers}
            for _ in range(asked.rounds):
                for server in servers:
                    with alone(server, servers):
                        load(server, connections, 2, folder)
                        found[server.name].append(load(server, connections, asked.seconds, folder))
            show(rows, connections, found, ours.name)


def show(rows: int, connections: int, found: dict[str, list[Measured]], ours: str) -> None:
    """Print medians over the rounds, and how many times faster we are."""
    rate = {name: statistics.median(run.rate for run in runs) for name, runs in found.items()}
    print(f"\n{rows} row(s) per request, {connections} connection(s)")
    print(f"{'':58}{'req/s':>9}{'min-max':>15}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'ours is':>9}")
    for name, runs in found.items():
        spread = f"{min(run.rate for run in runs):.0f}-{max(run.rate for run in runs):.0f}"
        p50, p99 = (statistics.median(getattr(run, part) for run in runs) for part in ("p50", "p99"))
        times = "" if name == ours else f"{rate[ours] / rate[name]:.1f}x"
        errors = sum(run.errors for run in runs)
        print(f"{name:58}{rate[name]:9.0f}{spread:>15}{p50:9.2f}{p99:9.2f}{errors:8}{times:>9}")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server, in turn")
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 100], help="rows per request")
    parser.add_argument("--workers", type=int, default=1, help="measure ours with so many workers too")
    parser.add_argument("--kserve", type=Path, help="a Python that has KServe and XGBoost")
    parser.add_argument("--bentoml", type=Path, help="a Python that has BentoML and XGBoost")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on this machine; install it (Debian: apt-get install wrk)")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("mlflow", "xgboost-cpu", "fastapi", "uvicorn"))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {libraries}")
    print(f"XGBoost {TREES} trees, depth {DEPTH}, {FEATURES} features; load from the same machine")
    with tempfile.TemporaryDirectory() as root:
        for rows in asked.rows:
            compare(rows, asked, Path(root))


if __name__ == "__main__":
    main()
