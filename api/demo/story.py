"""The demo as it is told: each step does the real thing through the same service as every door."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from api.demo.submissions import CHOSEN, LABEL, STORIES, TRAINED, claims, write_submission
from api.wiring import Service
from audit.traced_inference import Decided
from audit.verify import verify_bundle
from explainers.weight_shares import hold_caps
from governance.approvals import Verdict
from governance.permits import MayNotRun
from governance.reviews import Judgement
from governance.submissions import SubmissionRecord
from policies.feature_caps import caps_for
from policies.roles import Person, Role

DECIDED = 600
REPLAY_FROM = datetime(2026, 1, 5, tzinfo=UTC)
MARKER = "demo.json"
PURPOSE = "risk_intervention"

ACCOUNTS = (
    ("lin", Role.ML_ENGINEER),
    ("mei", Role.DSO),
    ("zhao", Role.REVIEWER),
    ("qian", Role.REGULATOR),
    ("plant-system", Role.SERVICE),
    ("admin", Role.ADMIN),
)

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the demo made, for the summary and for `make serve`."""

    decisions: int
    alarms: int
    overridden: str
    files: tuple[str, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the summary as it is kept beside the data."""
        return {
            "decisions": self.decisions,
            "alarms": self.alarms,
            "overridden": self.overridden,
            "files": list(self.files),
            "seconds": self.seconds,
        }


def tell_story(service: Service, folder: Path, tell: Tell, monotonic: Callable[[], float]) -> Told:
    """Run the whole demo into `folder` and return what came of it."""
    began = monotonic()
    people = _accounts(service)
    frame = claims()
    tell(f"Real data: {len(frame):,} workers' compensation claims, {frame[LABEL].mean():.1%} off work over 8 weeks.")
    hindsight, with_age, sound = (write_submission(story, frame, folder / story.name) for story in STORIES)

    _veto_the_leak(service, hindsight, people, frame, tell)
    _return_the_one_with_age(service, with_age, people, tell)
    record = _approve_the_sound_one(service, sound, people, tell)
    decided = _decide(service, record, people["plant-system"], frame, tell)
    overridden = _override(service, decided, people["zhao"], tell)
    files = [*_prove(service, overridden, folder, tell), *_report(service, record, overridden, folder, tell)]
    alarms = sum(1 for decision in decided.decisions if decision is not None and decision.verdict)
    told = Told(
        decisions=len(decided.decisions),
        alarms=alarms,
        overridden=overridden,
        files=tuple(str(file) for file in files),
        seconds=round(monotonic() - began, 1),
    )
    (service.settings.data / MARKER).write_text(json.dumps(told.as_json(), indent=1), encoding="utf-8")
    return told


def _accounts(service: Service) -> dict[str, Person]:
    known = {person.name for person in service.people.everyone()}
    for name, role in ACCOUNTS:
        if name not in known:
            service.people.add(name, role)
    return {name: service.people.person(name) for name, _ in ACCOUNTS}


def _veto_the_leak(service: Service, folder: Path, people: dict[str, Person], frame: pd.DataFrame, tell: Tell) -> None:
    record = service.submit(folder, by=people["lin"])
    tell(f"\n[bold]1. {record.model}[/] looks brilliant: {_measured(record, 'roc_auc')}.")
    for finding in _failing(record, "leakage")[:3]:
        tell(f"   [red]leakage[/]  {finding}")
    service.give_verdict(
        record.id, Verdict.VETO, by=people["mei"], reason="It predicts with what is known only after the outcome."
    )
    tell("   mei, digital safety officer: [bold red]veto[/]. The next call:")
    try:
        service.serving.decide(
            record.model, frame.iloc[-1:][list(STORIES[0].features)], purpose=PURPOSE, by=people["plant-system"]
        )
    except MayNotRun as refused:
        tell(f"   refused: {refused}")
        tell(f"   fallback: {refused.fallback}")


def _return_the_one_with_age(service: Service, folder: Path, people: dict[str, Person], tell: Tell) -> None:
    record = service.submit(folder, by=people["lin"])
    tell(f"\n[bold]2. {record.model}[/]: {_measured(record, 'roc_auc')}.")
    for finding in _failing(record, "weight_caps")[:1]:
        tell(f"   [red]weight_caps[/]  {finding}")
    declaration = record.declaration
    predictor = service.models.predictor(record)
    explanation = predictor.explain(service.models.background(record))
    held = hold_caps(explanation, caps_for(predictor.feature_names, service.rulebook.caps, declaration))
    age = predictor.feature_names.index("age")
    before, after = held.shares_before[:, age], held.shares_after[:, age]
    cut = declaration.model.threshold
    flipped = int(((predictor.score_of(held.margins) >= cut) != (predictor.score_of(explanation.scores) >= cut)).sum())
    tell(
        f"   What enforcement does: in {int(held.exceeded.sum())} of {len(before)} decisions age weighs more than "
        f"10 %; clipping takes its largest share from {before.max():.1%} to {after.max():.1%} and turns "
        f"{flipped} verdicts."
    )
    service.give_verdict(
        record.id, Verdict.RETURN, by=people["mei"], reason="Age carries more than its cap; train within the cap."
    )
    tell("   mei: [bold yellow]returned[/].")


def _approve_the_sound_one(service: Service, folder: Path, people: dict[str, Person], tell: Tell) -> SubmissionRecord:
    record = service.submit(folder, by=people["lin"])
    tell(f"\n[bold]3. {record.model}[/], without age: {_measured(record, 'roc_auc')}, tier {record.tier}.")
    tell(
        f"   threshold {record.declaration.model.threshold:g}, chosen on the curve of missed against false alarms: "
        f"{_measured(record, 'detection_rate')}, {_measured(record, 'false_alarm_rate')}."
    )
    for finding in _failing(record, "group_bias")[:1]:
        tell(f"   [red]group_bias[/]  {finding.split(';')[0]}")
    ruling = service.give_verdict(
        record.id,
        Verdict.APPROVE,
        by=people["mei"],
        reason="Finds two of three long absences from what is known at the time. Men and older workers are alarmed "
        "more often, so a person looks at every alarm, and the permit ends before the gap is forgotten.",
        until=service.clock() + timedelta(days=180),
        conditions=[
            {"kind": "review_alarms"},
            {"kind": "note", "text": "Explain or narrow the gap between groups before the permit is renewed."},
        ],
    )
    if ruling.permit is not None:
        tell(f"   mei: [bold green]approved with conditions[/] until {ruling.permit.until:%Y-%m-%d}:")
        for condition in ruling.permit.conditions.says():
            tell(f"   - {condition.en}")
    return service.book.get(record.id)


def _decide(service: Service, record: SubmissionRecord, caller: Person, frame: pd.DataFrame, tell: Tell) -> Decided:
    rows = frame.iloc[TRAINED + CHOSEN :].head(DECIDED)
    times = [REPLAY_FROM + timedelta(minutes=20 * number) for number in range(len(rows))]
    decided = service.serving.decide(
        record.model,
        rows[list(STORIES[2].features)],
        purpose=PURPOSE,
        by=caller,
        subjects=list(rows["claim"]),
        times=times,
    )
    head = service.log.checkpoint()
    tell(
        f"\n[bold]4. {len(rows)} decisions[/], each explained exactly and sealed before its answer left "
        "(past claims on a declared replay clock)."
    )
    tell(f"   log: {head.size} entries, root {head.root.hex()[:16]}…, signed checkpoint")
    first = next(decision for decision in decided.decisions if decision is not None and decision.verdict)
    order = np.argsort(-np.abs(first.contributions))[:3]
    names = service.models.predictor(record).feature_names
    why = ", ".join(f"{names[j]} {first.contributions[j]:+.2f}" for j in order)
    tell(f"   one alarm: score {first.score:.3f}, because {why} ({first.unit})")
    return decided


def _override(service: Service, decided: Decided, reviewer: Person, tell: Tell) -> str:
    alarms = [decision for decision in decided.decisions if decision is not None and decision.verdict]
    nearest = min(alarms, key=lambda decision: decision.score)
    identifier = str(nearest.id)
    service.reviews.review(
        identifier,
        Judgement.OVERRIDE,
        by=reviewer,
        reason="The surgeon's note of the same day gives two weeks; no early rehabilitation needed.",
    )
    tell(f"\n[bold]5. zhao[/], reviewer, overrides {identifier}: the words are added, the decision stays as it was.")
    return identifier


def _prove(service: Service, identifier: str, folder: Path, tell: Tell) -> list[Path]:
    bundle = folder / "evidence.json"
    document = service.telling.evidence(identifier)
    bundle.write_text(json.dumps(document, indent=1), encoding="utf-8")
    proven = verify_bundle(json.loads(bundle.read_text(encoding="utf-8")))
    tell(
        f"\n[bold]6. Proof[/] without database, service or network: {len(proven.steps)} steps, "
        f"{'[green]all hold[/]' if proven.holds else '[red]does not hold[/]'}."
    )
    altered = verify_bundle(json.loads(_one_character_changed(bundle.read_text(encoding="utf-8"), document)))
    failed = next((step for step in altered.steps if not step.holds), None)
    if failed is not None:
        tell(f"   one character of the sealed payload changed: step {failed.number} fails, {failed.says['en']}")
    return [bundle]


def _one_character_changed(text: str, document: dict[str, Any]) -> str:
    payload = str(document["entry"]["payload"])
    changed = payload[:-8] + ("A" if payload[-8] != "A" else "B") + payload[-7:]
    return text.replace(payload, changed)


def _report(service: Service, record: SubmissionRecord, identifier: str, folder: Path, tell: Tell) -> list[Path]:
    files = []
    for language in ("zh", "en"):
        report = folder / f"transparency-report.{language}.pdf"
        report.write_bytes(service.telling.report(record, language))
        letter = folder / f"decision-letter.{language}.pdf"
        letter.write_bytes(service.telling.letter(identifier, language, "employee"))
        files += [report, letter]
    tell("\n[bold]7. Reports[/] in Chinese and in English:")
    for file in files:
        tell(f"   {file}")
    return files


def _failing(record: SubmissionRecord, check: str) -> list[str]:
    return [str(f["says"]["en"]) for f in record.findings if f["check"] == check and f["holds"] is False]


def _measured(record: SubmissionRecord, rate: str) -> str:
    names = {"roc_auc": "ROC AUC", "detection_rate": "finds", "false_alarm_rate": "false alarms"}
    for finding in record.findings:
        rates = finding["evidence"].get("rates", {}) if finding["check"] == "performance" else {}
        if rate in rates:
            found = rates[rate]
            form = ".3f" if rate == "roc_auc" else ".1%"
            return f"{names[rate]} {found['value']:{form}} ({found['lo']:{form}} to {found['hi']:{form}})"
    return f"{names[rate]} not measured"
