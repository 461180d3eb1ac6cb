"""What people add to the log: canonical JSON payloads of acts and of words about decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from audit.entries import Draft, Entry
from audit.trace_log import RecordRestricted, TraceLog

FORMAT = 1
"""Format of a statement's payload: UTF-8 JSON with sorted keys and `format`.

Raise it when a key changes its meaning. Readers keep understanding every format ever written.
"""


def statement(kind: str, *, by: str, body: Mapping[str, Any], **columns: Any) -> Draft:
    """Return the log draft of an act or a statement.

    Parameters
    ----------
    kind : str
        One of `audit.entries.KINDS`.
    by : str
        Account name of the person.
    body : mapping
        What was said, JSON values only.
    **columns
        Further fields of `Draft`, such as `about`, `model`, `verdict`.
    """
    payload = orjson.dumps({"format": FORMAT, "kind": kind, "by": by, **body}, option=orjson.OPT_SORT_KEYS)
    return Draft(kind=kind, payload=payload, actor=by, **columns)


def statement_about(entry: Entry, kind: str, *, by: str, body: Mapping[str, Any], **columns: Any) -> Draft:
    """Return the draft of a statement about an entry: of the same model, rules and site, unless `columns` say else."""
    of_entry = {
        "about": entry.id,
        "model": entry.model,
        "version": entry.version,
        "artifact_digest": entry.artifact_digest,
        "rulebook_digest": entry.rulebook_digest,
        "site": entry.site,
    }
    return statement(kind, by=by, body=body, **{**of_entry, **columns})


def read_statement(payload: bytes) -> dict[str, Any]:
    """Return what a statement's payload says."""
    said: dict[str, Any] = orjson.loads(payload)
    return said


def words_of(log: TraceLog, entry: Entry) -> dict[str, Any]:
    """Return what an entry's payload says; nothing once it is erased, or while it is only stored."""
    try:
        raw = None if entry.erased else log.payload(entry.id)
    except RecordRestricted:
        return {}
    return read_statement(raw) if raw is not None else {}


def said_in(
    log: TraceLog, kind: str, flag: str, *, model: str | None = None, version: str | None = None
) -> list[tuple[Entry, dict[str, Any], bytes]]:
    """Return the statements of one kind and flag, in the order of the log: entry, what it says, the sealed payload."""
    entries: list[Entry] = []
    after: str | None = None
    while True:
        page = log.search(kind=kind, flag=flag, model=model, version=version, after=after, limit=1000)
        entries.extend(page.entries)
        after = page.next
        if after is None:
            break
    entries.sort(key=lambda entry: entry.index)
    payloads = ((entry, log.payload(entry.id)) for entry in entries)
    return [(entry, read_statement(raw), raw) for entry, raw in payloads if raw is not None]
