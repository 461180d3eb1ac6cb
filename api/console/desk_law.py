"""What law and standards ask, what the house answers clause by clause, and what a change of them means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.console.pages import PageRoute, done, language_of, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.routes.shared import service_of
from governance.pack_revisions import Revision
from policies.coverage import State, summed
from policies.errors import Fault, Sentence
from policies.roles import Action, NotAllowed, Person, require

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/law")
def law(request: Request, person: Visitor) -> Response:
    """Show every pack with how much of it is covered, what waits for a signature, and the sealed snapshots."""
    return _all(request, person)


@router.post("/law/snapshots")
def snapshot(request: Request, person: Visitor, form: Posted) -> Response:
    """Freeze the matrix of the whole house and seal it into the log."""
    require(person, Action.TAKE_SNAPSHOT)
    try:
        service_of(request).compliance.take_snapshot(by=person, reason=text_of(form, "reason"))
    except Fault as fault:
        return _all(request, person, 422, fault.faults)
    return done("/law", "sealed")


@router.get("/law/{pack}")
def pack(request: Request, pack: str, person: Visitor) -> Response:
    """Show one pack clause by clause: what it asks, what answers it now, and what changed since it was adopted."""
    return _one(request, pack, person)


@router.post("/law/{pack}/adoption")
def adopt(request: Request, pack: str, person: Visitor, form: Posted) -> Response:
    """Sign the revision of a pack, in the text that was read."""
    try:
        service_of(request).pack_revisions.adopt(
            pack, by=person, reason=text_of(form, "reason"), digest=text_of(form, "digest", 64)
        )
    except NotAllowed:
        raise
    except Fault as fault:
        service_of(request).compliance.pack(pack)
        return _one(request, pack, person, 422, fault.faults)
    return done(f"/law/{pack}", "signed")


def _all(request: Request, person: Person, status: int = 200, faults: Sequence[Sentence] = ()) -> Response:
    service = service_of(request)
    states = summed(service.compliance.coverage(person))
    counted = {
        one.id: Counter(state for (pack, _), state in states.items() if pack == one.id)
        for one in service.compliance.packs
    }
    return page(
        request,
        "law.html",
        status,
        packs=service.compliance.packs,
        counted=counted,
        states=tuple(State),
        pending=service.pack_revisions.pending(person),
        snapshots=service.compliance.snapshots(person),
        may_seal=person.may(Action.TAKE_SNAPSHOT) and not person.places and person.only_models is None,
        faults=faults,
    )


def _one(request: Request, pack: str, person: Person, status: int = 200, faults: Sequence[Sentence] = ()) -> Response:
    service, language = service_of(request), language_of(request)
    rows = service.compliance.coverage(person, pack=pack)
    shown = service.compliance.pack(pack)
    waiting = next((one for one in service.pack_revisions.pending(person) if one.subject == shown.id), None)
    return page(
        request,
        "law_pack.html",
        status,
        pack=shown,
        rows={clause.id: [row for row in rows if row.clause == clause.id] for clause in shown.clauses},
        states={clause: state for (_, clause), state in summed(rows).items()},
        waiting=waiting,
        changes=_changes(waiting, language),
        may_adopt=waiting is not None and person.may(Action.ADOPT_LAW) and not person.places,
        faults=faults,
    )


def _changes(revision: Revision | None, language: str) -> list[Mapping[str, Any]]:
    """Return the lines of a revision table in the reader's language."""

    def said(value: Any) -> str:
        return str(value[language]) if isinstance(value, Mapping) else str(value or "–")

    return [
        {**change, **{name: said(change[name]) for name in ("article", "old", "new", "means")}}
        for change in (revision.changes if revision is not None else ())
    ]
