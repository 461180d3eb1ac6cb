"""The signed head of the log: C2SP checkpoint text, and the chain of keys that may sign it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from audit.signed_note import NotASignedNote, SigningKey, VerifyingKey, sign_note, signed_by, split_note

ENDORSEMENT = b"mingjing next signing key 1\x00"
"""What stands before `old public || new public` where an old key signs for the next."""


@dataclass(frozen=True)
class Checkpoint:
    """The head of the log at one size.

    `note` is the signed text as it is published; `time` is when it was signed, by the log's clock.
    """

    origin: str
    size: int
    root: bytes
    note: str
    time: datetime | None = None

    @property
    def text(self) -> str:
        """The signed note, the same as `note`."""
        return self.note


@dataclass(frozen=True)
class KeyLink:
    """One key in the life of a log, and the old key's signature for it (None for the first)."""

    public: VerifyingKey
    endorsement: bytes | None


def sign_checkpoint(origin: str, size: int, root: bytes, key: SigningKey, time: datetime | None = None) -> Checkpoint:
    """Return the checkpoint of a tree, signed under the log's own name as C2SP asks."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(origin, size, root, sign_note(text, origin, key), time)


def read_checkpoint(note: str, time: datetime | None = None) -> Checkpoint:
    """Return what a checkpoint says; whose signatures it bears is another question (`signed_by`).

    Raises
    ------
    NotASignedNote
        When the text is not a checkpoint.
    """
    text, _ = split_note(note)
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise NotASignedNote("a checkpoint has an origin, a size and a root", "检查点应含来源、大小和根哈希")
    if not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:
        raise NotASignedNote(f"'{lines[1]}' is no size of a tree", f"“{lines[1]}”不是树的大小")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        root = b""
    if len(root) != 32:
        raise NotASignedNote("the root is not 32 bytes in base64", "根哈希不是 base64 写成的 32 字节")
    return Checkpoint(lines[0], int(lines[1]), root, note, time)


def origin_of(first: VerifyingKey) -> str:
    """Return the name of the log that began with this key; it stays when the key changes."""
    return f"mingjing.log/{first.fingerprint[:16]}"


def endorse(old: SigningKey, new: VerifyingKey) -> bytes:
    """Return the old key's signature that hands the log over to the new key."""
    return old.sign(ENDORSEMENT + old.public.raw + new.raw)


def chain_holds(chain: Sequence[KeyLink]) -> bool:
    """Return whether every key but the first is endorsed by the one before it."""
    if not chain or chain[0].endorsement is not None:
        return False
    return all(
        link.endorsement is not None
        and before.public.verifies(ENDORSEMENT + before.public.raw + link.public.raw, link.endorsement)
        for before, link in pairwise(chain)
    )


def signer_of(checkpoint: Checkpoint, chain: Sequence[KeyLink]) -> VerifyingKey | None:
    """Return the key of the chain that signed this checkpoint, the newest first; None when none did."""
    return next(
        (link.public for link in reversed(chain) if signed_by(checkpoint.note, checkpoint.origin, link.public)), None
    )
