"""Addresses of artifacts in a registry: `models:/name/3`, `models:/name@alias`, `runs:/id/path`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from policies.errors import Malformed, NotFound, Sentence

MODELS = re.compile(r"models:/(?P<name>[^/@:]+)(?:/(?P<version>[0-9]{1,9})|@(?P<alias>[\w.\-]{1,64}))")
RUNS = re.compile(r"runs:/(?P<run>[0-9a-zA-Z_\-]{1,64})/(?P<path>[^\\:]+)")


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
        return ModelAddress(name=found["name"], version=found["version"], alias=found["alias"])
    found = RUNS.fullmatch(address)
    if found and not {"", ".", ".."} & set(found["path"].split("/")):
        return RunAddress(run=found["run"], path=found["path"])
    raise Malformed(
        Sentence(
            en=f"{address!r} is no artifact address; expected models:/name/3, models:/name@alias or runs:/id/path",
            zh=f"{address!r} 不是模型地址，应为 models:/名称/3、models:/名称@别名 或 runs:/编号/路径",
        )
    )
