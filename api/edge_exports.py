"""Head office makes packages for edge boxes, and remembers in the log for which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from api.wiring import Service
from governance.edge_package import write_package
from governance.statements import read_statement, statement
from policies.errors import Malformed, Sentence
from policies.roles import Person

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
WHAT = "edge package"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A package, until when it is valid, what is in it, and the fingerprint by which a box knows it."""

    package: bytes
    until: datetime
    models: tuple[str, ...]
    fingerprint: str


def export_package(service: Service, *, box: str, site: str, by: Person) -> Exported:
    """Make a package and say so in the log before it leaves.

    Raises
    ------
    Malformed
        For a name that no source of the log may have.
    NothingToPack
    """
    if not NAME.fullmatch(box):
        raise Malformed(
            Sentence(
                en=f"'{box}' is no name of a box: small letters, digits and hyphens, 63 at most",
                zh=f"“{box}”不能作为设备名称：应为小写字母、数字和连字符，最多 63 个",
            )
        )
    key = service.log.signing_key
    package, until, models = write_package(
        box=box,
        site=site,
        given=service.permits.permits(),
        database=service.database,
        book=service.book,
        store=service.store,
        rulebook=service.rulebook,
        key=key,
        origin=service.log.origin,
        now=service.clock(),
    )
    body = {"what": WHAT, "box": box, "models": list(models), "until": until.isoformat()}
    service.log.append(
        [statement("publish", by=by.name, body=body, rulebook_digest=service.rulebook.digest, site=site)]
    )
    return Exported(package=package, until=until, models=models, fingerprint=key.public.fingerprint)


def boxes_of(service: Service) -> frozenset[str]:
    """Return the names of all boxes that a package was ever made for."""
    found, after = set(), None
    while True:
        page = service.log.search(kind="publish", limit=1000, after=after)
        for entry in page.entries:
            payload = service.log.payload(entry.id)
            said = read_statement(payload) if payload is not None else {}
            if said.get("what") == WHAT:
                found.add(str(said["box"]))
        if page.next is None:
            return frozenset(found)
        after = page.next
