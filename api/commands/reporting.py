"""What is told: transparency reports and decision letters as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.paper_files import FORMS, TRANSPARENCY, paper, require_form, words_of
from api.commands.shared import Acting, Data, Json, acting, opened, out, show_json
from api.views import VIEWS, require_reader, require_view
from policies.errors import Malformed, Sentence
from policies.roles import Action, Role, require, require_in_scope


def report(
    model: Annotated[str, typer.Argument(help="Registered model name.")],
    file: Annotated[Path | None, typer.Option("--out", help="Where it goes; the suffix names the form.")] = None,
    language: Annotated[str, typer.Option("--lang", help="zh or en.")] = "en",
    version: Annotated[
        str | None, typer.Option("--version", help="Version; default the approved, else newest.")
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help=f"One of {', '.join(FORMS)}.")] = TRANSPARENCY,
    metadata: Annotated[
        Path | None, typer.Option("--metadata", help="TOML file with the words of a bias audit.")
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Seal a bias audit into the log and publish it.")] = False,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Write a report about a model; the transparency report as PDF unless --kind says otherwise.

    Example: mingjing report chemical-release-harm --lang zh --out report.pdf
    """
    _require_language(language)
    require_form(kind, file)
    words = words_of(metadata)
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO if publish else Role.REGULATOR)
        require(person, Action.READ_REPORTS)
        record = service.telling.record_of(model, version)
        require_in_scope(person, record.site or None, record.model, "model", model)
        if kind != TRANSPARENCY:
            target = file or Path(f"{record.model}-{record.version}.{kind}.{language}{FORMS[kind][0]}")
            made, figures = paper(
                service, record, kind, target.suffix, language, by=person, words=words, publish=publish
            )
            if file is not None or not as_json:
                target.write_bytes(made)
            if as_json:
                show_json(figures)
            else:
                out.print(f"{target} written: {kind} of {record.model} version {record.version}", markup=False)
            return
        if as_json:
            show_json(service.telling.model_figures(record).as_json())
        if file is not None or not as_json:
            target = file or Path(f"{record.model}-{record.version}.{language}.pdf")
            target.write_bytes(service.telling.report(record, language))
            if not as_json:
                out.print(f"{target} written: {record.model} version {record.version}", markup=False)


def letter(
    decision: Annotated[str, typer.Argument(metavar="DECISION_ID", help="Id of one decision.")],
    file: Annotated[Path, typer.Option("--out", help="Where the PDF goes.")],
    language: Annotated[str, typer.Option("--lang", help="zh or en.")] = "en",
    view: Annotated[str, typer.Option("--view", help="employee, reviewer or regulator.")] = "employee",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Write the letter about one decision as PDF, holding what this reader may see.

    Example: mingjing letter 0192… --lang zh --view employee --out letter.pdf
    """
    _require_language(language)
    if view not in VIEWS:
        raise Malformed(
            Sentence(
                en=f"there is no view '{view}'; expected {', '.join(VIEWS)}",
                zh=f"没有视图“{view}”，应为 {'、'.join(VIEWS)} 之一",
            )
        )
    with opened(data) as service:
        person = acting(service, as_user, Role.REGULATOR)
        require_reader(person)
        require_view(person, view)
        entry = service.reviews.decision(decision, person)
        service.reviews.note_access(entry, person, "letter")
        file.write_bytes(service.telling.letter(decision, language, view))
    if as_json:
        show_json({"decision": decision, "view": view, "out": str(file)})
        return
    out.print(f"{file} written", markup=False)


def _require_language(language: str) -> None:
    if language not in ("zh", "en"):
        raise Malformed(
            Sentence(
                en=f"there is no language '{language}'; expected zh or en", zh=f"没有语言“{language}”，应为 zh 或 en"
            )
        )
