"""A second verifier, written apart from the first: another library for each part, the tree by recursion.

It knows the bundle's description in docs/log.md and nothing of `audit.verify`. Both must say the same of every
bundle; a disagreement is a fault in one of them.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOP = {
    *("format", "origin", "id", "artifact_digest", "rulebook_digest", "rulebook", "entry"),
    *("statements", "checkpoint", "keys", "fingerprint"),
}
ENTRY = {"index", "header", "erased", "details", "salt", "payload", "layout", "inclusion"}
HEADER = {
    *("about", "artifact", "commitment", "counter", "flags", "format", "id", "kind", "model", "rulebook"),
    *("site", "source", "time", "version"),
}


def bundle_holds(bundle: Any, fingerprint: str | None = None) -> bool:
    """Return whether a bundle holds."""
    try:
        return _holds(bundle, fingerprint)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError, struct.error):
        return False
    except (InvalidSignature, msgspec.DecodeError, RecursionError):
        return False


def _holds(bundle: Any, fingerprint: str | None) -> bool:
    assert isinstance(bundle, dict)
    assert set(bundle) == TOP
    assert bundle["format"] == 1 and not isinstance(bundle["format"], bool)
    keys = _keys(bundle, fingerprint)
    size, root = _checkpoint(bundle, keys)
    header = _entry(bundle["entry"], size, root)
    assert header["id"] == bundle["id"]
    assert bundle["artifact_digest"] == header.get("artifact") and bundle["rulebook_digest"] == header.get("rulebook")
    if bundle["rulebook"] is not None:
        assert hashlib.sha256(bundle["rulebook"].encode()).hexdigest() == header["rulebook"]
    told = [header["id"]]
    assert isinstance(bundle["statements"], list)
    for statement in bundle["statements"]:
        said = _entry(statement, size, root)
        assert said["about"] in told and said["id"] not in told
        told.append(said["id"])
    return True


def _keys(bundle: Any, fingerprint: str | None) -> list[bytes]:
    assert isinstance(bundle["keys"], list) and bundle["keys"]
    publics: list[bytes] = []
    for link in bundle["keys"]:
        assert set(link) == {"public", "fingerprint", "endorsement"}
        public = _bytes(link["public"])
        assert len(public) == 32 and hashlib.sha256(public).hexdigest() == link["fingerprint"]
        if publics:
            signed = b"mingjing next signing key 1\0" + publics[-1] + public
            Ed25519PublicKey.from_public_bytes(publics[-1]).verify(_bytes(link["endorsement"]), signed)
        else:
            assert link["endorsement"] is None
        publics.append(public)
    prints = [hashlib.sha256(public).hexdigest() for public in publics]
    assert bundle["fingerprint"] == prints[-1] and bundle["origin"] == "mingjing.log/" + prints[0][:16]
    assert fingerprint is None or fingerprint in prints
    return publics


def _checkpoint(bundle: Any, keys: list[bytes]) -> tuple[int, bytes]:
    head, _, tail = bundle["checkpoint"].rpartition("\n\n")
    origin, count, root = head.split("\n")
    assert origin == bundle["origin"] and count == str(int(count)) and tail[-1] == "\n"
    found = 0
    for line in tail[:-1].split("\n"):
        mark, name, blob = line.split(" ")
        signature = _decoded(blob)
        assert mark == "—"
        for key in keys:
            if name == origin and signature[:4] == hashlib.sha256(f"{origin}\n".encode() + b"\x01" + key).digest()[:4]:
                Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], (head + "\n").encode())
                found += 1
    assert found and len(_decoded(root)) == 32
    return int(count), _decoded(root)


def _entry(entry: Any, size: int, root: bytes) -> dict[str, Any]:
    assert set(entry) == ENTRY
    index, raw = entry["index"], entry["header"].encode()
    assert isinstance(index, int) and not isinstance(index, bool) and 0 <= index < size
    header: dict[str, Any] = msgspec.json.decode(raw)
    assert rfc8785.dumps(header) == raw and set(header) <= HEADER and header["format"] == 1
    path = [_bytes(step) for step in entry["inclusion"]]
    assert all(len(step) == 32 for step in path)
    assert _climb(index, size, hashlib.sha256(b"\0" + raw).digest(), path) == root
    _content(entry, header)
    return header


def _climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """The root by the recursion of RFC 6962, 2.1.1, from the top down."""
    if size == 1:
        assert not path
        return leaf
    left = 1 << (size - 1).bit_length() - 1
    *inner, sibling = path
    if index < left:
        below, beside = _climb(index, left, leaf, inner), sibling
        return hashlib.sha256(b"\1" + below + beside).digest()
    return hashlib.sha256(b"\1" + sibling + _climb(index - left, size - left, leaf, inner)).digest()


def _content(entry: Any, header: dict[str, Any]) -> None:
    if entry["erased"] is True:
        assert (entry["details"], entry["salt"], entry["payload"], entry["layout"]) == (None, None, None, None)
        return
    assert entry["erased"] is False
    salt, payload = _bytes(entry["salt"]), _decoded(entry["payload"])
    assert len(salt) == 32
    sealed = b"mingjing sealed record 1\0" + salt + entry["details"].encode() + b"\n" + payload
    assert hashlib.sha256(sealed).hexdigest() == header["commitment"]
    trace_like = header["kind"] == "decision" and payload[:1] == b"\1" and len(payload) > 32
    if trace_like or entry["layout"] is not None:
        _answer(entry, header, payload)


def _answer(entry: Any, header: dict[str, Any], payload: bytes) -> None:
    assert header["kind"] == "decision"
    assert payload[0] == 1 and payload[1:33] == hashlib.sha256(entry["layout"].encode()).digest()
    layout, details = msgspec.json.decode(entry["layout"]), msgspec.json.decode(entry["details"])
    numbers = 8 * len(layout["scalars"]) + sum(length * int(kind[1:]) for _, kind, length in layout["arrays"])
    assert msgspec.json.decode(payload[33 + numbers :])["verdict"] is details["verdict"]
    scalars = dict(zip(layout["scalars"], struct.unpack_from(f"<{len(layout['scalars'])}d", payload, 33), strict=True))
    if details["score"] is not None:
        assert struct.unpack(">d", bytes.fromhex(details["score"]))[0] in (
            scalars["score"],
            scalars.get("capped_score"),
        )


def _bytes(text: str) -> bytes:
    raw = bytes.fromhex(text)
    assert raw.hex() == text
    return raw


def _decoded(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    assert base64.b64encode(raw).decode() == text
    return raw
