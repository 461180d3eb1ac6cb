"""What a file is by its content, whatever its name says."""

from __future__ import annotations

import io
import pickletools
import zipfile
from enum import StrEnum

from model_registry.unpacking import DAMAGED
from policies.declaration import Flavour
from policies.errors import Refused, Sentence


class Kind(StrEnum):
    """Formats told apart; `UNKNOWN` is everything else."""

    XGBOOST_UBJ = "xgboost-ubj"
    XGBOOST_JSON = "xgboost-json"
    LIGHTGBM_TEXT = "lightgbm-text"
    SKOPS = "skops"
    ONNX = "onnx"
    PICKLE = "pickle"
    PYTHON_FUNCTION = "python_function"
    UNKNOWN = "unknown"


NATIVE: dict[Flavour, frozenset[Kind]] = {
    Flavour.XGBOOST: frozenset({Kind.XGBOOST_UBJ, Kind.XGBOOST_JSON}),
    Flavour.LIGHTGBM: frozenset({Kind.LIGHTGBM_TEXT}),
    Flavour.SKLEARN: frozenset({Kind.SKOPS}),
    Flavour.ONNX: frozenset({Kind.ONNX}),
    Flavour.PYTHON: frozenset({Kind.PICKLE}),
}
"""The formats of each flavour: declarative ones, and for code the pickle in any wrapping."""

HOW_TO_SAVE: dict[Flavour, tuple[str, str]] = {
    Flavour.XGBOOST: ("booster.save_model('model.ubj')", "booster.save_model('model.ubj')"),
    Flavour.LIGHTGBM: ("booster.save_model('model.txt')", "booster.save_model('model.txt')"),
    Flavour.SKLEARN: ("skops.io.dump(model, 'model.skops')", "skops.io.dump(model, 'model.skops')"),
    Flavour.ONNX: ("onnx.save(model, 'model.onnx')", "onnx.save(model, 'model.onnx')"),
    Flavour.PYTHON: ("joblib.dump(model, 'model.joblib')", "joblib.dump(model, 'model.joblib')"),
}

COMPRESSED = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"x\x01",
    b"x^",
    b"x\x9c",
    b"x\xda",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
)
"""First bytes of gzip, bz2, xz, zlib, lzma and lz4: the envelopes in which joblib hides a pickle."""

OPCODES_TO_READ = 64


class RunsCode(Refused):
    """A pickle in any wrapping: loading it runs whatever its author wrote."""

    def __init__(self, name: str, flavour: Flavour) -> None:
        how = HOW_TO_SAVE.get(flavour, ("a declarative format", "声明式格式"))
        super().__init__(
            Sentence(
                en=f"{name} is a pickle (pickle, joblib or cloudpickle); loading one runs code, so it is not opened: "
                f"save the model with {how[0]}",
                zh=f"{name} 是 pickle 类文件（pickle、joblib 或 cloudpickle），加载即会执行代码，因此不予打开；"
                f"请用 {how[1]} 保存模型",
            )
        )


class NotItsFlavour(Refused):
    """The file is not what `model.flavour` says."""

    def __init__(self, name: str, flavour: Flavour, found: str) -> None:
        how = HOW_TO_SAVE.get(flavour, ("a declarative format", "声明式格式"))
        super().__init__(
            Sentence(
                en=f"{name} is not a model of flavour '{flavour}' (its content is {found}); "
                f"expected what {how[0]} writes",
                zh=f"{name} 不是“{flavour}”类型的模型（内容为 {found}），应为 {how[1]} 生成的文件",
            )
        )


def kind_of(raw: bytes) -> Kind:
    """Return the format of a file by its content; nothing is loaded, unpacked or run.

    Examples
    --------
    >>> kind_of(b"tree\\nversion=v4\\n")
    <Kind.LIGHTGBM_TEXT: 'lightgbm-text'>
    >>> kind_of(b"cos\\nsystem\\n(S'true'\\ntR.")
    <Kind.PICKLE: 'pickle'>
    """
    if raw.startswith(b"PK"):
        return _kind_of_zip(raw)
    if raw.startswith((b"tree\n", b"tree\r\n")):
        return Kind.LIGHTGBM_TEXT
    if raw.startswith(COMPRESSED) or _is_pickle(raw):
        return Kind.PICKLE
    if raw.startswith(b"{"):
        # UBJ writes the length of the first key after the brace, JSON a quotation mark or white space
        return Kind.XGBOOST_JSON if raw[1:].lstrip()[:1] in (b'"', b"}") else Kind.XGBOOST_UBJ
    if raw.startswith(b"\x08") and len(raw) > 2 and raw[1] < 32:
        return Kind.ONNX
    return Kind.UNKNOWN


def check_kind(name: str, raw: bytes, flavour: Flavour) -> Kind:
    """Return the format of a file that has to be of a flavour.

    Raises
    ------
    RunsCode
        For pickles, under whatever name, of every flavour but 'python', which says that it is one.
    NotItsFlavour
        For every other format that is not one of the flavour's.
    """
    kind = kind_of(raw)
    if kind is Kind.PICKLE and flavour is not Flavour.PYTHON:
        raise RunsCode(name, flavour)
    if kind not in NATIVE.get(flavour, frozenset()):
        raise NotItsFlavour(name, flavour, str(kind))
    return kind


def _kind_of_zip(raw: bytes) -> Kind:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
    except DAMAGED:
        return Kind.UNKNOWN
    if "schema.json" in names:
        return Kind.SKOPS
    if any(name.endswith((".pkl", ".pickle", ".joblib")) for name in names):
        return Kind.PICKLE
    return Kind.UNKNOWN


def _is_pickle(raw: bytes) -> bool:
    """Read opcodes, as a disassembler does; text formats of protocol 0 have no other mark."""
    if raw[:1] == b"\x80" and raw[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    seen = set()
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(raw[:100_000])):
            seen.add(opcode.name)
            if opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL", "REDUCE") or count >= OPCODES_TO_READ:
                return True
    except Exception:  # noqa: BLE001 - the disassembler raises half a dozen kinds; all say "no pickle"
        return False
    return "STOP" in seen and len(seen) > 1
