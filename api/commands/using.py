"""Teams declare another use of a model, and see what that does to its permit."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, say, show_json
from governance.use_changes import Asked, Outcome, UseChange
from policies.errors import Malformed, Sentence
from policies.roles import Role

using = typer.Typer(help="What a model is used for, and changes of it.", no_args_is_help=True)


@using.command("change")
def change(
    submission: Annotated[str, typer.Argument(help="Id of the submission.")],
    description: Annotated[str | None, typer.Option("--description", help="What it is for now.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Where it shall run.")] = None,
    answer: Annotated[
        list[str] | None, typer.Option("--answer", help="QUESTION=ANSWER of the impact matrix. Repeatable.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, in words others can follow.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Show what it would do; change nothing.")] = False,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Declare another use: it is assessed anew, and a permit that does not cover it is suspended at once.

    Example: mingjing use change 0192… --answer autonomy=automatic_action --reason "it closes the valve now" --preview
    """
    asked = Asked(description=description, site=site, impact=_answers(answer or []))
    with opened(data) as service:
        act = service.use_changes.consider if preview else service.use_changes.change
        made = act(submission, asked, by=acting(service, as_user, Role.ML_ENGINEER), reason=reason)
    if as_json:
        show_json({"preview": preview, **made.as_json()})
        return
    _show(made)


@using.command("list")
def everything(
    submission: Annotated[str | None, typer.Argument(help="Only of this submission.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """List the changed uses and what came of the permits.

    Example: mingjing use list --json
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        changes = service.use_changes
        found = changes.known_to(person) if submission is None else changes.of(submission, person)
    if as_json:
        show_json({"changes": [made.as_json() for made in found]})
        return
    for made in found:
        out.print(f"{made.at:%Y-%m-%d %H:%M}  {made.model}:{made.version}  by {made.by}", markup=False)
        _show(made)


def _show(made: UseChange) -> None:
    stands = "the permit stands" if made.outcome is Outcome.CONFIRMED else "nothing runs until a new verdict"
    out.print(f"{made.old} to {made.new}: {stands}", markup=False)
    for sentence in (*made.because, *(cell.says for cell in made.assessment.because)):
        out.print(f"  {say(sentence)}", markup=False)


def _answers(texts: list[str]) -> dict[str, str]:
    answers = {}
    for text in texts:
        question, equals, answer = text.partition("=")
        if not equals:
            raise Malformed(
                Sentence(en=f"'{text}' is no answer; write QUESTION=ANSWER", zh=f"“{text}”不是回答，请写作 问题=回答")
            )
        answers[question.strip()] = answer.strip()
    return answers
