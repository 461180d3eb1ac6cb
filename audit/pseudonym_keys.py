"""The keys that turn subject ids into pseudonyms: changed now and then, kept as long as a trace needs them."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.deidentify import pseudonym
from audit.entries import microseconds_of
from audit.signed_note import KeyUnreadable, secret_of_file
from audit.trace_log import TraceLog

FIRST, SEALING = "pseudonym.key", "subject.key"
"""Files of the first key, and of the key under which accounts keep the id they are tied to."""

SEALED = "sealed:"
"""How an account's sealed id begins; anything else is a pseudonym as such."""

LOOK_EVERY = 1.0
"""Seconds after which a process looks whether another one changed the key."""

OVERLAP = timedelta(days=1)
"""For so long after a change some process, or a spool that was handed in later, may still have used the key before."""


@dataclass(frozen=True)
class _Key:
    since: int
    file: Path
    secret: bytes


class PseudonymKeys:
    """All pseudonym keys of a house, newest first. The newest makes the pseudonyms of new traces.

    Parameters
    ----------
    folder : Path
        The keys of the data folder; the first key is made on first use.
    monotonic : callable
        Seconds of a clock that only goes forward.
    """

    def __init__(self, folder: Path, monotonic: Callable[[], float]) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._lock = threading.Lock()
        if not _keys_in(folder):
            secret_of_file(folder / FIRST)
        self._sealing = AESGCM(secret_of_file(folder / SEALING))
        self._keys = _keys_in(folder)
        self._looked = monotonic()

    def of(self, subject: object) -> str:
        """Return the pseudonym that new traces of a subject get. Raises Malformed for an empty id."""
        return pseudonym(_text(subject), self._known()[0].secret)

    def every(self, subject: object) -> tuple[str, ...]:
        """Return every pseudonym under which a subject may be found, newest first."""
        return tuple(pseudonym(_text(subject), key.secret) for key in self._known())

    def seal(self, subject: object) -> str:
        """Return a subject's id as an account keeps it: readable only here, so that it outlives a change of the key."""
        nonce = os.urandom(12)
        sealed = nonce + self._sealing.encrypt(nonce, _text(subject).encode(), b"subject of an account")
        return SEALED + base64.b64encode(sealed).decode()

    def opened(self, kept: str) -> tuple[str, ...]:
        """Return every pseudonym, newest first, of the id an account keeps.

        Raises
        ------
        KeyUnreadable
            When it was sealed with another key than the one at hand.
        """
        if not kept.startswith(SEALED):
            return (kept,)
        raw = base64.b64decode(kept.removeprefix(SEALED))
        try:
            return self.every(self._sealing.decrypt(raw[:12], raw[12:], b"subject of an account").decode())
        except InvalidTag as wrong:
            raise KeyUnreadable(
                self._folder / SEALING, "did not seal this account's subject id", "不是封存该账号对象编号的密钥"
            ) from wrong

    def change(self, now: datetime) -> None:
        """Begin a new key. Every process uses it within a second; traces of before are still found."""
        secret_of_file(self._folder / f"pseudonym-{microseconds_of(now)}.key")
        self._looked = float("-inf")

    def let_go(self, log: TraceLog, now: datetime) -> int:
        """Destroy every key that no trace needs any more; return how many.

        A key is needed while an entry of its time still names a subject: expiry takes the subject away.
        """
        keys = _keys_in(self._folder)[::-1]
        gone = 0
        for key, after in pairwise(keys):
            end = after.since + microseconds_of(now) - microseconds_of(now - OVERLAP)
            if end > microseconds_of(now):
                break
            named = log.database.rows(
                "SELECT 1 FROM log_entries WHERE subject IS NOT NULL AND time >= ? AND time < ? LIMIT 1", key.since, end
            )
            if named:
                continue
            key.file.unlink()
            gone += 1
        self._looked = float("-inf")
        return gone

    def _known(self) -> tuple[_Key, ...]:
        if self._monotonic() - self._looked >= LOOK_EVERY and self._lock.acquire(blocking=False):
            try:
                self._keys = _keys_in(self._folder)
                self._looked = self._monotonic()
            finally:
                self._lock.release()
        return self._keys


def _keys_in(folder: Path) -> tuple[_Key, ...]:
    """Return the keys in a folder, newest first. The first key counts from the beginning of time."""
    found = [_Key(0, file, secret_of_file(file)) for file in folder.glob(FIRST)]
    for file in folder.glob("pseudonym-*.key"):
        since = file.stem.removeprefix("pseudonym-")
        if since.isdecimal():
            found.append(_Key(int(since), file, secret_of_file(file)))
    return tuple(sorted(found, key=lambda key: -key.since))


def _text(subject: object) -> str:
    """Return an id as text. A number that a table with gaps turned into 1234.0 is the same person as 1234."""
    if isinstance(subject, float) and subject.is_integer():
        subject = int(subject)
    return str(subject).strip()
