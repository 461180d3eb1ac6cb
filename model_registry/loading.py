"""An artifact becomes a predictor we run ourselves: read as data, checked, and only then built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from explainers.black_box import BlackBox
from explainers.linear import LinearModel
from explainers.predictor import Predictor
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.lightgbm_reader import read_lightgbm
from explainers.trees.xgboost_reader import read_xgboost
from model_registry.code_models import boxed_model, columns_of, require_admitted
from model_registry.digests import artifact_digest, artifact_size
from model_registry.inputs import are_positions, inputs_of
from model_registry.lightgbm_labels import labels_in
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.mlmodel import native_file
from model_registry.onnx_checks import judge_onnx
from model_registry.onnx_model import onnx_predictor
from model_registry.portable import Readable
from model_registry.sandbox import read_in_worker, score_in_worker
from model_registry.skops_files import check_skops
from model_registry.sniffing import Kind, check_kind
from policies.declaration import WITHOUT_ARTIFACT, Declaration, Flavour
from policies.errors import Malformed, Refused, Sentence
from policies.terms import CodeRules
from policies.tiers import Tier

Floats = npt.NDArray[np.float64]
Served = Readable | BlackBox
"""What is run here: trees and lines that were read, and models that can only be asked."""

NATIVE_DIFFERENCE = "largest_native_difference"
RUNS_CODE, HELD_BY = "runs_code", "held_by"
BACKGROUND_ROWS, PAIRS = 100, 32
"""Rows that stand for an absent feature of a model that can only be asked, and pairs of orders per explained row."""

NO_CODE = CodeRules()


class NotServed(Refused):
    """A flavour without a model file of ours: it is examined and reported on, never run."""

    def __init__(self, flavour: Flavour) -> None:
        super().__init__(
            Sentence(
                en=f"flavour '{flavour}' hands over no model that runs here; "
                "hand over xgboost, lightgbm, sklearn (skops) or onnx",
                zh=f"“{flavour}”类型没有可在此运行的模型，请提交 xgboost、lightgbm、sklearn（skops）或 onnx 模型",
            )
        )


class LabelsCut(Refused):
    """XGBoost's file holds the labels of a category in part only, so rows could not be matched with them."""

    def __init__(self, name: str, column: str) -> None:
        super().__init__(
            Sentence(
                en=f"{name}: XGBoost keeps labels that are not plain ASCII in part only, and '{column}' has such "
                "labels; give it codes (0, 1, 2, …) or ASCII labels and train again",
                zh=f"{name}：XGBoost 保存非 ASCII 类别标签时会截断，而“{column}”含有此类标签；"
                "请改用编码（0、1、2……）或 ASCII 标签后重新训练",
            )
        )
        self.column = column


class NotComparable(Refused):
    """What the training library says cannot be held against what we compute."""

    def __init__(self, name: str, shape: tuple[int, ...], theirs: Floats) -> None:
        broken = int((~np.isfinite(theirs)).sum())
        if shape != theirs.shape:
            said = Sentence(
                en=f"the library gives an array of shape {theirs.shape} for {name} where {shape} was expected; "
                "save the model again with the library's own function",
                zh=f"运行库对 {name} 给出形状为 {theirs.shape} 的结果，应为 {shape}；"
                "请用该库自带的保存函数重新保存模型",
            )
        else:
            said = Sentence(
                en=f"the library gives {broken:,} scores for {name} that are not finite; such a model decides nothing",
                zh=f"运行库对 {name} 给出 {broken:,} 个非有限分数，这样的模型无法用于决策",
            )
        super().__init__(said)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A predictor, and what is known about the file it came from.

    Parameters
    ----------
    predictor : Predictor
        Runs without the library that trained the model.
    flavour : Flavour
    artifact_digest : str
        SHA-256 of the artifact as handed over.
    native : Path
        The file of the training library: the artifact itself, or inside an MLflow model folder.
    facts : mapping
        For checks: "digest", "flavour", "format", "bytes", "features", "unit", "trees" and "nodes", "weights", or
        "graph_nodes" and "weights", and after `compare_with_library` "largest_native_difference" and "native_rows";
        for code "runs_code" and "held_by".
    """

    predictor: Predictor
    flavour: Flavour
    artifact_digest: str
    native: Path
    facts: Mapping[str, object]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the input matrix, in order."""
        return self.predictor.feature_names


def load_predictor(
    artifact: Path,
    declaration: Declaration,
    *,
    background: pd.DataFrame | None = None,
    code: CodeRules = NO_CODE,
    tier: Tier = Tier.L4,
    serving: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> LoadedModel:
    """Read an artifact into a predictor. Nothing the artifact brings is run, unless it says it is code and is admitted.

    XGBoost and LightGBM files are parsed here; objects in a `.skops` file are built in a worker process, which
    hands back plain arrays. An ONNX graph is checked here and runs in a process of its own, which lasts as long as the
    predictor does. A model that is code is opened in a box, and asked there.

    Parameters
    ----------
    artifact : Path
        A model file, or an MLflow model folder.
    declaration : Declaration
        Says the flavour; where the file knows no column names, its features give them, in their order.
    background : DataFrame, optional
        Rows whose mean is where a linear model's contributions are zero, and against which a model that can only be
        asked is explained; trees bring their own.
    code, tier : CodeRules, Tier
        Whether models that are code are opened for a use of this tier; as they stand here, none is.
    serving : bool
        Whether a model that is code is to answer plants rather than an examination.
    limits : Limits

    Raises
    ------
    RunsCode, NotItsFlavour, UnknownTypes, ModelFolderRefused, NotServed, LabelsCut
        Refusals by content.
    Malformed
        When the model's structure is broken (`ModelRefused`), or the artifact is larger than the limit.
    OnnxRuntimeMissing
    LibraryCrashed, LibraryHung, LibraryRefused, RefusedInside
        From the worker.
    CodeNotAdmitted, NoSandbox, CodeFailed
        For models that are code.
    """
    flavour = declaration.model.flavour
    if flavour in WITHOUT_ARTIFACT:
        raise NotServed(flavour)
    if flavour is Flavour.PYTHON:
        require_admitted(artifact.name, code, tier)  # before a byte of it is read
        return _code(artifact, declaration, background, limits, serving=serving)
    digest = artifact_digest(artifact, limits)
    native = native_file(artifact, flavour, limits) if artifact.is_dir() else artifact
    raw = native.read_bytes()
    kind = check_kind(native.name, raw, flavour)
    predictor: Served
    if flavour is Flavour.ONNX:
        predictor, size = _onnx(native.name, raw, declaration, background)
    else:
        read = _referred(_named(_read(native, raw, flavour, limits), declaration), background)
        predictor, size = read, _size(read)
    facts = {
        "digest": digest,
        "flavour": str(flavour),
        "format": str(kind),
        "bytes": artifact_size(artifact),
        "features": len(predictor.feature_names),
        "unit": predictor.unit,
        **size,
    }
    return LoadedModel(
        predictor=predictor,
        flavour=flavour,
        artifact_digest=digest,
        native=native,
        facts=MappingProxyType(facts),
    )


def _code(
    artifact: Path, declaration: Declaration, background: pd.DataFrame | None, limits: Limits, *, serving: bool
) -> LoadedModel:
    digest = artifact_digest(artifact, limits)
    folder = artifact.is_dir()
    kind = Kind.PYTHON_FUNCTION if folder else check_kind(artifact.name, artifact.read_bytes(), Flavour.PYTHON)
    boxed = boxed_model(artifact, digest, serving=serving, limits=limits)
    told, width, unit = boxed.described()
    names = columns_of(artifact.name, told, width, tuple(declaration.features))
    predictor = BlackBox(
        function=lambda X: boxed.scores(X, names),
        feature_names=names,
        background=np.zeros((1, len(names))),
        pairs=PAIRS,
        unit=unit,
    )
    facts = {
        "digest": digest,
        "flavour": str(Flavour.PYTHON),
        "format": str(kind),
        "bytes": artifact_size(artifact),
        "features": len(names),
        "unit": unit,
        RUNS_CODE: True,
        HELD_BY: "bubblewrap",
    }
    loaded = LoadedModel(
        predictor=predictor,
        flavour=Flavour.PYTHON,
        artifact_digest=digest,
        native=artifact,
        facts=MappingProxyType(facts),
    )
    return loaded if background is None else against(loaded, background)


def against(loaded: LoadedModel, background: pd.DataFrame) -> LoadedModel:
    """Return a model that can only be asked with the rows that stand for its absent features."""
    assert isinstance(loaded.predictor, BlackBox), "what can be read is loaded with its background"
    rows = inputs_of(background, loaded.predictor, "the background")
    chosen = np.random.default_rng(0).permutation(len(rows))[:BACKGROUND_ROWS]
    return replace(loaded, predictor=replace(loaded.predictor, background=rows[np.sort(chosen)]))


def compare_with_library(loaded: LoadedModel, inputs: Floats, limits: Limits = DEFAULT_LIMITS) -> LoadedModel:
    """Let the training library score the same rows once, and note how far its scores are from ours.

    Parameters
    ----------
    loaded : LoadedModel
    inputs : array of shape (n_rows, n_features)
        Evaluation rows as the model sees them.

    Returns
    -------
    LoadedModel
        With the fact "largest_native_difference": the largest |ours - theirs| / max(1, |theirs|), so absolute for
        probabilities and relative for large values.

    Raises
    ------
    LibraryCrashed, LibraryHung, LibraryRefused, RefusedInside
        The model is refused; this process was never touched.
    NotComparable
        When the library gives another number of outputs, or scores that are not finite.
    """
    categories = getattr(loaded.predictor, "categories", ())
    kind, theirs = score_in_worker(loaded.flavour, loaded.native, inputs, categories, limits)
    ours = loaded.predictor.scores(inputs) if kind == "scores" else loaded.predictor.margins(inputs)
    facts = {
        **loaded.facts,
        NATIVE_DIFFERENCE: _difference(loaded.native.name, ours, theirs),
        "native_rows": len(inputs),
    }
    return replace(loaded, facts=MappingProxyType(facts))


def _difference(name: str, ours: Floats, theirs: Floats) -> float:
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        raise NotComparable(name, ours.shape, theirs)
    if not len(ours):
        return 0.0
    return float(np.max(np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))))


def _read(native: Path, raw: bytes, flavour: Flavour, limits: Limits) -> Readable:
    # a threshold beyond what float32 holds is infinite there, as it is for the library; the structural check judges it
    with np.errstate(over="ignore"):
        if flavour is Flavour.XGBOOST:
            return _with_whole_labels(native.name, read_xgboost(raw))
        if flavour is Flavour.LIGHTGBM:
            ensemble = read_lightgbm(raw)
            return replace(ensemble, categories=ensemble.categories or labels_in(raw))
    check_skops(native.name, raw, limits)
    return read_in_worker(native, limits)


def _onnx(
    name: str, raw: bytes, declaration: Declaration, background: pd.DataFrame | None
) -> tuple[Served, dict[str, object]]:
    judged = judge_onnx(name, raw, tuple(declaration.features))
    made = onnx_predictor(name, raw, judged, None)
    if background is not None:
        made = replace(made, background=inputs_of(background, made, "the background"))
    return made, {"graph_nodes": judged.nodes, "weights": judged.weights}


def _with_whole_labels(name: str, ensemble: TreeEnsemble) -> TreeEnsemble:
    """Refuse labels that XGBoost cut: it keeps as many bytes of a label as the label has characters."""
    for column, labels in ensemble.categories:
        if not all(label.isascii() for label in labels if isinstance(label, str)):
            raise LabelsCut(name, ensemble.feature_names[column])
    return ensemble


def _named(predictor: Readable, declaration: Declaration) -> Readable:
    """Give columns the declared names where the file only counts them."""
    declared = tuple(declaration.features)
    if are_positions(predictor.feature_names) and len(declared) == len(predictor.feature_names):
        return replace(predictor, feature_names=declared)
    return predictor


def _referred(predictor: Readable, background: pd.DataFrame | None) -> Readable:
    if background is None or not isinstance(predictor, LinearModel):
        return predictor
    known = inputs_of(background, predictor, "the background")
    empty = [name for j, name in enumerate(predictor.feature_names) if np.isnan(known[:, j]).all()]
    if empty:
        raise Malformed(
            Sentence(
                en=f"the background holds no value of {', '.join(empty)}",
                zh=f"背景数据中 {'、'.join(empty)} 没有任何取值",
            )
        )
    return replace(predictor, reference=np.nanmean(known, axis=0))


def _size(predictor: Readable) -> dict[str, object]:
    if isinstance(predictor, TreeEnsemble):
        return {"trees": len(predictor.nodes.roots), "nodes": len(predictor.nodes)}
    return {"weights": int(predictor.weights.size)}
