"""The signing keys of a log through its life: who signs now, and how one hands over to the next."""

from __future__ import annotations

import os
from pathlib import Path

from audit.checkpoints import KeyLink
from audit.database import Database
from audit.signed_note import SigningKey, VerifyingKey, sync_folder


def chain_of(database: Database) -> tuple[KeyLink, ...]:
    """Return the keys that ever signed for the log in this database, oldest first."""
    rows = database.rows("SELECT public, endorsement FROM log_signing_keys ORDER BY number")
    return tuple(KeyLink(VerifyingKey(bytes(public)), None if word is None else bytes(word)) for public, word in rows)


def make_next_key(file: Path) -> SigningKey:
    """Return a fresh key, kept beside `file` until the log names it as its newest."""
    key = SigningKey(os.urandom(32))
    key.keep(_beside(file))
    return SigningKey.of_file(_beside(file))


def key_of_chain(file: Path, newest: VerifyingKey) -> SigningKey:
    """Return the key in `file`, after the one beside it took its place if the log names that one.

    A process that died between the log's word and the exchange of the files is healed here. Which key comes
    back is for the caller to compare with `newest`.
    """
    beside = _beside(file)
    if beside.exists() and SigningKey.of_file(beside).public == newest:
        os.replace(beside, file)
        sync_folder(file.parent)
    return SigningKey.of_file(file)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.next")
