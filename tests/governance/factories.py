"""A whole house in a word: a clock that stands still, a small sound submission, people, and a real service."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from api.settings import Settings
from api.wiring import Service, open_service
from governance.approvals import Ruling, Verdict
from governance.intake import Examination, examine_directory
from governance.submissions import SubmissionRecord
from model_registry.memory_store import MemoryStore
from model_registry.store import ModelStore
from model_registry.submission import read_submission
from policies.impact_matrix import assess
from policies.roles import Person, Role
from policies.rulebook import Rulebook, read_rulebook

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
PURPOSE = "risk_intervention"
SITE = "plant-07"
SENSORS = ("temperature", "pressure")
WITH_AGE = ("temperature", "pressure", "age")

L2 = {"severity": "injury", "autonomy": "advice", "reversibility": "easy", "persons": "identifiable"}
L3 = {"severity": "fatality", "autonomy": "alarm", "reversibility": "easy", "persons": "none"}
L4 = {"severity": "fatality", "autonomy": "automatic_action", "reversibility": "hard", "persons": "none"}


@dataclass
class StandingClock:
    """A clock that moves only when told to, and its monotonic twin."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def go(self, **step: float) -> None:
        """Move by a step, as `timedelta` takes it."""
        self.now += timedelta(**step)

    def seconds(self) -> float:
        """The same clock as a count of seconds."""
        return (self.now - NOW).total_seconds()


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What a submission directory is made of; a test changes only what it is about."""

    name: str = "gas-leak"
    site: str = SITE
    features: tuple[str, ...] = SENSORS
    impact: dict[str, str] = field(default_factory=lambda: dict(L2))
    purpose: str = PURPOSE
    threshold: float = 0.5
    seed: int = 0
    lines: dict[str, str] = field(default_factory=dict)


def rows(n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Rows of a made-up plant: harm follows temperature and pressure, and a little the age of the worker."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "temperature": rng.normal(20, 8, n).round(2),
            "pressure": rng.normal(100, 15, n).round(2),
            "age": rng.integers(2, 6, n) * 10.0,
        }
    )
    pull = (frame.temperature - 20) / 8 + (frame.pressure - 100) / 15 + (frame.age - 40) / 20
    frame["harmed"] = (pull + rng.normal(0, 0.8, n) > 0).astype(int)
    frame["score"] = (1 / (1 + np.exp(-pull))).round(4)
    frame["sex"] = rng.choice(["f", "m"], n)
    frame["worker_id"] = [f"w{seed}-{i:04d}" for i in range(n)]
    return frame


@lru_cache(maxsize=32)
def a_booster(features: tuple[str, ...] = SENSORS, seed: int = 0) -> bytes:
    """Bytes of a small trained XGBoost model."""
    training = rows(600, seed=1000 + seed)
    data = xgb.DMatrix(training[list(features)], label=training["harmed"])
    model = xgb.train({"max_depth": 2, "objective": "binary:logistic", "nthread": 1, "seed": seed}, data, 12)
    return bytes(model.save_raw("ubj"))


def toml_of(handed: Handed) -> str:
    """The declaration of a submission."""
    impact = "\n".join(f'{question} = "{answer}"' for question, answer in handed.impact.items())
    features = "\n".join(f'[features.{name}]\nunit = "u"\n' for name in handed.features)
    text = f"""[model]
name = "{handed.name}"
artifact = "model.ubj"
flavour = "xgboost"
task = "classification"
threshold = {handed.threshold}
protective = "at_or_above"
[use]
purpose = "{handed.purpose}"
description = "Will people be harmed by this release?"
site = "{handed.site}"
owner = "process-safety-ml"
[data]
evaluation = "evaluation.csv"
training = "training.csv"
label = "harmed"
subject = "worker_id"
groups = ["sex"]
[[data.sources]]
name = "made up"
period = "2026"
licence = "CC0"
[impact]
{impact}
{features}"""
    for old, new in handed.lines.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def a_directory(folder: Path, **changes: Any) -> Path:
    """Write a whole submission directory and return it."""
    handed = Handed(**changes)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "submission.toml").write_text(toml_of(handed), encoding="utf-8")
    kept = [*handed.features, "harmed", "sex", "worker_id", *(["score"] if "score" in toml_of(handed) else [])]
    rows(200, seed=1).loc[:, kept].to_csv(folder / "evaluation.csv", index=False)
    rows(300, seed=2).loc[:, [*handed.features, "harmed"]].to_csv(folder / "training.csv", index=False)
    (folder / "model.ubj").write_bytes(a_booster(handed.features, handed.seed))
    return folder


_EXAMINED: dict[tuple[str, ...], Examination] = {}


def an_examination(directory: Path, *, only_holding: bool = False, **changes: Any) -> Examination:
    """Examine a small sound submission. Every check really ran, once in a session for each set of features.

    Name, site, answers and artifact change no finding that these tests rely on, so they take over the findings;
    `only_holding` leaves out those that could not conclude on so few rows.
    """
    handed = Handed(**changes)
    if handed.features not in _EXAMINED:
        with tempfile.TemporaryDirectory() as folder:
            plain = a_directory(Path(folder) / "plain", features=handed.features)
            _EXAMINED[handed.features] = examine_directory(plain, _rulebook())
    known = _EXAMINED[handed.features]
    submission = read_submission(a_directory(directory, **changes))
    assessment = assess(known.rulebook.impact, submission.declaration.impact)
    findings = tuple(finding for finding in known.findings if finding.holds or not only_holding)
    return replace(known, submission=submission, assessment=assessment, findings=findings)


@lru_cache
def _rulebook() -> Rulebook:
    return read_rulebook()


def someone(role: Role, name: str | None = None, **scope: Any) -> Person:
    """Return a person of a role, named after it unless told otherwise."""
    return Person(name=name or f"a-{role.value}", role=role, **scope)


ENGINEER, OFFICER, COMMITTEE = someone(Role.ML_ENGINEER), someone(Role.DSO), someone(Role.COMMITTEE)
REVIEWER, REGULATOR, EMPLOYEE = someone(Role.REVIEWER), someone(Role.REGULATOR), someone(Role.EMPLOYEE)
PLANT, TESTER, ADMIN = someone(Role.SERVICE), someone(Role.TESTER), someone(Role.ADMIN)


@dataclass
class House:
    """A real service over a temporary data folder, with the clock in hand."""

    service: Service
    clock: StandingClock
    folder: Path
    made: int = 0

    def submitted(self, by: Person = ENGINEER, **changes: Any) -> SubmissionRecord:
        """Submit a small sound model."""
        self.made += 1
        examination = an_examination(self.folder / f"handed-{self.made}", **changes)
        return self.service.intake.take_in(examination, by=by)

    def approved(self, conditions: list[dict[str, Any]] | None = None, **changes: Any) -> SubmissionRecord:
        """Submit a small sound model and approve it."""
        record = self.submitted(**changes)
        self.approve(record, conditions=conditions or [])
        return self.service.book.get(record.id)

    def approve(self, record: SubmissionRecord, by: Person = OFFICER, **options: Any) -> Ruling:
        """Approve a submission."""
        return self.verdict(record, Verdict.APPROVE, by, **options)

    def veto(self, record: SubmissionRecord, by: Person = OFFICER) -> Ruling:
        """Veto a submission."""
        return self.verdict(record, Verdict.VETO, by)

    def verdict(self, record: SubmissionRecord, verdict: Verdict, by: Person, **options: Any) -> Ruling:
        """Give a verdict."""
        options.setdefault("reason", "it was looked at")
        return self.service.approvals.give_verdict(record.id, verdict, by=by, **options)

    def decide(self, model: str = "gas-leak", X: Any = None, by: Person = PLANT, **options: Any) -> Any:
        """Decide some rows with the permitted version."""
        options.setdefault("purpose", PURPOSE)
        frame = rows(6, seed=9)[list(SENSORS)] if X is None else X
        return self.service.serving.decide(model, frame, by=by, **options)

    def kinds(self) -> list[str]:
        """The kinds of all entries of the log, oldest first."""
        return [entry.kind for entry in self.service.log.search(limit=1000).entries][::-1]


@lru_cache
def _empty_data() -> Path:
    """A data folder whose tables and keys are made, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="mingjing-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clock = StandingClock()
    service = open_service(
        Settings(data=folder / "data"), clock=clock, monotonic=clock.seconds, store=MemoryStore(folder / "models")
    )
    service.close()
    return folder / "data"


@contextmanager
def a_house(folder: Path, *, store: ModelStore | None = None, **settings: Any) -> Iterator[House]:
    """Open a real service; models are kept in memory unless a store is given."""
    clock = StandingClock()
    if not {"database_url", "rulebook"} & settings.keys():  # the ready-made data hold the built-in rulebook
        shutil.copytree(_empty_data(), folder / "data")
    service = open_service(
        Settings(data=folder / "data", **settings),
        clock=clock,
        monotonic=clock.seconds,
        store=store or MemoryStore(folder / "models"),
    )
    try:
        yield House(service, clock, folder)
    finally:
        service.close()
        shutil.rmtree(folder, ignore_errors=True)
