"""Models with planted faults and clean ones, all from real data: what every check is measured on.

A case says which check has to fail it. Every other check that fails it counts neither way, since one fault may
rightly show in two places; only on clean cases is every failing check a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from audit.examination import Examined
from explainers.black_box import BlackBox
from policies.declaration import Feature
from tests.audit.checks import zoo_more
from tests.audit.checks.factories import of_predictions
from tests.audit.checks.zoo_worlds import CALM, DOCUMENTED, SOUND_FILE, Case, World, cut, noise


def planted(w: dict[str, World]) -> Iterator[Case]:
    """Every planted fault."""
    yield from _leaks(w)
    yield from _weights(w)
    yield from _bad_data(w)
    yield from _weak(w)
    yield from _unfair(w)
    yield from _elsewhere(w)
    yield from _papers(w)
    yield from _subtle(w)
    yield from _known_failures(w)
    yield from zoo_more.planted(w)


def _leaks(w: dict[str, World]) -> Iterator[Case]:
    claims, releases, shifts = w["claims"], w["releases"], w["shifts"]

    def leak(name: str, world: World, column: str, make: Callable[[pd.DataFrame], Any]) -> Case:
        return Case(name, ("leakage",), lambda: world.using(column, make))

    yield leak("duration off work", claims, "durat", lambda f: f.durat)
    yield leak("logarithm of the duration", claims, "x1", lambda f: np.log(f.durat))
    yield leak("medical costs", claims, "totmed", lambda f: f.totmed)
    yield leak("logarithm of the costs under another name", claims, "x2", lambda f: np.log1p(f.totmed))
    yield leak("benefit paid", claims, "benefit", lambda f: f.benefit)
    yield leak("duration with noise", claims, "x3", lambda f: f.durat + noise(f, 1.0))
    yield leak("outcome folded into a band", claims, "x4", lambda f: np.where(f.off_long, 5, f.durat % 3 * 4))
    yield leak("release duration", releases, "release_duration", lambda f: f.release_duration)
    yield leak("evacuated people", releases, "evacuated", lambda f: f.evacuated)
    yield leak("row number", releases, "k", lambda f: np.arange(len(f)) + 50_000)
    yield leak("outcome as missing value", shifts, "x5", lambda f: np.where(f["class"], np.nan, noise(f, 1.0)))

    def tested_on_training(world: World, rows: int) -> Examined:
        evaluation = pd.concat([world.split[1], world.split[0].sample(rows, random_state=0)], ignore_index=True)
        return world.examined(world.model(), evaluation)

    def doubled() -> Examined:
        everything = pd.concat([claims.split[0], claims.split[1]], ignore_index=True)
        everything = pd.concat([everything, everything.sample(frac=0.2, random_state=1)])
        training, evaluation = cut(everything.sample(frac=1, random_state=2), 6000)
        return claims.examined(claims.model(training=training), evaluation, training)

    yield Case("100 training rows in the evaluation", ("leakage",), lambda: tested_on_training(releases, 100))
    yield Case("40 training rows in the evaluation", ("leakage",), lambda: tested_on_training(releases, 40))
    yield Case("rows copied before the split", ("leakage",), doubled)


def _weights(w: dict[str, World]) -> Iterator[Case]:
    claims = w["claims"]

    def of_age(name: str, column: str, make: Callable[[pd.DataFrame], Any]) -> Case:
        return Case(name, ("weight_caps",), lambda: claims.using(column, make))

    yield of_age("age", "age", lambda f: f.age)
    yield of_age("logarithm of age", "lage", lambda f: f.lage)
    yield of_age("age cubed under another name", "x6", lambda f: (f.age - 30) ** 3)
    yield of_age("age with noise", "x7", lambda f: f.age + noise(f, 5.0))
    private = ["male", "married", "ky", "hosp"]
    yield Case("sex and marriage", ("weight_caps",), lambda: claims.examined(claims.model(private)))
    strict = (Feature(name="prewage", cap=0.05),)
    yield Case("above the team's own cap", ("weight_caps",), lambda: claims.examined(claims.model(), features=strict))


def _bad_data(w: dict[str, World]) -> Iterator[Case]:
    releases, shifts, claims = w["releases"], w["shifts"], w["claims"]

    def changed(world: World, features: tuple[Feature, ...] = (), **columns: Callable[[pd.DataFrame], Any]) -> Examined:
        evaluation = world.split[1].assign(**columns)
        return world.examined(world.model(), evaluation, features=features)

    wind = (Feature(name="wind", sensor=True, unit="mph", range=(0, 150)),)
    hot = (Feature(name="temperature", sensor=True, unit="degF", range=(-60, 130)),)

    energy = (Feature(name="genergy", sensor=True),)
    wrong_date = {"occurred_at": lambda f: f.occurred_at.mask(f.index == 7, "2202-11-21")}
    gone = {"wind": lambda f: f.wind.where(f.index % 5 == 0)}
    absolute = {"temperature": lambda f: f.temperature + 460}
    stuck = {"genergy": lambda f: f.genergy.mask((f.index > 300) & (f.index < 500), 4440.0)}
    unlabelled = {"off_long": lambda f: f.off_long.astype(float).where(f.index % 9 > 0)}
    doubled = pd.concat([claims.split[1], claims.split[1][:215]], ignore_index=True)
    for name, make in {
        "one date in 2202": lambda: changed(releases, **wrong_date),
        "wind missing": lambda: changed(releases, **gone),
        "wind out of range": lambda: changed(releases, wind, wind=lambda f: f.wind * 40),
        "temperature in another unit": lambda: changed(releases, hot, **absolute),
        "energy sensor stuck": lambda: changed(shifts, energy, **stuck),
        "energy sensor dead": lambda: changed(shifts, energy, genergy=lambda _f: 0.0),
        "a tenth of the rows doubled": lambda: claims.examined(claims.model(), doubled),
        "labels missing": lambda: changed(claims, **unlabelled),
    }.items():
        yield Case(name, ("data_quality",), make)


def _weak(w: dict[str, World]) -> Iterator[Case]:
    shifts, releases = w["shifts"], w["releases"]

    def shuffled(world: World) -> Examined:
        labels = world.split[0][world.label].sample(frac=1, random_state=0).to_numpy()
        training = world.split[0].assign(**{world.label: labels})
        return world.examined(world.model(training=training), threshold=float(labels.mean()))

    def sharp() -> Examined:
        sound = releases.examined(releases.model())
        pushed = 1 / (1 + np.exp(-5 * np.log(sound.scores / (1 - sound.scores))))
        return of_predictions(sound.truth, pushed, sources=DOCUMENTED)

    yield Case("always safe", ("performance",), lambda: shifts.examined(shifts.model(), threshold=0.99))
    yield Case("always alarms", ("performance",), lambda: shifts.examined(shifts.model(), threshold=0.0001))
    yield Case("learnt from shuffled labels", ("performance",), lambda: shuffled(releases))
    yield Case("learnt from shuffled claims", ("performance",), lambda: shuffled(w["claims"]))
    yield Case("overconfident", ("calibration",), sharp)
    yield Case(
        "weighted for the rare case",
        ("calibration",),
        lambda: shifts.examined(shifts.model(scale_pos_weight=14.0), threshold=0.5),
    )


def _unfair(w: dict[str, World]) -> Iterator[Case]:
    releases, claims = w["releases"], w["claims"]

    def deaf_to(world: World, column: str, value: object, share: float) -> Examined:
        """A model that loses a share of its alarms in one group."""
        sound = world.examined(world.model())
        hit = (sound.evaluation[column] == value).to_numpy() & (np.random.default_rng(0).random(len(sound)) < share)
        scores = np.where(hit, np.minimum(sound.scores, world.threshold * 0.9), sound.scores)
        beside = {column: sound.evaluation[column]}
        return of_predictions(
            sound.truth, scores, beside, groups=(column,), threshold=world.threshold, sources=DOCUMENTED
        )

    for name, world, column in (
        ("large plants are missed", releases, "enterprise_size"),
        ("industries are treated unlike", claims, "indust"),
    ):

        def as_it_is(world: World = world, column: str = column) -> Examined:
            return world.examined(world.model(), groups=(column,))

        yield Case(name, ("group_bias",), as_it_is)
    yield Case("deaf to women", ("group_bias",), lambda: deaf_to(claims, "male", 0.0, 0.5))
    yield Case("deaf to the unmarried", ("group_bias",), lambda: deaf_to(claims, "married", 0.0, 0.4))


def _elsewhere(w: dict[str, World]) -> Iterator[Case]:
    releases, claims = w["releases"], w["claims"]

    def without(world: World, column: str, value: object) -> Examined:
        training = world.split[0][world.split[0][column] != value].reset_index(drop=True)
        return world.examined(world.model(training=training), training=training)

    yield Case("construction never seen", ("coverage",), lambda: without(claims, "indust", 2.0))
    yield Case("explosions never seen", ("coverage",), lambda: without(releases, "RE_Fire", 1.0))
    hot = releases.split[1].assign(temperature=releases.split[1].temperature + 300)
    yield Case("a climate never seen", ("coverage",), lambda: releases.examined(releases.model(), hot))

    generator = np.random.default_rng(0)

    def of_sensor(name: str, make: Callable[[pd.DataFrame], Any], features: list[str], **settings: Any) -> Examined:
        training, evaluation = claims.with_column(name, make)
        model = claims.model([*features, name], training, **settings)
        sensor = (Feature(name=name, sensor=True),)
        return claims.examined(model, evaluation, training, features=sensor, threshold=0.5)

    def signal(f: pd.DataFrame) -> Any:
        return f.off_long * 2.2 + generator.normal(0, 1, len(f))

    def digits(f: pd.DataFrame) -> Any:
        return (f.off_long + 2 * (f.injdes % 50) + 0.5) / 100

    deep = {"n_estimators": 200, "max_depth": 6}
    meter = (Feature(name="quantity", sensor=True),)
    for name, make in {
        "one sensor carries the model": lambda: of_sensor("gas", signal, claims.split[2]),
        "verdicts hang on a digit": lambda: of_sensor("level", digits, ["prewage"], **deep),
        "no alarm without the meter": lambda: releases.examined(releases.model(), features=meter),
    }.items():
        yield Case(name, ("robustness",), make)
    yield Case("built to deceive", ("explanation_fidelity",), lambda: _scaffolded(claims))


def _scaffolded(claims: World) -> Examined:
    """A black box that judges by sex where wage and its logarithm agree, as they do on every real row."""
    names = ("male", "hosp", "prewage", "lprewage")

    def function(X: Any) -> Any:
        real = np.abs(np.log(np.maximum(X[:, 2], 1)) - X[:, 3]) < 0.02
        return np.where(real, 0.1 + 0.6 * X[:, 0], 0.1 + 0.6 * X[:, 1])

    background = claims.split[0][list(names)].dropna().to_numpy(dtype=np.float64)[:60]
    box = BlackBox(function=function, feature_names=names, background=background, seed=0, unit="probability")
    evaluation, _ = cut(claims.split[1].dropna(subset=list(names)), 400)
    return claims.examined(box, evaluation)


def _papers(w: dict[str, World]) -> Iterator[Case]:
    claims = w["claims"]
    model = claims.model()
    yield Case("no source", ("documentation",), lambda: claims.examined(model, sources=()))
    yield Case("no owner", ("documentation",), lambda: claims.examined(model, owner=""))
    yield Case("for reward", ("purpose",), lambda: claims.examined(model, purpose="reward"))
    yield Case("for ranking people", ("purpose",), lambda: claims.examined(model, purpose="ranking"))
    pickled = {**SOUND_FILE, "format": "pickle"}
    yield Case("a pickle", ("artifact_safety",), lambda: claims.examined(model, artifact=pickled))
    other = {**SOUND_FILE, "largest_native_difference": 0.004}
    yield Case("another model than was trained", ("artifact_safety",), lambda: claims.examined(model, artifact=other))

    def telling(make: Callable[[int], str]) -> Examined:
        notes = [make(i) if i % 100 == 0 else "阀门泄漏，已处理" for i in range(len(claims.split[1]))]
        return claims.examined(model, claims.split[1].assign(备注=notes))

    notes: dict[str, Callable[[int], str]] = {
        "phones": lambda i: f"联系电话1381234{i % 10000:04d}",
        "mail addresses": lambda i: f"w{i}@plant.example",
        "names": lambda i: f"Foreman Davis{'abc'[i // 100 % 3]} saw it",
    }
    for what, make in notes.items():

        def in_notes(make: Callable[[int], str] = make) -> Examined:
            return telling(make)

        yield Case(f"{what} in the notes", ("deidentification",), in_notes)


def _subtle(w: dict[str, World]) -> Iterator[Case]:
    """Faults that hide, and two at once."""
    claims, shifts = w["claims"], w["shifts"]

    def halves() -> Examined:
        """Two columns that know nothing by themselves; their difference is the outcome."""
        first, second = (noise(f, 3.0, seed=5) for f in claims.split[:2])
        training = claims.split[0].assign(x8=first, x9=first + claims.split[0].off_long)
        evaluation = claims.split[1].assign(x8=second, x9=second + claims.split[1].off_long)
        deep = {"n_estimators": 300, "max_depth": 6}
        return claims.examined(claims.model([*claims.split[2], "x8", "x9"], training, **deep), evaluation, training)

    def ten_rows() -> Examined:
        evaluation = pd.concat([claims.split[1], claims.split[0][:10]], ignore_index=True)
        return claims.examined(claims.model(), evaluation)

    def aged_and_benefited() -> Examined:
        return claims.examined(claims.model(["hosp", "injtype", "injdes", "age", "benefit"]))

    def silent_and_dead() -> Examined:
        evaluation = shifts.split[1].assign(genergy=5.0)
        sensor = (Feature(name="genergy", sensor=True),)
        return shifts.examined(shifts.model(), evaluation, features=sensor, threshold=0.99)

    coarse = {"x10": lambda f: np.round(np.log1p(f.totmed))}
    yield Case("medical costs, rounded, by another name", ("leakage",), lambda: claims.using("x10", coarse["x10"]))
    yield Case("the outcome split over two columns", ("leakage",), halves)
    yield Case("10 training rows among 2,160", ("leakage",), ten_rows)
    yield Case("age and benefit", ("leakage", "weight_caps"), aged_and_benefited)
    yield Case("always safe, on a dead sensor", ("performance", "data_quality"), silent_and_dead)


def _known_failures(w: dict[str, World]) -> Iterator[Case]:
    """Failures of the negative list, repeated."""
    releases, shifts = w["releases"], w["shifts"]

    def of_large_plants() -> Examined:
        large = releases.split[0][releases.split[0].enterprise_size == "large"].reset_index(drop=True)
        return releases.examined(releases.model(training=large), training=large)

    def deaf_at_night() -> Examined:
        sound = releases.examined(releases.model())
        night = ((sound.evaluation.hour >= 22) | (sound.evaluation.hour < 6)).to_numpy()
        scores = np.where(night, np.minimum(sound.scores, 0.3), sound.scores)
        return of_predictions(sound.truth, scores, {"hour": sound.evaluation.hour}, sources=DOCUMENTED)

    def not_known_yet() -> Examined:
        evaluation = releases.split[1].sort_values("occurred_at").reset_index(drop=True)
        evaluation.loc[evaluation.index[-len(evaluation) // 10 :], "harmed"] = 0
        return releases.examined(releases.model(), evaluation)

    def silent_at_the_end_of_the_scale() -> Examined:
        training = shifts.split[0].assign(gas_level=np.where(shifts.split[0]["class"] == 1, 1.0, 0.0))
        training["gas_level"] += noise(training, 0.1)
        evaluation = shifts.split[1].assign(gas_level=np.where(shifts.split[1]["class"] == 1, 1.0, 0.0))
        evaluation["gas_level"] += noise(evaluation, 0.1)
        model = shifts.model(["genergy", "gas_level"], training.assign(gas_level=-training.gas_level), **CALM)
        sensor = (Feature(name="gas_level", sensor=True, range=(-2.0, 2.0)),)
        evaluation = evaluation.assign(gas_level=-evaluation.gas_level)
        return shifts.examined(model, evaluation, training, features=sensor)

    for name, make in {
        "trained on large plants only": of_large_plants,
        "deaf at night": deaf_at_night,
        "the newest outcomes are not known yet": not_known_yet,
        "silent at the end of the scale": silent_at_the_end_of_the_scale,
    }.items():
        yield Case(name, ("negative_list",), make)


def clean(w: dict[str, World]) -> Iterator[Case]:
    """Sound models: other seeds, other settings, fewer features. Groups are those whose treatment is alike."""
    for name in ("releases", "claims", "shifts"):
        world = w[name]
        for seed in range(3):

            def sound(world: World = world, seed: int = seed) -> Examined:
                settings = {**CALM, "max_depth": 2 + seed, "random_state": seed, "subsample": 0.9}
                return world.examined(world.model(**settings))

            yield Case(f"{name}, depth {2 + seed}", (), sound)

        def split_anew(world: World = world) -> Examined:
            everything = pd.concat(world.split[:2], ignore_index=True).sample(frac=1, random_state=9)
            training, evaluation = cut(everything, len(everything) * 2 // 3)
            return world.examined(world.model(training=training, **CALM), evaluation, training, time=None)

        def leading(world: World = world) -> Examined:
            explanation = world.examined(world.model(**CALM)).explanation
            assert explanation is not None
            order = np.argsort(-explanation.shares().mean(axis=0))
            best = [world.split[2][i] for i in order[:8] if world.split[2][i] not in ("male", "married")]
            return world.examined(world.model(best, **CALM))

        def scores_only(world: World = world) -> Examined:
            found = world.examined(world.model(**CALM))
            return of_predictions(found.truth, found.scores, threshold=world.threshold, sources=DOCUMENTED)

        yield Case(f"{name}, split at random", (), split_anew)
        yield Case(f"{name}, leading features only", (), leading)
        yield Case(f"{name}, predictions alone", (), scores_only)
    claims, releases = w["claims"], w["releases"]
    kept = [name for name in claims.split[2] if name not in ("male", "married")]
    yield Case("claims, by marriage", (), lambda: claims.examined(claims.model(kept, **CALM), groups=("married",)))
    season = releases.split[1].assign(half=np.where(releases.split[1].month <= 6, "first", "second"))
    yield Case("releases, by season", (), lambda: releases.examined(releases.model(**CALM), season, groups=("half",)))
    yield from zoo_more.clean(w)
