"""MLflow model folders: the `MLmodel` file is read as data, against a list, before anything else is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_registry.digests import folder_files
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.named_files import named_path
from policies.declaration import Flavour
from policies.errors import Malformed, Refused, Sentence, Unavailable

MLMODEL = "MLmodel"
LARGEST = 1_000_000
DATA_KEYS: dict[Flavour, tuple[str, str]] = {
    Flavour.XGBOOST: ("xgboost", "data"),
    Flavour.LIGHTGBM: ("lightgbm", "data"),
    Flavour.SKLEARN: ("sklearn", "pickled_model"),
    Flavour.ONNX: ("onnx", "data"),
}
"""Under which flavour and key MLflow names the native file; its content is judged afterwards, not its name."""

LOADERS = {"mlflow.xgboost", "mlflow.lightgbm", "mlflow.sklearn", "mlflow.onnx"}
FLAVOURS = {"python_function", "mingjing", "xgboost", "lightgbm", "sklearn", "onnx"}
TOP = {
    "artifact_path",
    "flavors",
    "is_signature_from_type_hint",
    "metadata",
    "mlflow_version",
    "model_id",
    "model_size_bytes",
    "model_uuid",
    "prompts",
    "run_id",
    "saved_input_example_info",
    "signature",
    "type_hint_from_example",
    "utc_time_created",
}
CODE_KEYS = {"code", "python_model", "loader_code", "model_code_path", "code_path", "code_paths", "streamable"}


class ModelFolderRefused(Refused):
    """An MLflow model folder that would run code, or holds what is not on the list."""


def native_file(folder: Path, flavour: Flavour, limits: Limits = DEFAULT_LIMITS) -> Path:
    """Return the file of the training library inside an MLflow model folder.

    Parameters
    ----------
    folder : Path
        Holds an `MLmodel` file.
    flavour : Flavour
        As declared; the folder has to hold this flavour.

    Raises
    ------
    ModelFolderRefused
        For code in any form, loaders and flavours that are not on the list, and absent native files.
    Malformed
        When the folder holds no readable `MLmodel`, or links, devices, too many files.
    """
    names = {relative for relative, _ in folder_files(folder, limits)}
    if MLMODEL not in names:
        raise Malformed(
            Sentence(
                en=f"the folder {folder.name} holds no {MLMODEL}; "
                "hand over the model file itself or an MLflow model folder",
                zh=f"文件夹 {folder.name} 中没有 {MLMODEL}，请直接提交模型文件或 MLflow 模型文件夹",
            )
        )
    said = _read(folder / MLMODEL)
    faults = [*_code_files(names), *_faults(said, flavour)]
    if faults:
        raise ModelFolderRefused(*faults)
    flavours: dict[str, Any] = said["flavors"]
    ours = flavours.get("mingjing")
    name, key = ("mingjing", "artifact") if ours is not None else DATA_KEYS[flavour]
    value = flavours[name].get(key)
    try:
        return named_path(folder, f"{MLMODEL}: flavors.{name}.{key}", str(value))
    except Malformed as fault:
        raise ModelFolderRefused(*fault.faults) from fault


def _read(path: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise Unavailable(
            Sentence(
                en="MLflow model folders need the package pyyaml here; install the 'server' extra",
                zh="读取 MLflow 模型文件夹需要 pyyaml，请安装 server 附加组件",
            )
        ) from missing

    class Plain(yaml.SafeLoader):
        """Plain values only: an alias can name one value a million times."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not read")
            return super().compose_node(parent, index)

    try:
        if path.stat().st_size > LARGEST:
            raise yaml.YAMLError(f"larger than {LARGEST:,} bytes")
        said = yaml.load(path.read_text(encoding="utf-8"), Loader=Plain)  # noqa: S506 - a SafeLoader, made stricter
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        because = " ".join(str(error).split())[:200]
        raise Malformed(
            Sentence(en=f"{MLMODEL} cannot be read: {because}", zh=f"{MLMODEL} 无法读取：{because}")
        ) from error
    if not isinstance(said, dict) or not isinstance(said.get("flavors"), dict):
        raise Malformed(Sentence(en=f"{MLMODEL} names no flavors", zh=f"{MLMODEL} 中没有 flavors"))
    return said


def _code_files(names: set[str]) -> Iterator[Sentence]:
    code = sorted(name for name in names if name.endswith((".py", ".pyc", ".so", ".sh")) or name.startswith("code/"))
    if code:
        yield Sentence(
            en=f"the model folder brings code ({', '.join(code[:3])}{', …' if len(code) > 3 else ''}); "
            "models come as data alone",
            zh=f"模型文件夹中带有代码（{'、'.join(code[:3])}{'……' if len(code) > 3 else ''}），模型只能以数据形式提交",
        )


def _faults(said: Mapping[str, Any], flavour: Flavour) -> Iterator[Sentence]:
    unknown = sorted(str(key) for key in said if key not in TOP)
    if unknown:
        yield _not_listed("", unknown)
    flavours: Mapping[Any, Any] = said["flavors"]
    if other := sorted(str(key) for key in flavours if key not in FLAVOURS):
        yield _not_listed("flavors.", other)
    for name, values in flavours.items():
        if not isinstance(values, dict):
            yield _not_listed("flavors.", [f"{name} (no table)"])
            continue
        for key in sorted(CODE_KEYS & values.keys()):
            if values[key]:
                yield Sentence(
                    en=f"{MLMODEL}: flavors.{name}.{key} brings code; models come as data alone",
                    zh=f"{MLMODEL}：flavors.{name}.{key} 带有代码，模型只能以数据形式提交",
                )
        loader = values.get("loader_module")
        if loader is not None and loader not in LOADERS:
            yield Sentence(
                en=f"{MLMODEL}: loader_module is {loader!r}; expected one of {', '.join(sorted(LOADERS))}",
                zh=f"{MLMODEL}：loader_module 为 {loader!r}，应为 {'、'.join(sorted(LOADERS))} 之一",
            )
    name = DATA_KEYS[flavour][0]
    if not isinstance(flavours.get("mingjing"), dict) and not isinstance(flavours.get(name), dict):
        there = ", ".join(sorted(map(str, flavours)))
        yield Sentence(
            en=f"{MLMODEL} holds no flavour '{name}' (it holds {there}), and model.flavour is '{flavour}'",
            zh=f"{MLMODEL} 中没有“{name}”类型（现有 {there}），而 model.flavour 为“{flavour}”",
        )


def _not_listed(where: str, keys: list[str]) -> Sentence:
    return Sentence(
        en=f"{MLMODEL}: {where}{', '.join(keys)} is not on the list of what is read",
        zh=f"{MLMODEL}：{where}{'、'.join(keys)} 不在可读取的范围内",
    )
