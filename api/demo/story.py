"""The demo as it is told: each step does the real thing through the same service as every door."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from api.demo.submissions import CHOSEN, LABEL, STORIES, TRAINED, claims, write_submission
from api.wiring import Service
from audit.decided import Decided
from audit.verify import verify_bundle
from explainers.weight_shares import hold_caps
from governance.approvals import Verdict
from governance.permits import MayNotRun
from governance.reviews import Judgement
from governance.submissions import SubmissionRecord
from policies.errors import Sentence
from policies.feature_caps import caps_for
from policies.roles import Person, Role

DECIDED = 600
REPLAY_EVERY = timedelta(minutes=20)
"""Between two replayed cases; the last one is a moment ago, so that its reader can still object."""
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

Tell = Callable[[Sentence], None]
"""Shows one line of the story to the person; `[bold]` and colours are Rich's."""


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
    share = f"{frame[LABEL].mean():.1%}"
    tell(
        Sentence(
            en="[bold]Mingjing 明镜[/]: who may let a risk model act, why it decided, and proof of both\n\n"
            f"Real data: {len(frame):,} workers' compensation claims, {share} off work over 8 weeks.",
            zh="[bold]明镜 Mingjing[/]：谁批准风险模型投入使用、它为何如此判定，以及两者的证明\n\n"
            f"真实数据：{len(frame):,} 份工伤补偿案件，其中 {share} 停工超过 8 周。",
        )
    )
    hindsight, with_age, sound = (write_submission(story, frame, folder / story.name) for story in STORIES)

    _veto_the_leak(service, hindsight, people, frame, tell)
    _return_the_one_with_age(service, with_age, people, tell)
    record = _approve_the_sound_one(service, sound, people, tell)
    decided = _decide(service, record, people["plant-system"], frame, tell)
    overridden = _override(service, decided, people["zhao"], tell)
    files = [*_prove(service, overridden, folder, tell), *_report(service, record, overridden, folder, tell)]
    seconds = round(monotonic() - began, 1)
    tell(
        Sentence(
            en=f"\nDone in {seconds:.0f} s. Look around in the browser: [bold]make serve[/]",
            zh=f"\n完成，用时 {seconds:.0f} 秒。在浏览器中查看：[bold]make serve[/]",
        )
    )
    return Told(
        decisions=len(decided.decisions),
        alarms=sum(1 for decision in decided.decisions if decision is not None and decision.verdict),
        overridden=overridden,
        files=tuple(str(file) for file in files),
        seconds=seconds,
    )


def _accounts(service: Service) -> dict[str, Person]:
    for name, role in ACCOUNTS:
        service.people.add(name, role)
    return {name: service.people.person(name) for name, _ in ACCOUNTS}


def _veto_the_leak(service: Service, folder: Path, people: dict[str, Person], frame: pd.DataFrame, tell: Tell) -> None:
    record = service.submit(folder, by=people["lin"])
    skill = _measured(record, "roc_auc")
    tell(
        Sentence(
            en=f"\n[bold]1. {record.model}[/] looks brilliant: {skill.en}.",
            zh=f"\n[bold]1. {record.model}[/] 看似出色：{skill.zh}。",
        )
    )
    _tell_failing(record, "leakage", tell)
    service.give_verdict(
        record.id,
        Verdict.VETO,
        by=people["mei"],
        reason="It predicts with what is known only after the outcome. 使用了事后才能获知的信息。",
    )
    tell(
        Sentence(
            en="   mei, digital safety officer: [bold red]veto[/]. The next call:",
            zh="   数字安全官 mei：[bold red]否决[/]。下一次调用：",
        )
    )
    rows = frame.iloc[-1:][list(STORIES[0].features)]
    try:
        service.serving.decide(record.model, rows, purpose=PURPOSE, by=people["plant-system"])
    except MayNotRun as refused:
        tell(
            Sentence(
                en=f"   refused: {refused.says.en}\n   fallback: {refused.fallback}",
                zh=f"   已拒绝：{refused.says.zh}\n   fallback: {refused.fallback}",
            )
        )


def _return_the_one_with_age(service: Service, folder: Path, people: dict[str, Person], tell: Tell) -> None:
    record = service.submit(folder, by=people["lin"])
    skill = _measured(record, "roc_auc")
    tell(
        Sentence(
            en=f"\n[bold]2. {record.model}[/]: {skill.en}.",
            zh=f"\n[bold]2. {record.model}[/]：{skill.zh}。",
        )
    )
    _tell_failing(record, "weight_caps", tell)
    predictor = service.models.predictor(record)
    explanation = predictor.explain(service.models.background(record))
    held = hold_caps(explanation, caps_for(predictor.feature_names, service.rulebook.caps, record.declaration))
    age = predictor.feature_names.index("age")
    before, after = f"{held.shares_before[:, age].max():.1%}", f"{held.shares_after[:, age].max():.1%}"
    cut = record.declaration.model.threshold
    alarms = predictor.score_of(explanation.scores) >= cut
    turned = int(((predictor.score_of(held.margins) >= cut) != alarms).sum())
    over, of = int(held.exceeded.sum()), len(held.exceeded)
    tell(
        Sentence(
            en=f"   What enforcement does: in {over} of {of} decisions age weighs more than 10 %; clipping takes its "
            f"largest share from {before} to {after} and turns {turned} verdicts.",
            zh=f"   强制执行的效果：{of} 次判定中有 {over} 次年龄权重超过 10 %；"
            f"裁剪后其最大占比由 {before} 降至 {after}，{turned} 次判定结果改变。",
        )
    )
    service.give_verdict(
        record.id,
        Verdict.RETURN,
        by=people["mei"],
        reason="Age carries more than its cap; train within the cap. 年龄权重超过上限，请在上限内重新训练。",
    )
    tell(Sentence(en="   mei: [bold yellow]returned[/].", zh="   mei：[bold yellow]退回[/]。"))


def _approve_the_sound_one(service: Service, folder: Path, people: dict[str, Person], tell: Tell) -> SubmissionRecord:
    record = service.submit(folder, by=people["lin"])
    skill, found, false = (_measured(record, rate) for rate in ("roc_auc", "detection_rate", "false_alarm_rate"))
    threshold = f"{record.declaration.model.threshold:g}"
    tell(
        Sentence(
            en=f"\n[bold]3. {record.model}[/], without age: {skill.en}, tier {record.tier}.\n"
            f"   threshold {threshold}, chosen on the curve of missed against false alarms: {found.en}, {false.en}.",
            zh=f"\n[bold]3. {record.model}[/]，不含年龄：{skill.zh}，等级 {record.tier}。\n"
            f"   阈值 {threshold}，依漏报与误报的权衡曲线选定：{found.zh}，{false.zh}。",
        )
    )
    _tell_failing(record, "group_bias", tell)
    ruling = service.give_verdict(
        record.id,
        Verdict.APPROVE,
        by=people["mei"],
        reason="Finds two of three long absences from what is known at the time. Men and older workers are alarmed "
        "more often, so a person looks at every alarm, and the permit ends before the gap is forgotten. "
        "依当时已知信息可发现三分之二的长期停工。男性与年长者报警较多，故每次报警均须人工复核，许可期亦缩短。",
        until=service.clock() + timedelta(days=180),
        conditions=[
            {"kind": "review_alarms"},
            {
                "kind": "note",
                "text": "Explain or narrow the gap between groups before renewal. 续期前须说明或缩小群体差异。",
            },
        ],
    )
    if ruling.permit is not None:
        until = f"{ruling.permit.until:%Y-%m-%d}"
        tell(
            Sentence(
                en=f"   mei: [bold green]approved with conditions[/] until {until}:",
                zh=f"   mei：[bold green]附条件批准[/]，有效期至 {until}：",
            )
        )
        for condition in ruling.permit.conditions.says():
            tell(Sentence(en=f"   - {condition.en}", zh=f"   - {condition.zh}"))
    return service.book.get(record.id)


def _decide(service: Service, record: SubmissionRecord, caller: Person, frame: pd.DataFrame, tell: Tell) -> Decided:
    rows = frame.iloc[TRAINED + CHOSEN :].head(DECIDED)
    decided = service.serving.decide(
        record.model,
        rows[list(STORIES[2].features)],
        purpose=PURPOSE,
        by=caller,
        subjects=list(rows["claim"]),
        times=[service.clock() - REPLAY_EVERY * back for back in range(len(rows), 0, -1)],
    )
    head = service.log.checkpoint()
    first = next(decision for decision in decided.decisions if decision is not None and decision.verdict)
    names = service.models.predictor(record).feature_names
    leading = np.argsort(-np.abs(first.contributions))[:3]
    labels = [(record.declaration.feature(names[j]).label, first.contributions[j]) for j in leading]
    why_en = ", ".join(f"{label.en} {moved:+.2f}" for label, moved in labels if label is not None)
    why_zh = "，".join(f"{label.zh} {moved:+.2f}" for label, moved in labels if label is not None)
    tell(
        Sentence(
            en=f"\n[bold]4. {len(rows)} decisions[/], each explained exactly and sealed before its answer left "
            "(past claims on a declared replay clock).\n"
            f"   log: {head.size} entries, root {head.root.hex()[:16]}…, signed checkpoint\n"
            f"   one alarm: score {first.score:.3f}, because {why_en} ({first.unit})",
            zh=f"\n[bold]4. {len(rows)} 次判定[/]，每次均在答复发出之前精确解释并封存"
            "（历史案件，使用已声明的回放时钟）。\n"
            f"   日志：{head.size} 条，根哈希 {head.root.hex()[:16]}…，检查点已签名\n"
            f"   一次报警：分数 {first.score:.3f}，原因：{why_zh}（{first.unit}）",
        )
    )
    return decided


def _override(service: Service, decided: Decided, reviewer: Person, tell: Tell) -> str:
    alarms = [decision for decision in decided.decisions if decision is not None and decision.verdict]
    identifier = str(min(alarms, key=lambda decision: decision.score).id)
    service.reviews.review(
        identifier,
        Judgement.OVERRIDE,
        by=reviewer,
        reason="The surgeon's note of the same day gives two weeks; no early rehabilitation needed. "
        "当日医嘱为休息两周，无须提前康复。",
    )
    tell(
        Sentence(
            en=f"\n[bold]5. zhao[/], reviewer, overrides {identifier}: the words are added, the decision stays.",
            zh=f"\n[bold]5. 复核人 zhao[/] 改判 {identifier}：意见追加入日志，原判定保持不变。",
        )
    )
    return identifier


def _prove(service: Service, identifier: str, folder: Path, tell: Tell) -> list[Path]:
    bundle = folder / "evidence.json"
    document = service.telling.evidence(identifier)
    bundle.write_text(json.dumps(document, indent=1), encoding="utf-8")
    proven = verify_bundle(json.loads(bundle.read_text(encoding="utf-8")))
    result = (
        Sentence(en="[green]all hold[/]", zh="[green]全部成立[/]")
        if proven.holds
        else Sentence(en="[red]not all hold[/]", zh="[red]未全部成立[/]")
    )
    tell(
        Sentence(
            en=f"\n[bold]6. Proof[/] without database, service or network: {len(proven.steps)} steps, {result.en}.",
            zh=f"\n[bold]6. 证明[/]，不需要数据库、服务或网络：{len(proven.steps)} 步，{result.zh}。",
        )
    )
    altered = verify_bundle(json.loads(_one_character_changed(bundle.read_text(encoding="utf-8"), document)))
    failed = next((step for step in altered.steps if not step.holds), None)
    if failed is not None:
        tell(
            Sentence(
                en=f"   one character of the sealed payload changed: step {failed.number} fails, {failed.says['en']}",
                zh=f"   将封存内容改动一个字符：第 {failed.number} 步不成立，{failed.says['zh']}",
            )
        )
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
    tell(Sentence(en="\n[bold]7. Reports[/] in Chinese and in English:", zh="\n[bold]7. 报告[/]，中文与英文："))
    for file in files:
        tell(Sentence(en=f"   {file}", zh=f"   {file}"))
    return files


def _tell_failing(record: SubmissionRecord, check: str, tell: Tell) -> None:
    """Tell the first thing that does not hold in one check, without the advice that follows it."""
    for finding in record.findings:
        if finding["check"] == check and finding["holds"] is False:
            says = Sentence(en=str(finding["says"]["en"]), zh=str(finding["says"]["zh"]))
            tell(Sentence(en=f"   [red]{check}[/]  {says.en}", zh=f"   [red]{check}[/]  {says.zh}"))
            return


NAMES = {
    "roc_auc": Sentence(en="ROC AUC", zh="ROC AUC"),
    "detection_rate": Sentence(en="finds", zh="检出率"),
    "false_alarm_rate": Sentence(en="false alarms", zh="误报率"),
}


def _measured(record: SubmissionRecord, rate: str) -> Sentence:
    """Return one rate with its interval."""
    for finding in record.findings:
        rates = finding["evidence"].get("rates", {}) if finding["check"] == "performance" else {}
        if rate in rates:
            form = ".3f" if rate == "roc_auc" else ".1%"
            value, low, high = (f"{rates[rate][part]:{form}}" for part in ("value", "lo", "hi"))
            name = NAMES[rate]
            return Sentence(en=f"{name.en} {value} ({low} to {high})", zh=f"{name.zh} {value}（{low}～{high}）")
    return Sentence(en=f"{NAMES[rate].en} not measured", zh=f"{NAMES[rate].zh}未测得")
