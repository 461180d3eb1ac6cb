"""From a submission directory to a verdict: check, submit, verdict."""

from __future__ import annotations

from datetime import datetime
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
    progress_bar,
    say,
    settings_for,
    show_json,
)
from governance.conditions import condition_from_text
from policies.errors import Malformed, Sentence
from policies.roles import Role
from policies.rulebook import BUILT_IN, Rulebook, read_rulebook

MARKS = {True: "[green]holds        [/]", False: "[red]does not hold[/]", None: "[yellow]cannot say   [/]"}


def check(
    submission_dir: Annotated[Path | None, typer.Argument(help="Folder with submission.toml.")] = None,
    questions: Annotated[
        bool, typer.Option("--questions", help="Print the impact questions and their answers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run every check on a submission. No server, no registry, nothing stored.

    Example: mingjing check submissions/chemical-release --json
    """
    settings = settings_for(None)
    rulebook = read_rulebook(settings.rulebook or BUILT_IN)
    if questions:
        _show_questions(rulebook, as_json)
        return
    if submission_dir is None:
        raise Malformed(
            Sentence(
                en="name the submission directory: mingjing check SUBMISSION_DIR",
                zh="请指定提交目录：mingjing check SUBMISSION_DIR",
            )
        )
    from governance.inherited_list import list_in_force
    from governance.intake import examine_directory

    known = list_in_force(settings.data, settings.negative_list)
    with progress_bar("Checking") as progress:
        examination = examine_directory(submission_dir, rulebook, progress, negative_list=known)
    report = examination.as_json()
    if as_json:
        show_json(report)
    else:
        out.print(f"[bold]{report['model']}[/]  tier {report['tier']}  artifact {report['artifact_digest'][:12]}")
        for cell in examination.assessment.because:
            out.print(f"  {say(cell.says)}", markup=False)
        _show_findings(report["findings"])
    if examination.holds is False:
        raise typer.Exit(1)


def submit(
    submission_dir: Annotated[Path, typer.Argument(help="Folder with submission.toml.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Register a model, give it a tier, run the checks, put it before the digital safety officer.

    Example: mingjing submit submissions/chemical-release
    """
    with opened(data) as service, progress_bar("Submitting") as progress:
        person = acting(service, as_user, Role.ML_ENGINEER)
        record = service.submit(submission_dir, by=person, progress=progress)
    said = record.as_json()
    if as_json:
        show_json({**said, "submission": record.id, "findings": list(record.findings)})
    else:
        out.print(f"submission [bold]{record.id}[/]")
        out.print(f"  registered as {record.model} version {record.version}, tier {record.tier}")
        _show_findings(record.findings)
    if record.holds is False:
        raise typer.Exit(1)


def verdict(
    submission: Annotated[str, typer.Argument(help="Id of the submission.")],
    decision: Annotated[str, typer.Argument(metavar="approve|return|veto", help="What you decide.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in words others can follow.")] = "",
    until: Annotated[str | None, typer.Option("--until", help="Last day of the permit, YYYY-MM-DD.")] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option("--condition", help="threshold=0.4, review_alarms, sites=a,b, or a sentence. Repeatable."),
    ] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Approve, return or veto a submission. A veto is final for the artifact.

    Example: mingjing verdict 0192… approve --reason "misses fewer than the rule it replaces" --condition review_alarms
    """
    from governance.approvals import Verdict

    if decision not in list(Verdict):
        raise Malformed(
            Sentence(
                en=f"a verdict is approve, return or veto; found '{decision}'",
                zh=f"裁定只能是 approve、return 或 veto，实际为“{decision}”",
            )
        )
    with opened(data) as service:
        ruling = service.give_verdict(
            submission,
            Verdict(decision),
            by=acting(service, as_user, Role.DSO),
            reason=reason,
            until=_end_of(until),
            conditions=[condition_from_text(text) for text in condition or []],
        )
    said = {
        "submission": submission,
        "stage": ruling.stage.value,
        "permit": ruling.permit.id if ruling.permit else None,
        "until": ruling.permit.until.isoformat() if ruling.permit else None,
        "still_needed": list(ruling.still_needed),
        "verdict": ruling.verdict.as_json(),
    }
    if as_json:
        show_json(said)
        return
    out.print(f"submission {submission} is now [bold]{ruling.stage}[/]")
    if ruling.permit is not None:
        out.print(f"  permit for artifact {ruling.permit.artifact_digest[:12]} until {ruling.permit.until:%Y-%m-%d}")
    if ruling.still_needed:
        out.print(f"  still needed: {', '.join(ruling.still_needed)}")


def _end_of(text: str | None) -> datetime | None:
    """Return the moment as written, or the end of the day where only a day is: a permit covers its last day."""
    found = moment(text)
    if text is None or found is None or len(text.strip()) > len("2026-01-01"):
        return found
    return found.replace(hour=23, minute=59, second=59, microsecond=999_999)


def _show_findings(findings: Any) -> None:
    for finding in findings:
        says = Sentence(en=finding["says"]["en"], zh=finding["says"]["zh"])
        out.print(f"  {MARKS[finding['holds']]}  [bold]{finding['check']:<14}[/]", end=" ")
        out.print(say(says), markup=False)


def _show_questions(rulebook: Rulebook, as_json: bool) -> None:
    if as_json:
        show_json(
            [
                {
                    "question": question.name,
                    "asks": question.asks.as_json(),
                    "counted_when_unanswered": question.unanswered,
                    "answers": [
                        {"answer": option.answer, "points": option.points, "says": option.says.as_json()}
                        for option in question.options
                    ],
                }
                for question in rulebook.impact.questions
            ]
        )
        return
    for question in rulebook.impact.questions:
        out.print(f"[bold]{question.name}[/]  {say(question.asks)}")
        for option in question.options:
            out.print(f"  {option.answer:<18}{option.points:>3}  {say(option.says)}", markup=False)
