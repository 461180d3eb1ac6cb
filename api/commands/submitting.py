"""From a submission directory to a verdict: check, submit, verdict."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.shared import (
    Acting,
    Data,
    Json,
    acting,
    end_of_day,
    opened,
    out,
    progress_bar,
    say,
    settings_for,
    show_json,
)
from governance.conditions import condition_from_text
from model_registry.named_files import DECLARATION
from policies.errors import Malformed, Sentence
from policies.roles import Role
from policies.rulebook import BUILT_IN, Rulebook, read_rulebook

MARKS = {True: "[green]holds        [/]", False: "[red]does not hold[/]", None: "[yellow]cannot say   [/]"}


def check(
    submission_dir: Annotated[Path | None, typer.Argument(help="Folder with submission.toml.")] = None,
    questions: Annotated[
        bool, typer.Option("--questions", help="Print the impact questions and their answers.")
    ] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here, one case per finding.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write SARIF 2.1.0 here, for code scanning.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Append a summary in Markdown here.")] = None,
    as_json: Json = False,
) -> None:
    """Run every check on a submission. No server, no registry, nothing stored.

    Example: mingjing check submissions/chemical-release --junit findings.xml
    """
    settings = settings_for(None)
    if questions:
        _show_questions(read_rulebook(settings.rulebook or BUILT_IN), as_json)
        return
    if submission_dir is None:
        raise Malformed(
            Sentence(
                en="name the submission directory: mingjing check SUBMISSION_DIR",
                zh="请指定提交目录：mingjing check SUBMISSION_DIR",
            )
        )
    from api.checking import check_directory

    with progress_bar("Checking") as progress:
        examination = check_directory(settings, submission_dir, progress)
    report = examination.as_json()
    _write_for_ci(report, submission_dir, junit, sarif, markdown, settings.language)
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
            until=end_of_day(until) if until is not None else None,
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


def _write_for_ci(
    report: dict[str, Any],
    directory: Path,
    junit: Path | None,
    sarif: Path | None,
    markdown: Path | None,
    language: str,
) -> None:
    """Write what a pipeline reads. The Markdown is appended, as pipelines collect the summaries of their steps."""
    from reports.pipeline_formats import junit_of, markdown_of, sarif_of

    if junit is not None:
        junit.write_bytes(junit_of(report, language))
    if sarif is not None:
        where = (directory / DECLARATION).as_posix()
        sarif.write_bytes(sarif_of(report, where, version("mingjing"), language))
    if markdown is not None:
        with markdown.open("a", encoding="utf-8") as file:
            file.write(markdown_of(report, language))


def _show_findings(findings: Any) -> None:
    for finding in findings:
        says = Sentence(en=finding["says"]["en"], zh=finding["says"]["zh"])
        out.print(f"  {MARKS[finding['holds']]}  [bold]{finding['check']:<14}[/]", end=" ")
        out.print(say(says), markup=False)


def _show_questions(rulebook: Rulebook, as_json: bool) -> None:
    matrix = rulebook.impact
    if as_json:
        show_json(matrix.as_json())
        return
    for question in matrix.questions:
        out.print(f"[bold]{question.name}[/]  {say(question.asks)}")
        for option in question.options:
            mark = "*" if option.answer == question.unanswered else " "
            out.print(f" {mark}{option.answer:<18}{option.points:>3}  {say(option.says)}", markup=False)
    out.print(say(Sentence(en="* counted when not answered", zh="* 未回答时按此计分")), markup=False)
    starts = ", ".join(f"{tier} {points}" for tier, points in matrix.tier_from.items())
    out.print(
        say(Sentence(en=f"points from which a tier begins: {starts}", zh=f"各等级起始分值：{starts}")), markup=False
    )
    for floor in matrix.floors:
        out.print(f"  {floor.tier}  {say(floor.says)}", markup=False)
