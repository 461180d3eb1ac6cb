"""Figures made in a word: one believable model, one believable decision; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from audit.trace import DecisionTrace
from explainers.boundary import DecisionMap, FlipPoint
from explainers.counterfactual import Change, Counterfactual
from policies.declaration import Declaration, read_declaration
from policies.deidentification import plan_for
from policies.impact_matrix import assess
from policies.rulebook import Rulebook, read_rulebook
from reports.figures import (
    DecisionCounts,
    DecisionFigures,
    EntryFacts,
    LogFacts,
    ModelFigures,
    ReviewFacts,
    VerdictFacts,
    VersionFacts,
    decision_figures,
    model_figures,
)

PREPARED = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
DECIDED = datetime(2026, 11, 18, 6, 5, tzinfo=UTC)
DIGEST = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
ROOT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

DECLARATION = """
[model]
name = "long-absence"
artifact = "model.ubj"
flavour = "xgboost"
task = "classification"
threshold = 0.42
protective = "at_or_above"
[use]
purpose = "risk_intervention"
description = "Will this injury keep the worker off work for more than eight weeks?"
site = "plant-07"
owner = "process-safety-ml"
[data]
evaluation = "evaluation.csv"
label = "long_absence"
time = "occurred_at"
subject = "worker_id"
groups = ["sex", "industry"]
labels_by = { insurer = "label_insurer", safety = "label_safety" }
sources = [{ name = "Kentucky and Michigan injury claims (Wooldridge)", period = "1980-1982", licence = "educational" }]
[features.injury_kind]
label = { en = "Kind of injury", zh = "伤害类型" }
range = [0, 8]
[features.weekly_wage]
unit = "USD"
range = [50, 1500]
label = { en = "Weekly wage before the injury", zh = "受伤前周工资" }
[features.hospital]
label = { en = "Treated in hospital", zh = "住院治疗" }
range = [0, 1]
[features.gas_reading]
unit = "ppm"
range = [0, 100]
sensor = true
label = { en = "Gas concentration at the time", zh = "当时气体浓度" }
[features.industry]
label = { en = "Industry", zh = "行业" }
range = [1, 3]
immutable = true
[features.age]
unit = "a"
range = [16, 70]
cap = 0.10
immutable = true
label = { en = "Age", zh = "年龄" }
[features.male]
range = [0, 1]
immutable = true
label = { en = "Sex", zh = "性别" }
[impact]
severity = "serious_injury"
autonomy = "alarm"
reversibility = "hard"
persons = "identifiable"
time_to_intervene = "days"
"""


def a_declaration(text: str = DECLARATION, **replaced: str) -> Declaration:
    """Return the declaration, with some of its words replaced."""
    for old, new in replaced.items():
        text = text.replace(old, new)
    return read_declaration(text)


def a_rate(value: float, half: float) -> dict[str, float]:
    return {"value": value, "lo": max(0.0, value - half), "hi": min(1.0, value + half)}


def a_curve(points: int = 41) -> list[dict[str, float]]:
    return [
        {"threshold": t, "detection_rate": (1 - t) ** 0.763, "false_alarm_rate": (1 - t) ** 3.952}
        for t in np.linspace(0, 1, points).tolist()
    ]


def a_performance(tp: int = 268, fp: int = 94, fn: int = 138, tn: int = 715) -> dict[str, Any]:
    return {
        "check": "performance",
        "holds": True,
        "measured": 0.66,
        "limit": 0.5,
        "unit": "share",
        "interval": [0.61, 0.71],
        "n": tp + fp + fn + tn,
        "groups": [],
        "says": {
            "en": "it detects 66.0% of harm and alarms on 11.6% of harmless cases, better than the base rate",
            "zh": "检出率 66.0%，误报率 11.6%，优于基准发生率",
        },
        "evidence": {
            "confusion": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
            "rates": {
                "detection_rate": a_rate(0.660, 0.046),
                "false_alarm_rate": a_rate(0.116, 0.022),
                "balanced_accuracy": a_rate(0.772, 0.025),
                "precision": a_rate(0.740, 0.045),
                "accuracy": a_rate(0.809, 0.022),
                "roc_auc": a_rate(0.841, 0.021),
                "auc_pr": a_rate(0.744, 0.038),
            },
            "baseline": {"name": "base_rate", "balanced_accuracy": 0.5, "accuracy": 0.666},
            "curve": a_curve(),
        },
    }


def a_group(column: str, group: str, n: int = 400, **more: Any) -> dict[str, Any]:
    made = {
        "column": column,
        "group": group,
        "n": n,
        "positives": n // 3,
        "selection_rate": 0.30,
        "impact_ratio": 0.94,
        "false_alarm_rate": a_rate(0.12, 0.04),
        "miss_rate": a_rate(0.34, 0.07),
        "conclusion": "ok",
    }
    return {**made, **more}


def a_group_bias(groups: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    shown = groups or (
        a_group("sex", "men", 893),
        a_group("sex", "women", 322, false_alarm_rate=a_rate(0.14, 0.05)),
        a_group("industry", "manufacturing", 411),
        a_group("industry", "construction", 198, miss_rate=a_rate(0.47, 0.08), conclusion="gap", impact_ratio=0.81),
        a_group("industry", "services", 582, miss_rate=a_rate(0.29, 0.05)),
        a_group(
            "industry",
            "mining",
            24,
            miss_rate=None,
            false_alarm_rate=None,
            impact_ratio=None,
            conclusion="cannot_conclude",
        ),
    )
    return {
        "check": "group_bias",
        "holds": False,
        "measured": 0.18,
        "limit": 0.10,
        "unit": "share",
        "interval": [0.08, 0.28],
        "n": 1215,
        "groups": list(shown),
        "says": {
            "en": "harm in construction is missed 18.0% more often than in services",
            "zh": "建筑业伤害的漏报率比服务业高 18.0%",
        },
        "evidence": {
            "comparisons": [
                {"column": "sex", "metric": "miss_rate", "low_group": "men", "high_group": "women", "gap": 0.02,
                 "lo": -0.05, "hi": 0.09, "p": 0.58, "conclusion": "ok"},
                {"column": "industry", "metric": "miss_rate", "low_group": "services", "high_group": "construction",
                 "gap": 0.18, "lo": 0.08, "hi": 0.28, "p": 0.0004, "conclusion": "gap"},
            ],
            "unknown": {"sex": 0, "industry": 7},
        },
    }  # fmt: skip


def a_weight_caps() -> dict[str, Any]:
    return {
        "check": "weight_caps",
        "holds": False,
        "measured": 0.108,
        "limit": 0.10,
        "unit": "share",
        "interval": [0.104, 0.112],
        "n": 1215,
        "groups": [
            {"feature": "age", "share": 0.108, "lo": 0.104, "hi": 0.112, "cap": 0.10, "holds": False},
            {"feature": "male", "share": 0.031, "lo": 0.029, "hi": 0.033, "cap": 0.05, "holds": True},
        ],
        "says": {
            "en": "age carries 10.8% of a decision on average; the rulebook allows 10.0%",
            "zh": "年龄平均占判定比重的 10.8%，规则上限为 10.0%",
        },
        "evidence": {
            "total": {"share": 0.139, "lo": 0.134, "hi": 0.144, "cap": 0.25},
            "decisions_over": 0.47,
            "importance": [
                {"feature": "injury_kind", "mean_abs": 0.80, "share": 0.331},
                {"feature": "hospital", "mean_abs": 0.55, "share": 0.228},
                {"feature": "weekly_wage", "mean_abs": 0.41, "share": 0.170},
                {"feature": "industry", "mean_abs": 0.32, "share": 0.132},
                {"feature": "age", "mean_abs": 0.26, "share": 0.108},
                {"feature": "male", "mean_abs": 0.07, "share": 0.031},
            ],
        },
    }


def a_robustness() -> dict[str, Any]:
    return {
        "check": "robustness",
        "holds": True,
        "measured": 0.031,
        "limit": 0.10,
        "unit": "share",
        "interval": None,
        "n": 1215,
        "groups": [
            {
                "probe": "noise",
                "feature": "gas_reading",
                "verdicts_changed": 0.031,
                "alarms_lost": 0.044,
                "limit": 0.10,
                "holds": True,
            },
            {
                "probe": "missing_sensor",
                "feature": "gas_reading",
                "verdicts_changed": 0.062,
                "alarms_lost": 0.121,
                "limit": 0.50,
                "holds": True,
            },
        ],
        "says": {
            "en": "noise of 10% of a standard deviation changes 3.1% of verdicts",
            "zh": "加入 10% 标准差的噪声后，3.1% 的判定改变",
        },
        "evidence": {},
    }


def a_plain_finding(check: str, holds: bool | None, en: str, zh: str, **more: Any) -> dict[str, Any]:
    made = {"check": check, "holds": holds, "measured": None, "limit": None, "unit": None, "interval": None, "n": None,
            "groups": [], "says": {"en": en, "zh": zh}, "evidence": {}}  # fmt: skip
    return {**made, **more}


def a_negative_list() -> list[dict[str, Any]]:
    """Return what the negative list found: one failure repeated, one withstood, one that does not fit."""

    def line(scenario: str, en: str, zh: str, **more: Any) -> dict[str, Any]:
        return {"scenario": scenario, "title": {"en": en, "zh": zh}, "owner": "group-safety", **more}

    stuck = line(
        "stuck-sensor", "Stuck sensor read as calm", "传感器卡死被当作平稳", applies=True, probe="stuck", holds=False,
        says={"en": "62% of alarms are lost; at most 20% is allowed", "zh": "62% 的报警丢失，上限为 20%"},
    )  # fmt: skip
    night = line(
        "night-shift", "Night shift not in training", "训练数据缺夜班", applies=True, probe="regime", holds=True,
        says={"en": "errors at night differ by 1%; at most 10% is allowed", "zh": "夜班误差相差 1%，上限为 10%"},
    )  # fmt: skip
    robot = line(
        "welding-robot", "Welding robot", "焊接机器人", applies=False, holds=None,
        says={"en": "no such column", "zh": "没有此类列"},
    )  # fmt: skip
    repeated = a_plain_finding(
        "negative_list", False, "known failure 'Stuck sensor read as calm'", "已知失败情景", groups=[stuck]
    )
    repeated["evidence"] = {
        "scenario": "stuck-sensor",
        "happened": {"en": "at a tank farm", "zh": "某罐区"},
        "remedy": {"en": "alarm on a frozen reading", "zh": "读数长时间不变即报警"},
    }
    rest = a_plain_finding(
        "negative_list", True, "1 of 3 known failures fits", "3 个情景中 1 个适用", groups=[night, robot]
    )
    rest["evidence"] = {"list_digest": "ab" * 32, "scenarios": 3, "tried": 2}
    return [repeated, rest]


def some_findings(**replaced: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return findings of every kind; name a check to replace its finding, or give None to leave it out."""
    made: dict[str, dict[str, Any] | None] = {
        "documentation": a_plain_finding("documentation", True, "every required field is filled", "必填内容齐全"),
        "purpose": a_plain_finding("purpose", True, "the purpose is risk intervention", "用途为风险干预"),
        "performance": a_performance(),
        "group_bias": a_group_bias(),
        "weight_caps": a_weight_caps(),
        "robustness": a_robustness(),
        "data_quality": a_plain_finding(
            "data_quality", True, "2 columns have missing values, none above 60%", "2 列存在缺失值，均未超过 60%",
            groups=[{"says": {"en": "weekly_wage: 1.8% missing", "zh": "weekly_wage：缺失 1.8%"}}],
        ),
        "leakage": a_plain_finding(
            "leakage", None, "the training data were not handed over, so shared rows cannot be counted",
            "未提交训练数据，无法统计重复行",
        ),
        **replaced,
    }  # fmt: skip
    return [found for found in made.values() if found is not None]


def a_verdict(**changed: Any) -> VerdictFacts:
    made: dict[str, Any] = {
        "outcome": "approve",
        "reason": "Useful as a second pair of eyes; the gap in construction is watched for a quarter.",
        "decided_by": ("Li Wei, digital safety officer",),
        "decided": datetime(2026, 11, 10, 8, 0, tzinfo=UTC),
        "until": datetime(2027, 5, 10, tzinfo=UTC),
        "conditions": ("every alarm in construction is reviewed by a person", "threshold 0.42, no other"),
    }
    return VerdictFacts(**{**made, **changed})


def a_log(size: int = 18204) -> LogFacts:
    note = f"mingjing.example/plant-07\n{size}\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n\n— mingjing 2n0W9wQ0"
    return LogFacts(root=ROOT, size=size, time=PREPARED, checkpoint=note)


def some_counts(**changed: int) -> DecisionCounts:
    made = {"decisions": 3120, "alarms": 912, "capped": 143, "handed_over": 4, "reviewed": 880, "overridden": 97,
            "appeals": 6, "appeals_upheld": 2}  # fmt: skip
    return DecisionCounts(since=datetime(2026, 11, 10, tzinfo=UTC), until=PREPARED, **{**made, **changed})


def some_model_figures(
    *,
    declaration: Declaration | None = None,
    findings: Sequence[Mapping[str, Any]] | None = None,
    rulebook: Rulebook | None = None,
    **changed: Any,
) -> ModelFigures:
    """Return the figures of one model version; name whatever should differ."""
    declared = declaration or a_declaration()
    rules = rulebook or read_rulebook()
    made: dict[str, Any] = {
        "version": VersionFacts(
            name=declared.model.name, version="3", artifact_digest=DIGEST, status="approved", registered=DECIDED
        ),
        "prepared": PREPARED,
        "verdict": a_verdict(),
        "log": a_log(),
        "counts": some_counts(),
        "deidentification": plan_for(["birth_year", "name", *declared.features], rules.deidentification),
        "shares_after": {"age": 0.082, "male": 0.031, "": 0.118},
    }
    return model_figures(
        declaration=declared,
        rulebook=rules,
        assessment=assess(rules.impact, declared.impact),
        findings=some_findings() if findings is None else findings,
        **{**made, **changed},
    )


NAMES = ("injury_kind", "hospital", "weekly_wage", "industry", "age", "male", "gas_reading")


def a_trace(**changed: Any) -> DecisionTrace:
    """Return the trace of one alarm, clipped because age weighed too much."""
    contributions = np.array([0.91, 0.62, -0.33, 0.21, 0.34, -0.05, 0.08])
    capped = contributions.copy()
    capped[4] = 0.22
    made: dict[str, Any] = {
        "model": "long-absence",
        "version": "3",
        "artifact_digest": DIGEST,
        "rulebook_digest": read_rulebook().digest,
        "purpose": "risk_intervention",
        "site": "plant-07",
        "subject": "p-6b1f",
        "caller": "svc-claims",
        "feature_names": NAMES,
        "inputs": np.array([3.0, 1.0, 412.0, 2.0, 47.0, 1.0, np.nan]),
        "unit": "log-odds",
        "method": "tree_path_dependent",
        "base": -0.71,
        "contributions": contributions,
        "margin": -0.71 + float(contributions.sum()),
        "score": 0.745,
        "threshold": 0.42,
        "verdict": True,
        "protective": "at_or_above",
        "capped_contributions": capped,
        "capped_score": 0.722,
        "cap_shares": {"age": 0.134, "male": 0.020},
        "flags": ("capped",),
    }
    return DecisionTrace(**{**made, **changed})


def some_flips() -> tuple[FlipPoint, ...]:
    return (
        FlipPoint(
            feature="injury_kind",
            value=3.0,
            flips_at=1.5,
            distance=1.5,
            direction="down",
            range=(0.0, 8.0),
            contribution=0.91,
        ),
        FlipPoint(
            feature="hospital",
            value=1.0,
            flips_at=None,
            distance=None,
            direction=None,
            range=(0.0, 1.0),
            contribution=0.62,
        ),
        FlipPoint(
            feature="weekly_wage",
            value=412.0,
            flips_at=905.0,
            distance=493.0,
            direction="up",
            range=(50.0, 1500.0),
            contribution=-0.33,
        ),
        FlipPoint(
            feature="gas_reading",
            value=float("nan"),
            flips_at=71.0,
            distance=None,
            direction=None,
            range=(0.0, 100.0),
            contribution=0.08,
        ),
    )


def a_map(size: int = 48) -> DecisionMap:
    x, y = np.linspace(0, 8, size), np.linspace(50, 1500, size)
    across, up = np.meshgrid(x, y)
    scores = 1 / (1 + np.exp(-(0.9 * (across - 2.4) - (up - 700) / 420)))
    supported = ((across - 3.4) / 3.2) ** 2 + ((up - 640) / 560) ** 2 < 1
    return DecisionMap(
        feature_x="injury_kind", feature_y="weekly_wage", x=x, y=y, scores=scores, supported=supported,
        case=(3.0, 412.0), threshold=0.42,
    )  # fmt: skip


def a_change() -> Counterfactual:
    return Counterfactual(
        changes=(Change("injury_kind", 3.0, 1.5),), score_before=0.722, score_after=0.39, distance=0.19, exact=True
    )


def some_decision_figures(**changed: Any) -> DecisionFigures:
    """Return the figures of one decision; name whatever should differ."""
    declared = changed.pop("declaration", None) or a_declaration()
    made: dict[str, Any] = {
        "trace": a_trace(),
        "entry": EntryFacts(id="01941f29-7c00-7b1e-9d2a-3f5c8e0a4b77", index=17411, time=DECIDED, leaf=DIGEST[::-1]),
        "rulebook": read_rulebook(),
        "prepared": PREPARED,
        "flips": some_flips(),
        "plane": a_map(),
        "change": a_change(),
        "threshold_margin": -0.3228,
        "reviews": (
            ReviewFacts(
                kind="review",
                time=datetime(2026, 11, 18, 9, 40, tzinfo=UTC),
                actor="zhang.min",
                says="Alarm is plausible, case manager assigned.",
            ),
            ReviewFacts(
                kind="appeal",
                time=datetime(2026, 11, 20, 7, 15, tzinfo=UTC),
                actor="worker",
                says="The hospital stay was for observation only.",
            ),
        ),
        "log": a_log(),
    }
    return decision_figures(declaration=declared, **{**made, **changed})
