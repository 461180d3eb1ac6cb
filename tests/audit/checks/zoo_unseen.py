"""Faults and sound models thought of after every limit was set and every check was written. Nothing was changed since.

What the checks do with these says more of faults to come than the rest of the zoo does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from audit.examination import Examined
from explainers.black_box import BlackBox
from explainers.choose import predictor_of
from policies.declaration import Feature, Source
from tests.audit.checks.factories import of_predictions
from tests.audit.checks.zoo_worlds import CALM, DOCUMENTED, SOUND_FILE, Case, World, cut, noise


def planted(w: dict[str, World]) -> Iterator[Case]:
    """Every fault that was not seen while limits were set."""
    yield from _answers(w)
    yield from _rows(w)
    yield from _verdicts(w)
    yield from _machines(w)
    yield from _words(w)


def _answers(w: dict[str, World]) -> Iterator[Case]:
    claims, releases = w["claims"], w["releases"]

    def remembered(f: pd.DataFrame) -> Any:
        """How the case went, as a moving mean over it and the two beside it."""
        return f.off_long.rolling(3, center=True, min_periods=1).mean()

    def encoded(f: pd.DataFrame) -> Any:
        """The rate of harm among cases alike in five columns, the case itself among them."""
        alike = ["injdes", "injtype", "indust", "male", "married"]
        return f.groupby(alike, dropna=False).off_long.transform("mean")

    def nearly_copied() -> Examined:
        """Training rows in the evaluation, with a wage a cent higher."""
        copies = claims.split[0].sample(200, random_state=5)
        copies = copies.assign(prewage=copies.prewage + 0.01, durat=copies.durat + 0.1)
        return claims.examined(claims.model(), pd.concat([claims.split[1], copies], ignore_index=True))

    def sex_in_two() -> Examined:
        """Sex, split over two codes of which neither knows it."""
        parts = []
        for seed, f in enumerate(claims.split[:2]):
            one = np.random.default_rng(50 + seed).integers(0, 2, len(f))
            parts.append(f.assign(x20=one, x21=one ^ f.male.fillna(0).astype(int)))
        features = ["x20", "x21", "injtype"]
        training, evaluation = parts
        return claims.examined(claims.model(features, training, max_depth=4), evaluation, training)

    yield Case("a moving mean over the outcome", ("leakage",), lambda: claims.using("x18", remembered))
    yield Case("a category coded by its outcomes", ("leakage",), lambda: claims.using("x19", encoded))
    yield Case("copies that differ by a cent", ("leakage",), nearly_copied)
    yield Case("people evacuated, as a yes or no", ("leakage",), lambda: releases.using(
        "moved_out", lambda f: (f.evacuated > 0).astype(float)))  # fmt: skip
    yield Case("sex over two codes", ("weight_caps",), sex_in_two)
    yield Case("age in months", ("weight_caps",), lambda: claims.using(
        "x22", lambda f: f.age * 12 + noise(f, 3.0, 8).round()))  # fmt: skip


def _rows(w: dict[str, World]) -> Iterator[Case]:
    circuit, releases, claims = w["circuit"], w["releases"], w["claims"]
    current = (Feature(name="Current", sensor=True),)

    def frozen() -> Examined:
        rows = circuit.split[1].copy()
        rows.loc[1200:1290, "Current"] = float(rows.Current[1200])
        return circuit.examined(circuit.model(**CALM), rows, features=current)

    def torn() -> Examined:
        at = pd.Series(pd.date_range("2026-01-01", periods=len(circuit.split[1]), freq="s"))
        at = at.where(at.index < 1500, at + pd.Timedelta(seconds=45))
        rows = circuit.split[1].assign(at=at.astype(str))
        return circuit.examined(circuit.model(**CALM), rows, time="at")

    def half_in_celsius() -> Examined:
        rows = releases.split[1]
        mixed = rows.temperature.where(rows.index % 2 == 0, (rows.temperature - 32) / 1.8)
        return releases.examined(releases.model(), rows.assign(temperature=mixed))

    def one_chemical() -> Examined:
        common = releases.split[1].chemical.value_counts().index[0]
        training = releases.split[0][releases.split[0].chemical != common].reset_index(drop=True)
        return releases.examined(releases.model(training=training), training=training)

    yield Case("frozen for a minute and a half", ("data_quality",), frozen)
    yield Case("45 seconds without a record", ("data_quality",), torn)
    yield Case("half of the thermometers in Celsius", ("coverage",), half_in_celsius)
    yield Case("the commonest chemical never seen", ("coverage",), one_chemical)
    yield Case("seasonal hiring: wages of another year", ("coverage",), lambda: claims.examined(
        claims.model(), claims.split[1].assign(prewage=claims.split[1].prewage * 3)))  # fmt: skip


def _verdicts(w: dict[str, World]) -> Iterator[Case]:
    releases, claims, mines = w["releases"], w["claims"], w["mines"]

    def bent(world: World, hit: Any, to: float, group: str, values: Any) -> Examined:
        sound = world.examined(world.model())
        chosen = np.asarray(hit(sound.evaluation)) & (np.random.default_rng(9).random(len(sound)) < 0.45)
        scores = np.where(chosen, to, sound.scores)
        beside = {group: values(sound.evaluation)}
        return of_predictions(
            sound.truth, scores, beside, groups=(group,), threshold=world.threshold, sources=DOCUMENTED
        )

    def halved() -> Examined:
        """Trained on as many long absences as short ones."""
        rows = claims.split[0]
        rare = rows[rows.off_long == 1]
        even = pd.concat([rare, rows[rows.off_long == 0].sample(len(rare), random_state=2)], ignore_index=True)
        return claims.examined(claims.model(training=even), training=even, threshold=0.5)

    def by_heart() -> Examined:
        return mines.examined(mines.model(n_estimators=600, max_depth=9, learning_rate=0.3))

    yield Case("a threshold in per cent", ("performance",), lambda: claims.examined(claims.model(), threshold=1.0))
    wrong = releases.split[0].assign(harmed=(releases.split[0].month > 6).astype(int))
    yield Case("trained on another question", ("performance",), lambda: releases.examined(
        releases.model(training=wrong)))  # fmt: skip
    yield Case("trained on even halves", ("calibration",), halved)
    yield Case("learnt by heart", ("calibration",), by_heart)
    yield Case("the night is missed", ("group_bias",), lambda: bent(
        releases, lambda f: f.hour < 7, 0.1, "shift", lambda f: np.where(f.hour < 7, "night", "day")))  # fmt: skip
    size = "enterprise_size"
    yield Case("small plants are disturbed", ("group_bias",), lambda: bent(
        releases, lambda f: f[size] == "small", 0.9, size, lambda f: f[size]))  # fmt: skip


def _machines(w: dict[str, World]) -> Iterator[Case]:
    circuit, claims = w["circuit"], w["claims"]
    pair = tuple(Feature(name=name, sensor=True) for name in ("Temperature", "Pressure"))

    def nearest() -> Examined:
        """A model that copies the nearest case it knows."""
        names = ("Accelerometer1RMS", "Current", "Voltage")
        known = circuit.split[0][list(names)].to_numpy(dtype=np.float64)
        copier = KNeighborsClassifier(1).fit(known, circuit.split[0].anomaly)

        def function(X: Any) -> Any:
            return copier.predict_proba(np.nan_to_num(X))[:, 1]

        box = BlackBox(function=function, feature_names=names, background=known[:40], seed=0, unit="probability")
        rows, _ = cut(circuit.split[1], 400)
        return circuit.examined(box, rows, features=tuple(Feature(name=name, sensor=True) for name in names))

    def two_faced() -> Examined:
        """Judges by sex on wages it has seen, by the hospital on others."""
        names = ("male", "hosp", "prewage")
        rows = claims.split[1].dropna(subset=list(names))
        seen = np.unique(rows.prewage.to_numpy(dtype=np.float64))

        def function(X: Any) -> Any:
            pairs = {(float(a), float(b), float(c)) for a, b, c in rows[list(names)].to_numpy(dtype=np.float64)}
            real = np.array([tuple(map(float, row)) in pairs for row in X])
            return np.where(real | np.isin(X[:, 2], seen[::2]), 0.1 + 0.6 * X[:, 0], 0.1 + 0.6 * X[:, 1])

        background = rows[list(names)].to_numpy(dtype=np.float64)[:50] + np.array([0.0, 0.0, 0.37])
        box = BlackBox(function=function, feature_names=names, background=background, seed=0, unit="probability")
        evaluation, _ = cut(rows, 250)
        return claims.examined(box, evaluation)

    def of_the_neighbour() -> Examined:
        """Reasons of the case one line above, with the rest booked on the last feature so that they add up."""
        sound = claims.examined(claims.model())
        told = sound.explanation
        assert told is not None
        moved = np.roll(told.contributions, 1, axis=0)
        moved[:, -1] += told.contributions.sum(axis=1) - moved.sum(axis=1)
        return replace(sound, explanation=replace(told, contributions=moved))

    yield Case("two sensors, each indispensable", ("robustness",), lambda: circuit.examined(
        circuit.model(["Temperature", "Pressure"], **CALM), features=pair))  # fmt: skip
    yield Case("the nearest case decides", ("robustness",), nearest)
    yield Case("two faces", ("explanation_fidelity",), two_faced)
    yield Case("reasons of another case", ("explanation_fidelity",), of_the_neighbour)


def _words(w: dict[str, World]) -> Iterator[Case]:
    claims = w["claims"]
    model, n = claims.model(), len(claims.split[1])

    def said(**words: Any) -> Examined:
        return claims.examined(model, **words)

    def with_notes(found: list[str]) -> Examined:
        return claims.examined(model, claims.split[1].assign(remark=[*found, *["valve closed"] * (n - len(found))]))

    blank = (Source(name="own", period="　", licence="internal"),)
    unknown = {**SOUND_FILE, "largest_native_difference": float("nan")}
    shouted = {**SOUND_FILE, "format": "PICKLE"}
    cards = [4111111111111111.0, 5500005555555559.0, 4012888888881881.0, 4222222222222220.0]
    numbers_of_cards = claims.split[1].assign(reference=[*cards, *np.arange(n - 4) % 7])
    yield Case("the period is a wide blank", ("documentation",), lambda: said(sources=blank))
    yield Case("no site", ("documentation",), lambda: said(site="\t"))
    yield Case("RANKING in capitals", ("purpose",), lambda: said(purpose="RANKING"))
    yield Case("a reward with a blank", ("purpose",), lambda: said(purpose=" reward"))
    yield Case("scores that could not be compared", ("artifact_safety",), lambda: said(artifact=unknown))
    yield Case("PICKLE in capitals", ("artifact_safety",), lambda: said(artifact=shouted))
    yield Case("three foremen by name", ("deidentification",), lambda: with_notes(
        ["由张师傅处理", "李班长已确认", "王主任到场"]))  # fmt: skip
    yield Case("social security numbers", ("deidentification",), lambda: with_notes(
        [f"claimant {a}-45-6{b}89" for a, b in ((123, 7), (234, 8), (345, 9))]))  # fmt: skip
    yield Case("bank cards as numbers", ("deidentification",), lambda: claims.examined(model, numbers_of_cards))
    yield Case("for reward, without a source", ("purpose", "documentation"), lambda: said(purpose="reward", sources=()))


def clean(w: dict[str, World]) -> Iterator[Case]:
    """Sound models of another kind (random forests), on other random splits."""
    for name in ("releases", "claims", "shifts"):
        world = w[name]
        for seed in (31, 32):

            def forest(world: World = world, seed: int = seed) -> Examined:
                everything = pd.concat(world.split[:2], ignore_index=True).sample(frac=1, random_state=seed)
                training, evaluation = cut(everything, len(everything) * 2 // 3)
                features = world.split[2]
                grown = RandomForestClassifier(80, max_depth=6, min_samples_leaf=20, random_state=seed, n_jobs=1)
                grown.fit(training[features], training[world.label])
                return world.examined(predictor_of(grown), evaluation, training, time=None)

            yield Case(f"{name}, a forest, seed {seed}", (), forest)
