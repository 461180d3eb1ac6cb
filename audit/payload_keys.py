"""Keys that let a payload go: one per subject (or model) and quarter, each wrapped by a key kept in a file.

A payload is stored as AES-256-GCM over `salt || payload` under its data key. Where the data key is gone, the
payload is gone, also from copies of the database made before. Data keys lie in the database wrapped by the
key-encryption key; that one lies in a file of the data directory and changes after every erasure, so a copy of
the old wrapping opens nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.database import Writer
from audit.entries import EPOCH
from audit.seal import SALT_BYTES
from audit.signed_note import keep_secret, secret_of_file, sync_folder
from policies.errors import Sentence, Unavailable

NONCE_BYTES = 12
CACHED = 65_536


class PayloadUnreadable(Unavailable):
    """A payload is stored but cannot be opened with the keys at hand."""

    def __init__(self, what: str, what_zh: str) -> None:
        super().__init__(
            Sentence(
                en=f"{what}; the payload stays closed until the right key file is back",
                zh=f"{what_zh}；在恢复正确的密钥文件之前，载荷无法打开",
            )
        )


@dataclass(frozen=True)
class DataKey:
    """A data key ready for use."""

    number: int
    cipher: AESGCM

    def seal(self, entry: bytes, salt: bytes, payload: bytes, nonce: bytes) -> bytes:
        """Return `salt || payload`, encrypted and bound to the entry's id."""
        return nonce + self.cipher.encrypt(nonce, salt + payload, entry)

    def open(self, entry: bytes, sealed: bytes) -> tuple[bytes, bytes]:
        """Return salt and payload.

        Raises
        ------
        PayloadUnreadable
            When the stored bytes are not what this key sealed for this entry.
        """
        try:
            plain = self.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], entry)
        except (InvalidTag, ValueError) as wrong:
            raise PayloadUnreadable(
                f"the stored payload was changed or belongs to another entry than {entry.hex()}",
                f"存储的载荷被改动，或不属于条目 {entry.hex()}",
            ) from wrong
        return plain[:SALT_BYTES], plain[SALT_BYTES:]


class Wrapping:
    """The key-encryption key in its file.

    `name`, sixteen hex digits, says which one wrapped a data key without showing it, so that a process notices
    when another has changed it. While it is
    being renewed the new one lies beside it in `FILE.next`; the database's rows say which of the two counts.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._read()

    def _read(self) -> None:
        self._secret = secret_of_file(self.file)
        self._cipher = AESGCM(self._secret)
        self.name = sha256(b"mingjing wrapping key\x00" + self._secret).hexdigest()[:16]

    def take(self, name: str) -> None:
        """Become the key of this name, from the file or the one beside it; the other key is then destroyed.

        Raises
        ------
        PayloadUnreadable
            When neither file holds it.
        """
        if self.name == name and not self._beside.exists():
            return
        if self._beside.exists() and Wrapping(self._beside).name == name:
            _overwrite(self.file)
            os.replace(self._beside, self.file)
            sync_folder(self.file.parent)
        self._read()
        if self.name != name:
            raise PayloadUnreadable(
                f"the data keys are wrapped by key {name}, {self.file.name} holds {self.name}",
                f"数据密钥由密钥 {name} 封装，而 {self.file.name} 中是 {self.name}",
            )

    def successor(self) -> Wrapping:
        """Return a fresh key, kept beside this one until `take` puts it in this one's place."""
        keep_secret(self._beside, os.urandom(32))
        return Wrapping(self._beside)

    def wrap(self, key: bytes, number: int, quarter: str) -> bytes:
        """Return a data key that only this key opens."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, f"{number} {quarter}".encode())

    def unwrap(self, wrapped: bytes, number: int, quarter: str) -> bytes:
        """Return the data key.

        Raises
        ------
        PayloadUnreadable
            When it was wrapped by another key.
        """
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], f"{number} {quarter}".encode())
        except (InvalidTag, ValueError) as wrong:
            raise PayloadUnreadable(
                f"data key {number} of {quarter} is not wrapped by the key in {self.file.name}",
                f"{quarter} 的数据密钥 {number} 不是由 {self.file.name} 中的密钥封装的",
            ) from wrong

    @property
    def _beside(self) -> Path:
        return self.file.with_name(f"{self.file.name}.next")


class KeyRing:
    """The data keys of one process, read when needed and forgotten when another process may have erased some."""

    def __init__(self, wrapping: Wrapping) -> None:
        self.wrapping = wrapping
        self._at_hand: dict[tuple[str | None, str | None, str], DataKey] = {}
        self._opened: dict[bytes, DataKey] = {}

    def forget(self) -> None:
        """Drop every cached key: the database may have let some go."""
        self._at_hand.clear()
        self._opened.clear()

    def for_writing(self, writer: Writer, subject: str | None, model: str | None, quarter: str) -> DataKey:
        """Return the live key for an entry of a quarter, made and stored when there is none yet."""
        known = self._at_hand.get((subject, model, quarter))
        if known is not None:
            return known
        owner = owner_of(subject, model)
        key = self._stored(writer, owner, quarter) or self._made(writer, owner, quarter)
        if len(self._at_hand) >= CACHED:
            self.forget()
        self._at_hand[subject, model, quarter] = key
        return key

    def opened(self, number: int, quarter: str, wrapped: bytes, wrapping: str) -> DataKey:
        """Return a stored data key, unwrapped; the one remembered for these very bytes, where there is one."""
        known = self._opened.get(wrapped)
        if known is not None and known.number == number:
            return known
        if wrapping != self.wrapping.name:
            self.wrapping.take(wrapping)
        if len(self._opened) >= CACHED:
            self.forget()
        self._opened[wrapped] = DataKey(number, AESGCM(self.wrapping.unwrap(wrapped, number, quarter)))
        return self._opened[wrapped]

    def _stored(self, writer: Writer, owner: str, quarter: str) -> DataKey | None:
        rows = writer.rows(
            "SELECT number, wrapped, wrapping FROM log_payload_keys"
            " WHERE owner = ? AND quarter = ? AND wrapped IS NOT NULL",
            owner,
            quarter,
        )
        return self.opened(rows[0][0], quarter, bytes(rows[0][1]), rows[0][2]) if rows else None

    def _made(self, writer: Writer, owner: str, quarter: str) -> DataKey:
        newest = writer.rows(
            "SELECT wrapping FROM log_payload_keys WHERE wrapped IS NOT NULL ORDER BY number DESC LIMIT 1"
        )
        if newest:
            self.wrapping.take(newest[0][0])
        secret = os.urandom(32)
        number = int(writer.rows("SELECT coalesce(max(number), 0) + 1 FROM log_payload_keys")[0][0])
        wrapped = self.wrapping.wrap(secret, number, quarter)
        columns = ("number", "owner", "quarter", "wrapped", "wrapping")
        writer.insert("log_payload_keys", columns, [(number, owner, quarter, wrapped, self.wrapping.name)])
        return DataKey(number, AESGCM(secret))


def _overwrite(file: Path) -> None:
    """Write zeros over a secret, as far as a file system lets one."""
    handle = os.open(file, os.O_WRONLY)
    try:
        os.write(handle, b"0" * 64 + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def owner_of(subject: str | None, model: str | None) -> str:
    """Return whose key seals an entry: its subject's, else its model's, else the log's own.

    Examples
    --------
    >>> owner_of("p-7", "gas-leak"), owner_of(None, "gas-leak"), owner_of(None, None)
    ('subject p-7', 'model gas-leak', 'log')
    """
    if subject is not None:
        return f"subject {subject}"
    return f"model {model}" if model is not None else "log"


def quarter_of(microseconds: int) -> str:
    """Return the quarter of the moment so many microseconds after 1970.

    Examples
    --------
    >>> quarter_of(1_795_305_600_000_000)  # 22 November 2026
    '2026Q4'
    """
    return _quarter_of_day(microseconds // 86_400_000_000)


@lru_cache(maxsize=1024)
def _quarter_of_day(day: int) -> str:
    date = EPOCH + timedelta(days=day)
    return f"{date.year}Q{(date.month + 2) // 3}"
