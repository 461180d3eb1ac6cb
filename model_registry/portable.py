"""A predictor as a bundle: how one leaves the process that built it, and is checked like any file on arrival."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from explainers.linear import LinearModel
from explainers.links import UNITS, Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.nodes import Nodes
from model_registry.bundle import Array, NotPortable, pack, unpack

Readable = TreeEnsemble | LinearModel


def pack_predictor(predictor: Readable) -> bytes:
    """Return a tree ensemble or a linear model as a bundle."""
    names = list(predictor.feature_names)
    link = [predictor.link.name, predictor.link.slope]
    if isinstance(predictor, LinearModel):
        arrays = {name: np.asarray(getattr(predictor, name)) for name in ("weights", "intercept", "reference")}
        return pack(arrays, {"is": "linear", "names": names, "link": link})
    trees = {field.name: getattr(predictor.nodes, field.name) for field in fields(Nodes)}
    said = {
        "is": "trees",
        "names": names,
        "link": link,
        "digest": predictor.digest,
        "made_by": predictor.made_by,
        "categories": [[column, list(labels)] for column, labels in predictor.categories],
    }
    return pack(trees | {"offset": predictor.offset}, said)


def unpack_predictor(raw: bytes) -> Readable:
    """Return the predictor in a bundle, checked as if it had been read from a file.

    Raises
    ------
    NotPortable
        When it is no bundle of a predictor.
    Malformed
        When the predictor's own structure is broken.
    """
    arrays, said = unpack(raw)
    try:
        names = tuple(str(name) for name in said["names"])
        link = Link(str(said["link"][0]), float(said["link"][1]))
        if link.name not in UNITS or not math.isfinite(link.slope) or link.slope <= 0:
            raise NotPortable("its link is unknown")
        if said["is"] == "linear":
            return LinearModel(
                weights=_floats(arrays, "weights"),
                intercept=_floats(arrays, "intercept"),
                reference=_floats(arrays, "reference"),
                feature_names=names,
                link=link,
            )
        nodes = Nodes(**{field.name: arrays.pop(field.name) for field in fields(Nodes)})
        _check_types(nodes)
        return TreeEnsemble(
            nodes=nodes,
            offset=_floats(arrays, "offset"),
            feature_names=names,
            link=link,
            digest=str(said["digest"]),
            made_by=str(said["made_by"]),
            categories=tuple((int(column), tuple(labels)) for column, labels in said["categories"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise NotPortable(f"{type(error).__name__} in {error}") from error


NODE_TYPES = {"threshold": "<f8", "value": "<f8", "cover": "<f8", "rule": "|u1", "default_left": "|b1"}
NODE_TYPES |= {"listed_left": "|b1", "sets": "<u4"}


def _check_types(nodes: Nodes) -> None:
    for field in fields(Nodes):
        array = getattr(nodes, field.name)
        if array.dtype.str != NODE_TYPES.get(field.name, "<i4") or array.ndim != 1:
            raise NotPortable(f"{field.name} has another type")


def _floats(arrays: Mapping[str, Array], name: str) -> npt.NDArray[np.float64]:
    array = arrays[name]
    if array.dtype.str != "<f8":
        raise NotPortable(f"{name} has another type")
    return array
