"""A package for an edge box: permits, rulebook, models and callers for a day, signed with the log's key.

A package is a zip: `manifest.json`, `signature` (64 bytes over `TAG` and the manifest), and the files that the manifest
names with their SHA-256. Nothing in it is secret: digests of tokens, no passwords, no pseudonym key.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from audit.database import Database
from audit.entries import microseconds_of, moment_of
from audit.signed_note import SigningKey, VerifyingKey
from governance.background import DOCUMENT
from governance.permits import Permit, PermitState
from governance.submissions import SubmissionBook
from governance.tables import people, permits, submissions, tokens
from model_registry.store import ModelStore
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Role
from policies.rulebook import Rulebook

FORMAT = 1
"""Format of a package. Raise it when the manifest changes its meaning; a box refuses what it does not know."""

TAG = b"mingjing edge package 1\0"
"""Before the manifest where it is signed, so that this signature can be taken for no other."""

LARGEST = 2 * 1024**3
"""Bytes that a package may unpack to."""


class PackageRefused(Refused):
    """The package is not whole, not ours, or not the newest."""


class NothingToPack(Conflict):
    """No model holds a live permit for the site."""

    def __init__(self, site: str) -> None:
        super().__init__(
            Sentence(en=f"no model holds a live permit for {site}", zh=f"没有任何模型持有适用于 {site} 的有效许可")
        )


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package whose signature and digests hold. `rows` are working state by table, `places` where each version's
    artifact lies (as `BoxedStore` takes it), `files` by their path."""

    box: str
    site: str
    issued: datetime
    until: datetime
    origin: str
    key: VerifyingKey
    rows: Mapping[str, list[dict[str, Any]]]
    places: Mapping[tuple[str, str], tuple[int, str, str]]
    files: Mapping[str, bytes]
    digest: str


def write_package(
    *,
    box: str,
    site: str,
    given: Iterable[Permit],
    database: Database,
    book: SubmissionBook,
    store: ModelStore,
    rulebook: Rulebook,
    key: SigningKey,
    origin: str,
    now: datetime,
) -> tuple[bytes, datetime, tuple[str, ...]]:
    """Return a package with every live permit for a site, until when it is valid, and the models in it.

    It is valid for the rulebook's hours, 24 at most, and no permit in it for longer than it was given.

    Raises
    ------
    NothingToPack
    """
    until = now + timedelta(hours=rulebook.permits.edge_hours)
    files: dict[str, bytes] = {"rulebook.toml": rulebook.source}
    packed = [permit for permit in given if _runs_at(permit, site, book, now)]
    places = []
    for number, permit in enumerate(packed):
        artifact = store.artifact(permit.model, permit.version)
        inside = [artifact] if artifact.is_file() else [path for path in artifact.rglob("*") if path.is_file()]
        for path in inside:
            files[f"models/{number}/artifact/{path.relative_to(artifact.parent).as_posix()}"] = path.read_bytes()
        files[f"models/{number}/documents/{DOCUMENT}"] = store.document(permit.model, permit.version, DOCUMENT)
        places.append([permit.model, permit.version, number, artifact.name, permit.artifact_digest])
    if not packed:
        raise NothingToPack(site)
    manifest = {
        "format": FORMAT,
        "box": box,
        "site": site,
        "issued": microseconds_of(now),
        "until": microseconds_of(until),
        "origin": origin,
        "public": key.public.raw.hex(),
        "places": places,
        "files": {path: sha256(raw).hexdigest() for path, raw in files.items()},
        "rows": _rows(database, packed, site, until),
    }
    raw = json.dumps(manifest, ensure_ascii=False, sort_keys=True).encode()
    return _zipped(raw, key.sign(TAG + raw), files), until, tuple(permit.model for permit in packed)


def read_package(raw: bytes, trusted: str) -> Package:
    """Check a package against the fingerprint of the key that is trusted, and return what is in it.

    Raises
    ------
    Malformed
        When it is no package, or one of a format that is not known.
    PackageRefused
        When another key signed it, or something in it was changed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise Malformed(_says("it unpacks to more than 2 GiB", "解包后超过 2 GiB"))
            document, signature = archive.read("manifest.json"), archive.read("signature")
            manifest = json.loads(document)
            key = VerifyingKey(bytes.fromhex(manifest["public"]))
            _require_ours(key, trusted, document, signature)
            if manifest["format"] != FORMAT:
                raise Malformed(_says(f"its format is {manifest['format']}", f"格式为 {manifest['format']}"))
            files = {path: archive.read(path) for path in manifest["files"]}
            return _package(manifest, document, key, files)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
        raise Malformed(_says(f"it cannot be read ({error})", f"无法读取（{error}）")) from error


def place_in(package: Package, database: Database) -> None:
    """Write the package's working state into the empty tables of a box."""
    with database.writing() as connection:
        for table in (people, submissions, permits, tokens):
            for row in package.rows[table.name]:
                connection.execute(insert(table).values(row))


def _runs_at(permit: Permit, site: str, book: SubmissionBook, now: datetime) -> bool:
    """Whether a permit lets its model run at a site now."""
    if permit.state is not PermitState.LIVE or permit.until <= now:
        return False
    sites = permit.conditions.sites
    return site in (sites if sites is not None else (book.get(permit.submission).site,))


def _require_ours(key: VerifyingKey, trusted: str, document: bytes, signature: bytes) -> None:
    if key.fingerprint != trusted.lower():
        raise PackageRefused(
            _says(
                f"it is signed by {key.fingerprint[:16]}…, trusted is {trusted[:16]}…",
                f"签名密钥为 {key.fingerprint[:16]}…，受信任的是 {trusted[:16]}…",
            )
        )
    if not key.verifies(TAG + document, signature):
        raise PackageRefused(_says("its signature does not hold", "签名不成立"))


def _package(manifest: Mapping[str, Any], document: bytes, key: VerifyingKey, files: dict[str, bytes]) -> Package:
    for path, digest in manifest["files"].items():
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise PackageRefused(_says(f"it names a file outside itself, {path}", f"其中的路径 {path} 指向包外"))
        if sha256(files[path]).hexdigest() != digest:
            raise PackageRefused(_says(f"{path} was changed after it was signed", f"{path} 在签名后被改动"))
    return Package(
        box=manifest["box"],
        site=manifest["site"],
        issued=moment_of(manifest["issued"]),
        until=moment_of(manifest["until"]),
        origin=manifest["origin"],
        key=key,
        rows=manifest["rows"],
        places={
            (model, version): (number, name, digest) for model, version, number, name, digest in manifest["places"]
        },
        files=files,
        digest=sha256(document).hexdigest(),
    )


def _rows(database: Database, packed: list[Permit], site: str, until: datetime) -> dict[str, list[dict[str, Any]]]:
    with database.reading() as connection:
        given = _those(connection, permits, permits.c.id.in_([permit.id for permit in packed]))
        records = _those(connection, submissions, submissions.c.id.in_([permit.submission for permit in packed]))
        here = people.c.site.is_(None) | (people.c.site == site)
        callers = _those(connection, people, (people.c.role == Role.SERVICE.value) & people.c.disabled.is_(None) & here)
        names = [row["name"] for row in callers]
        held = _those(connection, tokens, tokens.c.person.in_(names) & (tokens.c.kind == "token"))
    for row in given:
        row["until"] = min(row["until"], microseconds_of(until))
    for row in records:
        row |= {"findings": "[]", "claimed": None}  # who examines asks head office; the box only decides
    for row in callers:
        row["password_hash"] = None
    return {"people": callers, "submissions": records, "permits": given, "tokens": held}


def _those(connection: Connection, table: Table, which: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table).where(which))]


def _zipped(manifest: bytes, signature: bytes, files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, raw in {"manifest.json": manifest, "signature": signature, **files}.items():
            archive.writestr(path, raw)
    return made.getvalue()


def _says(en: str, zh: str) -> Sentence:
    return Sentence(en=f"this edge package is not taken: {en}", zh=f"不接受该边缘许可包：{zh}")


def unpack_models(package: Package, folder: Path) -> None:
    """Write a package's models into a folder."""
    for path, raw in package.files.items():
        if path.startswith("models/"):
            target = folder / PurePosixPath(path).relative_to("models")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
