"""Anchoring outside: witnesses cosign the log's head, and a time-stamping authority dates it (RFC 3161).

Nothing older than the last anchor can be changed unseen, whoever holds the log's own keys.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from audit.checkpoints import Checkpoint
from audit.cosignatures import NamedKey, cosigned_at
from audit.entries import microseconds_of, moment_of
from audit.timestamps import TimeStamp, read_response, request_for
from audit.trace_log import TraceLog
from audit.witness import write_request
from policies.errors import Refused, Sentence, Unavailable

WAIT_SECONDS = 20.0
LARGEST_ANSWER = 64 * 1024

Post = Callable[[str, bytes, str], tuple[int, bytes]]
"""Posts a body of a media type to an address; returns status and body."""


class WitnessRefused(Refused):
    """A witness did not cosign: it saw another history, or does not know this log."""

    def __init__(self, witness: str, status: int, said: str) -> None:
        super().__init__(
            Sentence(
                en=f"the witness {witness} did not cosign ({status}): {said.strip()[:200]}; "
                "if it saw another history, stop and call the digital safety officer",
                zh=f"见证方 {witness} 未联署（{status}）：{said.strip()[:200]}；"
                "若其见到的是另一份历史，请停机并联系数字安全官",
            )
        )
        self.status = status


class AnchorAway(Unavailable):
    """A witness or time-stamping authority cannot be reached."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            Sentence(en=f"{where} cannot be reached: {why}; try again later", zh=f"无法连接 {where}：{why}；请稍后重试")
        )


@dataclass(frozen=True)
class Anchor:
    """One outside word about the log's head. `proof` is the cosignature line or the time stamp's DER bytes."""

    size: int
    root: bytes
    kind: str
    who: str
    time: datetime
    proof: bytes


def post(url: str, body: bytes, kind: str) -> tuple[int, bytes]:
    """Post over HTTP(S) with a time limit; the address is the operator's own setting.

    Raises
    ------
    AnchorAway
    """
    if not url.startswith(("http://", "https://")):
        raise AnchorAway(url, "only http:// and https:// addresses are used")
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind}, method="POST")  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:  # noqa: S310 - checked above
            return int(answer.status), answer.read(LARGEST_ANSWER)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(LARGEST_ANSWER)
    except OSError as wrong:
        raise AnchorAway(url, str(wrong)) from wrong


def anchor_with_witness(log: TraceLog, url: str, witness: NamedKey, send: Post = post) -> Anchor:
    """Let a witness cosign the head of the log, and keep its word.

    Raises
    ------
    WitnessRefused
        When it does not cosign, or what it sent back is not its cosignature of this head.
    AnchorAway
    """
    head = log.checkpoint()
    old = max((a.size for a in anchors(log) if a.kind == "witness" and a.who == witness.name), default=0)
    status, answer = _offered(log, url, head, old, send)
    if status == 409:
        # The witness knows better how far it has come, for instance after this side lost an answer.
        said = answer.decode("utf-8", "replace").strip()
        if said.isdecimal() and int(said) <= head.size:
            status, answer = _offered(log, url, head, int(said), send)
    text = answer.decode("utf-8", "replace")
    if status != 200:
        raise WitnessRefused(witness.name, status, text)
    time = cosigned_at(head.note + text, witness)
    if time is None:
        raise WitnessRefused(witness.name, status, "what came back is not its cosignature of this head")
    return _kept(log, Anchor(head.size, head.root, "witness", witness.name, time, text.encode()))


def anchor_with_timestamp(log: TraceLog, url: str, authority: bytes, send: Post = post) -> Anchor:
    """Let a time-stamping authority date the head of the log, check its word and keep it.

    Parameters
    ----------
    authority : bytes
        PEM certificates: the root that is trusted, and intermediates where the answer brings none.

    Raises
    ------
    TimeStampRefused, AnchorAway
    """
    head = log.checkpoint()
    asked = request_for(head.note.encode())
    status, answer = send(url, asked.der, "application/timestamp-query")
    if status != 200:
        raise AnchorAway(url, f"status {status}")
    stamp: TimeStamp = read_response(answer, asked, authority)
    return _kept(log, Anchor(head.size, head.root, "rfc3161", stamp.authority, stamp.time, answer))


def anchors(log: TraceLog) -> tuple[Anchor, ...]:
    """Return every anchor kept, oldest first."""
    rows = log.database.rows("SELECT size, root, kind, who, time, proof FROM log_anchors ORDER BY number")
    return tuple(
        Anchor(int(size), bytes(root), kind, who, moment_of(time), bytes(proof))
        for size, root, kind, who, time, proof in rows
    )


def _offered(log: TraceLog, url: str, head: Checkpoint, old: int, send: Post) -> tuple[int, bytes]:
    proof = log.consistency(old, head.size) if 0 < old < head.size else []
    return send(url, write_request(old, proof, head.note), "text/plain; charset=utf-8")


def _kept(log: TraceLog, anchor: Anchor) -> Anchor:
    marks = "?, ?, ?, ?, ?, ?" if log.database.dialect == "sqlite" else "%s, %s, %s, %s, %s, %s"
    with log.database.writing() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO log_anchors (size, root, kind, who, time, proof) VALUES ({marks})",
            (anchor.size, anchor.root, anchor.kind, anchor.who, microseconds_of(anchor.time), anchor.proof),
        )
    return anchor
