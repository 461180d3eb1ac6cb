"""What a team declares about its model: the contents of `submission.toml`, read into one value.

Only the words are judged here. Whether the files exist and hold what is said of them is for
`model_registry.submission`.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from policies.errors import FieldSentence, Malformed, Sentence


class Flavour(StrEnum):
    """How a model is handed over."""

    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    SKLEARN = "sklearn"
    ONNX = "onnx"
    PYTHON = "python"
    PREDICTIONS = "predictions"
    ENDPOINT = "endpoint"


class Protocol(StrEnum):
    """How an endpoint is spoken to: MLflow's scoring protocol, or the Open Inference Protocol (v2)."""

    MLFLOW = "mlflow"
    OIP = "oip"


class Task(StrEnum):
    """What kind of question a model answers."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    ANOMALY = "anomaly"
    CLUSTERING = "clustering"


class Protective(StrEnum):
    """Which side of the threshold alarms, stops or calls a person."""

    AT_OR_ABOVE = "at_or_above"
    BELOW = "below"


@dataclass(frozen=True, kw_only=True)
class ModelPart:
    """The `[model]` table. `artifact` is None for predictions and endpoints."""

    name: str
    artifact: str | None
    flavour: Flavour
    task: Task
    threshold: float
    protective: Protective


@dataclass(frozen=True, kw_only=True)
class UsePart:
    """The `[use]` table: what the model is for, where, and who answers for it."""

    purpose: str
    description: str
    site: str
    owner: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where data came from, over which period, under which licence."""

    name: str
    period: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """The `[data]` table. File names are relative to the submission directory."""

    evaluation: str
    training: str | None
    label: str
    prediction: str | None
    time: str | None
    subject: str | None
    groups: tuple[str, ...]
    labels_by: Mapping[str, str]
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One `[features.NAME]` table. `range` is in `unit`, both ends included."""

    name: str
    unit: str | None = None
    range: tuple[float, float] | None = None
    sensor: bool = False
    cap: float | None = None
    immutable: bool = False
    label: Sentence | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointPart:
    """The `[endpoint]` table: where a model answers that is not handed over.

    `columns` are sent in this order; none sends the declared features. `answer` names the output or field that holds
    the score, where there are several.
    """

    url: str
    protocol: Protocol
    columns: tuple[str, ...]
    answer: str | None
    timeout_seconds: float
    rows_per_call: int


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One whole declaration. Exists only when every part of it can be understood.

    `record` holds what the team says of how it evaluated, by field of the evaluation record.
    """

    model: ModelPart
    use: UsePart
    data: DataPart
    features: Mapping[str, Feature] = field(default_factory=dict)
    impact: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, str] = field(default_factory=dict)
    endpoint: EndpointPart | None = None

    def feature(self, name: str) -> Feature:
        """Return what was declared about `name`, or a feature about which nothing was said."""
        return self.features.get(name) or Feature(name=name)

    def alarms(self, score: float) -> bool:
        """Whether a score falls on the protective side. A score that is not a number always does."""
        if not math.isfinite(score):
            return True
        if self.model.protective is Protective.AT_OR_ABOVE:
            return score >= self.model.threshold
        return score < self.model.threshold


NAME = re.compile(r"[\w一-鿿][\w一-鿿.\-]{0,63}")
MODEL_KEYS = {"name", "artifact", "flavour", "task", "threshold", "protective"}
USE_KEYS = {"purpose", "description", "site", "owner"}
DATA_KEYS = {"evaluation", "training", "label", "prediction", "time", "subject", "groups", "labels_by", "sources"}
SOURCE_KEYS = {"name", "period", "licence"}
FEATURE_KEYS = {"unit", "range", "sensor", "cap", "immutable", "label"}
RECORD_FIELDS = (
    "representativeness",
    "preprocessing",
    "separation",
    "leakage",
    "channel_effects",
    "ground_truth",
    "hyperparameters",
    "environment",
    "baselines",
)
"""Fields of an evaluation record (ISO/IEC TS 4213, 5.3), in their order there."""

ENDPOINT_KEYS = {"url", "protocol", "columns", "answer", "timeout_seconds", "rows_per_call"}
LONGEST_WAIT = 600.0
TABLES = {"model", "use", "data", "features", "impact", "endpoint", "record"}
WITHOUT_ARTIFACT = {Flavour.PREDICTIONS, Flavour.ENDPOINT}


def read_declaration(text: str | bytes) -> Declaration:
    """Read `submission.toml`.

    Raises
    ------
    Malformed
        With every fault found: unknown tables and keys, missing values, values of the wrong type,
        unknown flavours, thresholds outside [0, 1] for classification.
    """
    try:
        document = tomllib.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except UnicodeDecodeError as error:
        raise Malformed(
            Sentence(
                en=f"submission.toml is not UTF-8 (byte {error.start}); save it as UTF-8",
                zh=f"submission.toml 不是 UTF-8 编码（第 {error.start} 字节），请另存为 UTF-8",
            )
        ) from error
    except ValueError as error:  # not TOML, or a number with more digits than Python turns into one
        raise Malformed(
            Sentence(en=f"submission.toml is not valid TOML: {error}", zh=f"submission.toml 不是合法的 TOML：{error}")
        ) from error
    except RecursionError as error:
        raise Malformed(
            Sentence(
                en="submission.toml is nested too deeply to be a declaration",
                zh="submission.toml 嵌套层数过多，不是有效的声明文件",
            )
        ) from error
    return _Reader(document).declaration()


class _Reader:
    """Walks the document once and keeps every fault it meets."""

    def __init__(self, document: dict[str, object]) -> None:
        self.document = document
        self.faults: list[Sentence] = []

    def declaration(self) -> Declaration:
        self._refuse_unknown("", self.document, TABLES)
        model = self._model(self._table("model"))
        use = self._use(self._table("use"))
        data = self._data(self._table("data"), model.flavour)
        features = self._features(self._table("features", required=False))
        impact = self._answers(self._table("impact", required=False))
        record = self._record(self._table("record", required=False))
        endpoint = self._endpoint(self._table("endpoint", required=False), model.flavour)
        if self.faults:
            raise Malformed(*self.faults)
        return Declaration(
            model=model,
            use=use,
            data=data,
            features=MappingProxyType(features),
            impact=MappingProxyType(impact),
            record=MappingProxyType(record),
            endpoint=endpoint,
        )

    def _fault(self, at: str, en: str, zh: str) -> None:
        self.faults.append(FieldSentence(en=en, zh=zh, field=at))

    def _refuse_unknown(self, where: str, table: Mapping[str, object], known: set[str]) -> None:
        prefix = f"{where}." if where else ""
        for key in sorted(set(table) - known):
            self._fault(
                f"{prefix}{key}",
                f"submission.toml: '{prefix}{key}' is not known; expected one of {', '.join(sorted(known))}",
                f"submission.toml：无法识别“{prefix}{key}”，可用的键为 {'、'.join(sorted(known))}",
            )

    def _table(self, name: str, *, required: bool = True) -> dict[str, object]:
        value = self.document.get(name, {})
        if not isinstance(value, dict):
            self._fault(
                name,
                f"submission.toml: [{name}] must be a table, found {type(value).__name__}",
                f"submission.toml：[{name}] 应为表，实际为 {type(value).__name__}",
            )
            return {}
        if required and name not in self.document:
            self._fault(name, f"submission.toml: the table [{name}] is missing", f"submission.toml：缺少 [{name}] 表")
        return value

    def _text(self, where: str, table: Mapping[str, object], key: str, *, required: bool = True) -> str:
        value = table.get(key)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value.strip():
            found = "nothing" if value is None else repr(value)
            self._fault(
                f"{where}.{key}",
                f"submission.toml: {where}.{key} must be a text that is not empty, found {found}",
                f"submission.toml：{where}.{key} 应为非空文本，实际为 {'空' if value is None else repr(value)}",
            )
            return ""
        return value.strip()

    def _choice(self, where: str, table: Mapping[str, object], key: str, kind: type[StrEnum], default: str) -> str:
        value = table.get(key, default)
        allowed = [member.value for member in kind]
        if value not in allowed:
            self._fault(
                f"{where}.{key}",
                f"submission.toml: {where}.{key} is {value!r}; expected one of {', '.join(allowed)}",
                f"submission.toml：{where}.{key} 为 {value!r}，应为 {'、'.join(allowed)} 之一",
            )
            return default or allowed[0]
        return str(value)

    def _model(self, table: Mapping[str, object]) -> ModelPart:
        self._refuse_unknown("model", table, MODEL_KEYS)
        name = self._text("model", table, "name")
        if name and not NAME.fullmatch(name):
            self._fault(
                "model.name",
                f"submission.toml: model.name {name!r} may hold letters, digits, '.', '_' and '-', at most 64",
                f"submission.toml：model.name {name!r} 只能含字母、汉字、数字、“.”“_”“-”，最多 64 个字符",
            )
        flavour = Flavour(self._choice("model", table, "flavour", Flavour, ""))
        task = Task(self._choice("model", table, "task", Task, Task.CLASSIFICATION.value))
        protective = Protective(self._choice("model", table, "protective", Protective, Protective.AT_OR_ABOVE.value))
        artifact = self._text("model", table, "artifact", required=flavour not in WITHOUT_ARTIFACT) or None
        threshold = self._threshold(table.get("threshold", 0.5), task)
        return ModelPart(
            name=name, artifact=artifact, flavour=flavour, task=task, threshold=threshold, protective=protective
        )

    def _threshold(self, value: object, task: Task) -> float:
        number = _number(value)
        if number is None:
            self._fault(
                "model.threshold",
                f"submission.toml: model.threshold must be a finite number, found {value!r}",
                f"submission.toml：model.threshold 应为有限数值，实际为 {value!r}",
            )
            return 0.5
        if task is Task.CLASSIFICATION and not 0.0 <= number <= 1.0:
            self._fault(
                "model.threshold",
                f"submission.toml: model.threshold is {number:g}; a classification threshold lies in [0, 1]",
                f"submission.toml：model.threshold 为 {number:g}，分类模型的阈值应在 [0, 1] 内",
            )
        return number

    def _endpoint(self, table: Mapping[str, object], flavour: Flavour) -> EndpointPart | None:
        if flavour is not Flavour.ENDPOINT:
            if table:
                self._fault(
                    "endpoint",
                    f"submission.toml: [endpoint] is for flavour 'endpoint', and the flavour is '{flavour}'; drop one",
                    f"submission.toml：[endpoint] 仅用于“endpoint”类型，而当前类型为“{flavour}”，请去掉其一",
                )
            return None
        self._refuse_unknown("endpoint", table, ENDPOINT_KEYS)
        rows = table.get("rows_per_call", 1000)
        if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= 100_000:
            self._fault(
                "endpoint.rows_per_call",
                f"submission.toml: endpoint.rows_per_call must be a whole number from 1 to 100000, found {rows!r}",
                f"submission.toml：endpoint.rows_per_call 应为 1 至 100000 的整数，实际为 {rows!r}",
            )
            rows = 1000
        wait = _number(table.get("timeout_seconds", 30))
        if wait is None or not 0 < wait <= LONGEST_WAIT:
            self._fault(
                "endpoint.timeout_seconds",
                f"submission.toml: endpoint.timeout_seconds must lie above 0 and be at most {LONGEST_WAIT:g}, "
                f"found {table.get('timeout_seconds')!r}",
                f"submission.toml：endpoint.timeout_seconds 应大于 0 且不超过 {LONGEST_WAIT:g}，"
                f"实际为 {table.get('timeout_seconds')!r}",
            )
        return EndpointPart(
            url=self._url(self._text("endpoint", table, "url")),
            protocol=Protocol(self._choice("endpoint", table, "protocol", Protocol, Protocol.MLFLOW.value)),
            columns=self._names("endpoint.columns", table.get("columns", [])),
            answer=self._text("endpoint", table, "answer", required=False) or None,
            timeout_seconds=wait or 30.0,
            rows_per_call=rows,
        )

    def _url(self, text: str) -> str:
        try:
            parts = urlsplit(text)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            good = good and not parts.username and not parts.fragment and text.isascii() and text.isprintable()
        except ValueError:
            good = False
        if text and (not good or " " in text):
            self._fault(
                "endpoint.url",
                f"submission.toml: endpoint.url {text!r} is no address that can be asked; expected "
                "http(s)://host[:port]/path without user and password (a token belongs into MINGJING_ENDPOINT_TOKEN)",
                f"submission.toml：endpoint.url {text!r} 不是可调用的地址，应为 http(s)://主机[:端口]/路径，"
                "且不含用户名和密码（令牌请放入 MINGJING_ENDPOINT_TOKEN）",
            )
        return text

    def _use(self, table: Mapping[str, object]) -> UsePart:
        self._refuse_unknown("use", table, USE_KEYS)
        return UsePart(
            purpose=self._text("use", table, "purpose"),
            description=self._text("use", table, "description", required=False),
            site=self._text("use", table, "site", required=False),
            owner=self._text("use", table, "owner", required=False),
        )

    def _data(self, table: Mapping[str, object], flavour: Flavour) -> DataPart:
        self._refuse_unknown("data", table, DATA_KEYS)
        return DataPart(
            evaluation=self._text("data", table, "evaluation"),
            training=self._text("data", table, "training", required=False) or None,
            label=self._text("data", table, "label"),
            prediction=self._text("data", table, "prediction", required=flavour is Flavour.PREDICTIONS) or None,
            time=self._text("data", table, "time", required=False) or None,
            subject=self._text("data", table, "subject", required=False) or None,
            groups=self._names("data.groups", table.get("groups", [])),
            labels_by=MappingProxyType(self._texts("data.labels_by", table.get("labels_by", {}))),
            sources=self._sources(table.get("sources", [])),
        )

    def _names(self, where: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._fault(
                where,
                f"submission.toml: {where} must be a list of column names, found {value!r}",
                f"submission.toml：{where} 应为列名列表，实际为 {value!r}",
            )
            return ()
        return tuple(value)

    def _texts(self, where: str, value: object) -> dict[str, str]:
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            self._fault(
                where,
                f"submission.toml: {where} must map names to texts, found {value!r}",
                f"submission.toml：{where} 应为名称到文本的映射，实际为 {value!r}",
            )
            return {}
        return dict(value)

    def _sources(self, value: object) -> tuple[Source, ...]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._fault(
                "data.sources",
                "submission.toml: data.sources must be a list of {name, period, licence}",
                "submission.toml：data.sources 应为 {name, period, licence} 的列表",
            )
            return ()
        for place, item in enumerate(value, start=1):
            self._refuse_unknown(f"data.sources[{place}]", item, SOURCE_KEYS)
        return tuple(
            Source(
                name=str(item.get("name", "")), period=str(item.get("period", "")), licence=str(item.get("licence", ""))
            )
            for item in value
        )

    def _features(self, table: Mapping[str, object]) -> dict[str, Feature]:
        features = {}
        for name, said in table.items():
            if not isinstance(said, dict):
                self._fault(
                    f"features.{name}",
                    f"submission.toml: [features.{name}] must be a table, found {said!r}",
                    f"submission.toml：[features.{name}] 应为表，实际为 {said!r}",
                )
                continue
            self._refuse_unknown(f"features.{name}", said, FEATURE_KEYS)
            features[name] = Feature(
                name=name,
                unit=self._text(f"features.{name}", said, "unit", required=False) or None,
                range=self._range(name, said.get("range")),
                sensor=self._flag(name, said, "sensor"),
                cap=self._cap(name, said.get("cap")),
                immutable=self._flag(name, said, "immutable"),
                label=self._label(name, said.get("label")),
            )
        return features

    def _flag(self, name: str, said: Mapping[str, object], key: str) -> bool:
        value = said.get(key, False)
        if not isinstance(value, bool):
            self._fault(
                f"features.{name}.{key}",
                f"submission.toml: features.{name}.{key} must be true or false, found {value!r}",
                f"submission.toml：features.{name}.{key} 应为 true 或 false，实际为 {value!r}",
            )
        return value is True

    def _range(self, name: str, value: object) -> tuple[float, float] | None:
        if value is None:
            return None
        ends = [_number(end) for end in value] if isinstance(value, list) else []
        if len(ends) != 2 or ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
            self._fault(
                f"features.{name}.range",
                f"submission.toml: features.{name}.range must be [low, high] with low < high, found {value!r}",
                f"submission.toml：features.{name}.range 应为 [下限, 上限] 且下限小于上限，实际为 {value!r}",
            )
            return None
        return ends[0], ends[1]

    def _cap(self, name: str, value: object) -> float | None:
        if value is None:
            return None
        number = _number(value)
        if number is None or not 0.0 <= number <= 1.0:
            self._fault(
                f"features.{name}.cap",
                f"submission.toml: features.{name}.cap must be a share in [0, 1], found {value!r}",
                f"submission.toml：features.{name}.cap 应为 [0, 1] 内的份额，实际为 {value!r}",
            )
            return None
        return number

    def _label(self, name: str, value: object) -> Sentence | None:
        if value is None:
            return None
        if not isinstance(value, dict) or not {"en", "zh"} <= set(value):
            self._fault(
                f"features.{name}.label",
                f"submission.toml: features.{name}.label must be {{en = …, zh = …}}, found {value!r}",
                f"submission.toml：features.{name}.label 应为 {{en = …, zh = …}}，实际为 {value!r}",
            )
            return None
        return Sentence(en=str(value["en"]), zh=str(value["zh"]))

    def _record(self, table: Mapping[str, object]) -> dict[str, str]:
        self._refuse_unknown("record", table, set(RECORD_FIELDS))
        return {key: self._text("record", table, key) for key in RECORD_FIELDS if key in table}

    def _answers(self, table: Mapping[str, object]) -> dict[str, str]:
        return {key: str(value) for key, value in table.items()}


def _number(value: object) -> float | None:
    """Return a finite float, or None for anything that is not one (True is not 1 here)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
