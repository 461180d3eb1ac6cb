"""Submissions from the real data sets, made as their data cards say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xgboost as xgb

HARMED = ["DeathsWorkers", "DeathsPublicResponders", "DeathsPublic", "InjuriesWorkers", "InjuriesPublicResponders"]
HARMED += ["InjuriesPublic", "OffsiteDeaths", "Hospitalization", "MedicalTreatment"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a data card says of a model's features, label and use."""

    name: str
    label: str
    features: tuple[str, ...]
    groups: tuple[str, ...] = ()
    time: str | None = None
    threshold: float = 0.5
    impact: str = 'severity = "injury"\nautonomy = "advice"\nreversibility = "easy"\npersons = "none"'


def write(folder: Path, card: Card, training: pd.DataFrame, evaluation: pd.DataFrame) -> Path:
    """Train as the card does (200 trees of depth 4) and write the submission directory."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(card.features)
    model = xgb.XGBClassifier(n_estimators=200, max_depth=4, learning_rate=0.1, random_state=0, n_jobs=1)
    model.fit(training[names], training[card.label])
    model.get_booster().save_model(folder / "model.ubj")
    beside = [card.label, *card.groups, *([card.time] if card.time else [])]
    training[[*names, card.label, *([card.time] if card.time else [])]].to_csv(folder / "training.csv", index=False)
    evaluation[[*names, *beside]].to_csv(folder / "evaluation.csv", index=False)
    time = f'time = "{card.time}"\n' if card.time else ""
    groups = ", ".join(f'"{group}"' for group in card.groups)
    tables = "\n".join(f'[features."{name}"]\nunit = "1"' for name in names)
    (folder / "submission.toml").write_text(
        f"""[model]
name = "{card.name}"
artifact = "model.ubj"
flavour = "xgboost"
task = "classification"
threshold = {card.threshold}
protective = "at_or_above"
[use]
purpose = "risk_intervention"
description = "Will people be harmed?"
site = "plant-07"
owner = "process-safety-ml"
[data]
evaluation = "evaluation.csv"
training = "training.csv"
label = "{card.label}"
groups = [{groups}]
{time}sources = [{{ name = "public record", period = "as the data card says", licence = "as the data card says" }}]
[impact]
{card.impact}
{tables}
""",
        encoding="utf-8",
    )
    return folder


def accidents(shared_data: Path) -> pd.DataFrame:
    """EPA releases with what is known at the moment of release, as numbers; size of the enterprise where known."""
    folder = shared_data / "epa_rmp_accidents"
    raw = pd.read_csv(folder / "accidents.csv", low_memory=False)
    raw["harmed"] = (raw[HARMED].fillna(0).sum(axis=1) > 0).astype(int)
    flags = [name for name in raw.columns if name.startswith(("RE_", "RS_"))]
    frame = raw[["harmed", "AccidentDate", "AccidentReleaseDuration"]].copy()
    for name in flags:
        frame[name] = raw[name].map({"Yes": 1, "No": 0}).astype(float)
    for name in [name for name in raw.columns if name.startswith("CF_") and name != "CF_Other"]:
        frame[name] = raw[name].map({"Yes": 1, "No": 0}).astype(float)
    frame["NAICS3"] = raw["NAICSCode"].astype(str).str[:3].astype(float)
    frame["hour"] = pd.to_numeric(raw["AccidentTime"].astype(str).str.zfill(4).str[:2], errors="coerce")
    frame["month"] = raw["AccidentDate"].str[5:7].astype(float)
    for name in ("WindSpeed", "Temperature"):
        frame[name] = pd.to_numeric(raw[name], errors="coerce")
    frame["initiating"] = pd.Categorical(raw["InitiatingEvent"]).codes.astype(float)
    chemical = raw["AccidentChemicals"].astype(str).str.split(" {", regex=False).str[0]
    frame["chemical"] = pd.Categorical(chemical).codes.astype(float)
    pounds = raw["AccidentChemicals"].fillna("").str.findall(r"\{([\d.,]+)\}")
    frame["quantity"] = [sum(float(part.replace(",", "")) for part in found) for found in pounds]
    size = pd.read_csv(folder / "facility_fte.csv").sort_values("ReceiptDate").groupby("EPAFacilityID")["FacFTE"].last()
    fte = raw["EPAFacilityID"].map(size)
    frame["enterprise_size"] = pd.cut(fte, [-1, 299, 1e9], labels=["below 300", "300 and more"]).astype(object)
    return frame


AT_RELEASE = ("NAICS3", "hour", "month", "WindSpeed", "Temperature", "initiating", "chemical", "quantity")


def epa(shared_data: Path, folder: Path, *, hindsight: bool = False, every_year: bool = False) -> Path:
    """The EPA submission: trained before 2015, evaluated from 2015 on."""
    frame = accidents(shared_data)
    if not every_year:
        frame = frame[frame["AccidentDate"].str[:4].astype(int).between(1990, 2025)]
    flags = tuple(name for name in frame.columns if name.startswith(("RE_", "RS_")))
    causes = tuple(name for name in frame.columns if name.startswith("CF_"))
    features = (*flags, *AT_RELEASE, *(causes if hindsight else ()))
    card = Card(
        name="chemical-release-harm",
        label="harmed",
        features=features,
        groups=("enterprise_size",),
        time="AccidentDate",
        impact='severity = "fatality"\nautonomy = "advice"\nreversibility = "easy"\npersons = "none"',
    )
    late = frame["AccidentDate"] >= "2015"
    return write(folder, card, frame[~late], frame[late])


def msha(shared_data: Path, folder: Path, *, outcome_columns: tuple[str, ...] = ()) -> Path:
    """Mine injuries: lost time or worse, with the three kinds of seniority; trained before 2011."""
    raw = pd.read_csv(shared_data / "msha_injuries" / "us_data_2000.csv", low_memory=False)
    degree = pd.to_numeric(raw["DEGREE_INJURY_CD"], errors="coerce")
    frame = pd.DataFrame({"lost_time": degree.between(1, 4).astype(int)})
    frame["date"] = pd.to_datetime(raw["ACCIDENT_DT"], dayfirst=True).dt.strftime("%Y-%m-%d")
    for name in ("TOT_EXPER", "MINE_EXPER", "JOB_EXPER", "ACCIDENT_TIME", "CAL_QTR", *outcome_columns):
        frame[name] = pd.to_numeric(raw[name], errors="coerce")
    for name in ("SUBUNIT_CD", "CLASSIFICATION_CD", "ACTIVITY_CD", "OCCUPATION_CD", "MINING_EQUIP_CD"):
        frame[name] = pd.Categorical(raw[name].astype(str)).codes.astype(float)
    frame["mine"] = raw["COAL_METAL_IND"].map({"C": "coal", "M": "metal"})
    features = tuple(name for name in frame.columns if name not in ("lost_time", "date", "mine"))
    card = Card(name="mine-injury", label="lost_time", features=features, groups=("mine",), time="date", threshold=0.4)
    late = frame["date"] >= "2011"
    return write(folder, card, frame[~late], frame[late])


def seismic(shared_data: Path, folder: Path, *, always_safe: bool = False) -> Path:
    """Rock bursts in the next shift, in file order; `always_safe` is the model that never alarms."""
    raw = pd.read_csv(shared_data / "seismic_bumps" / "seismic-bumps.csv")
    frame = pd.DataFrame({"bump": pd.to_numeric(raw["class"], errors="coerce").astype(int)})
    for name in raw.columns:
        if name in ("class", "shift"):
            continue
        numbers = pd.to_numeric(raw[name], errors="coerce")
        frame[name] = numbers if numbers.notna().any() else pd.Categorical(raw[name]).codes.astype(float)
    frame["shift"] = raw["shift"]
    features = tuple(name for name in frame.columns if name not in ("bump", "shift"))
    card = Card(
        name="rock-burst", label="bump", features=features, groups=("shift",), threshold=1.0 if always_safe else 0.08
    )
    cut = int(0.7 * len(frame))
    return write(folder, card, frame[:cut], frame[cut:])


SENSORS = ("Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature", "Thermocouple")
SENSORS += ("Voltage", "Volume Flow RateRMS")


def skab(shared_data: Path, folder: Path, *, stuck: bool = False) -> Path:
    """Anomalies of a water circuit: whole files for training and for evaluation; one sensor may be stuck."""
    files = sorted((shared_data / "skab" / "data" / "valve1").glob("*.csv"))
    parts = []
    for file in files:
        part = pd.read_csv(file, sep=";")
        start = part[list(SENSORS)].iloc[:150]
        part[list(SENSORS)] = (part[list(SENSORS)] - start.mean()) / (start.std() + 1e-9)
        parts.append(part.assign(file=file.stem))
    training, evaluation = pd.concat(parts[::2]), pd.concat(parts[1::2])
    if stuck:
        middle = len(evaluation) // 2
        evaluation.iloc[middle : middle + 600, evaluation.columns.get_loc("Pressure")] = 0.123456
    rename = {name: name.replace(" ", "_") for name in SENSORS}
    card = Card(name="water-circuit", label="anomaly", features=tuple(rename.values()), time="datetime")
    kept = [*SENSORS, "anomaly", "datetime"]
    ready = [part[kept].rename(columns=rename).astype({"anomaly": int}) for part in (training, evaluation)]
    made = write(folder, card, *ready)
    text = (made / "submission.toml").read_text(encoding="utf-8")
    (made / "submission.toml").write_text(text.replace('unit = "1"', 'unit = "1"\nsensor = true'), encoding="utf-8")
    return made
