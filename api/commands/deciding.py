"""Decisions and their proof: predict, trace, verify."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.shared import (
    Acting,
    Data,
    Json,
    acting,
    moment,
    opened,
    out,
    say,
    settings_for,
    show_json,
    show_pairs,
)
from api.views import as_seen_by, require_reader, view_of
from audit.verify import verify_bundle
from policies.errors import Malformed, NotFound, Sentence
from policies.roles import Action, Person, Role, require

PSEUDONYM = re.compile(r"[0-9a-f]{32}")


def predict(
    model: Annotated[str, typer.Argument(help="Registered model name.")],
    input_file: Annotated[Path, typer.Option("--input", help="Rows as .csv, .parquet or .json.")],
    output: Annotated[Path | None, typer.Option("--out", help="Where the answers go: .csv, .parquet or .json.")] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="What the answers are for.")] = "risk_intervention",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Decide every row of a file with the model version that holds a live permit.

    Example: mingjing predict chemical-release-harm --input releases.csv --out answers.csv
    """
    from api.tables import read_rows, write_rows
    from governance.governed_model import table_of

    rows = read_rows(input_file)
    with opened(data) as service:
        person = acting(service, as_user, Role.SERVICE)
        decided = service.serving.decide(model, rows, purpose=purpose, by=person)
    answers = table_of(decided)
    if output is not None:
        write_rows(answers, output)
    alarms = sum(1 for decision in decided.decisions if decision is not None and decision.verdict)
    refused = len(decided.problems)
    summary: dict[str, Any] = {
        "model": model,
        "rows": len(decided.decisions),
        "alarms": alarms,
        "refused": refused,
        "out": str(output) if output is not None else None,
    }
    if as_json:
        problems = [{"row": problem.row, "says": problem.says.as_json()} for problem in decided.problems]
        show_json({**summary, "problems": problems, "decisions": answers.to_dict("records")})
    else:
        out.print(f"{summary['rows']} rows decided and traced, {alarms} alarms, {refused} refused")
        for problem in decided.problems[:10]:
            out.print(f"  row {problem.row}: {say(problem.says)}", markup=False)
    if refused:
        raise typer.Exit(1)


def wrap(
    model: Annotated[str, typer.Argument(help="Registered model name.")],
    output: Annotated[Path, typer.Option("--out", help="Folder to write; it must not exist.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What the answers are for.")] = "risk_intervention",
    data: Data = None,
) -> None:
    """Write a folder that MLflow loads and serves as a model, governed by this house.

    Example: mingjing wrap chemical-release-harm --out governed-model
    """
    from api.pyfunc_door import wrap as write

    write(model, settings_for(data).data, output, purpose=purpose)
    out.print(f"mlflow models serve -m {output} --env-manager local", markup=False)


def trace(
    decision: Annotated[str | None, typer.Argument(metavar="DECISION_ID", help="Id of one decision.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Decisions of this model.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="From this day or moment (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this day or moment (UTC).")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Raw id or pseudonym of a person.")] = None,
    flag: Annotated[str | None, typer.Option("--flag", help="Only decisions with this flag.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 20,
    evidence: Annotated[Path | None, typer.Option("--evidence", help="Write the evidence bundle here.")] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help="What it is read for; default by role.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Show one decision, or find decisions by model, time, person and flag.

    Example: mingjing trace 0192… --evidence bundle.json
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.REGULATOR)
        require_reader(person)
        purpose = service.reading.purpose(purpose, person, asked=["subject"] if subject is not None else [])
        if decision is None:
            if subject is not None and person.role is not Role.EMPLOYEE:
                service.reading.note_search_about((_pseudonyms(service, subject) or ("",))[0], purpose, person)
            _search(service, person, model, since, until, subject, flag, limit, as_json)
            return
        entry = service.reviews.decision(decision, person)
        if evidence is not None:
            require(person, Action.EXPORT_EVIDENCE)
        service.reviews.note_access(entry, person, "decision" if evidence is None else "evidence", purpose)
        if view_of(person) == "employee":
            show_json(service.telling.decision_figures(decision).for_view("employee").as_json())
            return
        shown = as_seen_by(person, service.telling.decision(decision))
        if evidence is not None:
            evidence.write_text(json.dumps(service.telling.evidence(decision), indent=1), encoding="utf-8")
    if as_json:
        show_json(shown)
        return
    show_pairs({name: shown[name] for name in ("id", "time", "model", "version", "score", "verdict", "flags")})
    for line in shown["explanation"]["contributions"][:10]:
        out.print(f"    {line['feature']:<28} {line['value']!s:>12}  {line['contribution']:+.4f}", markup=False)
    for review in shown["reviews"]:
        out.print(f"  {review['kind']} by {review['by']}: {review['reason']}", markup=False)
    if evidence is not None:
        out.print(f"evidence bundle written to {evidence}; check it with: mingjing verify {evidence}")


def verify(
    bundle: Annotated[Path, typer.Argument(help="Evidence bundle, one JSON file.")],
    as_json: Json = False,
) -> None:
    """Check an evidence bundle offline: no database, no service, no network.

    Example: mingjing verify bundle.json
    """
    try:
        document = json.loads(bundle.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(Sentence(en=f"there is no file {bundle}", zh=f"没有文件 {bundle}")) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Malformed(
            Sentence(
                en=f"{bundle} is not an evidence bundle (JSON expected): {error}",
                zh=f"{bundle} 不是证据包（应为 JSON）：{error}",
            )
        ) from error
    verified = verify_bundle(document)
    if as_json:
        show_json(
            {
                "holds": verified.holds,
                "steps": [{"number": s.number, "holds": s.holds, "says": dict(s.says)} for s in verified.steps],
            }
        )
    else:
        for step in verified.steps:
            mark = "[green]holds[/]" if step.holds else "[red]fails[/]"
            out.print(f"  {step.number}. {mark}  {say(Sentence(en=step.says['en'], zh=step.says['zh']))}")
        out.print("[bold green]proven[/]" if verified.holds else "[bold red]not proven[/]")
    if not verified.holds:
        raise typer.Exit(1)


def _search(
    service: Any,
    person: Person,
    model: str | None,
    since: str | None,
    until: str | None,
    subject: str | None,
    flag: str | None,
    limit: int,
    as_json: bool,
) -> None:
    own = person.role is Role.EMPLOYEE
    page = service.log.search(
        kind="decision",
        model=model,
        since=moment(since),
        until=moment(until),
        subject=person.pseudonyms if own else _pseudonyms(service, subject),
        flag=flag,
        places=person.places,
        models=person.only_models,
        limit=limit,
    )
    service.reviews.note_listed(page.entries, person)
    found = [service.telling.line(entry) | ({"score": None} if own else {}) for entry in page.entries]
    if as_json:
        show_json({"decisions": found, "next": page.next})
        return
    for line in found:
        score = f"{line['score']:.4f}" if line["score"] is not None else "–"
        mark = "alarm" if line["verdict"] else "quiet"
        out.print(
            f"{line['id']}  {line['time']}  {line['model']}  {score}  {mark}  {' '.join(line['flags'])}", markup=False
        )
    if page.next is not None:
        out.print(f"more: narrow the search or raise --limit above {limit}")


def _pseudonyms(service: Any, subject: str | None) -> tuple[str, ...] | None:
    """Return a pseudonym as it is, and a raw id as every pseudonym it had."""
    if subject is None:
        return None
    if PSEUDONYM.fullmatch(subject):
        return (subject,)
    found: tuple[str, ...] = service.serving.pseudonyms_of(subject)
    return found
