"""The officer's queue and the page of one submission: its story, and the verdict in two steps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import UploadFile

from api.console import pictures
from api.console.days import day_of
from api.console.desk_versions import rates_beside
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.routes.shared import service_of
from api.wiring import Service
from api.work import ask_for_submission
from governance.approvals import Verdict
from governance.conditions import Conditions, condition_from_text, read_conditions
from governance.permits import PermitState
from governance.stages import MOVES, Stage
from governance.submissions import SubmissionRecord
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, Person, require
from reports.model_figures import ModelFigures

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

CHOICES = ("approve", "conditions", "return", "veto")
"""What the form offers; `conditions` is an approval that carries some."""


@router.get("/queue")
def queue(request: Request, person: Visitor) -> Response:
    """Show what waits for a verdict, the longest wait first."""
    require(person, Action.GIVE_VERDICT)
    service = service_of(request)
    waiting: list[SubmissionRecord] = []
    after: str | None = None
    while True:
        found, after = service.book.search(stage=Stage.EXAMINED, after=after, limit=200)
        waiting += _seen_by(person, found)
        if after is None:
            break
    waiting.sort(key=lambda record: record.submitted_at)
    lowering = service.tier_changes.waiting(person)
    return page(request, "queue.html", records=waiting, now=service.clock(), lowering=lowering)


@router.get("/submissions")
def submissions(request: Request, person: Visitor, after: str | None = None) -> Response:
    """List every submission this person may see, newest first."""
    require(person, Action.READ_SUBMISSIONS)
    service = service_of(request)
    found, more = service.book.search(after=after, limit=50)
    drafts = service.drafts.of(person) if person.may(Action.SUBMIT) else ()
    records = _seen_by(person, found)
    return page(request, "submissions.html", records=records, drafts=drafts, now=service.clock(), more=more)


@router.get("/submissions/new")
def new_submission(request: Request, person: Visitor) -> Response:
    """Offer the ways to hand a model in: a form, or a zip of a submission directory."""
    require(person, Action.SUBMIT)
    return _ways_in(request, person)


@router.post("/submissions/new")
def submit(request: Request, person: Visitor, form: Posted) -> Response:
    """Queue a submission for its examination and lead to the page that tells how far it is."""
    require(person, Action.SUBMIT)
    service = service_of(request)
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Malformed(Sentence(en="choose a zip file first", zh="请先选择一个 zip 文件"))
        job = ask_for_submission(service, file.file.read(), file.filename, by=person)
    except Fault as fault:
        return _ways_in(request, person, 422, faults=fault.faults)
    return done(f"/jobs/{job.id}")


def _ways_in(request: Request, person: Person, status: int = 200, **values: Any) -> Response:
    service = service_of(request)
    drafts, limits = service.drafts.of(person), service.drafts.limits
    return page(request, "submit.html", status, jobs=service.jobs.of(person, 5), drafts=drafts, limits=limits, **values)


@router.get("/submissions/{submission}")
def submission(request: Request, submission: str, person: Visitor) -> Response:
    """Tell the story of one submission in order."""
    service = service_of(request)
    return _shown(request, service, person, service.book.seen_by(submission, person))


@router.post("/submissions/{submission}/verdict")
def verdict(request: Request, submission: str, person: Visitor, form: Posted) -> Response:
    """First step: show what the verdict would do. Second step: give it."""
    require(person, Action.GIVE_VERDICT)
    service = service_of(request)
    record = service.book.seen_by(submission, person)
    given = {name: text_of(form, name) for name in ("verdict", "reason", "until", "threshold", "sites", "note")}
    given["review_alarms"] = "yes" if form.get("review_alarms") else ""
    try:
        said, reason, until, conditions = _read_verdict(service, record, given)
        if form.get("step") != "give":
            service.approvals.consider(
                submission, said, by=person, reason=reason, until=until, conditions=conditions.as_json()
            )
            return page(request, "verdict.html", record=record, given=given, until=until, conditions=conditions.says())
        service.give_verdict(
            submission, said, by=person, reason=reason, until=until, conditions=list(conditions.as_json())
        )
    except Fault as fault:
        return _shown(request, service, person, record, 422, given=given, faults=fault.faults)
    return done(f"/submissions/{submission}", given["verdict"])


def _shown(
    request: Request,
    service: Service,
    person: Person,
    record: SubmissionRecord,
    status: int = 200,
    *,
    given: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    language = language_of(request)
    figures = service.telling.model_figures(record)
    return page(
        request,
        "submission.html",
        status,
        record=record,
        figures=figures,
        compared=_compared(service, record, figures),
        drawn={
            "importance": pictures.importance(figures, language),
            "confusion": pictures.confusion(figures, language),
            "tradeoff": pictures.tradeoff(figures, language),
            "groups": pictures.groups(figures, language),
            "findings": pictures.findings(record.findings, language),
        },
        obstacles=service.approvals.in_the_way(record),
        uses=service.use_changes.of(record.id, person),
        may_decide=person.may(Action.GIVE_VERDICT) and not record.is_by(person.name),
        open_verdicts=_open_verdicts(record),
        longest=_longest(service, record),
        deciders=service.rulebook.permits.deciders[record.tier],
        given=given or {},
        now=service.clock(),
        **values,
    )


def _compared(service: Service, record: SubmissionRecord, figures: ModelFigures) -> dict[str, Any] | None:
    """Return this version's rates beside those of the version in use; None when none is, or it is this one."""
    in_use = [
        permit
        for permit in service.permits.permits()
        if permit.model == record.model and permit.state is not PermitState.ENDED and permit.submission != record.id
    ]
    if not in_use:
        return None
    other = service.telling.model_figures(service.book.get(in_use[0].submission))
    rows = rates_beside(figures, other)
    if not rows:
        return None
    return {"version": in_use[0].version, "submission": in_use[0].submission, "tier": other.tier, "rows": rows}


def _seen_by(person: Person, records: tuple[SubmissionRecord, ...]) -> list[SubmissionRecord]:
    return [record for record in records if person.sees(record.site or None, record.model)]


def _open_verdicts(record: SubmissionRecord) -> tuple[str, ...]:
    """Return the choices the table of moves leaves open."""
    leads = {
        "approve": Stage.APPROVED,
        "conditions": Stage.APPROVED,
        "return": Stage.RETURNED,
        "veto": Stage.VETOED,
    }
    # A suspended model comes back by resuming its permit, not by a second approval.
    closed = {Stage.APPROVED} if record.stage is Stage.SUSPENDED else set()
    return tuple(choice for choice in CHOICES if leads[choice] in MOVES[record.stage] - closed)


def _longest(service: Service, record: SubmissionRecord) -> datetime:
    return service.clock() + timedelta(days=service.rulebook.permits.longest_days[record.tier])


def _read_verdict(
    service: Service, record: SubmissionRecord, given: Mapping[str, str]
) -> tuple[Verdict, str, datetime | None, Conditions]:
    choice = given["verdict"]
    if choice not in CHOICES:
        raise Malformed(Sentence(en="choose a verdict first", zh="请先选择裁定结果"))
    items: list[Mapping[str, object]] = []
    if choice == "conditions":
        items = _condition_items(given)
        if not items:
            raise Malformed(
                Sentence(
                    en="an approval with conditions needs at least one condition; found none",
                    zh="附条件批准至少需要一项条件，当前没有填写",
                )
            )
    said = Verdict.APPROVE if choice == "conditions" else Verdict(choice)
    until = _until(given["until"], _longest(service, record)) if said is Verdict.APPROVE else None
    return said, given["reason"], until, read_conditions(items)


def _condition_items(given: Mapping[str, str]) -> list[Mapping[str, object]]:
    items: list[Mapping[str, object]] = []
    if given["threshold"]:
        items.append(condition_from_text(f"threshold={given['threshold']}"))
    if given["review_alarms"]:
        items.append({"kind": "review_alarms"})
    sites = [site.strip() for site in given["sites"].replace("，", ",").split(",") if site.strip()]
    if sites:
        items.append({"kind": "sites", "sites": sites})
    if given["note"]:
        items.append({"kind": "note", "text": given["note"]})
    return items


def _until(text: str, longest: datetime) -> datetime | None:
    """Return the end of the day named, but no later than the longest that is allowed on that same day."""
    if not text:
        return None
    day = day_of(text).date()
    end = datetime.combine(day, time(23, 59, 59), tzinfo=UTC)
    return longest if day == longest.date() else end
