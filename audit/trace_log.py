"""The log of decisions and acts of governance: durable when it answers, provable, forgetful on time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from audit.checkpoints import Checkpoint, KeyLink, endorse, origin_of, read_checkpoint, sign_checkpoint
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
from audit.key_chain import chain_of, key_of_chain
from audit.log_reader import LogReader, NoSuchEntry, Tally, Wanted
from audit.log_tree import StoredTree
from audit.log_writer import Batch, LogStopped, LogWriter, OutOfOrder
from audit.merkle import Frontier, consistency_proof, inclusion_proof
from audit.payload_keys import KeyRing, Wrapping
from audit.payload_store import Opened, PayloadStore
from audit.recheck import Recheck
from audit.retention import Retention
from audit.seal import details_of
from audit.signed_note import SigningKey
from audit.trace import DecisionTrace, TraceUnreadable, decode_trace, layout_digest
from policies.errors import Refused, Sentence, Unavailable

__all__ = [
    "Draft",
    "Entry",
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

CHECKPOINT_SECONDS = 60
CHECKPOINT_ENTRIES = 1000
"""While entries come in, no more than this much time or this many entries pass between checkpoints."""

LOOK_SECONDS = 1.0

SIGNING_KEY, PAYLOAD_KEY = "signing.key", "payload.key"
"""Files under `keys` of the data directory: who has the first can speak for the log, who has the second can read it."""

LAST_HEAD = "last-head"
"""File of the data directory with the newest checkpoint this machine has seen."""


class ForeignKey(Unavailable):
    """The log was signed by another key than the one at hand."""

    def __init__(self, fingerprint: str, expected: str) -> None:
        super().__init__(
            Sentence(
                en=f"the signing key at hand is {fingerprint[:16]}, the log is signed by {expected[:16]};"
                " put the right key file back, or hand the log over with the old key",
                zh=f"当前签名密钥为 {fingerprint[:16]}，而日志由 {expected[:16]} 签名；"
                "请恢复正确的密钥文件，或用旧密钥办理交接",
            )
        )


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
        self._key = key
        self.wrapping = wrapping
        self._keys = KeyRing(wrapping)
        self._writer = LogWriter(database, self._keys)
        self._commits: GroupCommit[Batch, tuple[Receipt, ...]] = GroupCommit(self._writer.write)
        self._reader = LogReader(database)
        self._reading_keys = KeyRing(wrapping)
        self._payloads = PayloadStore(database, self._reading_keys)
        self._tree = StoredTree(database.rows)
        self._head = head
        self._signing = threading.Lock()
        self._counters: dict[str, int] = {}
        self._counted_to = 0
        self._tender: _Tender | None = None
        self._begin_chain()
        self.origin = origin_of(self.key_chain()[0].public)

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
        return int(self.database.rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest signed head; None before the first."""
        rows = self.database.rows("SELECT note, time FROM log_checkpoints ORDER BY size DESC LIMIT 1")
        return read_checkpoint(rows[0][0], moment_of(rows[0][1])) if rows else None

    def checkpoint(self) -> Checkpoint:
        """Sign the head as it is now, after computing the entries since the last checkpoint again from what is stored.

        Raises
        ------
        LogTampered
            When stored bytes do not give what was acknowledged; nothing is signed then.
        """
        with self._signing:
            size, last = self.size(), self.latest_checkpoint()
            self._seen_before(size, Findings()).insist()
            if last is not None and last.size == size:
                return last
            start = last.size if last is not None else 0
            self._recheck().leaves(start, size, self._counters_at(start)).insist()
            self._counted_to = size
            made = sign_checkpoint(self.origin, size, self._root_at(size, last), self._own_key(), self.clock())
            with self.database.writing() as connection:
                self._insert_checkpoint(connection, made)
            if self._head is not None:
                self._head.remember(made)
            return made

    def _counters_at(self, start: int) -> dict[str, int]:
        """What each source had counted to at `start`; nothing is known of it when another process signed meanwhile."""
        if start != self._counted_to:
            self._counters.clear()
        self._counted_to = -1  # until the count has passed
        return self._counters

    def accept_set_back(self, *, actor: str, reason: str) -> Receipt:
        """Let the log go on although its newest entries are lost, and say so in an `incident` entry.

        For the officer, after a restore from an older copy. Who holds a newer checkpoint will see two histories,
        and this entry explains them.
        """
        seen, size = None if self._head is None else self._head.remembered(), self.size()
        said = {"set_back": {"from": None if seen is None else seen.size, "to": size}, "reason": reason}
        payload = json.dumps(said, ensure_ascii=False, sort_keys=True).encode()
        receipt = self.append([Draft(kind="incident", payload=payload, actor=actor)])[0]
        if self._head is not None:
            root = Frontier.at(self.size(), self._tree).root()
            self._head.replace(sign_checkpoint(self.origin, self.size(), root, self._own_key()))
        return receipt

    def _seen_before(self, size: int, found: Findings) -> Findings:
        for fault in [] if self._head is None else self._head.faults(size, self._tree):
            found.add(fault.en, fault.zh)
        return found

    def _root_at(self, size: int, last: Checkpoint | None) -> bytes:
        if last is not None and Frontier.at(min(last.size, size), self._tree).root() != last.root:
            found = Findings()
            found.add(
                f"the log no longer gives the root that was signed for its first {last.size} entries",
                f"日志前 {last.size} 条已不再得出当时签名的根哈希",
            )
            found.insist()
        return Frontier.at(size, self._tree).root()

    def _insert_checkpoint(self, connection: Any, made: Checkpoint) -> None:
        places = "?, ?, ?, ?" if self.database.dialect == "sqlite" else "%s, %s, %s, %s"
        connection.exec_driver_sql(
            f"INSERT INTO log_checkpoints (size, time, root, note) VALUES ({places}) ON CONFLICT (size) DO NOTHING",
            (made.size, microseconds_of(made.time or self.clock()), made.root, made.note),
        )

    def checkpoint_when_due(self) -> Checkpoint | None:
        """Sign when entries wait for it since 60 seconds, or 1,000 of them do; else return None.

        None, too, when another process on this machine is signing right now.
        """
        if self._head is None:
            return self.checkpoint() if self._is_due() else None
        with self._head.turn() as mine:  # another process that is at it does the same work
            return self.checkpoint() if mine and self._is_due() else None

    def _is_due(self) -> bool:
        last, size = self.latest_checkpoint(), self.size()
        waiting = size - (last.size if last is not None else 0)
        if waiting <= 0:
            return False
        if waiting >= CHECKPOINT_ENTRIES or last is None or last.time is None:
            return True
        age = (self.clock() - last.time).total_seconds()
        return age >= CHECKPOINT_SECONDS or age < 0

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that entry `index` is in the log of `size` entries."""
        return inclusion_proof(index, size, self._tree)

    def consistency(self, older: int, newer: int) -> list[bytes]:
        """Return the proof that the log of `newer` entries continues the one of `older`."""
        return consistency_proof(older, newer, self._tree)

    def recheck(self) -> Findings:
        """Compute the whole log again from its stored bytes, as is due once a day."""
        found = self._recheck().everything()
        return self._seen_before(self.size(), found)  # counted afterwards: the log is signed on while it is read

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
        return chain_of(self.database)

    def change_key(self, new: SigningKey, actor: str) -> Receipt:
        """Hand the log over to a new signing key, by the old key's signature and an entry of kind `key`.

        The new key must be kept before (`audit.key_change`): from here on no other signs.
        """
        with self._signing:
            word = endorse(self._key, new.public)
            said = {"old": self._key.public.raw.hex(), "new": new.public.raw.hex(), "endorsement": word.hex()}
            draft = Draft(kind="key", payload=json.dumps(said, sort_keys=True).encode(), actor=actor)
            now = microseconds_of(self.clock())

            def store(writer: Writer) -> None:
                number = writer.rows("SELECT max(number) + 1 FROM log_signing_keys")[0][0]
                columns = ("number", "public", "endorsement", "since")
                writer.insert("log_signing_keys", columns, [(number, new.public.raw, word, now)])

            receipt = self._submit(Batch((draft,), now, self.source, also=store))[0]
            self._key = new
        return receipt

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs for this log now, for what is signed in its name beside checkpoints."""
        return self._own_key()

    @property
    def key_file(self) -> Path | None:
        """Where the signing key is kept; None when it was handed over in memory."""
        return self._key.file

    def take_key(self, key: SigningKey) -> None:
        """Sign with `key` from now on; the log refuses to sign with any but the newest of its chain."""
        self._key = key

    def _begin_chain(self) -> None:
        if not self.key_chain():
            places = "0, ?, ?" if self.database.dialect == "sqlite" else "0, %s, %s"
            with self.database.writing() as connection:
                connection.exec_driver_sql(
                    f"INSERT INTO log_signing_keys (number, public, since) VALUES ({places}) ON CONFLICT DO NOTHING",
                    (self._key.public.raw, microseconds_of(self.clock())),
                )
        self._own_key()

    def _own_key(self) -> SigningKey:
        """The key that signs now; where another process changed it, the one that its file holds since."""
        newest = self.key_chain()[-1].public
        if newest != self._key.public and self._key.file is not None:
            self._key = key_of_chain(self._key.file, newest)
        if newest != self._key.public:
            raise ForeignKey(self._key.public.fingerprint, newest.fingerprint)
        return self._key

    # --- life --------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Start signing checkpoints in the background while entries come in."""
        if self._tender is None:
            self._tender = _Tender(self)

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


class _Tender:
    """A thread that signs a checkpoint when one is due. What it cannot sign it keeps as `wrong` and tries again."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log
        self._wake = threading.Event()
        self._over = False
        self.wrong: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="log checkpoints", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look now whether a checkpoint is due."""
        self._wake.set()

    def stop(self) -> None:
        """Sign what waits and end."""
        self._over = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over:
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            self._sign()

    def _sign(self) -> None:
        try:
            if self._over:
                self._log.checkpoint()
            elif self._log.checkpoint_when_due() is not None:
                self._log.database.settle()  # else it is done within somebody's append
            self.wrong = None
        except Exception as wrong:  # noqa: BLE001  # the thread must live to sign once the database is back
            self.wrong = wrong


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
