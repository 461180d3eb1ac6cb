"""Decisions found, explained, drawn, replayed, proven; reviewed by those who may, contested by those concerned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import QueryParams

from api.console import pictures
from api.console.days import day_of
from api.console.decision_words import cap_words, change_lines, contribution_lines, flip_rows
from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.routes.shared import require_reader, service_of, view_of
from api.telling import Erased
from api.wiring import Service
from audit.decided import CAPPED, CLIP_KEPT_ALARM, HANDED_OVER, LAPSED, PENDING, REPLAY_CLOCK, REVIEW, SPOOLED, UNLOGGED
from audit.entries import Entry
from audit.verify import verify_bundle
from governance.appeals import Asks, TooLate
from governance.reviews import TRACKS, Judgement
from policies.errors import Conflict, Malformed, NotFound, Sentence
from policies.roles import Action, Person, Role, require

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

FLAGS = (REVIEW, CAPPED, CLIP_KEPT_ALARM, HANDED_OVER, PENDING, LAPSED, UNLOGGED, SPOOLED, REPLAY_CLOCK)
"""Marks the search offers."""

FIELDS = ("id", "model", "site", "since", "until", "verdict", "flag", "subject")
PAGE = 40


@router.get("/decisions")
def decisions(request: Request, person: Visitor) -> Response:
    """Find decisions, newest first; an employee finds his own and nobody else's."""
    require_reader(person)
    service, asked = service_of(request), _asked(request.query_params)
    service.reading.purpose(None, person, asked=[name for name, said in asked.items() if said])
    if asked["id"] and person.may(Action.READ_DECISIONS):
        return _find_one(request, service, person, asked)
    return _list(request, service, person, asked)


@router.get("/decisions/{decision}")
def decision(request: Request, decision: str, person: Visitor) -> Response:
    """Show one decision; the look itself is kept in the log."""
    require_reader(person)
    service = service_of(request)
    entry = service.reviews.decision(decision, person)
    service.reviews.note_access(entry, person, "decision page")
    return _shown(request, service, person, entry)


@router.post("/decisions/{decision}/reviews")
def review(request: Request, decision: str, person: Visitor, form: Posted) -> Response:
    """Confirm or override; the words are added, the decision stays as it was."""
    require(person, Action.REVIEW)
    service = service_of(request)
    entry = service.reviews.decision(decision, person)
    reason, chosen = text_of(form, "reason"), text_of(form, "judgement")
    labels = {track: label for track in TRACKS if (label := text_of(form, f"label_{track}", 200))}
    try:
        if chosen not in list(Judgement):
            raise Malformed(Sentence(en="choose to confirm or to override first", zh="请先选择维持或改判"))
        service.reviews.review(decision, Judgement(chosen), by=person, reason=reason, labels=labels)
    except Malformed as fault:
        given = {"reason": reason, **{f"label_{track}": label for track, label in labels.items()}}
        return _shown(request, service, person, entry, 422, faults=fault.faults, given=given)
    return done(f"/decisions/{decision}", chosen)


@router.post("/decisions/{decision}/appeals")
def appeal(request: Request, decision: str, person: Visitor, form: Posted) -> Response:
    """Ask why a decision about oneself was taken, ask for one by a person, or contest it."""
    require(person, Action.APPEAL)
    service = service_of(request)
    entry = service.reviews.decision(decision, person)
    reason, asks = text_of(form, "reason"), text_of(form, "asks") or Asks.APPEAL.value
    try:
        if asks not in list(Asks):
            raise Malformed(Sentence(en="choose what you ask for first", zh="请先选择申请事项"))
        service.appeals.ask(decision, Asks(asks), by=person, reason=reason)
    except (Malformed, Conflict, TooLate) as fault:
        given = {"reason": reason, "asks": asks}
        return _shown(request, service, person, entry, 422, faults=fault.faults, given=given)
    return done(f"/decisions/{decision}", asks)


def _find_one(request: Request, service: Service, person: Person, asked: dict[str, str]) -> Response:
    try:
        entry = service.reviews.decision(asked["id"], person)
    except NotFound as missing:
        return _list(request, service, person, asked, 404, faults=missing.faults, found=False)
    return done(f"/decisions/{entry.id}")


def _list(
    request: Request,
    service: Service,
    person: Person,
    asked: dict[str, str],
    status: int = 200,
    *,
    faults: Sequence[Sentence] = (),
    found: bool = True,
) -> Response:
    own_only = not person.may(Action.READ_DECISIONS)
    entries: tuple[Entry, ...] = ()
    more: str | None = None
    try:
        if found and not (own_only and person.subject is None):
            page_of = service.log.search(
                kind="decision",
                model=asked["model"] or None,
                since=day_of(asked["since"]) if asked["since"] else None,
                until=day_of(asked["until"], after=1) if asked["until"] else None,
                subject=person.pseudonyms if own_only else asked["subject"] or None,
                flag=asked["flag"] or None,
                verdict={"alarm": True, "quiet": False}.get(asked["verdict"]),
                site=asked["site"] or None,
                places=person.places,
                models=person.only_models,
                after=request.query_params.get("after"),
                limit=PAGE,
            )
            entries, more = page_of.entries, page_of.next
            service.reviews.note_listed(entries, person)
    except Malformed as fault:
        status, faults = 422, fault.faults
    return page(
        request,
        "decisions.html",
        status,
        lines=[
            {"entry": entry, "said": [s.kind for s in service.log.statements_about(entry.id) if s.kind != "explain"]}
            for entry in entries
        ],
        asked=asked,
        flags=FLAGS,
        more=more,
        own_only=own_only,
        scores=person.role is not Role.EMPLOYEE,
        faults=faults,
    )


def _shown(
    request: Request, service: Service, person: Person, entry: Entry, status: int = 200, **values: Any
) -> Response:
    language, view = language_of(request), view_of(person)
    own_only = not person.may(Action.READ_DECISIONS)
    given = {"faults": (), "given": {}, **values}
    try:
        figures = service.telling.decision_figures(entry.id).for_view(view)
    except Erased as erased:
        given["faults"] = erased.faults
        may_export = person.may(Action.EXPORT_EVIDENCE)
        proof = _proof(service, entry)
        return page(request, "decision_erased.html", status, entry=entry, proof=proof, may_export=may_export, **given)
    return page(
        request,
        "decision.html",
        status,
        entry=entry,
        figures=figures,
        rows=contribution_lines(figures, language),
        changes=change_lines(figures, language),
        flips=flip_rows(figures, language),
        caps=cap_words(figures, language),
        drawn={
            "contributions": pictures.contributions(figures, language),
            "flips": pictures.flips(figures, language),
            "plane": pictures.plane(figures, language),
        },
        replay=None if own_only else service.telling.replay(entry.id),
        proof=_proof(service, entry),
        may_review=person.may(Action.REVIEW),
        may_appeal=person.may(Action.APPEAL),
        asks=tuple(Asks),
        tracks=TRACKS,
        may_export=person.may(Action.EXPORT_EVIDENCE),
        own_only=own_only,
        **given,
    )


def _proof(service: Service, entry: Entry) -> Any:
    """Return what the offline verifier says of this decision's bundle, just now."""
    return verify_bundle(service.telling.evidence(entry.id))


def _asked(query: QueryParams) -> dict[str, str]:
    return {name: query.get(name, "").strip()[:200] for name in FIELDS}
