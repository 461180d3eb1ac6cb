"""Law and standards: the packs, what the house answers of them, scope answered by people, sealed snapshots."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.routes.shared import Asking, HouseService, Language
from policies.coverage import summed

router = APIRouter(prefix="/v1", tags=["regulations"])

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ScopeIn(BaseModel):
    """Whether a pack, or the clauses that name the question, apply to this house."""

    question: str
    applies: bool
    reason: str


class AdoptionIn(BaseModel):
    """The signature under a revision: why, and the digest of the text that was read."""

    digest: str
    reason: str


class SnapshotIn(BaseModel):
    """Why the snapshot is taken; may be empty."""

    reason: str = ""


@router.get("/regulations")
def regulations(service: HouseService) -> dict[str, object]:
    """List the regulation packs, for anyone to read."""
    return {
        "packs": [
            {key: value for key, value in pack.as_json().items() if key not in ("clauses", "questions")}
            for pack in service.compliance.packs
        ]
    }


@router.get("/regulations/{pack}")
def regulation(pack: str, service: HouseService) -> dict[str, object]:
    """Show one pack with its clauses."""
    return service.compliance.pack(pack).as_json()


@router.get("/scope")
def scope(service: HouseService, person: Asking) -> dict[str, object]:
    """Show what people answered to the questions of scope."""
    service.compliance.require_reader(person)
    return {"answers": [answer.as_json() for answer in service.compliance.scope()]}


@router.post("/regulations/{pack}/scope", status_code=201)
def answer_scope(pack: str, asked: ScopeIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Say whether a pack applies; the newest answer counts."""
    return service.compliance.answer_scope(
        pack, asked.question, asked.applies, by=person, reason=asked.reason
    ).as_json()


@router.get("/coverage")
def coverage(
    service: HouseService, person: Asking, model: str | None = None, pack: str | None = None
) -> dict[str, object]:
    """Show the coverage matrix as it is now: clause x control x evidence."""
    rows = service.compliance.coverage(person, model=model, pack=pack)
    return {
        "clauses": [{"pack": p, "clause": c, "state": state.value} for (p, c), state in summed(rows).items()],
        "rows": [row.as_json() for row in rows],
    }


@router.get("/revisions")
def revisions(service: HouseService, person: Asking) -> dict[str, object]:
    """List the packs whose text in use nobody adopted yet, and every signed revision, newest first."""
    return {
        "pending": [revision.head() for revision in service.pack_revisions.pending(person)],
        "adopted": [revision.head() for revision in service.pack_revisions.adopted(person)],
    }


@router.get("/revisions/{number}.json")
def revision_json(number: int, service: HouseService, person: Asking) -> dict[str, object]:
    """Show one signed revision table."""
    return service.pack_revisions.signed(number, person).as_json()


@router.get("/revisions/{number}.pdf")
def revision_pdf(number: int, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out one signed revision table as PDF."""
    return _file(service.papers.revision(service.pack_revisions.signed(number, person), language, "pdf"), "pdf")


@router.get("/revisions/{number}.xlsx")
def revision_xlsx(number: int, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out one signed revision table as a workbook."""
    return _file(service.papers.revision(service.pack_revisions.signed(number, person), language, "xlsx"), "xlsx")


@router.get("/regulations/{pack}/revision.json")
def pending_json(pack: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show what changed in a pack since it was adopted: old, new, what it means, who acts by when, permits touched."""
    return service.pack_revisions.of_pack(pack, person).as_json()


@router.get("/regulations/{pack}/revision.pdf")
def pending_pdf(pack: str, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out the same table as PDF."""
    return _file(service.papers.revision(service.pack_revisions.of_pack(pack, person), language, "pdf"), "pdf")


@router.get("/regulations/{pack}/revision.xlsx")
def pending_xlsx(pack: str, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out the same table as a workbook."""
    return _file(service.papers.revision(service.pack_revisions.of_pack(pack, person), language, "xlsx"), "xlsx")


@router.post("/regulations/{pack}/adoption", status_code=201)
def adopt(pack: str, asked: AdoptionIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Sign the revision of a pack, in the text whose digest was read."""
    return service.pack_revisions.adopt(pack, by=person, reason=asked.reason, digest=asked.digest).as_json()


@router.get("/rulebook/revisions/{revision}/table.json")
def rulebook_table(revision: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show the revision table of a rulebook."""
    return service.papers.rulebook_revision(revision, person)


@router.get("/rulebook/revisions/{revision}/table.pdf")
def rulebook_table_pdf(revision: str, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out the revision table of a rulebook as PDF."""
    return _file(service.papers.table(service.papers.rulebook_revision(revision, person), language, "pdf"), "pdf")


@router.get("/rulebook/revisions/{revision}/table.xlsx")
def rulebook_table_xlsx(revision: str, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out the revision table of a rulebook as a workbook."""
    return _file(service.papers.table(service.papers.rulebook_revision(revision, person), language, "xlsx"), "xlsx")


@router.get("/snapshots")
def snapshots(service: HouseService, person: Asking) -> dict[str, object]:
    """List the compliance snapshots, newest first."""
    return {"snapshots": [kept.head() for kept in service.compliance.snapshots(person)]}


@router.post("/snapshots", status_code=201)
def take_snapshot(asked: SnapshotIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Freeze the matrix of the whole house and seal it into the log."""
    return service.compliance.take_snapshot(by=person, reason=asked.reason).head()


@router.get("/snapshots/{number}.json")
def snapshot_json(number: int, service: HouseService, person: Asking) -> dict[str, object]:
    """Show one snapshot whole."""
    return service.compliance.snapshot(number, person).as_json()


@router.get("/snapshots/{number}.pdf")
def snapshot_pdf(number: int, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out one snapshot as PDF."""
    return _file(service.papers.snapshot(service.compliance.snapshot(number, person), language, "pdf"), "pdf")


@router.get("/snapshots/{number}.xlsx")
def snapshot_xlsx(number: int, service: HouseService, person: Asking, language: Language = "en") -> Response:
    """Hand out one snapshot as a workbook."""
    return _file(service.papers.snapshot(service.compliance.snapshot(number, person), language, "xlsx"), "xlsx")


def _file(content: bytes, kind: Literal["pdf", "xlsx"]) -> Response:
    return Response(content, media_type="application/pdf" if kind == "pdf" else XLSX)
