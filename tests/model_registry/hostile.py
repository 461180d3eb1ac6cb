"""A corpus of hostile artifacts, made anew by code: each names what it tries and builds what is handed in."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import socket
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from tests.model_registry.makers import FEATURES, TOML, a_booster, rows

Build = Callable[[Path, Path], "bytes | None"]
"""Takes the folder to fill and the canary's path; returns a zip where one is handed in, None for the folder."""

MODEL_NAMES = {
    "xgboost": "model.ubj",
    "lightgbm": "model.txt",
    "sklearn": "model.skops",
    "onnx": "model.onnx",
    "python": "model.pkl",
}


@dataclass(frozen=True)
class Case:
    """One hostile thing: its family, what it tries, and how it is built."""

    family: str
    tries: str
    build: Build


CASES: list[Case] = []


def case(family: str, tries: str) -> Callable[[Build], Build]:
    """Put one case into the corpus."""

    def add(build: Build) -> Build:
        CASES.append(Case(family, tries, build))
        return build

    return add


def submission(folder: Path, *, flavour: str = "xgboost", artifact: str | None = None, **files: bytes) -> None:
    """Write an otherwise sound submission directory."""
    folder.mkdir(parents=True, exist_ok=True)
    toml = TOML.format(name="gas-leak", flavour=flavour)
    toml = toml.replace('artifact = "model.ubj"', f'artifact = "{artifact or MODEL_NAMES[flavour]}"')
    (folder / "submission.toml").write_text(toml, encoding="utf-8")
    rows(60).to_csv(folder / "evaluation.csv", index=False)
    rows(60, seed=2).to_csv(folder / "training.csv", index=False)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def with_model(flavour: str, content: bytes, name: str | None = None) -> Build:
    """Return a build of a sound submission with this model file."""

    def build(folder: Path, canary: Path) -> None:
        submission(folder, flavour=flavour, artifact=name)
        (folder / (name or MODEL_NAMES[flavour])).write_bytes(content)

    return build


# ── Pickles in every wrapping ─────────────────────────────────────────────────────────────────────


class Gadget:
    """Touches the canary when it is unpickled."""

    def __init__(self, how: str, canary: Path) -> None:
        self.how, self.canary = how, str(canary)

    def __reduce__(self) -> Any:
        touch = f"open({self.canary!r}, 'w').close()"
        return {
            "system": (os.system, (f"touch {self.canary}",)),
            "eval": (eval, (f"__import__('os').system('touch {self.canary}')",)),
            "exec": (exec, (touch,)),
            "mknod": (os.mknod, (self.canary,)),
        }[self.how]


def gadget(canary: Path, how: str = "system", protocol: int = 4) -> bytes:
    """A pickle that runs a command."""
    return pickle.dumps(Gadget(how, canary), protocol=protocol)


def _zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _npy(canary: Path) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([Gadget("system", canary)], dtype=object), allow_pickle=True)
    return out.getvalue()


def _npz(canary: Path) -> bytes:
    out = io.BytesIO()
    np.savez(out, model=np.array([Gadget("system", canary)], dtype=object), allow_pickle=True)
    return out.getvalue()


def _joblib(canary: Path, compress: Any) -> bytes:
    out = io.BytesIO()
    joblib.dump(Gadget("system", canary), out, compress=compress)
    return out.getvalue()


PICKLES: dict[str, Callable[[Path], bytes]] = {
    **{f"pickle of protocol {number}": lambda c, n=number: gadget(c, protocol=n) for number in range(6)},  # type: ignore[misc]
    **{f"pickle that calls {how}": lambda c, h=how: gadget(c, h) for how in ("eval", "exec", "mknod")},  # type: ignore[misc]
    "pickle in gzip": lambda c: gzip.compress(gadget(c)),
    "pickle in bzip2": lambda c: bz2.compress(gadget(c)),
    "pickle in xz": lambda c: lzma.compress(gadget(c)),
    "pickle in zlib": lambda c: zlib.compress(gadget(c)),
    "joblib": lambda c: _joblib(c, 0),
    "joblib in lzma": lambda c: _joblib(c, ("lzma", 3)),
    "joblib in zlib": lambda c: _joblib(c, 3),
    "pickle in a zip": lambda c: _zip(**{"model.pkl": gadget(c)}),
    "PyTorch archive": lambda c: _zip(archive__data__pkl=gadget(c), **{"archive__data.pkl": gadget(c)}),
    "NumPy array of objects": _npy,
    "NumPy archive of objects": _npz,
    "pickle in a tar": lambda c: _tar("model.pkl", gadget(c)),
    "pickle after a blank line": lambda c: b"\n" + gadget(c, protocol=0),
    "pickle after a byte order mark": lambda c: b"\xef\xbb\xbf" + gadget(c),
    "opcodes written by hand": lambda c: f"cposix\nsystem\n(S'touch {c}'\ntR.".encode(),
    "pickle behind a LightGBM head": lambda c: b"tree\nversion=v4\n" + gadget(c),
    "pickle behind a JSON head": lambda c: b'{"learner": {}}' + gadget(c),
    "Python source": lambda c: f"import os\nos.system('touch {c}')\n".encode(),
    "HDF5 with a Lambda layer": lambda c: b"\x89HDF\r\n\x1a\n" + b"\x00" * 64 + gadget(c),
    "shared library": lambda _c: b"\x7fELF\x02\x01\x01" + b"\x00" * 57,
}

FLAVOURS = ("xgboost", "lightgbm", "sklearn", "onnx")


def _as_build(make: Callable[[Path], bytes], flavour: str) -> Build:
    return lambda folder, canary: with_model(flavour, make(canary))(folder, canary)


for _number, (_name, _make) in enumerate(PICKLES.items()):
    _flavour = FLAVOURS[_number % len(FLAVOURS)]
    CASES.append(Case("code", f"{_name}, named {MODEL_NAMES[_flavour]}", _as_build(_make, _flavour)))


# Said to be code: the rulebook the product starts with opens none, however it is wrapped.
DECLARED = (
    "pickle of protocol 0",
    "pickle of protocol 5",
    "pickle that calls eval",
    "pickle in gzip",
    "joblib in zlib",
)
DECLARED += ("NumPy array of objects", "pickle in a zip", "opcodes written by hand", "Python source", "shared library")
for _name in DECLARED:
    CASES.append(Case("declared code", _name, _as_build(PICKLES[_name], "python")))


# ── MLflow folders ────────────────────────────────────────────────────────────────────────────────

ML = "flavors:\n  xgboost:\n    data: model.ubj\n"


def mlflow_folder(mlmodel: str, flavour: str = "xgboost", **files: bytes) -> Build:
    """Return a build of a submission whose model is an MLflow folder."""

    def build(folder: Path, canary: Path) -> None:
        submission(folder, flavour=flavour, artifact="model")
        (folder / "model").mkdir()
        (folder / "model" / "MLmodel").write_text(mlmodel.replace("CANARY", str(canary)), encoding="utf-8")
        (folder / "model" / "model.ubj").write_bytes(booster("ubj"))
        for name, content in files.items():
            path = folder / "model" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.replace(b"CANARY", str(canary).encode()))

    return build


RUN = b"open('CANARY', 'w').close()\n"
for _tries, _mlmodel, _files in (
    ("loader_module of its own", ML + "  python_function:\n    loader_module: evil\n", {"evil.py": RUN}),
    ("code beside the model", ML + "  python_function:\n    code: code\n", {"code__evil.py": RUN}),
    (
        "a Python model",
        "flavors:\n  python_function:\n    python_model: p.pkl\n    loader_module: mlflow.pyfunc.model\n",
        {},
    ),
    ("model_code_path", ML + "  python_function:\n    model_code_path: m.py\n", {"m.py": RUN}),
    ("a flavour that runs code", "flavors:\n  langchain:\n    data: x\n", {}),
    ("a library beside the model", ML, {"lib.so": b"\x7fELF"}),
    ("a start-up file beside the model", ML, {"sitecustomize.py": RUN}),
    ("a YAML tag that calls", "flavors: !!python/object/apply:os.system ['touch CANARY']\n", {}),
    ("a YAML tag that makes a module", "flavors: !!python/module:os\n", {}),
    (
        "YAML aliases a billion times",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nflavors: {x: *b}\n",
        {},
    ),
    ("YAML a hundred thousand deep", "flavors: " + "[" * 100_000, {}),
    ("a native file above the folder", "flavors:\n  xgboost:\n    data: ../../secret\n", {}),
    ("a native file of the system", "flavors:\n  xgboost:\n    data: /etc/passwd\n", {}),
    ("a native file that is not there", "flavors:\n  xgboost:\n    data: other.ubj\n", {}),
):
    CASES.append(Case("MLflow folder", _tries, mlflow_folder(_mlmodel, **_files)))

_LOADER = "flavors:\n  python_function:\n    loader_module: evil\n    code: code\n"
CASES.append(
    Case("declared code", "an MLflow folder with a loader", mlflow_folder(_LOADER, "python", code__evil__py=RUN))
)


# ── Names and things in a directory or a zip ──────────────────────────────────────────────────────


@case("directory", "a link to a file of the system as the model")
def _link(folder: Path, canary: Path) -> None:
    submission(folder)
    (folder / "model.ubj").symlink_to("/etc/passwd")


@case("directory", "a link to an endless device as the model")
def _device_link(folder: Path, canary: Path) -> None:
    submission(folder)
    (folder / "model.ubj").symlink_to("/dev/zero")


@case("directory", "a link to itself")
def _self_link(folder: Path, canary: Path) -> None:
    submission(folder)
    (folder / "model.ubj").symlink_to("model.ubj")


@case("directory", "a pipe that nobody writes into")
def _pipe(folder: Path, canary: Path) -> None:
    submission(folder)
    os.mkfifo(folder / "model.ubj")


@case("directory", "a socket")
def _socket(folder: Path, canary: Path) -> None:
    submission(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)  # names of sockets are short
        try:
            listening.bind("model.ubj")
        finally:
            os.chdir(here)


@case("directory", "data that are a link out of the directory")
def _data_link(folder: Path, canary: Path) -> None:
    submission(folder, **{"model.ubj": booster("ubj")})
    (folder / "evaluation.csv").unlink()
    (folder / "evaluation.csv").symlink_to("/etc/passwd")


@case("directory", "a folder of links as the model")
def _folder_of_links(folder: Path, canary: Path) -> None:
    submission(folder, artifact="model")
    (folder / "model").mkdir()
    (folder / "model" / "MLmodel").write_text(ML)
    (folder / "model" / "model.ubj").symlink_to("/etc/passwd")


@case("directory", "a folder that holds itself by a link")
def _loop(folder: Path, canary: Path) -> None:
    submission(folder, artifact="model")
    (folder / "model").mkdir()
    (folder / "model" / "MLmodel").write_text(ML)
    (folder / "model" / "again").symlink_to(".")


for _name in ("../../etc/passwd", "/etc/passwd", "..\\\\..\\\\secret", "models:/../../x/1", "file:///etc/passwd", "."):

    def _named(folder: Path, canary: Path, name: str = _name) -> None:
        submission(folder, artifact=name)

    CASES.append(Case("directory", f"an artifact named {_name}", _named))


def zipped(change: Callable[[zipfile.ZipFile, Path], None]) -> Build:
    """Return a build of a zip of a sound submission to which something was added."""

    def build(folder: Path, canary: Path) -> bytes:
        submission(folder, **{"model.ubj": booster("ubj")})
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
            change(archive, canary)
        return out.getvalue()

    return build


def _entry(name: str, content: bytes = b"x", mode: int = 0) -> Callable[[zipfile.ZipFile, Path], None]:
    def add(archive: zipfile.ZipFile, canary: Path) -> None:
        info = zipfile.ZipInfo(name.replace("CANARY", str(canary)))
        info.external_attr = mode << 16
        archive.writestr(info, content)

    return add


def _bomb(archive: zipfile.ZipFile, canary: Path) -> None:
    archive.writestr("zeros.csv", b"0" * 60_000_000, zipfile.ZIP_DEFLATED, 9)


def _many(archive: zipfile.ZipFile, canary: Path) -> None:
    for number in range(1001):
        archive.writestr(f"n{number}", b"")


for _tries, _change in (
    ("a name that climbs out", _entry("../../../../../../CANARY")),
    ("an absolute name", _entry("CANARY")),
    ("a name with backslashes", _entry("..\\..\\evil")),
    ("a name with a drive", _entry("C:evil")),
    ("a name that rings the bell", _entry("a\x07b")),
    ("a link out of the folder", _entry("model", b"/etc", stat.S_IFLNK | 0o777)),
    ("a device", _entry("zero", b"", stat.S_IFCHR | 0o666)),
    ("a pipe", _entry("pipe", b"", stat.S_IFIFO | 0o666)),
    ("the model twice, told apart by capitals", _entry("MODEL.UBJ")),
    ("a file where a folder is", _entry("model.ubj/evil")),
    ("sixty million zeros in sixty thousand bytes", _bomb),
    ("a thousand and one entries", _many),
):
    CASES.append(Case("zip", _tries, zipped(_change)))


def _patched(change: Callable[[bytearray], None]) -> Build:
    def build(folder: Path, canary: Path) -> bytes:
        raw = bytearray(zipped(lambda _archive, _canary: None)(folder, canary) or b"")
        change(raw)
        return bytes(raw)

    return build


def _central(raw: bytearray) -> int:
    return raw.index(b"PK\x01\x02")


def _encrypted(raw: bytearray) -> None:
    raw[_central(raw) + 8] |= 1


def _other_method(raw: bytearray) -> None:
    raw[_central(raw) + 10 : _central(raw) + 12] = struct.pack("<H", 98)


def _huge_claim(raw: bytearray) -> None:
    raw[_central(raw) + 24 : _central(raw) + 28] = struct.pack("<I", 0xFFFFFFF0)


def _small_claim(raw: bytearray) -> None:
    raw[_central(raw) + 24 : _central(raw) + 28] = struct.pack("<I", 1)


def _overlap(raw: bytearray) -> None:
    second = raw.index(b"PK\x01\x02", _central(raw) + 4)
    raw[second + 42 : second + 46] = raw[_central(raw) + 42 : _central(raw) + 46]


def _cut(raw: bytearray) -> None:
    del raw[len(raw) // 2 :]


def _spoiled(raw: bytearray) -> None:
    for at in range(200, 400):
        raw[at] ^= 0x55


for _tries, _change_bytes in (
    ("an encrypted entry", _encrypted),
    ("a method of packing nobody knows", _other_method),
    ("an entry that claims four gigabytes", _huge_claim),
    ("an entry that claims one byte and holds thousands", _small_claim),
    ("entries that share their bytes", _overlap),
    ("a zip cut in the middle", _cut),
    ("packed bytes that were changed", _spoiled),
):
    CASES.append(Case("zip", _tries, _patched(_change_bytes)))

CASES.append(Case("zip", "no zip at all", lambda _folder, canary: gadget(canary)))
CASES.append(Case("zip", "an empty zip", lambda _folder, _canary: _zip()))
CASES.append(Case("zip", "a zip in a zip", lambda folder, _canary: _zip(**{"inner.zip": _zip(a=b"x")})))


# ── XGBoost ───────────────────────────────────────────────────────────────────────────────────────


@lru_cache
def booster(kind: str) -> bytes:
    """Bytes of a small sound XGBoost model."""
    return bytes(a_booster().save_raw(kind))


def xgboost(change: Callable[[dict[str, Any]], None]) -> Build:
    """Return a build of a submission whose XGBoost model was changed as JSON."""

    def build(folder: Path, canary: Path) -> None:
        model = json.loads(booster("json"))
        change(model)
        with_model("xgboost", json.dumps(model).encode())(folder, canary)

    return build


def _tree(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["learner"]["gradient_booster"]["model"]["trees"][0]
    return found


def _set(key: str, place: int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(model: dict[str, Any]) -> None:
        _tree(model)[key][place] = value

    return change


def _put(where: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(model: dict[str, Any]) -> None:
        *path, last = where.split(".")
        for part in path:
            model = model[int(part)] if part.isdigit() else model[part]
        model[last] = value

    return change


def _grow(model: dict[str, Any]) -> None:
    _tree(model)["tree_param"]["num_nodes"] = "4000000000"


def _deep(model: dict[str, Any]) -> None:
    tree, depth = _tree(model), 40_000
    nodes = 2 * depth + 1
    left = [-1] * nodes
    right = [-1] * nodes
    parents = [2147483647] * nodes
    for level in range(depth):
        at = 2 * level
        left[at], right[at] = at + 1, at + 2
        parents[at + 1] = parents[at + 2] = at
    tree.update(left_children=left, right_children=right, parents=parents)
    for key, value in (("split_conditions", 0.0), ("split_indices", 0), ("default_left", 0), ("split_type", 0)):
        tree[key] = [value] * nodes
    for key in ("loss_changes", "sum_hessian", "base_weights"):
        tree[key] = [float("1e30")] * nodes
    tree["tree_param"]["num_nodes"] = str(nodes + 5)


PARAM = "learner.learner_model_param"
BOOSTER = "learner.gradient_booster.model"
for _tries, _change_model in (
    ("a tree whose branch leads to its root", _set("left_children", 1, 0)),
    ("a branch that leads to itself", _set("right_children", 0, 0)),
    ("a branch that leads behind the last node", _set("left_children", 0, 99_999)),
    ("a branch that leads before the first node", _set("right_children", 0, -7)),
    (
        "two branches that lead to one node",
        lambda m: _tree(m)["right_children"].__setitem__(0, _tree(m)["left_children"][0]),
    ),
    ("a threshold that is not a number", _set("split_conditions", 0, float("nan"))),
    ("a leaf without end", _set("split_conditions", -1, float("inf"))),
    ("a threshold that is a text", _set("split_conditions", 0, "x")),
    ("a threshold that is a list", _set("split_conditions", 0, [[]])),
    ("a feature that does not exist", _set("split_indices", 0, 12_345)),
    ("a feature before the first", _set("split_indices", 0, -1)),
    ("more nodes than there are", _grow),
    ("fewer thresholds than nodes", lambda m: _tree(m)["split_conditions"].pop()),
    ("a tree forty thousand deep whose counts are wrong", _deep),
    ("four billion features", _put(f"{PARAM}.num_feature", "4000000000")),
    ("minus three features", _put(f"{PARAM}.num_feature", "-3")),
    ("two billion classes", _put(f"{PARAM}.num_class", "2000000000")),
    ("a base score that is not a number", _put(f"{PARAM}.base_score", "nan")),
    ("a base score that is a command", _put(f"{PARAM}.base_score", "$(reboot)")),
    ("an objective nobody knows", _put("learner.objective.name", "custom:evil")),
    ("an objective that is a table", _put("learner.objective", {"name": {"a": 1}})),
    ("a tree for an output that does not exist", _put(f"{BOOSTER}.tree_info", [7] * 8)),
    ("fewer outputs than trees", _put(f"{BOOSTER}.tree_info", [])),
    ("trees that are no trees", _put(f"{BOOSTER}.trees", [1, 2, 3])),
    ("a learner that is a list", _put("learner", [])),
    ("a booster nobody knows", _put("learner.gradient_booster.name", "gbevil")),
):
    CASES.append(Case("XGBoost", _tries, xgboost(_change_model)))

for _tries, _raw in (
    ("JSON a hundred thousand deep", b'{"learner":' + b"[" * 100_000),
    ("JSON with a number of a million digits", b'{"learner": {"version": ' + b"9" * 1_000_000 + b"}}"),
    ("JSON that ends early", b'{"learner": {"attributes": {'),
    ("UBJ a hundred thousand deep", b"{L\x00\x00\x00\x00\x00\x00\x00\x01a" + b"[" * 100_000),
    ("UBJ array of eight exabytes", b"{L" + bytes(7) + b"\x01a[$d#L\x7f" + b"\xff" * 7),
    ("UBJ array of minus one", b"{L" + bytes(7) + b"\x01a[$d#L" + b"\xff" * 8),
    ("UBJ array of four billion nothings", b"{L" + bytes(7) + b"\x01a[$Z#L\x00\x00\x00\x00\xff\xff\xff\xff"),
    ("UBJ key of minus one", b"{L" + b"\xff" * 8 + b"a"),
    ("UBJ of a type nobody knows", b"{L" + bytes(7) + b"\x01a?"),
    ("an empty file", b""),
):
    CASES.append(Case("XGBoost", _tries, with_model("xgboost", _raw)))


# ── LightGBM ──────────────────────────────────────────────────────────────────────────────────────


@lru_cache
def lightgbm_text() -> str:
    """A small sound LightGBM model."""
    data = rows(300, seed=5)
    made = lgb.train(
        {"objective": "binary", "num_leaves": 5, "verbose": -1, "num_threads": 1, "seed": 1},
        lgb.Dataset(data[list(FEATURES)], data["harmed"]),
        4,
    )
    return str(made.model_to_string())


def lightgbm(key: str, value: Callable[[str], str]) -> Build:
    """Return a build of a submission whose LightGBM file has one line changed, the first of its kind."""

    def build(folder: Path, canary: Path) -> None:
        lines = lightgbm_text().split("\n")
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{key}="))
        lines[place] = f"{key}={value(lines[place].partition('=')[2])}"
        with_model("lightgbm", "\n".join(lines).encode())(folder, canary)

    return build


def _first(new: str) -> Callable[[str], str]:
    return lambda old: " ".join([new, *old.split(" ")[1:]])


for _tries, _key, _value in (
    ("a branch that leads to its root", "left_child", _first("0")),
    ("a branch that leads behind the last node", "right_child", _first("4000")),
    ("a leaf behind the last leaf", "left_child", _first("-900")),
    ("a threshold that is not a number", "threshold", _first("nan")),
    ("a leaf without end", "leaf_value", _first("inf")),
    ("a leaf that is a word", "leaf_value", _first("x")),
    ("a feature that does not exist", "split_feature", _first("77")),
    ("a feature before the first", "split_feature", _first("-1")),
    ("two billion leaves", "num_leaves", lambda _old: "2000000000"),
    ("minus five leaves", "num_leaves", lambda _old: "-5"),
    ("fewer thresholds than nodes", "threshold", lambda old: old.rsplit(" ", 1)[0]),
    ("categories without a list of them", "num_cat", lambda _old: "3"),
    ("a way to decide nobody knows", "decision_type", _first("255")),
    ("a million features in the head", "max_feature_idx", lambda _old: "100000000"),
    ("an objective that is a command", "objective", lambda _old: "binary;reboot"),
    ("no classes", "num_class", lambda _old: "0"),
):
    CASES.append(Case("LightGBM", _tries, lightgbm(_key, _value)))

CASES.append(Case("LightGBM", "a head and nothing else", with_model("lightgbm", b"tree\n")))
CASES.append(Case("LightGBM", "bytes that are no text", with_model("lightgbm", b"tree\n\xff\xfe\x00=\xff\n")))
CASES.append(
    Case("LightGBM", "a line of ten million characters", with_model("lightgbm", b"tree\n" + b"a" * 10_000_000))
)


# ── skops ─────────────────────────────────────────────────────────────────────────────────────────


@lru_cache
def skops_file(kind: str) -> bytes:
    """A small sound scikit-learn model."""
    data = rows(200, seed=7)
    model = LogisticRegression() if kind == "linear" else DecisionTreeClassifier(max_depth=3, random_state=0)
    return bytes(skops.io.dumps(model.fit(data[list(FEATURES)], data["harmed"])))


def resealed(kind: str, change: Callable[[dict[str, Any], dict[str, bytes], Path], None]) -> Build:
    """Return a build of a submission whose skops file was opened, changed and packed again."""

    def build(folder: Path, canary: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(skops_file(kind))) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(files["schema.json"])
        change(schema, files, canary)
        files["schema.json"] = json.dumps(schema).encode()
        with_model("sklearn", _packed(files))(folder, canary)

    return build


def _packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _node(module: str, name: str, loader: str) -> Callable[[dict[str, Any], dict[str, bytes], Path], None]:
    def change(schema: dict[str, Any], files: dict[str, bytes], canary: Path) -> None:
        content = {"type": "json", "content": json.dumps(f"touch {canary}")}
        node = {"__class__": name, "__module__": module, "__loader__": loader, "content": content, "__id__": 1}
        schema["content"]["content"]["evil"] = node

    return change


def _array_of_objects(schema: dict[str, Any], files: dict[str, bytes], canary: Path) -> None:
    name = next(name for name in files if name.endswith(".npy"))
    files[name] = _npy(canary)


def _nodes_of(schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _tree_arrays(change: Callable[[np.ndarray[Any, Any]], None]) -> Callable[..., None]:
    def build(schema: dict[str, Any], files: dict[str, bytes], canary: Path) -> None:
        for name, content in files.items():
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content), allow_pickle=False)
                if array.dtype.names and "left_child" in array.dtype.names:
                    changed = array.copy()
                    change(changed)
                    out = io.BytesIO()
                    np.save(out, changed)
                    files[name] = out.getvalue()
                    return
        raise AssertionError("no tree in the file")

    return build


def _field(name: str, place: int, value: float) -> Callable[[np.ndarray[Any, Any]], None]:
    def change(nodes: np.ndarray[Any, Any]) -> None:
        nodes[name][place] = value

    return change


for _tries, _kind, _change_file in (
    ("a function of the system", "linear", _node("posix", "system", "FunctionNode")),
    ("eval", "linear", _node("builtins", "eval", "FunctionNode")),
    ("a way around by operator.attrgetter", "linear", _node("operator", "attrgetter", "OperatorFuncNode")),
    ("a way around by operator.methodcaller", "linear", _node("operator", "methodcaller", "OperatorFuncNode")),
    ("a method of an object", "linear", _node("builtins", "str", "MethodNode")),
    ("a subprocess as an object", "linear", _node("subprocess", "Popen", "ObjectNode")),
    ("a loader nobody knows", "linear", _node("builtins", "str", "EvilNode")),
    ("a type of our own list under another loader", "linear", _node("sklearn.tree._tree", "Tree", "ObjectNode")),
    ("an array of pickled objects inside", "linear", _array_of_objects),
    ("a tree whose branch leads to its root", "tree", _tree_arrays(_field("left_child", 0, 0))),
    ("a branch that leads behind the last node", "tree", _tree_arrays(_field("right_child", 0, 9_999_999))),
    ("a branch that leads before the first node", "tree", _tree_arrays(_field("left_child", 0, -9))),
    ("a threshold that is not a number", "tree", _tree_arrays(_field("threshold", 0, float("nan")))),
    ("a feature that does not exist", "tree", _tree_arrays(_field("feature", 0, 4_000))),
):
    CASES.append(Case("scikit-learn", _tries, resealed(_kind, _change_file)))

CASES.append(
    Case(
        "scikit-learn",
        "a schema a hundred thousand deep",
        with_model("sklearn", _packed({"schema.json": b"[" * 100_000})),
    )
)
CASES.append(
    Case("scikit-learn", "a schema that is no JSON", with_model("sklearn", _packed({"schema.json": b"\xff{"})))
)


@case("scikit-learn", "a file that unpacks to three hundred times its size")
def _skops_bomb(folder: Path, canary: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("schema.json", b"[" + b" " * 20_000_000 + b"]")
    with_model("sklearn", out.getvalue())(folder, canary)


# ── Data and declarations ─────────────────────────────────────────────────────────────────────────


def data(content: bytes | Callable[[], bytes], suffix: str = ".csv") -> Build:
    """Return a build of a submission with these evaluation rows."""

    def build(folder: Path, canary: Path) -> None:
        submission(folder, **{"model.ubj": booster("ubj")})
        toml = (folder / "submission.toml").read_text().replace("evaluation.csv", f"rows{suffix}")
        (folder / "submission.toml").write_text(toml)
        (folder / f"rows{suffix}").write_bytes(content if isinstance(content, bytes) else content())

    return build


def _parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def _parquet_bomb() -> bytes:
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(np.zeros(70_000_000, np.int8)), ["0"])])
    return _parquet(pa.table({"temperature": column}), compression="zstd")


def _wide_parquet() -> bytes:
    return _parquet(pa.table({f"c{number}": [0.0] for number in range(3_000)}))


for _tries, _content, _suffix in (
    ("a CSV of one line of ten million commas", b"a" + b"," * 10_000_000 + b"\n", ".csv"),
    ("a CSV with an open quotation mark", b'a,b\n1,"' + b"x" * 1_000_000, ".csv"),
    ("a CSV of zero bytes", b"temperature,pressure\n" + b"\x00" * 100_000, ".csv"),
    ("a CSV that is a pickle", pickle.dumps({"a": 1}), ".csv"),
    ("a CSV in an encoding nobody said", "温度,压力\n1,2\n".encode("utf-16"), ".csv"),
    ("a CSV with one column twice", b"temperature,temperature\n1,2\n", ".csv"),
    (
        "a CSV of words where numbers are due",
        b"temperature,pressure,age,harmed,sex,worker_id,occurred_at\n" + b"x,y,z,q,f,w,t\n" * 40,
        ".csv",
    ),
    ("an empty CSV", b"", ".csv"),
    ("a Parquet file that unpacks to half a gigabyte", _parquet_bomb, ".parquet"),
    ("a Parquet file of three thousand columns", _wide_parquet, ".parquet"),
    ("a Parquet file whose foot is garbage", b"PAR1" + b"\x15" * 500 + struct.pack("<I", 400) + b"PAR1", ".parquet"),
    (
        "a Parquet file whose foot is longer than the file",
        b"PAR1" + struct.pack("<I", 0x7FFFFFFF) + b"PAR1",
        ".parquet",
    ),
    ("a pickled data frame", b"\x80\x04\x95", ".pkl"),
):
    CASES.append(Case("data", _tries, data(_content, _suffix)))


def declaration(change: Callable[[str], str]) -> Build:
    """Return a build of a submission with another declaration."""

    def build(folder: Path, canary: Path) -> None:
        submission(folder, **{"model.ubj": booster("ubj")})
        path = folder / "submission.toml"
        path.write_text(change(path.read_text()), encoding="utf-8")

    return build


for _tries, _change_text in (
    ("tables a thousand deep", lambda t: "[" + ".".join("a" * 1 for _ in range(5_000)) + "]\n" + t),
    ("arrays a hundred thousand deep", lambda t: "x = " + "[" * 100_000 + "\n" + t),
    ("a number of ten thousand digits", lambda t: t.replace("threshold = 0.5", "threshold = " + "9" * 10_000)),
    ("a threshold that is not a number", lambda t: t.replace("threshold = 0.5", "threshold = nan")),
    ("a model name that climbs out", lambda t: t.replace('name = "gas-leak"', 'name = "../../../etc"')),
    ("a model name with a line break", lambda t: t.replace('name = "gas-leak"', 'name = "a\\nb"')),
    ("keys nobody knows", lambda t: t.replace("[use]", "[use]\nexec = true")),
    ("two megabytes of comment", lambda t: "# " + "x" * 2_000_000 + "\n" + t),
):
    CASES.append(Case("declaration", _tries, declaration(_change_text)))
