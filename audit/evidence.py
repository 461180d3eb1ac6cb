"""The evidence bundle: one entry, what was said about it, and all a stranger needs to check both."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.checkpoints import Checkpoint, KeyLink
from audit.entries import Entry
from audit.payload_store import Opened

FORMAT = 1
"""Format of a bundle.

Raise it when a reader of this one could not read the next. `audit.verify` keeps the reader of every format ever
written, each with a stored sample in its tests.
"""


@dataclass(frozen=True)
class Bundled:
    """One entry with its proof, its private details and, unless erased, salt, payload and the payload's layout."""

    entry: Entry
    details: bytes
    opened: Opened | None
    layout: bytes | None
    inclusion: Sequence[bytes]

    def as_json(self) -> dict[str, Any]:
        """Return the entry as it stands in a bundle."""
        sealed = self.opened is not None
        return {
            "index": self.entry.index,
            "header": self.entry.header.decode(),
            "erased": not sealed,
            "details": self.details.decode() if sealed else None,
            "salt": self.opened.salt.hex() if self.opened is not None else None,
            "payload": base64.b64encode(self.opened.payload).decode() if self.opened is not None else None,
            "layout": None if self.layout is None else self.layout.decode(),
            "inclusion": [step.hex() for step in self.inclusion],
        }


def bundle_of(
    bundled: Sequence[Bundled], checkpoint: Checkpoint, chain: Sequence[KeyLink], rulebook: bytes | None
) -> dict[str, Any]:
    """Return the bundle: the first entry is what it is about, the others are statements about it or each other."""
    entry = bundled[0].entry
    return {
        "format": FORMAT,
        "origin": checkpoint.origin,
        "id": entry.id,
        "artifact_digest": entry.artifact_digest,
        "rulebook_digest": entry.rulebook_digest,
        "rulebook": None if rulebook is None else rulebook.decode(),
        "entry": bundled[0].as_json(),
        "statements": [statement.as_json() for statement in bundled[1:]],
        "checkpoint": checkpoint.note,
        "keys": [
            {
                "public": link.public.raw.hex(),
                "fingerprint": link.public.fingerprint,
                "endorsement": None if link.endorsement is None else link.endorsement.hex(),
            }
            for link in chain
        ],
        "fingerprint": chain[-1].public.fingerprint,
    }
