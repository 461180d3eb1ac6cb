"""Reading a `.skops` file by our own list of types; the list that comes with the file is never asked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.sniffing import NotItsFlavour
from model_registry.unpacking import DAMAGED
from policies.declaration import Flavour
from policies.errors import Refused, Sentence

SCHEMA = "schema.json"
LARGEST_SCHEMA = 300_000_000
MOST_ENTRIES = 200_000
LARGEST_RATIO = 200
RATIO_COUNTS_FROM = 10_000_000

_NUMPY = {f"numpy.{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
_NUMPY |= {"numpy.float16", "numpy.float32", "numpy.float64", "numpy.bool", "numpy.bool_", "numpy.str_"}

_ESTIMATORS = {
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._forest.ExtraTreesClassifier",
    "sklearn.ensemble._forest.ExtraTreesRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.ensemble._iforest.IsolationForest",
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._bayes.BayesianRidge",
    "sklearn.linear_model._coordinate_descent.ElasticNet",
    "sklearn.linear_model._coordinate_descent.ElasticNetCV",
    "sklearn.linear_model._coordinate_descent.Lasso",
    "sklearn.linear_model._coordinate_descent.LassoCV",
    "sklearn.linear_model._glm.glm.GammaRegressor",
    "sklearn.linear_model._glm.glm.PoissonRegressor",
    "sklearn.linear_model._huber.HuberRegressor",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._logistic.LogisticRegressionCV",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.linear_model._ridge.RidgeCV",
    "sklearn.linear_model._ridge.RidgeClassifier",
    "sklearn.linear_model._stochastic_gradient.SGDRegressor",
    "sklearn.linear_model._theil_sen.TheilSenRegressor",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.MaxAbsScaler",
    "sklearn.preprocessing._data.MinMaxScaler",
    "sklearn.preprocessing._data.RobustScaler",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.svm._classes.LinearSVC",
    "sklearn.svm._classes.LinearSVR",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._classes.ExtraTreeClassifier",
    "sklearn.tree._classes.ExtraTreeRegressor",
}
_LINKS = {"HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit"}
_LOSSES = {"AbsoluteError", "ExponentialLoss", "HalfBinomialLoss", "HalfGammaLoss", "HalfMultinomialLoss"}
_LOSSES |= {"HalfPoissonLoss", "HalfSquaredError", "HuberLoss", "PinballLoss"}

ALLOWED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "DictNode": frozenset({"builtins.dict"}),
        "ListNode": frozenset({"builtins.list"}),
        "TupleNode": frozenset({"builtins.tuple"}),
        "SliceNode": frozenset({"builtins.slice"}),
        "JsonNode": frozenset({"builtins.str", "builtins.int", "builtins.float", "builtins.bool"}),
        "TypeNode": frozenset({"builtins.str", "builtins.int", "builtins.float", "builtins.bool", *_NUMPY}),
        "NdArrayNode": frozenset({"numpy.ndarray", *_NUMPY}),
        "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
        "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
        "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
        "LossNode": frozenset({f"sklearn._loss._loss.Cy{name}" for name in _LOSSES}),
        "ObjectNode": frozenset(
            _ESTIMATORS
            | {f"sklearn._loss.link.{name}" for name in _LINKS}
            | {f"sklearn._loss.loss.{name}" for name in _LOSSES}
        ),
        # HistGradientBoosting keeps its check of text columns as a function of scikit-learn's own
        "PartialNode": frozenset({"functools.partial"}),
        "FunctionNode": frozenset({"sklearn.utils.validation.check_array"}),
    }
)
"""Which types may be made, by the way skops makes them. Trees and linear models of scikit-learn, nothing else."""


class UnknownTypes(Refused):
    """The file asks for types that are not on our list."""

    def __init__(self, name: str, types: tuple[str, ...]) -> None:
        shown = ", ".join(types[:5]) + (", …" if len(types) > 5 else "")
        super().__init__(
            Sentence(
                en=f"{name} asks for types that are not loaded: {shown}; expected a tree or linear model of "
                "scikit-learn, scaled at most",
                zh=f"{name} 含有不允许加载的类型：{shown}；应为 scikit-learn 的树模型或线性模型（至多含缩放步骤）",
            )
        )
        self.types = types


def check_skops(name: str, raw: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """Read the list of types of a `.skops` file, and refuse every type that is not on ours. Makes no object.

    Raises
    ------
    UnknownTypes
        With the first few of them.
    NotItsFlavour
        When the zip or its schema cannot be read, or unpacks to more than the limit.
    """
    unknown = sorted({_spelled(node) for node in _nodes(_schema(name, raw, limits)) if not _is_allowed(node)})
    if unknown:
        raise UnknownTypes(name, tuple(unknown))


def load_skops(name: str, raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return the object in a `.skops` file. Runs in the worker only: a crafted tree can crash scikit-learn."""
    import skops.io

    check_skops(name, raw, limits)
    trusted = sorted(set().union(*ALLOWED.values()))
    return skops.io.loads(raw, trusted=trusted)


def _schema(name: str, raw: bytes, limits: Limits) -> object:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            size = sum(info.file_size for info in infos)
            bomb = size > RATIO_COUNTS_FROM and size > LARGEST_RATIO * len(raw)
            if len(infos) > MOST_ENTRIES or size > limits.artifact_bytes or bomb:
                raise NotItsFlavour(name, Flavour.SKLEARN, f"{len(infos):,} entries of {size:,} bytes once unpacked")
            if archive.getinfo(SCHEMA).file_size > LARGEST_SCHEMA:
                raise NotItsFlavour(name, Flavour.SKLEARN, "a schema that is too large")
            return json.loads(archive.read(SCHEMA))
    except (KeyError, RecursionError, OSError, *DAMAGED) as error:
        raise NotItsFlavour(name, Flavour.SKLEARN, "a zip whose schema cannot be read") from error


def _nodes(schema: object) -> Iterator[Mapping[str, object]]:
    """Return everything that skops would make something of; without recursion, however deep the file is."""
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if each.keys() & {"__class__", "__module__", "__loader__"}:
                yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _spelled(node: Mapping[str, object]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"[:120]


def _is_allowed(node: Mapping[str, object]) -> bool:
    return _spelled(node) in ALLOWED.get(str(node.get("__loader__")), frozenset())
