"""The form of a submission: kept half filled in, mended beside each field, and handed in as the zip it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData, UploadFile

from api.console.pages import PageRoute, done, language_of, page
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.console.submission_form import (
    FEATURE,
    ROLES,
    SOURCE,
    TRACK,
    Fields,
    document_of,
    form_faults,
    name_of_file,
    over_limits,
    placed,
    proposed,
    rows_of,
    typed_in,
)
from api.console.wording import say
from api.hot_path import LARGEST_BODY
from api.routes.shared import service_of
from api.wiring import Service
from api.work import ask_for_packed
from governance.drafts import Draft
from governance.jobs import Job, JobState
from model_registry.columns import absent_columns
from model_registry.tables import column_names
from model_registry.unpacking import pack_submission
from policies.declaration import RECORD_FIELDS, Declaration, Flavour, Protective, Protocol, Task, read_declaration
from policies.declaration_text import declaration_text
from policies.errors import Fault, FieldSentence, Malformed, NotFound, Sentence, refuse_all
from policies.impact_matrix import Assessment, ImpactMatrix, assess
from policies.roles import Person


class FormRoute(PageRoute):
    """A page with a long form: a row of nine fields for every feature, and three files."""

    most_files, most_fields = len(ROLES), 2400


router = APIRouter(route_class=FormRoute)

Visitor = Annotated[Person, Depends(signed_in)]

BLANKS, MORE_BLANKS = 2, 10
"""Empty rows for features on a page, and once somebody asked for more."""


@router.post("/drafts")
def begin(request: Request, person: Visitor, form: Posted) -> Response:
    """Begin a draft and lead to its form."""
    service = service_of(request)
    fields = {"use.site": person.site} if person.site is not None else {}
    draft = service.drafts.begin(by=person, fields=fields)
    return done(f"/drafts/{draft.id}")


@router.get("/drafts/{draft}")
def draft(request: Request, draft: str, person: Visitor, more: str = "") -> Response:
    """Show the form as it was left; while it is being examined, lead to how far that is."""
    service = service_of(request)
    found = service.drafts.seen_by(draft, person)
    job = _job_of(service, found, person)
    if job is not None and not job.over:
        return done(f"/jobs/{job.id}")
    failed = job is not None and job.state is JobState.FAILED and (job.ended_at or job.asked_at) >= found.changed_at
    return _shown(request, service, person, found, faults=job.faults if job and failed else (), more=bool(more))


@router.post("/drafts/{draft}")
def change(request: Request, draft: str, person: Visitor, form: Posted) -> Response:
    """Keep what was typed, whatever is wrong with it; then do what the button says."""
    service = service_of(request)
    found = service.drafts.seen_by(draft, person)
    act = str(form.get("act", "save"))
    typed = typed_in(form.multi_items(), service.rulebook.impact)
    try:
        refuse_all(over_limits(typed))
        found = _kept(service, found, typed, form, person)
        if act == "columns":
            return _proposed(service, found, person)
        if act == "hand_in":
            return done(f"/jobs/{_handed_in(service, found, person).id}")
    except NotFound:
        raise
    except Fault as fault:
        found = service.drafts.seen_by(draft, person)
        return _shown(request, service, person, found, 422, faults=fault.faults, typed=typed)
    return done(f"/drafts/{draft}", "saved", **({"more": "1"} if act == "rows" else {}))


@router.post("/drafts/{draft}/discard")
def discard(request: Request, draft: str, person: Visitor) -> Response:
    """Throw a draft away."""
    service_of(request).drafts.discard(draft, by=person)
    return done("/submissions", "discarded")


@router.get("/drafts/{draft}/submission.toml")
def declaration(request: Request, draft: str, person: Visitor) -> Response:
    """Return the declaration as the form has it so far, for the team's own pipeline."""
    found = service_of(request).drafts.seen_by(draft, person)
    headers = {"Content-Disposition": 'attachment; filename="submission.toml"'}
    return Response(_text(found.fields, found), media_type="application/toml", headers=headers)


def _kept(service: Service, found: Draft, typed: Fields, form: FormData, person: Person) -> Draft:
    """Save first: nothing that was typed or uploaded is lost by what comes after."""
    drop = {role for role in ROLES if form.get(f"drop.{role}")}
    files: dict[str, tuple[str, BinaryIO]] = {}
    names = {role: file.name for role, file in found.files.items() if role not in drop}
    for role in ROLES:
        file = form.get(f"file.{role}")
        if isinstance(file, UploadFile) and file.filename:
            taken = [name for other, name in names.items() if other != role]
            names[role] = name_of_file(file.filename, role, taken)
            files[role] = (names[role], file.file)
    return service.drafts.save(found.id, typed, by=person, files=files, drop=drop)


def _proposed(service: Service, found: Draft, person: Person) -> Response:
    if "evaluation" not in found.files:
        raise Malformed(
            FieldSentence(
                en="choose the evaluation file first; its first line names the columns",
                zh="请先选择评估数据文件，其首行为列名",
                field="data.evaluation",
            )
        )
    columns = _columns(service, found, "evaluation")
    service.drafts.save(found.id, proposed(found.fields, columns), by=person)
    return done(f"/drafts/{found.id}", "columns")


def _handed_in(service: Service, found: Draft, person: Person) -> Job:
    """Queue the zip that the form stands for, on the same road as an uploaded one."""
    names = {role: file.name for role, file in found.files.items()}
    faults = list(form_faults(found.fields, names))
    text = declaration_text(document_of(found.fields, names))
    try:
        faults += _column_faults(service, found, read_declaration(text))
    except Malformed as fault:
        faults += fault.faults
    if faults:
        raise Malformed(*faults)
    paths = {file.name: service.drafts.path(found.id, role) for role, file in found.files.items()}
    return ask_for_packed(
        service,
        lambda file: pack_submission(text.encode(), paths, file),
        found.fields["model.name"],
        by=person,
        along=lambda connection, job: service.drafts.claim(connection, found.id, job),
    )


def _column_faults(service: Service, found: Draft, said: Declaration) -> list[Sentence]:
    """Return what the first lines of the files show already; the rest is for the examination."""
    faults: list[Sentence] = []
    for role in ("evaluation", "training"):
        if role in found.files:
            name = found.files[role].name
            faults += absent_columns(said, name, _columns(service, found, role), training=role == "training")
    return faults


def _columns(service: Service, found: Draft, role: str) -> list[str]:
    try:
        return column_names(service.drafts.path(found.id, role))
    except Malformed as fault:
        raise Malformed(*(said.about(f"data.{role}") for said in fault.faults)) from fault


def _job_of(service: Service, found: Draft, person: Person) -> Job | None:
    return service.jobs.seen_by(found.job, person) if found.job is not None else None


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the form offers to choose from."""

    flavours: tuple[str, ...] = tuple(Flavour)
    tasks: tuple[str, ...] = tuple(Task)
    sides: tuple[str, ...] = tuple(Protective)
    protocols: tuple[str, ...] = tuple(Protocol)
    record: tuple[str, ...] = RECORD_FIELDS
    roles: tuple[str, ...] = ROLES


def _shown(
    request: Request,
    service: Service,
    person: Person,
    found: Draft,
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    typed: Fields | None = None,
    more: bool = False,
) -> Response:
    fields = found.fields if typed is None else typed
    language = language_of(request)
    return page(
        request,
        "draft.html",
        status,
        draft=found,
        said=partial(_said, fields),
        rows=_rows(fields, MORE_BLANKS if more else BLANKS),
        choices=Choices(),
        named_choices=lambda values, family: [(value, say(language, f"{family}{value}")) for value in values],
        purposes=[(name, said.in_language(language)) for name, said in service.rulebook.purposes.allowed.items()],
        matrix=service.rulebook.impact,
        assessment=_assessment(service.rulebook.impact, fields),
        placed=placed(faults, fields),
        toml=_text(fields, found),
        limits=service.drafts.limits,
        largest=LARGEST_BODY,
        held=sum(other.size for other in service.drafts.of(person)),
    )


def _said(fields: Fields, name: str) -> str:
    return fields.get(name, "")


def _rows(fields: Fields, blanks: int) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each kind with empty ones behind them."""
    kinds: Mapping[str, tuple[tuple[str, ...], int]] = {
        "feature": (FEATURE, blanks),
        "source": (SOURCE, 1),
        "track": (TRACK, 1),
    }
    return {
        kind: [*rows_of(kind, fields), *(dict.fromkeys(keys, "") for _ in range(count))]
        for kind, (keys, count) in kinds.items()
    }


def _text(fields: Fields, found: Draft) -> str:
    """Return the declaration so far; a value that TOML cannot hold is said when the form is handed in."""
    try:
        return declaration_text(document_of(fields, {role: file.name for role, file in found.files.items()}))
    except Malformed as fault:
        return "".join(f"# {said.en}\n" for said in fault.faults)


def _assessment(matrix: ImpactMatrix, fields: Fields) -> Assessment:
    """Return the tier these answers lead to; answers that the rules in force no longer offer count as not given."""
    known: dict[str, Any] = {}
    for question in matrix.questions:
        answer = fields.get(f"impact.{question.name}")
        if answer in {option.answer for option in question.options}:
            known[question.name] = answer
    return assess(matrix, known)
