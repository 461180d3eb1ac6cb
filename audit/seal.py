"""What is hashed: the header of an entry, its private details, and the salted commitment to both details and payload.

Format 1. The header is RFC 8785 JSON without floats and holds what stays for ever. The details are RFC 8785 JSON
too, `{"actor", "score", "subject", "verdict"}` with the score as sixteen hex digits of its big-endian IEEE 754
double; they go with the payload. The commitment is

    SHA-256( "mingjing sealed record 1" || 0x00 || salt (32 bytes) || details || 0x0A || payload )

The leaf of the tree is the RFC 6962 leaf hash of the header. Details contain no raw line break, so the pair is
told apart in one way only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from audit.canonical import canonical
from audit.entries import written_time

FORMAT = 1
"""Format of a header and its commitment.

Raise it when the bytes under a leaf change. Before that, move the builder of the old format to
audit/formats/seal_v<N>.py with a stored sample and a test: the row says its format, and the log of 2036 still
recomputes the leaves of 2026.
"""

DOMAIN = b"mingjing sealed record 1\x00"
SALT_BYTES = 32


@dataclass(frozen=True)
class Context:
    """What many entries share: which model ran under which rules, where, and who wrote it down."""

    source: str
    model: str | None
    version: str | None
    artifact_digest: str | None
    rulebook_digest: str | None
    site: str | None

    def fields(self) -> dict[str, str]:
        """Return the header fields of this context; what is None has no field."""
        named = {
            "artifact": self.artifact_digest,
            "model": self.model,
            "rulebook": self.rulebook_digest,
            "site": self.site,
            "source": self.source,
            "version": self.version,
        }
        return {name: value for name, value in named.items() if value is not None}


class HeaderForm:
    """The header of entries of one context and kind, with the unchanging parts written once.

    A header costs about a microsecond this way; `header` in the tests writes it in full and must agree.
    """

    def __init__(self, context: Context, kind: str) -> None:
        fields = context.fields()
        artifact = fields.pop("artifact", None)
        version = fields.pop("version", None)
        self._artifact = "" if artifact is None else f'"artifact":{_json(artifact)},'
        middle = "".join(f'"{name}":{_json(value)},' for name, value in sorted(fields.items()))
        self._middle = f'","kind":"{kind}",{middle}"time":"'
        self._last = '"}' if version is None else '","version":' + _json(version) + "}"

    def write(
        self, id: str, time: int, counter: int, commitment: bytes, flags: tuple[str, ...], about: str | None
    ) -> bytes:
        """Return the header bytes of one entry, in RFC 8785 form."""
        said = "" if about is None else f'"about":"{about}",'
        written = '"' + '","'.join(flags) + '"' if flags else ""
        return (
            f'{{{said}{self._artifact}"commitment":"{commitment.hex()}","counter":{counter},"flags":[{written}],"format":{FORMAT},'
            f'"id":"{id}{self._middle}{written_time(time)}{self._last}'
        ).encode()


def details_of(actor: str | None, score: float | None, subject: str | None, verdict: bool | None) -> bytes:
    """Return the private details of an entry as they are sealed.

    Examples
    --------
    >>> details_of(None, 0.5, "p-1", True).decode()
    '{"actor":null,"score":"3fe0000000000000","subject":"p-1","verdict":true}'
    """
    written = "null" if score is None else f'"{struct.pack(">d", score).hex()}"'
    said = "null" if verdict is None else "true" if verdict else "false"
    return f'{{"actor":{_json(actor)},"score":{written},"subject":{_json(subject)},"verdict":{said}}}'.encode()


def commitment_of(salt: bytes, details: bytes, payload: bytes) -> bytes:
    """Return the commitment to an entry's details and payload under its salt."""
    return sha256(b"".join((DOMAIN, salt, details, b"\n", payload))).digest()


@lru_cache(maxsize=65_536)
def _json(value: str | None) -> str:
    return canonical(value).decode()
