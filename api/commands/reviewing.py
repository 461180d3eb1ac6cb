"""What people say about decisions: the queue, agreement, labels for retraining, requests and their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from api.commands.shared import Acting, Data, Json, acting, moment, opened, out, say, show_json
from governance.agreement import agreement, agreement_by_model, over_reliance
from governance.appeals import Asks, Outcome, Request
from governance.relabelling import relabelled_rows
from governance.reviews import TRACKS, Judgement
from policies.errors import Malformed, Sentence
from policies.roles import Action, Role, require

Chosen = TypeVar("Chosen", Asks, Outcome)

reviewing = typer.Typer(help="Human review of decisions.", no_args_is_help=True)
appealing = typer.Typer(help="Requests of people touched by decisions.", no_args_is_help=True)

From = Annotated[str | None, typer.Option("--from", help="From this day or moment (UTC); default 90 days ago.")]
To = Annotated[str | None, typer.Option("--to", help="Before this day or moment (UTC); default now.")]


@reviewing.command("queue")
def queue(
    model: Annotated[str | None, typer.Option("--model", help="Only decisions of this model.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 20,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """List decisions that wait for a person, gravest tier and nearest deadline first.

    Example: mingjing review queue --model gas-leak
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.REVIEWER)
        found = service.review_queue.waiting(person, model=model, limit=limit)
    if as_json:
        show_json({"waiting": [line.as_json() for line in found]})
        return
    for line in found:
        mark = "overdue" if line.overdue else "due"
        out.print(
            f"{line.decision.id}  {line.tier}  {mark} {line.due:%Y-%m-%d %H:%M}  {line.decision.model}", markup=False
        )


@reviewing.command("add")
def add(
    decision: Annotated[str, typer.Argument(metavar="DECISION_ID", help="Id of one decision.")],
    judgement: Annotated[str, typer.Argument(metavar="confirm|override", help="What you find.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in words others can follow.")] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", help="equipment=… or safety=…: what was true. Repeatable.")
    ] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Confirm or override one decision; the words are added to the log, nothing is edited.

    Example: mingjing review add 0192… override --reason "the valve was being replaced" --label equipment=sound
    """
    if judgement not in list(Judgement):
        raise Malformed(
            Sentence(
                en=f"a review is confirm or override; found '{judgement}'",
                zh=f"复核只能是 confirm 或 override，实际为“{judgement}”",
            )
        )
    with opened(data) as service:
        person = acting(service, as_user, Role.REVIEWER)
        labels = dict(_label(text) for text in label or [])
        made = service.reviews.review(decision, Judgement(judgement), by=person, reason=reason, labels=labels)
    if as_json:
        show_json(made.as_json())
        return
    out.print(f"{made.kind} {made.id} is in the log", markup=False)


@reviewing.command("agreement")
def how_far_they_agree(
    since: From = None,
    until: To = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Count confirmations and overrides; the officer also sees signs of over-reliance, never about one person.

    Example: mingjing review agreement --from 2026-07-01 --to 2026-10-01
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        require(person, Action.READ_DECISIONS)
        first, last = service.window(moment(since), moment(until))
        found = [
            agreement(service.log, first, last, seen_by=person),
            *agreement_by_model(service.log, first, last, seen_by=person),
        ]
        leaning = None
        if person.may(Action.OVERSEE_REVIEWS):
            leaning = over_reliance(service.log, service.rulebook.reviews, first, last, by=person)
    if as_json:
        told = leaning.as_json() if leaning is not None else None
        show_json({"agreement": [one.as_json() for one in found], "over_reliance": told})
        return
    for one in found:
        out.print(f"{one.model or 'all models'}: {say(one.says())}", markup=False)
    if leaning is not None:
        out.print(say(leaning.says()), markup=False)


@reviewing.command("labels")
def labels(
    model: Annotated[str, typer.Argument(help="Registered model name.")],
    output: Annotated[Path, typer.Option("--out", help="Where the rows go: a .csv file.")],
    since: From = None,
    until: To = None,
    data: Data = None,
    as_user: Acting = None,
) -> None:
    """Write what reviewers found to be true as rows for retraining: no persons, no ids, no times.

    Example: mingjing review labels gas-leak --out labels.csv
    """
    with opened(data) as service:
        first, last = service.window(moment(since), moment(until))
        found = relabelled_rows(service.log, model, first, last, by=acting(service, as_user, Role.DSO))
    output.write_bytes(found)
    out.print(f"{len(found.splitlines()) - 1} rows written to {output}", markup=False)


@appealing.command("list")
def everything(
    only_open: Annotated[bool, typer.Option("--open", help="Only what waits for an answer.")] = False,
    only_due: Annotated[bool, typer.Option("--due", help="Only what is due within three days, or overdue.")] = False,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """List requests about decisions, those with the nearest day first.

    Example: mingjing appeal list --due
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.REVIEWER)
        found = service.appeals.due(person) if only_due else service.appeals.list(person, only_open=only_open)
    if as_json:
        show_json({"appeals": [one.as_json() for one in found]})
        return
    for one in found:
        out.print(_line(one), markup=False)


@appealing.command("add")
def ask(
    decision: Annotated[str, typer.Argument(metavar="DECISION_ID", help="Id of a decision about yourself.")],
    asks: Annotated[str, typer.Option("--asks", help=", ".join(Asks))] = Asks.APPEAL.value,
    reason: Annotated[str, typer.Option("--reason", help="Why, in your own words.")] = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Ask for an explanation of a decision about yourself, for a decision by a person, or contest it.

    Example: mingjing appeal add 0192… --asks explanation --reason "I was not there" --as lin
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.EMPLOYEE)
        made = service.appeals.ask(decision, _one_of(Asks, asks), by=person, reason=reason)
    if as_json:
        show_json(made.as_json())
        return
    out.print(_line(made), markup=False)


@appealing.command("answer")
def answer(
    request: Annotated[str, typer.Argument(metavar="APPEAL_ID", help="Id of the request.")],
    outcome: Annotated[str, typer.Argument(metavar="explained|stands|changed", help="What came of it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in words the person can follow.")] = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Answer a request with reasons; who reviewed the decision does not answer.

    Example: mingjing appeal answer 0192… changed --reason "the reading was taken before the repair"
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.REVIEWER)
        made = service.appeals.answer(request, _one_of(Outcome, outcome), by=person, reason=reason)
    if as_json:
        show_json(made.as_json())
        return
    out.print(_line(made), markup=False)


@appealing.command("statistics")
def statistics(
    since: From = None,
    until: To = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Count requests and answers of a time, as they are published.

    Example: mingjing appeal statistics --from 2026-07-01 --to 2026-10-01
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.REGULATOR)
        require(person, Action.READ_DECISIONS)
        first, last = service.window(moment(since), moment(until))
        found = service.appeals.statistics(first, last, seen_by=person)
    if as_json:
        show_json({"appeals": [figures.as_json() for figures in found]})
        return
    for figures in found:
        out.print(
            f"{figures.asks.value:<16}{figures.received:>5} received, {figures.answered} answered "
            f"({figures.in_time} in time), {figures.overdue} overdue, {figures.changed} changed",
            markup=False,
        )


def _line(one: Request) -> str:
    state = one.outcome.value if one.outcome is not None else ("overdue" if one.overdue else "open")
    return f"{one.id}  {one.asks.value:<15} {state:<10} due {one.due:%Y-%m-%d}  decision {one.decision}"


def _one_of(kind: type[Chosen], text: str) -> Chosen:
    if text not in list(kind):
        known = ", ".join(kind)
        raise Malformed(
            Sentence(en=f"'{text}' is none of {known}", zh=f"“{text}”不在可选范围内：{known}"),
        )
    return kind(text)


def _label(text: str) -> tuple[str, str]:
    track, found, label = text.partition("=")
    if not found:
        raise Malformed(
            Sentence(
                en=f"'{text}' is no label; write TRACK=LABEL with {' or '.join(TRACKS)}",
                zh=f"“{text}”不是标签，请写作 轨道=标签，轨道为 {' 或 '.join(TRACKS)}",
            )
        )
    return track, label
