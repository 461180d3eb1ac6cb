"""Does the team say what its model is for, where its data come from, and who answers for it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.checks.check import Finding, Group, Limits
from audit.checks.examined import Examined
from audit.checks.wording import joined, named
from policies.declaration import RECORD_FIELDS, Declaration
from policies.errors import Sentence

SAID = {
    "use.description": Sentence(en="what the model is for", zh="模型的用途说明"),
    "use.site": Sentence(en="where it runs", zh="使用地点"),
    "use.owner": Sentence(en="who answers for it", zh="责任部门"),
    "data.sources": Sentence(en="where the data come from, period and licence", zh="数据来源、时间范围和许可"),
    "data.training": Sentence(en="the training data", zh="训练数据"),
    "data.time": Sentence(en="the time of each row", zh="每行数据的时间"),
    "data.subject": Sentence(en="the column of persons", zh="人员编号列"),
    "data.groups": Sentence(en="the groups to compare", zh="需比较的分组"),
    "features.sensors": Sentence(en="unit and range of every sensor", zh="每个传感器的单位和量程"),
    "impact": Sentence(en="answers to the impact questions", zh="影响评估问题的回答"),
    "record.representativeness": Sentence(en="whom and what the rows stand for", zh="数据的代表性"),
    "record.preprocessing": Sentence(en="what was done to the rows before training", zh="数据预处理方式"),
    "record.separation": Sentence(en="how training and evaluation were kept apart", zh="训练与评估数据的划分方式"),
    "record.leakage": Sentence(en="how leakage was ruled out", zh="如何排除信息泄露"),
    "record.channel_effects": Sentence(
        en="what instruments, sites and transmission do to the readings", zh="仪表、场所和传输对数据的影响"
    ),
    "record.ground_truth": Sentence(en="who said what happened, and how", zh="真实结果由谁、以何种方式确定"),
    "record.hyperparameters": Sentence(en="how the model was set and why", zh="超参数及其选定依据"),
    "record.environment": Sentence(en="hardware, software and versions", zh="软硬件环境及版本"),
    "record.baselines": Sentence(en="what the model was compared with", zh="对照的基线"),
}
"""Every part a rulebook may ask for, and what it tells a reader."""

MEASURED = {
    "representativeness": "coverage",
    "separation": "leakage",
    "leakage": "leakage",
    "ground_truth": "data_quality",
    "baselines": "performance",
}
"""Fields of the evaluation record that a check measures, whatever the team says of them."""


@dataclass(frozen=True)
class Documentation:
    """Counts the parts of the declaration that the rulebook asks for and that say nothing."""

    name: str = "documentation"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding; a group per part, `holds` where something is said."""
        required = [str(part) for part in limits.get("required", [])]
        groups = tuple(_line(part, examined.declaration) for part in required)
        missing = [str(line["field"]) for line in groups if not line["holds"]]
        return (
            Finding(
                check=self.name,
                holds=not missing,
                measured=float(len(missing)),
                limit=0.0,
                unit="fields",
                n=len(required),
                groups=groups,
                says=joined([_sentence(missing, len(required)), _record_said(examined.declaration)]),
                evidence={"record": [_field(name, examined) for name in RECORD_FIELDS]},
            ),
        )


def _field(name: str, examined: Examined) -> Group:
    """One field of the evaluation record: what the team says, and which check looks for itself."""
    said = SAID[f"record.{name}"]
    return {
        "field": name,
        "label": said.as_json(),
        "said": examined.declaration.record.get(name),
        "measured_by": _measured_by(name, examined),
    }


def _measured_by(name: str, examined: Examined) -> str | None:
    """The check that measures a field with what was handed in, or None."""
    check = MEASURED.get(name)
    if check in ("coverage", "leakage") and examined.training is None:
        return None
    if name == "ground_truth" and len(examined.declaration.data.labels_by) < 2:
        return None
    return check


def _record_said(declaration: Declaration) -> Sentence:
    said = len(declaration.record)
    return Sentence(
        en=f"the team fills {said} of {len(RECORD_FIELDS)} fields of the evaluation record",
        zh=f"评估记录共 {len(RECORD_FIELDS)} 项，已填写 {said} 项",
    )


def _line(part: str, declaration: Declaration) -> Group:
    said = SAID.get(part, Sentence(en=part, zh=part))
    holds = _is_said(part, declaration)
    verb = Sentence(en="is said", zh="已说明") if holds else Sentence(en="is missing", zh="缺失")
    says = Sentence(en=f"{part} ({said.en}) {verb.en}", zh=f"{part}（{said.zh}）{verb.zh}")
    return {"field": part, "holds": holds, "says": says.as_json()}


def _is_said(part: str, declaration: Declaration) -> bool:
    if part == "data.sources":
        sources = declaration.data.sources
        told = [part.strip() for source in sources for part in (source.name, source.period, source.licence)]
        return bool(told) and all(told)
    if part == "features.sensors":
        sensors = [feature for feature in declaration.features.values() if feature.sensor]
        return all(feature.unit and feature.range for feature in sensors)
    value: object = declaration
    for step in part.split("."):
        value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
    return bool(value.strip() if isinstance(value, str) else value)


def _sentence(missing: list[str], asked: int) -> Sentence:
    if not missing:
        return Sentence(
            en=f"all {asked} parts of the declaration that the rulebook asks for are there",
            zh=f"规则要求的 {asked} 项声明内容齐全",
        )
    names = named(missing, most=len(missing))
    return Sentence(
        en=f"{len(missing)} of {asked} required parts say nothing or not enough: {names.en}; "
        "complete them in submission.toml (a source needs name, period and licence)",
        zh=f"规则要求的 {asked} 项中有 {len(missing)} 项未填或不完整：{names.zh}；"
        "请在 submission.toml 中补全（数据来源须写明名称、时间范围和许可）",
    )
