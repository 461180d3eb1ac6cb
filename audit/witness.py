"""A witness remembers how far a log had come, and cosigns only what continues it (C2SP tlog-witness).

Run by people outside the log's own house: the officer, the regulator, a sister plant. A log that shows different
histories to different people needs every witness to look away.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from audit.checkpoints import Checkpoint, read_checkpoint
from audit.cosignatures import NamedKey, cosign
from audit.entries import Clock
from audit.merkle import is_consistent
from audit.signed_note import NotASignedNote, SigningKey, signed_by, sync_folder

LONGEST_PROOF = 63
LARGEST_REQUEST = 16 * 1024


@dataclass(frozen=True)
class Answer:
    """HTTP status, media type and body of a witness's answer."""

    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """An add-checkpoint request: the size last cosigned as the log knows it, a proof, a checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint


class Witness:
    """Cosigns checkpoints of the logs it knows.

    Parameters
    ----------
    folder : Path
        Where it remembers, one small file per log, durable before a cosignature leaves.
    key : SigningKey
        The witness's own.
    name : str
        Under which it signs, such as `regulator.example/east`.
    logs : mapping of origin to key
        Logs it watches.
    """

    def __init__(self, folder: Path, key: SigningKey, name: str, logs: Mapping[str, NamedKey], clock: Clock) -> None:
        self._folder = folder
        self._key = key
        self._name = name
        self._logs = dict(logs)
        self._clock = clock
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request of `POST …/add-checkpoint`."""
        # A witness cosigns when
        #   1. the request can be read,
        #   2. it knows the log,
        #   3. the log's key signed the checkpoint,
        #   4. the log starts from the size this witness cosigned last,
        #   5. the proof shows that the new tree begins with the old one,
        #   6. it has made the new size durable.
        try:
            asked = read_request(body)
        except (NotASignedNote, ValueError) as wrong:
            return Answer(400, f"{wrong}\n")  # (1)
        head = asked.checkpoint
        known = self._logs.get(head.origin)
        if known is None:
            return Answer(404, "this witness does not watch that log\n")  # (2)
        if not signed_by(head.note, known.name, known.key):
            return Answer(403, "the checkpoint is not signed by the log's key\n")  # (3)
        with self._lock:
            size, root = self._remembered(head.origin)
            if asked.old != size:
                return Answer(409, f"{size}\n", "text/x.tlog.size")  # (4)
            if head.size < size:
                return Answer(400, f"the checkpoint of {head.size} entries is behind the {size} it starts from\n")
            if not _continues(size, root, asked):
                status = 409 if head.size == size else 422
                return Answer(status, "the new tree does not begin with the one cosigned before\n")  # (5)
            self._remember(head)  # (6)
            return Answer(200, cosign(head.note, self._name, self._key, self._clock()))

    def _remembered(self, origin: str) -> tuple[int, bytes]:
        file = self._file(origin)
        if not file.exists():
            return 0, b""
        kept = json.loads(file.read_text(encoding="utf-8"))
        return int(kept["size"]), bytes.fromhex(kept["root"])

    def _remember(self, head: Checkpoint) -> None:
        file = self._file(head.origin)
        draft = file.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as kept:
            json.dump({"origin": head.origin, "size": head.size, "root": head.root.hex(), "note": head.note}, kept)
            kept.flush()
            os.fsync(kept.fileno())
        os.replace(draft, file)
        sync_folder(self._folder)

    def _file(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()[:32]}.json"


def _continues(size: int, root: bytes, asked: Asked) -> bool:
    if size == 0:
        return not asked.proof  # every tree begins with the empty one, and there is nothing to show
    return is_consistent(size, asked.checkpoint.size, root, asked.checkpoint.root, asked.proof)


def write_request(old: int, proof: tuple[bytes, ...] | list[bytes], note: str) -> bytes:
    """Return the body of an add-checkpoint request."""
    lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof), "", note]
    return "\n".join(lines).encode()


def read_request(body: bytes) -> Asked:
    """Read the body of an add-checkpoint request.

    Raises
    ------
    ValueError, NotASignedNote
        When it is too large or malformed.
    """
    if len(body) > LARGEST_REQUEST:
        raise ValueError("the request is too large")
    head, found, note = body.decode("utf-8").partition("\n\n")
    first, *hashes = head.split("\n")
    word, _, size = first.partition(" ")
    if not found or word != "old" or not size.isdecimal() or str(int(size)) != size or len(hashes) > LONGEST_PROOF:
        raise ValueError("expected 'old SIZE', at most 63 hashes, an empty line and a checkpoint")
    try:
        proof = tuple(base64.b64decode(line, validate=True) for line in hashes)
    except binascii.Error as wrong:
        raise ValueError("a hash of the proof is not base64") from wrong
    if any(len(node) != 32 for node in proof):
        raise ValueError("a hash of the proof has not 32 bytes")
    return Asked(int(size), proof, read_checkpoint(note))
