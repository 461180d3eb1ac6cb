"""What a cap costs: AUC before and after training within it, on the demo's age and on MSHA seniority.

python -m benchmarks.within_caps [--data ../shared/data]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

from api.demo.submissions import AT_THE_TIME, LABEL, claims
from explainers.within_caps import train_within_caps
from policies.feature_caps import FeatureCaps

Floats = npt.NDArray[np.float64]
SENIORITY = ("TOT_EXPER", "MINE_EXPER", "JOB_EXPER")
CODES = ("SUBUNIT_CD", "CLASSIFICATION_CD", "OCCUPATION_CD", "ACTIVITY_CD", "MINING_EQUIP_CD", "UG_LOCATION_CD")


def show(title: str, frame: pd.DataFrame, label: pd.Series, caps: FeatureCaps, rising: dict[str, int]) -> None:
    """Train freely and within the caps on 60 %, measure shares on 20 %, print AUC on the last 20 %.

    `rising` names features that may only raise the risk (1) or only lower it (-1) in a third model.
    """
    names = tuple(frame.columns)
    order = np.random.default_rng(20260101).permutation(len(frame))
    train, measure, test = np.split(order, [int(0.6 * len(order)), int(0.8 * len(order))])

    def fit(weights: Floats, monotone: dict[str, int] | None = None) -> XGBClassifier:
        model = XGBClassifier(
            n_estimators=150,
            max_depth=3,
            learning_rate=0.06,
            colsample_bynode=0.5,
            feature_weights=weights,
            monotone_constraints=monotone,
            random_state=0,
            n_jobs=2,
        )
        return model.fit(frame.iloc[train], label.iloc[train])

    def auc(model: XGBClassifier) -> float:
        return float(roc_auc_score(label.iloc[test], model.predict_proba(frame.iloc[test])[:, 1]))

    found = train_within_caps(fit, frame.iloc[measure], caps, names)
    free = fit(np.ones(len(names)))
    assert isinstance(found.model, XGBClassifier)
    print(f"\n{title}: {len(frame):,} rows, {len(names)} features, {found.trainings} trainings")
    for name in found.before:
        print(
            f"  share of {name:<12} {found.before[name]:6.1%} -> {found.after[name]:6.1%}  (cap {caps.caps[name]:.0%})"
        )
    print(f"  together              {sum(found.before.values()):6.1%} -> {sum(found.after.values()):6.1%}", end="")
    print(f"  (cap {caps.total:.0%})" if caps.total is not None else "")
    print(f"  AUC                   {auc(free):6.3f} -> {auc(found.model):6.3f}", end="")
    said = ", ".join(
        f"{name} {'may only raise' if way > 0 else 'may only lower'} the risk" for name, way in rising.items()
    )
    print(f" -> {auc(fit(found.weights, rising)):.3f} where {said}")


def msha(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Lost time or worse, from what is known when a mine accident is reported."""
    raw = pd.read_csv(folder / "msha_injuries" / "us_data_2000.csv", low_memory=False)
    frame = pd.DataFrame({name: pd.to_numeric(raw[name], errors="coerce") for name in SENIORITY})
    for name in CODES:
        frame[name] = pd.factorize(raw[name])[0].astype(float)
    frame["hour"] = pd.to_numeric(raw["ACCIDENT_TIME"], errors="coerce") // 100
    degree = pd.to_numeric(raw["DEGREE_INJURY_CD"], errors="coerce")
    return frame, degree.between(1, 4).astype(int)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    folder = parser.parse_args().data
    frame = claims()
    show("Injury claims, age", frame[[*AT_THE_TIME, "age"]], frame[LABEL], FeatureCaps({"age": 0.10}), {"hosp": 1})
    if not folder.is_dir():
        print(f"\nMSHA left out: there is no folder {folder}")
        return
    seniority = FeatureCaps(dict.fromkeys(SENIORITY, 0.10), total=0.10)
    show("MSHA accidents, seniority", *msha(folder), seniority, {"TOT_EXPER": -1})


if __name__ == "__main__":
    main()
