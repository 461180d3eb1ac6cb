"""A portion of a turn on its way into the log: named with the database's help, then sealed without it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from audit.entries import Draft, Receipt, identifier_bytes, identifier_text, moment_of, new_identifier
from audit.log_tree import stored_nodes
from audit.merkle import Frontier, leaf_hash
from audit.payload_keys import NONCE_BYTES, DataKey
from audit.seal import FORMAT, SALT_BYTES, commitment_of, details_of
from audit.shared_rows import Shared

ENTRY_COLUMNS = (
    *("number", "id", "time", "kind", "context", "model", "counter", "about", "flags"),
    *("subject", "actor", "score", "verdict", "commitment", "leaf", "format"),
)
PAYLOAD_COLUMNS = ("entry", "payload_key", "sealed")
NODE_COLUMNS = ("level", "position", "hash")

_RANDOM = NONCE_BYTES + SALT_BYTES


@dataclass(frozen=True)
class Portion:
    """Drafts in the order in which they are kept, with all that the database had to say about each of them.

    Parameters
    ----------
    index : int
        Place of the first draft in the tree.
    tails : bytes
        Eight random bytes for each identifier that is still to be drawn.
    drafts : list of Draft
    times : list of int
        In microseconds since 1970.
    counters : list of int
        Number of each draft at its source.
    shared : list of Shared
    keys : list of DataKey
    """

    index: int
    tails: bytes
    drafts: list[Draft]
    times: list[int]
    counters: list[int]
    shared: list[Shared]
    keys: list[DataKey]

    def parts(self, size: int) -> list[Portion]:
        """Return portions of at most so many drafts, in the same order."""
        if len(self.drafts) <= size:
            return [self]
        return [self._part(first, first + size) for first in range(0, len(self.drafts), size)]

    def _part(self, first: int, end: int) -> Portion:
        return Portion(
            self.index + first,
            self.tails[8 * first : 8 * end],
            self.drafts[first:end],
            self.times[first:end],
            self.counters[first:end],
            self.shared[first:end],
            self.keys[first:end],
        )


@dataclass
class Rows:
    """Rows as the tables take them."""

    entries: list[tuple[Any, ...]] = field(default_factory=list)
    payloads: list[tuple[int, int, bytes]] = field(default_factory=list)
    nodes: list[tuple[int, int, bytes]] = field(default_factory=list)


def sealed(portion: Portion, frontier: Frontier) -> tuple[list[Receipt], Rows]:
    """Return receipts and rows of a portion, each draft under its own salt; the tree grows by their leaves.

    Asks no database, so that it can run beside one that stores the portion before.
    """
    receipts, rows = list[Receipt](), Rows()
    index, tails, at = portion.index, portion.tails, 0
    random = os.urandom(_RANDOM * len(portion.drafts))
    add_entry, add_payload, add_receipt = rows.entries.append, rows.payloads.append, receipts.append
    drafts = zip(portion.drafts, portion.times, portion.counters, portion.shared, portion.keys, strict=True)
    for place, (draft, time, counter, shared, key) in enumerate(drafts, index):
        if draft.id is None:
            tail = 8 * (place - index)
            number = new_identifier(time, tails[tail : tail + 8])
            id = identifier_text(number)
        else:
            id, number = draft.id, bytes.fromhex(draft.id.replace("-", ""))
        nonce, salt = random[at : at + NONCE_BYTES], random[at + NONCE_BYTES : at + _RANDOM]
        at += _RANDOM
        payload, flags, about = draft.payload, draft.flags, draft.about
        subject, actor, score, verdict = draft.subject, draft.actor, draft.score, draft.verdict
        commitment = commitment_of(salt, details_of(actor, score, subject, verdict), payload)
        leaf = leaf_hash(shared.form.write(id, time, counter, commitment, flags, about))
        add_payload((place, key.number, key.seal(number, salt, payload, nonce)))
        add_entry(
            (
                *(place, number, time, draft.kind, shared.context, shared.model, counter),
                *(about and identifier_bytes(about), " ".join(flags)),
                *(subject, actor, score, verdict, commitment, leaf, FORMAT),
            )
        )
        add_receipt(Receipt(id, place, moment_of(time), leaf))
    rows.nodes = stored_nodes(frontier.extend([receipt.leaf for receipt in receipts]))
    return receipts, rows
