"""The servers that ours is measured against: the same XGBoost model, prediction only, one worker each.

KServe and BentoML want other versions of what we use, so each runs in a Python of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

FASTAPI = """
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


KSERVE = """
import kserve, numpy as np, xgboost

class Bench(kserve.Model):
    def __init__(self):
        super().__init__("bench")
        self.booster = xgboost.Booster(model_file={model!r})
        self.booster.set_param({{"nthread": 1}})
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        rows = np.array(payload["instances"], dtype=np.float32)
        return {{"predictions": self.booster.inplace_predict(rows, validate_features=False).tolist()}}

if __name__ == "__main__":
    kserve.ModelServer(http_port={port}, workers=1, enable_grpc=False).start([Bench()])
"""

BENTOML = """
import bentoml, numpy as np, xgboost

@bentoml.service(workers=1)
class Bench:
    def __init__(self):
        self.booster = xgboost.Booster(model_file={model!r})
        self.booster.set_param({{"nthread": 1}})

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.booster.inplace_predict(rows.astype(np.float32), validate_features=False)
"""

Table = list[list[float]]
"""The rows of one request."""


@dataclass(frozen=True)
class Server:
    """Where a server answers, how it wants its rows, what to send along, and its process (which leads a group)."""

    name: str
    url: str
    bodies: tuple[str, ...]
    headers: dict[str, str]
    pid: int


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
        process = subprocess.Popen(
            words,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **more},  # noqa: TID251 - a benchmark hands its own environment on
            start_new_session=True,
        )
        try:
            wait_for(ready, process)
            yield process.pid
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def alone(server: Server, servers: Sequence[Server]) -> Iterator[None]:
    """Stop every other server's processes meanwhile: one that rests wants the processor now and then, too."""
    others = {other.pid for other in servers} - {server.pid}
    for pid in others:
        os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.killpg(pid, signal.SIGCONT)


def named(tables: Sequence[Table], names: Sequence[str]) -> tuple[str, ...]:
    """Requests in MLflow's `dataframe_split`."""
    return tuple(json.dumps({"dataframe_split": {"columns": list(names), "data": table}}) for table in tables)


def nameless(tables: Sequence[Table], word: str) -> tuple[str, ...]:
    """Requests with the rows alone, under a word."""
    return tuple(json.dumps({word: table}) for table in tables)


def tensors(tables: Sequence[Table]) -> tuple[str, ...]:
    """Requests of the Open Inference Protocol, one tensor each."""
    return tuple(
        json.dumps({"inputs": [{"name": "rows", "shape": np.shape(table), "datatype": "FP64", "data": table}]})
        for table in tables
    )


@contextmanager
def mlflow_served(folder: Path, name: str, bodies: tuple[str, ...], model: Path) -> Iterator[Server]:
    """`mlflow models serve` of a saved model."""
    port = free_port()
    words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    words += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]  # noqa: TID251 - mlflow looks for python there
    with running(words, f"http://127.0.0.1:{port}/ping", folder, PATH=path) as pid:
        yield Server(f"mlflow models serve, {name}", f"http://127.0.0.1:{port}/invocations", bodies, {}, pid)


def saved_for_mlflow(folder: Path, model: Path, names: Sequence[str]) -> dict[str, Path]:
    """Save the model as MLflow's users do: with the signature it infers from a frame, without one, and for tensors."""
    import mlflow.xgboost
    import xgboost
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types.schema import Schema, TensorSpec

    frame = pd.DataFrame(np.zeros((5, len(names)), dtype=np.float32), columns=list(names))
    tensor = ModelSignature(inputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(names)))]))
    kinds = {"signed": infer_signature(frame, np.zeros(5, dtype=np.float32)), "unsigned": None, "tensor": tensor}
    for kind, signature in kinds.items():
        booster = xgboost.Booster(model_file=model)
        if kind == "tensor":
            booster.feature_names = None
        mlflow.xgboost.save_model(booster, str(folder / kind), signature=signature)
    return {kind: folder / kind for kind in kinds}


@contextmanager
def fastapi_bare(folder: Path, model: Path, bodies: tuple[str, ...]) -> Iterator[Server]:
    """A minimal FastAPI that only predicts."""
    (folder / "bare.py").write_text(FASTAPI.format(model=str(model)), encoding="utf-8")
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port), "--log-level", "warning"]
    with running(words, f"http://127.0.0.1:{port}/openapi.json", folder) as pid:
        yield Server("FastAPI, raw body", f"http://127.0.0.1:{port}/invocations", bodies, {}, pid)


@contextmanager
def kserve_bare(folder: Path, model: Path, tables: Sequence[Table], python: Path) -> Iterator[Server]:
    """KServe's ModelServer with its first protocol."""
    port = free_port()
    program = folder / "in_kserve.py"
    program.write_text(KSERVE.format(model=str(model), port=port), encoding="utf-8")
    with running([str(python), str(program)], f"http://127.0.0.1:{port}/v2/health/ready", folder) as pid:
        url = f"http://127.0.0.1:{port}/v1/models/bench:predict"
        yield Server(f"KServe ModelServer {version_in(python, 'kserve')}", url, nameless(tables, "instances"), {}, pid)


@contextmanager
def bentoml_bare(folder: Path, model: Path, tables: Sequence[Table], python: Path) -> Iterator[Server]:
    """BentoML with arrays in and out."""
    port = free_port()
    (folder / "in_bentoml.py").write_text(BENTOML.format(model=str(model)), encoding="utf-8")
    words = [str(python), "-m", "bentoml", "serve", "in_bentoml:Bench", "--host", "127.0.0.1", "--port", str(port)]
    with running(words, f"http://127.0.0.1:{port}/readyz", folder, BENTOML_DO_NOT_TRACK="1") as pid:
        url = f"http://127.0.0.1:{port}/predict"
        yield Server(f"BentoML {version_in(python, 'bentoml')}", url, nameless(tables, "rows"), {}, pid)


def version_in(python: Path, package: str) -> str:
    """The version of a package in another Python."""
    asks = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([str(python), "-c", asks], capture_output=True, text=True, check=True).stdout.strip()
