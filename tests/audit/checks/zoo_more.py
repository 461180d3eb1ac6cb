"""More planted faults: several for every check, two at once, and some that hide. Limits were set with these in view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from audit.examination import Examined
from explainers.black_box import BlackBox
from policies.declaration import Feature, Source
from policies.tiers import Tier
from tests.audit.checks.factories import of_model, of_predictions
from tests.audit.checks.zoo_worlds import CALM, DOCUMENTED, SOUND_FILE, Case, World, noise

SENSORS = tuple(
    Feature(name=name, sensor=True)
    for name in (
        "Accelerometer1RMS",
        "Accelerometer2RMS",
        "Current",
        "Pressure",
        "Temperature",
        "Thermocouple",
        "Voltage",
    )
)


def planted(w: dict[str, World]) -> Iterator[Case]:
    """Every further planted fault."""
    yield from _sensors(w)
    yield from _scores(w)
    yield from _explanations(w)
    yield from _files_and_papers(w)
    yield from _people(w)
    yield from _rows(w)
    yield from _two_at_once(w)


def _sensors(w: dict[str, World]) -> Iterator[Case]:
    releases, circuit, claims = w["releases"], w["circuit"], w["claims"]

    def kelvin() -> Examined:
        """Temperature carries the alarm; in the plant the same sensor is also read in degrees Celsius."""
        training, evaluation = (f.assign(heat=350 + 15 * f.off_long + noise(f, 8.0, 3)) for f in claims.split[:2])
        heat = (Feature(name="heat", sensor=True, unit="K", range=(0.0, 600.0)),)
        return claims.examined(claims.model(["heat", "hosp"], training), evaluation, training, features=heat)

    def on_edges() -> Examined:
        """A sensor whose comb of values decides: every reading is near a value of the other verdict."""
        training, evaluation = (f.assign(level=(f.injdes % 50 * 2 + f.off_long) / 1000 + 0.5) for f in claims.split[:2])
        model = claims.model(["level", "prewage"], training, n_estimators=300, max_depth=8, learning_rate=0.3)
        return claims.examined(
            model, evaluation, training, features=(Feature(name="level", sensor=True),), threshold=0.5
        )

    def ages() -> Examined:
        """Alarms begin just under the end of a sensor's swing."""
        training, evaluation = (
            f.assign(swing=np.where(f.off_long, 2.75, 1.25) + np.clip(noise(f, 0.4, 6), -0.6, 0.25))
            for f in claims.split[:2]
        )
        swing = (Feature(name="swing", sensor=True),)
        return claims.examined(claims.model(["swing", "hosp"], training), evaluation, training, features=swing)

    yield Case("flow alone carries the circuit", ("robustness",), lambda: circuit.examined(
        circuit.model(**CALM), features=(Feature(name="Flow", sensor=True), *SENSORS)))  # fmt: skip
    yield Case("kelvin or degrees, the range lets both pass", ("robustness",), kelvin)
    yield Case("a comb of values", ("robustness",), on_edges)
    yield Case("alarms that need the full swing", ("robustness",), ages)
    yield Case("quantity read in coarse steps at sea", ("robustness",), lambda: releases.examined(
        releases.model(), features=(Feature(name="quantity", sensor=True, range=(0.0, 18.0)),)))  # fmt: skip


def _scores(w: dict[str, World]) -> Iterator[Case]:
    releases, claims, circuit = w["releases"], w["claims"], w["circuit"]

    def bent(world: World, bend: Callable[[Any], Any]) -> Examined:
        sound = world.examined(world.model(**CALM))
        return of_predictions(sound.truth, bend(sound.scores), threshold=world.threshold, sources=DOCUMENTED)

    yield Case("squeezed to the middle", ("calibration",), lambda: bent(releases, lambda p: 0.5 + (p - 0.5) * 0.1))
    yield Case("a third too high", ("calibration",), lambda: bent(claims, lambda p: np.minimum(1.0, p + 0.15)))
    yield Case("ranks instead of chances", ("calibration",), lambda: bent(
        circuit, lambda p: np.argsort(np.argsort(p)) / len(p)))  # fmt: skip
    yield Case("alarms and silence exchanged", ("performance",), lambda: bent(claims, lambda p: 1 - p))
    yield Case("threshold from another site", ("performance",), lambda: releases.examined(
        releases.model(), threshold=0.85))  # fmt: skip
    coin = np.random.default_rng(4).random(len(claims.split[1]))
    yield Case("a coin", ("performance",), lambda: of_predictions(
        claims.split[1].off_long, coin, sources=DOCUMENTED))  # fmt: skip


def _explanations(w: dict[str, World]) -> Iterator[Case]:
    claims, releases = w["claims"], w["releases"]

    def credited_elsewhere(world: World, order: Callable[[int], Any]) -> Examined:
        """Contributions that add up and stand under the wrong names."""
        sound = world.examined(world.model())
        told = sound.explanation
        assert told is not None
        places = order(told.contributions.shape[1])
        return replace(sound, explanation=replace(told, contributions=told.contributions[:, places]))

    def evenly() -> Examined:
        """An explanation that gives every feature the same."""
        sound = releases.examined(releases.model())
        told = sound.explanation
        assert told is not None
        even = np.repeat(told.contributions.mean(axis=1, keepdims=True), told.contributions.shape[1], axis=1)
        return replace(sound, explanation=replace(told, contributions=even))

    def trembling() -> Examined:
        rows = claims.split[1][["prewage", "lprewage", "hosp"]].dropna().to_numpy(dtype=np.float64)

        def function(X: Any) -> Any:
            X = np.nan_to_num(X, posinf=0.0, neginf=0.0)
            return 0.5 + 0.2 * np.sin(3e5 * X[:, 1]) + 0.2 * np.sin(2e5 * np.sqrt(np.abs(X[:, 0])))

        names = ("prewage", "lprewage", "hosp")
        box = BlackBox(function=function, feature_names=names, background=rows[:60], seed=0, unit="probability")
        evaluation = claims.split[1].dropna(subset=list(names))[:300].reset_index(drop=True)
        return claims.examined(box, evaluation)

    yield Case("contributions under the wrong names", ("explanation_fidelity",), lambda: credited_elsewhere(
        claims, lambda n: np.roll(np.arange(n), 1)))  # fmt: skip
    yield Case("contributions in reverse", ("explanation_fidelity",), lambda: credited_elsewhere(
        releases, lambda n: np.arange(n)[::-1]))  # fmt: skip
    yield Case("every feature the same", ("explanation_fidelity",), evenly)
    yield Case("an explanation that trembles", ("explanation_fidelity",), trembling)


def _files_and_papers(w: dict[str, World]) -> Iterator[Case]:
    claims, circuit = w["claims"], w["circuit"]
    model = claims.model()
    for name, artifact in {
        "a joblib file": {**SOUND_FILE, "format": "joblib"},
        "an unknown format": {**SOUND_FILE, "format": "xgboost-deprecated"},
        "scores apart by two in a hundred thousand": {**SOUND_FILE, "largest_native_difference": 2e-5},
    }.items():

        def with_file(artifact: dict[str, object] = artifact) -> Examined:
            return claims.examined(model, artifact=artifact)

        yield Case(name, ("artifact_safety",), with_file)
    yield Case("for dismissal", ("purpose",), lambda: claims.examined(model, purpose="dismissal"))
    yield Case("for punishment", ("purpose",), lambda: claims.examined(model, purpose="punishment"))
    yield Case("for a purpose nobody knows", ("purpose",), lambda: claims.examined(model, purpose="efficiency"))
    half = (Source(name="own", period="1970-2025", licence=""),)
    yield Case("a source without a licence", ("documentation",), lambda: claims.examined(model, sources=half))
    yield Case("nobody says what it is for", ("documentation",), lambda: claims.examined(model, description=" "))

    def without_range() -> Examined:
        training, evaluation, _ = circuit.split
        return of_model(
            evaluation, circuit.model(**CALM), training=training, tier=Tier.L3, features=SENSORS,
            label=circuit.label, threshold=circuit.threshold, sources=DOCUMENTED,
        )  # fmt: skip

    yield Case("sensors without unit and range at L3", ("documentation",), without_range)


def _people(w: dict[str, World]) -> Iterator[Case]:
    claims, mines, releases = w["claims"], w["mines"], w["releases"]
    model = claims.model()

    def beside(**columns: Any) -> Examined:
        return claims.examined(model, claims.split[1].assign(**columns))

    n = len(claims.split[1])
    cards = ("11010519491231002X", "440524188001010014", "110105199003071095")
    few = [*["复查正常"] * (n - 3), *(f"证件号 {card}" for card in cards)]
    marks = {5: "京A12345", 9: "沪B6789Q", 77: "粤C54321"}
    plates = [f"车辆 {marks[i]}" if i in marks else "" for i in range(n)]
    born = pd.date_range("1950-01-01", periods=n, freq="7D").astype(str)
    yield Case("three identity cards in two thousand notes", ("deidentification",), lambda: beside(备注=few))
    yield Case("three licence plates", ("deidentification",), lambda: beside(说明=plates))
    yield Case("birth date and postcode of everyone", ("deidentification",), lambda: beside(
        birth_date=born, postcode=np.arange(n) % 900 + 100000))  # fmt: skip
    yield Case("years of experience to the day", ("deidentification",), lambda: mines.examined(mines.model(**CALM)))

    def deaf(world: World, where: Callable[[pd.DataFrame], Any], share: float, groups: tuple[str, ...]) -> Examined:
        sound = world.examined(world.model())
        hit = np.asarray(where(sound.evaluation)) & (np.random.default_rng(0).random(len(sound)) < share)
        scores = np.where(hit, np.minimum(sound.scores, world.threshold * 0.9), sound.scores)
        beside = {name: sound.evaluation[name] for name in groups}
        return of_predictions(sound.truth, scores, beside, groups=groups, threshold=world.threshold, sources=DOCUMENTED)

    def jumpy(share: float) -> Examined:
        sound = claims.examined(claims.model())
        hit = (sound.evaluation.male == 0).to_numpy() & (np.random.default_rng(1).random(len(sound)) < share)
        scores = np.where(hit, np.maximum(sound.scores, claims.threshold * 1.1), sound.scores)
        beside = {"male": sound.evaluation.male}
        return of_predictions(
            sound.truth, scores, beside, groups=("male",), threshold=claims.threshold, sources=DOCUMENTED
        )

    unmarried_women = lambda f: (f.male == 0) & (f.married == 0)  # noqa: E731
    yield Case("deaf to unmarried women only", ("group_bias",), lambda: deaf(
        claims, unmarried_women, 0.7, ("male", "married")))  # fmt: skip
    yield Case("women cry wolf more often", ("group_bias",), lambda: jumpy(0.3))
    yield Case("the second half of the year is missed", ("group_bias",), lambda: deaf(
        replace(releases, split=(*(f.assign(half=f.month > 6) for f in releases.split[:2]), releases.split[2])),
        lambda f: f.half, 0.4, ("half",)))  # fmt: skip
    yield Case("metal mines are missed", ("group_bias",), lambda: mines.examined(mines.model(**CALM), groups=("kind",)))
    every = ["ACTIVITY_CD", "TOT_EXPER", "MINE_EXPER", "JOB_EXPER"]
    yield Case("seniority decides", ("weight_caps",), lambda: mines.examined(mines.model(every, **CALM)))
    yield Case("seniority under another name", ("weight_caps",), lambda: mines.using(
        "x11", lambda f: np.sqrt(f.TOT_EXPER) + f.JOB_EXPER / 50))  # fmt: skip


def _rows(w: dict[str, World]) -> Iterator[Case]:
    releases, claims, circuit, mines = w["releases"], w["claims"], w["circuit"], w["mines"]
    shifts = w["shifts"]

    def twenty() -> Examined:
        evaluation = pd.concat([releases.split[1], releases.split[0][:20]], ignore_index=True)
        return releases.examined(releases.model(), evaluation)

    def exclusive() -> Examined:
        """Neither of two codes knows anything; whether they are equal is the outcome."""
        parts = []
        for seed, f in enumerate(claims.split[:2]):
            one = np.random.default_rng(seed).integers(0, 2, len(f))
            parts.append(f.assign(x12=one, x13=one ^ f.off_long))
        training, evaluation = parts
        model = claims.model([*claims.split[2], "x12", "x13"], training, n_estimators=200, max_depth=6)
        return claims.examined(model, evaluation, training)

    def later() -> Examined:
        def closed(f: pd.DataFrame) -> Any:
            at = pd.to_datetime(f.occurred_at, errors="coerce")
            return (at - pd.Timestamp(0)).dt.total_seconds() + 86_400 * (5 + f.month)

        return releases.using("settled", closed)

    def of_rigs() -> Examined:
        """A fingerprint of the machine; half of the evaluation comes from machines in training."""
        generator = np.random.default_rng(0)
        habit, mark = generator.random(200) < 0.5, generator.permutation(200).astype(float)

        def rows(machines: Any) -> pd.DataFrame:
            harmed = np.where(generator.random(len(machines)) < 0.85, habit[machines], ~habit[machines])
            return pd.DataFrame({"machine_id": machines, "mark": mark[machines], "off_long": harmed.astype(int)})

        training = rows(generator.integers(0, 100, 4000))
        evaluation = rows(np.concatenate([generator.integers(0, 100, 1000), generator.integers(100, 200, 1000)]))
        model = claims.model(["mark"], training, n_estimators=200, max_depth=6)
        return claims.examined(model, evaluation, training, threshold=0.5)

    def between() -> Examined:
        """Every reading has been read before, but never together: energy and bumps of different shifts."""
        mixed = shifts.split[1].copy()
        rows = mixed.sort_values("energy").index[-400:]
        mixed.loc[rows, "energy"] = mixed.loc[rows, "energy"].to_numpy()[::-1]
        mixed.loc[rows, "nbumps"] = 0
        return shifts.examined(shifts.model(**CALM), mixed)

    lost = ["DAYS_LOST", "SCHEDULE_CHARGE"]
    yield Case("days lost and the charge for them", ("leakage",), lambda: mines.examined(
        mines.model([*mines.split[2], *lost])))  # fmt: skip
    yield Case("20 training rows among 1,375", ("leakage",), twenty)
    yield Case("whether two codes agree", ("leakage",), exclusive)
    yield Case("when the case was settled", ("leakage",), later)
    yield Case("it knows its machines", ("leakage",), of_rigs)
    yield Case("a state between the known ones", ("coverage",), between)
    spring = releases.split[0][~releases.split[0].month.between(9, 11)].reset_index(drop=True)
    yield Case("autumn never seen", ("coverage",), lambda: releases.examined(releases.model(), training=spring))
    pressure = (Feature(name="Pressure", sensor=True, range=(-10.0, 10.0)),)
    in_psi = circuit.split[1].assign(Pressure=circuit.split[1].Pressure * 14.5)
    yield Case("a pressure gauge in another unit", ("data_quality",), lambda: circuit.examined(
        circuit.model(**CALM), in_psi, features=pressure))  # fmt: skip
    yield Case("two labellers who do not agree", ("data_quality",), lambda: claims.examined(
        claims.model(), claims.split[1].assign(
            one=claims.split[1].off_long, two=claims.split[1].off_long.sample(frac=1, random_state=3).to_numpy()),
        labels_by={"equipment": "one", "safety": "two"}))  # fmt: skip


def _two_at_once(w: dict[str, World]) -> Iterator[Case]:
    claims, releases, mines = w["claims"], w["releases"], w["mines"]

    def old_and_paid_for() -> Examined:
        both = claims.with_column("x14", lambda f: np.sqrt(f.totmed))
        return claims.examined(claims.model(["age", "hosp", "x14"], both[0]), both[1], both[0], owner="")

    def dated_and_deaf() -> Examined:
        strange = releases.split[1].assign(
            occurred_at=releases.split[1].occurred_at.mask(lambda s: s.index < 2, "0201-05-05")
        )
        return releases.examined(releases.model(), strange, threshold=0.97)

    def named_and_late() -> Examined:
        evaluation = mines.split[1].assign(worker_name="甲")
        return mines.examined(mines.model([*mines.split[2], "DAYS_LOST"]), evaluation)

    yield Case("age, costs, and nobody answers", ("leakage", "weight_caps", "documentation"), old_and_paid_for)
    yield Case("the year 201, and nearly always safe", ("data_quality", "performance"), dated_and_deaf)
    yield Case("names beside days lost", ("deidentification", "leakage"), named_and_late)
    yield Case("a pickle for reward", ("artifact_safety", "purpose"), lambda: claims.examined(
        claims.model(), purpose="reward", artifact={**SOUND_FILE, "format": "pickle"}))  # fmt: skip


def clean(w: dict[str, World]) -> Iterator[Case]:
    """Sound models whose sensors are declared, so that every probe may fail them, and more groups."""
    claims, mines, releases = w["claims"], w["mines"], w["releases"]
    wage = (Feature(name="prewage", sensor=True, unit="USD", range=(0.0, 5000.0)),)
    weather = (
        Feature(name="wind", sensor=True, unit="mph", range=(0.0, 150.0)),
        Feature(name="temperature", sensor=True, unit="degF", range=(-60.0, 130.0)),
    )
    for depth in (2, 4):

        def declared(world: World, features: tuple[Feature, ...], depth: int = depth) -> Examined:
            settings = {**CALM, "max_depth": depth, "random_state": depth}
            return world.examined(world.model(**settings), features=features)

        yield Case(f"claims, wage declared a sensor, depth {depth}", (), partial(declared, claims, wage))
        yield Case(f"releases, weather declared, depth {depth}", (), partial(declared, releases, weather))
    personal = [name for name in mines.split[0].columns if name.endswith("_EXPER")]
    without = replace(mines, split=(*(f.drop(columns=personal) for f in mines.split[:2]), mines.split[2]))
    yield Case("mines without experience", (), lambda: without.examined(without.model(**CALM)))
