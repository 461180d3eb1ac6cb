"""The signed heads of the log: none before what it covers was computed again, and by no key but the newest."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit.checkpoints import Checkpoint, KeyLink, endorse, origin_of, read_checkpoint, sign_checkpoint
from audit.database import Database, Writer
from audit.entries import Clock, Receipt, microseconds_of, moment_of
from audit.findings import Findings
from audit.head_memory import HeadMemory
from audit.key_chain import chain_of, key_of_chain
from audit.log_tree import StoredTree
from audit.merkle import Frontier
from audit.recheck import Recheck
from audit.signed_note import SigningKey
from policies.errors import Sentence, Unavailable

CHECKPOINT_SECONDS = 60
CHECKPOINT_ENTRIES = 1000
"""While entries come in, no more than this much time or this many entries pass between checkpoints."""


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


class SignedHeads:
    """What a log of one database signs, and the key it signs with. Safe for many threads.

    Parameters
    ----------
    database : Database
    key : SigningKey
        On a fresh log it becomes the first key of the chain.
    clock : callable
        The present moment in UTC.
    recheck : callable
        Gives what computes entries again from their stored bytes.
    memory : HeadMemory, optional
        Remembers the last signed head outside the database, so that a database that was set back is noticed.

    Raises
    ------
    ForeignKey
        When the log was begun with another key.
    """

    def __init__(
        self,
        database: Database,
        key: SigningKey,
        clock: Clock,
        recheck: Callable[[], Recheck],
        memory: HeadMemory | None = None,
    ) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._recheck = recheck
        self._memory = memory
        self._tree = StoredTree(database.rows)
        self._signing = threading.Lock()
        self._counters: dict[str, int] = {}
        self._counted_to = 0
        self._begin_chain()
        self.origin = origin_of(self.key_chain()[0].public)

    def size(self) -> int:
        """Return how many entries the log has."""
        return int(self._database.rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])

    # --- heads -------------------------------------------------------------------------------------------------

    def latest(self) -> Checkpoint | None:
        """Return the newest signed head; None before the first."""
        rows = self._database.rows("SELECT note, time FROM log_checkpoints ORDER BY size DESC LIMIT 1")
        return read_checkpoint(rows[0][0], moment_of(rows[0][1])) if rows else None

    def sign(self) -> Checkpoint:
        """Sign the head as it is now, after computing the entries since the last checkpoint again from what is stored.

        Raises
        ------
        LogTampered
            When stored bytes do not give what was acknowledged; nothing is signed then.
        """
        with self._signing:
            size, last = self.size(), self.latest()
            self.seen_before(size, Findings()).insist()
            if last is not None and last.size == size:
                return last
            start = last.size if last is not None else 0
            self._recheck().leaves(start, size, self._counters_at(start)).insist()
            self._counted_to = size
            made = sign_checkpoint(self.origin, size, self._root_at(size, last), self.own_key(), self._clock())
            with self._database.writing() as connection:
                self._insert(connection, made)
            if self._memory is not None:
                self._memory.remember(made)
            return made

    def sign_when_due(self) -> Checkpoint | None:
        """Sign when entries wait for it since 60 seconds, or 1,000 of them do; else return None.

        None, too, when another process on this machine is signing right now.
        """
        if self._memory is None:
            return self.sign() if self.is_due() else None
        with self._memory.turn() as mine:  # another process that is at it does the same work
            return self.sign() if mine and self.is_due() else None

    def accept_set_back(self, keep: Callable[[bytes], Receipt], reason: str) -> Receipt:
        """Remember the head of today in place of a newer one that is lost; `keep` makes what is said of it an entry."""
        seen, size = None if self._memory is None else self._memory.remembered(), self.size()
        said = {"set_back": {"from": None if seen is None else seen.size, "to": size}, "reason": reason}
        receipt = keep(json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
        if self._memory is not None:
            root = Frontier.at(self.size(), self._tree).root()
            self._memory.replace(sign_checkpoint(self.origin, self.size(), root, self.own_key()))
        return receipt

    def seen_before(self, size: int, found: Findings) -> Findings:
        """Add to `found` what speaks against the log of `size` entries being the one this machine has seen signed."""
        for fault in [] if self._memory is None else self._memory.faults(size, self._tree):
            found.add(fault.en, fault.zh)
        return found

    def _counters_at(self, start: int) -> dict[str, int]:
        """What each source had counted to at `start`; nothing is known of it when another process signed meanwhile."""
        if start != self._counted_to:
            self._counters.clear()
        self._counted_to = -1  # until the count has passed
        return self._counters

    def _root_at(self, size: int, last: Checkpoint | None) -> bytes:
        if last is not None and Frontier.at(min(last.size, size), self._tree).root() != last.root:
            found = Findings()
            found.add(
                f"the log no longer gives the root that was signed for its first {last.size} entries",
                f"日志前 {last.size} 条已不再得出当时签名的根哈希",
            )
            found.insist()
        return Frontier.at(size, self._tree).root()

    def _insert(self, connection: Any, made: Checkpoint) -> None:
        places = "?, ?, ?, ?" if self._database.dialect == "sqlite" else "%s, %s, %s, %s"
        connection.exec_driver_sql(
            f"INSERT INTO log_checkpoints (size, time, root, note) VALUES ({places}) ON CONFLICT (size) DO NOTHING",
            (made.size, microseconds_of(made.time or self._clock()), made.root, made.note),
        )

    def is_due(self) -> bool:
        """Return whether entries wait for a head since 60 seconds, or 1,000 of them do."""
        last, size = self.latest(), self.size()
        waiting = size - (last.size if last is not None else 0)
        if waiting <= 0:
            return False
        if waiting >= CHECKPOINT_ENTRIES or last is None or last.time is None:
            return True
        age = (self._clock() - last.time).total_seconds()
        return age >= CHECKPOINT_SECONDS or age < 0

    # --- keys --------------------------------------------------------------------------------------------------

    def key_chain(self) -> tuple[KeyLink, ...]:
        """Return the keys that ever signed for this log, oldest first."""
        return chain_of(self._database)

    def own_key(self) -> SigningKey:
        """Return the key that signs now; where another process changed it, the one that its file holds since."""
        newest = self.key_chain()[-1].public
        if newest != self._key.public and self._key.file is not None:
            self._key = key_of_chain(self._key.file, newest)
        if newest != self._key.public:
            raise ForeignKey(self._key.public.fingerprint, newest.fingerprint)
        return self._key

    @property
    def key_file(self) -> Path | None:
        """Where the signing key is kept; None when it was handed over in memory."""
        return self._key.file

    def take_key(self, key: SigningKey) -> None:
        """Sign with `key` from now on; the log refuses to sign with any but the newest of its chain."""
        self._key = key

    def hand_over(self, new: SigningKey, keep: Callable[[bytes, Callable[[Writer], None]], Receipt]) -> Receipt:
        """Hand the log over to a new key; `keep` makes an entry of the old key's word and stores the key with it."""
        with self._signing:
            word, now = endorse(self._key, new.public), microseconds_of(self._clock())
            said = {"old": self._key.public.raw.hex(), "new": new.public.raw.hex(), "endorsement": word.hex()}

            def store(writer: Writer) -> None:
                number = writer.rows("SELECT max(number) + 1 FROM log_signing_keys")[0][0]
                columns = ("number", "public", "endorsement", "since")
                writer.insert("log_signing_keys", columns, [(number, new.public.raw, word, now)])

            receipt = keep(json.dumps(said, sort_keys=True).encode(), store)
            self._key = new
        return receipt

    def _begin_chain(self) -> None:
        if not self.key_chain():
            places = "0, ?, ?" if self._database.dialect == "sqlite" else "0, %s, %s"
            with self._database.writing() as connection:
                connection.exec_driver_sql(
                    f"INSERT INTO log_signing_keys (number, public, since) VALUES ({places}) ON CONFLICT DO NOTHING",
                    (self._key.public.raw, microseconds_of(self._clock())),
                )
        self.own_key()
