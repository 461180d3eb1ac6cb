"""The rules in force, those before them and those proposed: read by anyone, changed by officer and committee."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.routes.shared import Asking, HouseService
from governance.rejudging import Standing
from policies.revisions import differences
from policies.roles import Action, Person, absent, require
from policies.rulebook import Rulebook

router = APIRouter(prefix="/v1", tags=["rules"])

SHA_256 = "^[0-9a-f]{64}$"


class ProposalIn(BaseModel):
    """A rulebook, its whole text, and why it should be in force."""

    toml: str
    reason: str


class DecisionIn(BaseModel):
    """Why a proposed rulebook is adopted or declined."""

    reason: str


@router.get("/rulebook")
def rulebook(service: HouseService) -> dict[str, object]:
    """Show the rulebook in force and its digest."""
    return _shown(service.rulebook)


@router.get("/rulebook/history")
def history(service: HouseService) -> dict[str, object]:
    """List every rulebook that was in force, the present one first: since when, and its digest."""
    return {
        "rulebooks": [
            {
                "number": revision.number,
                "digest": revision.digest,
                "version": revision.book.version,
                "title": revision.book.title.as_json(),
                "since": revision.decided_at.isoformat() if revision.decided_at is not None else None,
            }
            for revision in service.rulebooks.history()
        ]
    }


@router.get("/rulebook/diff")
def diff(
    service: HouseService,
    older: Annotated[str, Query(alias="from", pattern=SHA_256)],
    newer: Annotated[str, Query(alias="to", pattern=SHA_256)],
) -> dict[str, object]:
    """Show what differs between two rulebooks that were in force."""
    before, after = _public(service, older), _public(service, newer)
    return {"from": older, "to": newer, "differences": [one.as_json() for one in differences(before, after)]}


@router.get("/rulebook/revisions")
def revisions(service: HouseService, person: Asking) -> dict[str, object]:
    """List what is proposed and what was in force, with who proposed and who decided."""
    require(person, Action.READ_SUBMISSIONS)
    return {
        "proposed": [revision.as_json() for revision in service.rulebooks.proposals()],
        "history": [revision.as_json() for revision in service.rulebooks.history()],
    }


@router.post("/rulebook/revisions", status_code=201)
def propose(said: ProposalIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Put a rulebook before the committee, with its differences and the permits it would touch."""
    made = service.rule_changes.propose(said.toml.encode(), by=person, reason=said.reason)
    return revision(made.id, service, person)


@router.get("/rulebook/revisions/{revision}")
def revision(revision: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show one rulebook, how it differs from the one it was proposed against, and the permits it touches."""
    require(person, Action.READ_SUBMISSIONS)
    found = service.rulebooks.get(revision)
    return {
        **found.as_json(),
        "toml": found.book.source.decode(),
        "differences": [
            {**one.as_json(), "says": one.says().as_json()} for one in service.rule_changes.differences(found)
        ],
        "touched": _seen(service.rule_changes.touched_by(found.book), person),
    }


@router.post("/rulebook/revisions/{revision}/adopt")
def adopt(revision: str, said: DecisionIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Put a proposed rulebook into force; permits that no longer hold under it are suspended at once."""
    done = service.rule_changes.adopt(revision, by=person, reason=said.reason)
    return {"rulebook": done.revision.as_json(), "touched": _seen(done.touched, person)}


@router.post("/rulebook/revisions/{revision}/decline")
def decline(revision: str, said: DecisionIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Decline a proposed rulebook; who proposed it may take it back."""
    return service.rule_changes.decline(revision, by=person, reason=said.reason).as_json()


@router.get("/rulebook/examine-again")
def examine_again(service: HouseService, person: Asking) -> dict[str, object]:
    """List the permits whose submission was examined under other rules than those in force."""
    require(person, Action.READ_SUBMISSIONS)
    return {"permits": _seen(service.rule_changes.to_examine_again(), person)}


def _seen(standings: tuple[Standing, ...], person: Person) -> list[dict[str, object]]:
    return [standing.as_json() for standing in standings if person.sees(standing.site or None, standing.model)]


def _public(service: HouseService, digest: str) -> Rulebook:
    """Return a rulebook that was in force; what is only proposed is not public."""
    for revision in service.rulebooks.history():
        if revision.digest == digest:
            return revision.book
    raise absent("rulebook", digest)


def _shown(book: Rulebook) -> dict[str, object]:
    return {
        "version": book.version,
        "title": book.title.as_json(),
        "digest": book.digest,
        "toml": book.source.decode(),
    }


@router.get("/negative-list")
def negative_list(service: HouseService) -> dict[str, object]:
    """Show the known failures every submission is tried on, with the digest of the list."""
    return service.negative_list.as_json()
