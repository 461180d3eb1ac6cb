"""A submission that lies in a registry: fields and one address become the `submission.toml` that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_registry.addresses import RunAddress, is_safe_path, read_address, read_file_address
from model_registry.submission import is_address
from policies.declaration import read_declaration
from policies.declaration_text import declaration_text
from policies.errors import Fault, FieldSentence, Malformed, Sentence, refuse_all

FILES = ("evaluation", "training")


def declaration_by_address(said: Mapping[str, Any]) -> bytes:
    """Return the declaration of a submission named by `uri`.

    `uri` takes the place of `model.artifact`. A data file is an address of its own, or a path among what the run of the
    model logged: `evaluation.csv` beside `models:/name/3` stands for `models:/name/3/evaluation.csv`.

    Parameters
    ----------
    said : mapping
        "uri" and the tables of `submission.toml`.

    Raises
    ------
    Malformed
        With every fault of address and fields at once.
    """
    faults: list[Sentence] = []
    uri = _uri(said.get("uri"), faults)
    document = {key: value for key, value in said.items() if key != "uri"}
    document["model"] = _model(document.get("model"), uri, faults)
    if isinstance(document.get("data"), Mapping):
        document["data"] = _data(document["data"], uri, faults)
    text = ""
    try:
        text = declaration_text(document)
        read_declaration(text)
    except Fault as fault:
        faults += fault.faults
    refuse_all(faults)
    return text.encode()


def _uri(uri: object, faults: list[Sentence]) -> str:
    if not isinstance(uri, str) or not uri.strip():
        found = "nothing" if uri is None else repr(uri)[:200]
        faults.append(
            FieldSentence(
                en=f"uri must be the address of the model, such as models:/name/3, found {found}",
                zh=f"uri 应为模型地址（如 models:/名称/3），实际为 {'空' if uri is None else repr(uri)[:200]}",
                field="uri",
            )
        )
        return "models:/unknown/1"
    try:
        read_address(uri)
    except Malformed as fault:
        faults += (said.about("uri") for said in fault.faults)
    return uri


def _model(model: object, uri: str, faults: list[Sentence]) -> object:
    if model is not None and not isinstance(model, Mapping):
        return model  # the reader of declarations says what is wrong with it
    if model and "artifact" in model:
        faults.append(
            FieldSentence(
                en="model.artifact and uri both name the model; drop model.artifact",
                zh="model.artifact 与 uri 同时指定了模型，请去掉 model.artifact",
                field="model.artifact",
            )
        )
    return {**(model or {}), "artifact": uri}


def _data(data: Mapping[str, Any], uri: str, faults: list[Sentence]) -> dict[str, Any]:
    return {**data, **{role: _file(role, data[role], uri, faults) for role in FILES if role in data}}


def _file(role: str, name: object, uri: str, faults: list[Sentence]) -> object:
    if not isinstance(name, str) or not name.strip():
        return name
    if is_address(name):
        try:
            read_file_address(name)
        except Malformed as fault:
            faults += (said.about(f"data.{role}") for said in fault.faults)
        return name
    if not is_safe_path(name):
        faults.append(
            FieldSentence(
                en=f"data.{role} names {name[:200]!r}; expected a path among what the run logged, with '/', "
                "without '..', or an address such as runs:/id/path",
                zh=f"data.{role} 指定的 {name[:200]!r} 不合要求，应为运行所记录文件的路径，以“/”分隔且不含“..”，"
                "或 runs:/编号/路径 形式的地址",
                field=f"data.{role}",
            )
        )
    return f"{_beside(uri)}/{name}"


def _beside(uri: str) -> str:
    """Return the address under which a model's data are named: that of its version, or of its run."""
    try:
        address = read_address(uri)
    except Malformed:
        return uri
    return f"runs:/{address.run}" if isinstance(address, RunAddress) else uri
