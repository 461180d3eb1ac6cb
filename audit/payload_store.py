"""Sealed payloads and how they are opened again: the data key of each entry, unwrapped when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from audit.database import Database
from audit.payload_keys import KeyRing, PayloadUnreadable

ASKED_AT_ONCE = 500
"""Entries named in one statement."""


@dataclass(frozen=True)
class Opened:
    """A payload with the salt of its commitment."""

    salt: bytes
    payload: bytes


class PayloadStore:
    """Opens payloads for reading."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    def opened(self, index: int, id: bytes) -> Opened | None:
        """Return the payload of the entry at `index`; None when it is erased.

        Raises
        ------
        PayloadUnreadable
            When stored bytes or keys were changed.
        """
        return next((opened for _, opened in self.each(index, index + 1, {index: id})), None)

    def each(self, start: int, end: int, ids: dict[int, bytes]) -> Iterator[tuple[int, Opened | None]]:
        """Return the payloads of the entries from `start` up to but without `end`; what is erased comes as None."""
        rows = self._database.rows(
            "SELECT p.entry, p.sealed, k.number, k.quarter, k.wrapped, k.wrapping FROM log_payloads p"
            " JOIN log_payload_keys k ON k.number = p.payload_key WHERE p.entry >= ? AND p.entry < ? ORDER BY p.entry",
            start,
            end,
        )
        for entry, sealed, *key in rows:
            yield entry, None if sealed is None or entry not in ids else self._open(entry, ids[entry], sealed, *key)

    def in_use(self, ids: Mapping[int, bytes]) -> dict[int, bytes]:
        """Return payloads by the places of their entries, without those that are erased or restricted."""
        found: dict[int, bytes] = {}
        places = sorted(ids)
        for first in range(0, len(places), ASKED_AT_ONCE):
            part = places[first : first + ASKED_AT_ONCE]
            rows = self._database.rows(
                "SELECT p.entry, p.sealed, k.number, k.quarter, k.wrapped, k.wrapping FROM log_payloads p"
                " JOIN log_payload_keys k ON k.number = p.payload_key LEFT JOIN log_restrictions r ON r.entry = p.entry"
                f" WHERE p.entry IN ({', '.join('?' * len(part))}) AND p.sealed IS NOT NULL AND r.entry IS NULL",
                *part,
            )
            found.update({entry: self._open(entry, ids[entry], *rest).payload for entry, *rest in rows})
        return found

    def _open(
        self, entry: int, id: bytes, sealed: bytes, number: int, quarter: str, wrapped: bytes | None, wrapping: str
    ) -> Opened:
        if wrapped is None:
            raise PayloadUnreadable(f"the key of entry {entry} is gone", f"条目 {entry} 的密钥已不存在")
        salt, payload = self._keys.opened(number, quarter, bytes(wrapped), wrapping).open(id, bytes(sealed))
        return Opened(salt, payload)
