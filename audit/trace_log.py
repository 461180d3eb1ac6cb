"""The log of decisions and acts of governance: durable when it answers, provable, forgetful on time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from audit.checkpoints import Checkpoint, KeyLink
from audit.database import Database, Writer
from audit.entries import (
    Clock,
    Draft,
    Entry,
    Page,
    Receipt,
    TraceSink,
    identifier_bytes,
    microseconds_of,
    moment_of,
)
from audit.evidence import Bundled, bundle_of
from audit.findings import Findings, LogTampered
from audit.group_commit import GroupCommit
from audit.head_memory import HeadMemory
from audit.log_reader import LogReader, NoSuchEntry, Tally, Wanted
from audit.log_tree import StoredTree
from audit.log_writer import Batch, LogStopped, LogWriter, OutOfOrder
from audit.merkle import consistency_proof, inclusion_proof
from audit.payload_keys import KeyRing, Wrapping
from audit.payload_store import Opened, PayloadStore
from audit.recheck import Recheck
from audit.retention import Retention
from audit.seal import details_of
from audit.signed_heads import CHECKPOINT_ENTRIES, ForeignKey, SignedHeads
from audit.signed_note import SigningKey
from audit.tender import Tender
from audit.trace import DecisionTrace, TraceUnreadable, decode_trace, layout_digest
from policies.errors import Refused, Sentence

__all__ = [
    "Draft",
    "Entry",
    "ForeignKey",
    "LogStopped",
    "LogTampered",
    "NoSuchEntry",
    "OutOfOrder",
    "Page",
    "Receipt",
    "TraceLog",
    "TraceSink",
    "open_log",
]

SIGNING_KEY, PAYLOAD_KEY = "signing.key", "payload.key"
"""Files under `keys` of the data directory: who has the first can speak for the log, who has the second can read it."""

LAST_HEAD = "last-head"
"""File of the data directory with the newest checkpoint this machine has seen."""


class RecordRestricted(Refused):
    """The record's subject had it restricted; it is stored until the legal floor and used for nothing."""

    def __init__(self, id: str, due: datetime) -> None:
        super().__init__(
            Sentence(
                en=f"entry {id} is restricted: it is stored until {due.date()}, then erased, and used for nothing",
                zh=f"条目 {id} 已被限制处理：仅保存至 {due.date()} 后删除，期间不作任何使用",
            )
        )
        self.due = due


class TraceLog:
    """One log over one database. Safe for many threads; several processes may share the database.

    Parameters
    ----------
    database : Database
        With the log's tables in place (`api.migrations.upgrade`).
    key : SigningKey
        Signs checkpoints. On a fresh log it becomes the first key of the chain.
    wrapping : Wrapping
        Wraps the data keys of payloads.
    clock : callable
        The present moment in UTC.
    source : str
        Name of this writer; it has its own counter, so that an omission shows.
    retention : Retention
    head : HeadMemory, optional
        Remembers the last signed head outside the database, so that a database that was set back is noticed.

    Raises
    ------
    ForeignKey
        When the log was begun with another key.
    """

    def __init__(
        self,
        database: Database,
        *,
        key: SigningKey,
        wrapping: Wrapping,
        clock: Clock,
        source: str,
        retention: Retention | None = None,
        head: HeadMemory | None = None,
    ) -> None:
        self.database = database
        self.source = source
        self.clock = clock
        self.retention = retention or Retention()
        self.wrapping = wrapping
        self._keys = KeyRing(wrapping)
        self._writer = LogWriter(database, self._keys)
        self._commits: GroupCommit[Batch, tuple[Receipt, ...]] = GroupCommit(self._writer.write)
        self._reader = LogReader(database)
        self._reading_keys = KeyRing(wrapping)
        self._payloads = PayloadStore(database, self._reading_keys)
        self._tree = StoredTree(database.rows)
        self._heads = SignedHeads(database, key, clock, self._recheck, head)
        self._tender: Tender | None = None
        self.origin = self._heads.origin

    # --- writing -----------------------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Keep all drafts, or none, durably and in this order; concurrent callers share one fsync.

        Raises
        ------
        AlreadyKept
            When an id of a draft is in the log.
        DatabaseAway, LogStopped
            When nothing can be kept now, or by this process any more.
        """
        return self._submit(Batch(tuple(drafts), microseconds_of(self.clock()), self.source)) if drafts else ()

    def hand_in(
        self, source: str, first_counter: int, drafts: Sequence[Draft], *, gap_admitted: bool = False
    ) -> tuple[Receipt, ...]:
        """Keep drafts that another source counted while it was away from the log.

        With `gap_admitted` numbers may be missing before them; an `incident` entry must say so
        (`audit.offline_spool` writes it), else the log no longer passes its own recheck.

        Raises
        ------
        OutOfOrder
            When the first number does not follow the last one the log has from this source.
        """
        if not drafts:
            return ()
        now = microseconds_of(self.clock())
        return self._submit(Batch(tuple(drafts), now, source, first_counter, gap_admitted=gap_admitted))

    def commit(self, batch: Batch) -> tuple[Receipt, ...]:
        """Keep a batch together with what it does in the same transaction; keys it lets go are forgotten here too."""
        receipts = self._submit(batch)
        self._reading_keys.forget()
        return receipts

    def _submit(self, batch: Batch) -> tuple[Receipt, ...]:
        receipts = self._commits.submit(batch)
        if self._tender is not None and receipts and receipts[-1].index % CHECKPOINT_ENTRIES < len(receipts):
            self._tender.look()
        return receipts

    # --- reading -----------------------------------------------------------------------------------------------

    def entry(self, id: str) -> Entry:
        """Return one entry; raises `NoSuchEntry`."""
        return self._reader.entry(id)

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that the log has entries for."""
        return self._reader.known(ids)

    def statements_about(self, id: str) -> tuple[Entry, ...]:
        """Return the reviews, appeals and other statements about an entry, oldest first."""
        return self._reader.about(id)

    def search(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        subject: str | tuple[str, ...] | None = None,
        flag: str | None = None,
        site: str | None = None,
        verdict: bool | None = None,
        places: tuple[tuple[str, ...], ...] = (),
        models: tuple[str, ...] | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Return a page of entries, newest first; `after` is `next` of the page before.

        `places` and `models` are the scope of whoever asks, see `audit.log_reader.Wanted`.
        """
        wanted = Wanted(
            model=model,
            version=version,
            kind=kind,
            since=since,
            until=until,
            subject=subject,
            flag=flag,
            site=site,
            verdict=verdict,
            places=places,
            models=models,
        )
        return self._reader.page(wanted, after, limit)

    def find(self, wanted: Wanted, *, after: str | None = None, limit: int = 1000) -> Page:
        """Return a page of the wanted entries, newest first; `after` is `next` of the page before."""
        return self._reader.page(wanted, after, limit)

    def each(self, wanted: Wanted) -> Iterator[Entry]:
        """Return all wanted entries, newest first, page by page."""
        after: str | None = None
        while True:
            page = self._reader.page(wanted, after, 1000)
            yield from page.entries
            if page.next is None:
                return
            after = page.next

    def tally(self, wanted: Wanted) -> Tally:
        """Return count, protective answers and mean score of the wanted entries, without reading payloads."""
        return self._reader.tally(wanted)

    def payload(self, id: str) -> bytes | None:
        """Return the payload as it was handed over; None when it is erased.

        Raises
        ------
        NoSuchEntry
        RecordRestricted
            When the record is only stored until the legal floor.
        """
        opened = self._opened(self.entry(id))
        return None if opened is None else opened.payload

    def trace(self, id: str) -> DecisionTrace | None:
        """Return a decision as it was traced; None when it is erased.

        Raises
        ------
        TraceUnreadable
            When the entry's payload is no trace.
        """
        payload = self.payload(id)
        if payload is None:
            return None
        layout = self.layout(layout_digest(payload))
        if layout is None:
            raise TraceUnreadable("its layout was never handed to the log", "其布局从未交给日志")
        return decode_trace(payload, layout)

    def layout(self, digest: bytes) -> bytes | None:
        """Return the body of a layout; None when the log never saw it."""
        rows = self.database.rows("SELECT body FROM log_layouts WHERE digest = ?", digest)
        return bytes(rows[0][0]) if rows else None

    def _opened(self, entry: Entry) -> Opened | None:
        due = self.database.rows("SELECT due FROM log_restrictions WHERE entry = ?", entry.index)
        if due:
            raise RecordRestricted(entry.id, moment_of(due[0][0]))
        return self._payloads.opened(entry.index, identifier_bytes(entry.id) or b"")

    # --- proving -----------------------------------------------------------------------------------------------

    def size(self) -> int:
        """Return how many entries the log has."""
        return self._heads.size()

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest signed head; None before the first."""
        return self._heads.latest()

    def checkpoint(self) -> Checkpoint:
        """Sign the head as it is now, after computing the entries since the last checkpoint again from what is stored.

        Raises
        ------
        LogTampered
            When stored bytes do not give what was acknowledged; nothing is signed then.
        """
        return self._heads.sign()

    def accept_set_back(self, *, actor: str, reason: str) -> Receipt:
        """Let the log go on although its newest entries are lost, and say so in an `incident` entry.

        For the officer, after a restore from an older copy. Who holds a newer checkpoint will see two histories,
        and this entry explains them.
        """

        def keep(payload: bytes) -> Receipt:
            return self.append([Draft(kind="incident", payload=payload, actor=actor)])[0]

        return self._heads.accept_set_back(keep, reason)

    def checkpoint_when_due(self) -> Checkpoint | None:
        """Sign when entries wait for it since 60 seconds, or 1,000 of them do; else return None.

        None, too, when another process on this machine is signing right now.
        """
        return self._heads.sign_when_due()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that entry `index` is in the log of `size` entries."""
        return inclusion_proof(index, size, self._tree)

    def consistency(self, older: int, newer: int) -> list[bytes]:
        """Return the proof that the log of `newer` entries continues the one of `older`."""
        return consistency_proof(older, newer, self._tree)

    def recheck(self) -> Findings:
        """Compute the whole log again from its stored bytes, as is due once a day."""
        found = self._recheck().everything()
        return self._heads.seen_before(self.size(), found)  # counted afterwards: the log is signed on while it is read

    def _recheck(self) -> Recheck:
        return Recheck(self.database, self._payloads, self._reading_keys, self.key_chain())

    def evidence(self, id: str, *, rulebook: bytes | None = None) -> dict[str, Any]:
        """Return the bundle by which a stranger checks this entry without us (`audit.verify`).

        Parameters
        ----------
        id : str
        rulebook : bytes, optional
            Text of the rulebook whose digest the entry names, to go along.
        """
        entry = self.entry(id)
        entries, seen = [entry], 0
        while seen < len(entries):
            entries += self.statements_about(entries[seen].id)
            seen += 1
        last = self.latest_checkpoint()
        if last is None or last.size <= max(one.index for one in entries):
            last = self.checkpoint()
        bundled = [self._bundled(one, last.size) for one in entries]
        return bundle_of(bundled, last, self.key_chain(), rulebook)

    def _bundled(self, entry: Entry, size: int) -> Bundled:
        opened = self._opened(entry)
        layout = None
        if opened is not None and entry.kind == "decision":
            layout = self._layout_of(opened.payload)
        details = details_of(entry.actor, entry.score, entry.subject, entry.verdict)
        return Bundled(entry, details, opened, layout, self.inclusion(entry.index, size))

    def _layout_of(self, payload: bytes) -> bytes | None:
        try:
            return self.layout(layout_digest(payload))
        except TraceUnreadable:
            return None

    # --- keys --------------------------------------------------------------------------------------------------

    def key_chain(self) -> tuple[KeyLink, ...]:
        """Return the keys that ever signed for this log, oldest first."""
        return self._heads.key_chain()

    def change_key(self, new: SigningKey, actor: str) -> Receipt:
        """Hand the log over to a new signing key, by the old key's signature and an entry of kind `key`.

        The new key must be kept before (`audit.key_change`): from here on no other signs.
        """

        def keep(said: bytes, store: Callable[[Writer], None]) -> Receipt:
            draft = Draft(kind="key", payload=said, actor=actor)
            return self._submit(Batch((draft,), microseconds_of(self.clock()), self.source, also=store))[0]

        return self._heads.hand_over(new, keep)

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs for this log now, for what is signed in its name beside checkpoints."""
        return self._heads.own_key()

    @property
    def key_file(self) -> Path | None:
        """Where the signing key is kept; None when it was handed over in memory."""
        return self._heads.key_file

    def take_key(self, key: SigningKey) -> None:
        """Sign with `key` from now on; the log refuses to sign with any but the newest of its chain."""
        self._heads.take_key(key)

    # --- life --------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Start signing checkpoints in the background while entries come in."""
        if self._tender is None:
            self._tender = Tender(self._heads, self._writer.settle)

    def leave_signing(self, late: float) -> None:
        """Another process signs the checkpoints: sign here only what is due for `late` seconds."""
        if self._tender is not None:
            self._tender.step_back(late)

    @property
    def stopped(self) -> bool:
        """Whether the disk failed this process's log, which then takes nothing more."""
        return self._writer.stopped

    @property
    def trouble(self) -> Exception | None:
        """Why the background could not sign a checkpoint the last time it tried; None when all is well."""
        return None if self._tender is None else self._tender.wrong

    def close(self) -> None:
        """Sign what waits, stop the background thread and give the connection up."""
        if self._tender is not None:
            self._tender.stop()
            self._tender = None
        self._writer.close()


def open_log(
    data_directory: Path,
    database: Database,
    clock: Clock,
    source: str,
    *,
    retention: Retention | None = None,
    tend: bool = True,
) -> TraceLog:
    """Open the log whose keys lie in `data_directory/keys`; on first use the keys are made there, mode 0600.

    Parameters
    ----------
    data_directory : Path
    database : Database
        With the log's tables in place.
    clock : callable
        The present moment in UTC.
    source : str
        Name of this writer, such as `serve-1`; two processes at a time never share one.
    tend : bool
        Sign checkpoints in the background while entries come in.

    Raises
    ------
    KeyUnreadable, ForeignKey
        When the key files are damaged, open to others, or not this log's.
    """
    folder = data_directory / "keys"
    log = TraceLog(
        database,
        key=SigningKey.of_file(folder / SIGNING_KEY),
        wrapping=Wrapping(folder / PAYLOAD_KEY),
        clock=clock,
        source=source,
        retention=retention,
        head=HeadMemory(data_directory / LAST_HEAD),
    )
    if tend:
        log.tend()
    return log
