"""A witness's word about a checkpoint: the timestamped cosignature of C2SP (cosignature/v1), Ed25519."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from audit.signed_note import SigningKey, VerifyingKey, split_note
from policies.errors import Malformed, Sentence

COSIGNATURE = b"\x04"
"""Signature type of the cosignature specification for timestamped Ed25519."""

LOG_KEY = b"\x01"


class NotAKey(Malformed):
    """The text names no public key."""

    def __init__(self, text: str) -> None:
        super().__init__(
            Sentence(
                en=f"'{text[:60]}' is no verifier key; expected NAME+HINT+BASE64 as `mingjing witness key` prints it",
                zh=f"“{text[:60]}”不是验证公钥；应为 `mingjing witness key` 输出的 名称+标识+BASE64",
            )
        )


@dataclass(frozen=True)
class NamedKey:
    """A public key under the name it signs by, as verifiers exchange it."""

    name: str
    kind: bytes
    key: VerifyingKey

    @property
    def hint(self) -> bytes:
        """The four bytes by which a note names this key."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.key.raw).digest()[:4]

    def text(self) -> str:
        """Return `NAME+HINT+BASE64`, the verifier key of the signed-note specification."""
        return f"{self.name}+{self.hint.hex()}+{base64.b64encode(self.kind + self.key.raw).decode()}"

    @classmethod
    def of_text(cls, text: str) -> NamedKey:
        """Read a verifier key. Raises NotAKey, also when name and hint do not belong together."""
        parts = text.strip().split("+", 2)
        try:
            blob = base64.b64decode(parts[2], validate=True)
            named = cls(parts[0], blob[:1], VerifyingKey(blob[1:]))
        except (IndexError, binascii.Error) as wrong:
            raise NotAKey(text) from wrong
        if len(blob) != 33 or named.kind not in (LOG_KEY, COSIGNATURE) or named.hint.hex() != parts[1]:
            raise NotAKey(text)
        return named


def cosign(note: str, name: str, key: SigningKey, time: datetime) -> str:
    """Return the cosignature line of a witness for a checkpoint, to be put below its other signatures."""
    text, _ = split_note(note)
    seconds = int(time.timestamp())
    signature = key.sign(_message(text, seconds))
    named = NamedKey(name, COSIGNATURE, key.public)
    blob = named.hint + seconds.to_bytes(8, "big") + signature
    return f"— {name} {base64.b64encode(blob).decode()}\n"


def cosigned_at(note: str, witness: NamedKey) -> datetime | None:
    """Return when this witness cosigned the checkpoint; None when it did not."""
    text, signatures = split_note(note)
    for name, hint, blob in signatures:
        if name != witness.name or hint != witness.hint or len(blob) != 72:
            continue
        seconds = int.from_bytes(blob[:8], "big")
        if witness.key.verifies(_message(text, seconds), blob[8:]):
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
