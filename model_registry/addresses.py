"""Addresses in a registry: `models:/name/3`, `models:/name@alias`, `runs:/id/path`, and of files beside models."""

from __future__ import annotations

import re
from dataclasses import dataclass

from policies.errors import Malformed, NotFound, Sentence

MODELS = re.compile(r"models:/(?P<name>[^/@:]+)(?:/(?P<version>[0-9]{1,9})|@(?P<alias>[\w.\-]{1,64}))")
RUNS = re.compile(r"runs:/(?P<run>[0-9a-zA-Z_\-]{1,64})/(?P<path>[^\\:]+)")
FILES = re.compile(rf"(?P<model>{MODELS.pattern})/(?P<path>[^\\:]+)")
LONGEST_PATH = 500


@dataclass(frozen=True, kw_only=True)
class ModelAddress:
    """A version by its number or by an alias; one of the two is None."""

    name: str
    version: str | None
    alias: str | None


@dataclass(frozen=True, kw_only=True)
class RunAddress:
    """What a run logged under a path."""

    run: str
    path: str


@dataclass(frozen=True, kw_only=True)
class FileAddress:
    """A file beside a version: what its run logged under a path, or what lies in the model's own folder."""

    model: ModelAddress
    path: str


class NothingThere(NotFound):
    """No artifact lies at this address."""

    def __init__(self, address: str) -> None:
        super().__init__(Sentence(en=f"there is nothing at {address} in this registry", zh=f"模型库中不存在 {address}"))


def read_address(address: str) -> ModelAddress | RunAddress:
    """Read an address.

    Raises
    ------
    Malformed
        For anything else, stages such as `models:/name/Production` among it: a stage can be moved by anyone
        between submission and verdict.

    Examples
    --------
    >>> read_address("models:/gas-leak/3")
    ModelAddress(name='gas-leak', version='3', alias=None)
    """
    if found := MODELS.fullmatch(address):
        return _model(found)
    found = RUNS.fullmatch(address)
    if found and is_safe_path(found["path"]):
        return RunAddress(run=found["run"], path=found["path"])
    raise Malformed(
        Sentence(
            en=f"{address!r} is no artifact address; expected models:/name/3, models:/name@alias or runs:/id/path",
            zh=f"{address!r} 不是模型地址，应为 models:/名称/3、models:/名称@别名 或 runs:/编号/路径",
        )
    )


def read_file_address(address: str) -> FileAddress | RunAddress:
    """Read the address of a data file.

    Raises
    ------
    Malformed
        For anything else; whole models and other hosts among it.

    Examples
    --------
    >>> read_file_address("models:/gas-leak@champion/data/evaluation.csv").path
    'data/evaluation.csv'
    """
    found = FILES.fullmatch(address)
    if found and is_safe_path(found["path"]):
        return FileAddress(model=_model(found), path=found["path"])
    found = RUNS.fullmatch(address)
    if found and is_safe_path(found["path"]):
        return RunAddress(run=found["run"], path=found["path"])
    raise Malformed(
        Sentence(
            en=f"{address!r} is no address of a file; expected runs:/id/path, models:/name/3/path or "
            "models:/name@alias/path",
            zh=f"{address!r} 不是文件地址，应为 runs:/编号/路径、models:/名称/3/路径 或 models:/名称@别名/路径",
        )
    )


def read_any_address(address: str) -> ModelAddress | RunAddress | FileAddress:
    """Read an address of a model or of a file. Raises Malformed for what is neither."""
    found = FILES.fullmatch(address)
    return read_file_address(address) if found and is_safe_path(found["path"]) else read_address(address)


def is_safe_path(path: str) -> bool:
    """Whether a path stays among the artifacts it is looked for in, however often somebody decodes it on the way."""
    plain = path.isprintable() and len(path) <= LONGEST_PATH and not set("\\:%?#") & set(path)
    return plain and not {"", ".", ".."} & set(path.split("/"))


def _model(found: re.Match[str]) -> ModelAddress:
    return ModelAddress(name=found["name"], version=found["version"], alias=found["alias"])
