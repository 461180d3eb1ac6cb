"""What goes into the log and what comes out: drafts, receipts, entries, and their identifiers."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np

from policies.errors import Malformed, Sentence

KINDS = frozenset(
    (
        *("decision", "review", "override", "appeal", "answer", "outcome", "explain"),
        *("submit", "examine", "approve", "return", "veto", "suspend", "resume", "retire", "publish", "refuse"),
        *("measure", "adopt", "propose", "delegate", "assess"),
        *("erase", "restrict", "hold", "key", "access", "account"),
        *("clock", "overload", "incident", "restart", "health"),
    )
)
"""Everything that can happen: decisions, what people say about them, acts of governance, the log's own health."""

Clock = Callable[[], datetime]
"""Gives the present moment in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,400}")
_FLAG = re.compile(r"[a-z0-9_.:-]+")


class NotADraft(Malformed):
    """What was handed to the log cannot become an entry."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a room hands to the log.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    payload : bytes
        Sealed and stored as it is; never serialised again.
    model, version : str, optional
        Registered model and its version.
    artifact_digest, rulebook_digest : str, optional
        SHA-256 in hex of the artifact that ran and of the rulebook in force.
    subject : str, optional
        Pseudonym of the person concerned, never the raw id. Goes when the entry is erased.
    about : str, optional
        Id of the entry that this one is a statement about.
    actor : str, optional
        User or service that did it. Goes when the entry is erased.
    site : str, optional
        Where.
    score : float, optional
        The answer in numbers. Goes when the entry is erased.
    verdict : bool, optional
        True is the protective side (an alarm). Goes when the entry is erased.
    flags : tuple of str
        Lower-case words such as `capped` or `explanation_pending`.
    time : datetime, optional
        UTC; None takes the log's clock.
    id : str, optional
        UUIDv7; None lets the log draw one.
    layout : bytes, optional
        What the payload's reader needs and many payloads share; kept once by its SHA-256, never erased.

    Raises
    ------
    NotADraft
        With every fault at once.
    """

    kind: str
    payload: bytes
    model: str | None = None
    version: str | None = None
    artifact_digest: str | None = None
    rulebook_digest: str | None = None
    subject: str | None = None
    about: str | None = None
    actor: str | None = None
    site: str | None = None
    score: float | None = None
    verdict: bool | None = None
    flags: tuple[str, ...] = ()
    time: datetime | None = None
    id: str | None = None
    layout: bytes | None = None

    likeness: ClassVar[object | None] = None
    """The same object on drafts that `drafts_alike` made together: they differ in what it says and in nothing else."""

    def __post_init__(self) -> None:
        if faults := self._faults():
            raise NotADraft(*faults)

    @property
    def shared_layout(self) -> bytes | None:
        """The layout handed over, or the one that an encoded trace brings along."""
        return self.layout if self.layout is not None else getattr(self.payload, "layout", None)

    def _faults(self) -> list[Sentence]:
        faults = []
        if self.kind not in KINDS:
            faults.append(_fault(f"'{self.kind}' is no kind of entry", f"“{self.kind}”不是日志条目的种类"))
        faults += _name_faults((self.model, self.version, self.subject, self.actor, self.site))
        for digest in (self.artifact_digest, self.rulebook_digest):
            if digest is not None and not _DIGEST.fullmatch(digest):
                faults.append(_fault(f"'{digest}' is no SHA-256 in hex", f"“{digest}”不是十六进制的 SHA-256"))
        for identifier in (self.id, self.about):
            if identifier is not None and not _IDENTIFIER.fullmatch(identifier):
                faults.append(_fault(f"'{identifier}' is no UUIDv7", f"“{identifier}”不是 UUIDv7"))
        return faults + _score_faults((self.score,)) + _flag_faults(self.flags) + _time_faults((self.time,))


@dataclass(frozen=True, kw_only=True)
class DraftColumns:
    """What differs between drafts that share all else, one element per draft; None where no draft has it."""

    payloads: Sequence[bytes]
    layouts: Sequence[bytes]
    scores: Sequence[float | None]
    verdicts: Sequence[bool]
    flags: Sequence[tuple[str, ...]]
    subjects: Sequence[str | None] | None = None
    times: Sequence[datetime] | None = None


def drafts_alike(shared: Draft, columns: DraftColumns) -> list[Draft]:
    """Return one draft per payload that is otherwise as `shared`; what they share is checked once, not once each.

    Raises
    ------
    NotADraft
        With every fault of a column at once.

    Examples
    --------
    >>> columns = DraftColumns(payloads=[b"1", b"2"], layouts=[b"", b""], scores=[0.5, 0.7], verdicts=[False, True],
    ...                        flags=[(), ("capped",)])
    >>> [draft.score for draft in drafts_alike(Draft(kind="decision", payload=b"", model="m"), columns)]
    [0.5, 0.7]
    """
    rows = len(columns.payloads)
    subjects = columns.subjects if columns.subjects is not None else [None] * rows
    times = columns.times if columns.times is not None else [None] * rows
    flags = {flag for words in set(columns.flags) for flag in words}
    if faults := _score_faults(columns.scores) + _name_faults(subjects) + _flag_faults(flags) + _time_faults(times):
        raise NotADraft(*faults)
    made, same = [], {**shared.__dict__, "likeness": object()}
    for payload, layout, subject, score, verdict, words, time in zip(
        columns.payloads, columns.layouts, subjects, columns.scores, columns.verdicts, columns.flags, times, strict=True
    ):
        draft = object.__new__(Draft)
        draft.__dict__.update(same)
        draft.__dict__.update(
            payload=payload, layout=layout, subject=subject, score=score, verdict=verdict, flags=words, time=time
        )
        made.append(draft)
    return made


@dataclass(frozen=True, slots=True)
class Receipt:
    """The log's word that an entry is durable.

    `index` is its place in the tree, `leaf` the 32 bytes that stand for it there.
    """

    id: str
    index: int
    time: datetime
    leaf: bytes


class TraceSink(Protocol):
    """Where traces go. Whatever is behind it, they are durable when `append` returns."""

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Keep all drafts or none, in their order; return one receipt for each."""
        ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry as the log holds it, without its payload.

    `subject`, `actor`, `score` and `verdict` are None once `erased`; `commitment`, `header` and `leaf` stay for ever.
    """

    index: int
    id: str
    time: datetime
    kind: str
    source: str
    counter: int
    model: str | None
    version: str | None
    artifact_digest: str | None
    rulebook_digest: str | None
    site: str | None
    about: str | None
    flags: tuple[str, ...]
    subject: str | None
    actor: str | None
    score: float | None
    verdict: bool | None
    commitment: bytes
    header: bytes
    leaf: bytes
    erased: bool


@dataclass(frozen=True)
class Page:
    """Entries, newest first, and the cursor that continues after them (None: there are no more)."""

    entries: tuple[Entry, ...]
    next: str | None


def new_identifier(microseconds: int, random: bytes | None = None) -> bytes:
    """Return a fresh UUIDv7 for the moment `microseconds` after 1970, as 16 bytes.

    The sub-millisecond part takes the twelve bits beside the version (RFC 9562, 6.2, method 3), and what one
    process draws one after the other for the same moment ascends (method 2), so that identifiers sort as they
    were drawn. `random` are eight bytes when the caller has drawn them already.
    """
    head = _identifier_head(microseconds)
    tail = _ASCENDING.after(head) if random is None else random
    return b"%b%c%b" % (head, tail[0] & 0x3F | 0x80, tail[1:])


class _Ascending:
    """Random tails of identifiers that ascend for as long as the moment stays the same."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._head, self._last = b"", 0

    def after(self, head: bytes) -> bytes:
        """Return eight bytes that nobody can guess, above those returned last for the same head."""
        drawn = int.from_bytes(os.urandom(8), "big")
        with self._turn:
            # the variant takes two of the 64 bits; a third stays free, so that 2^29 steps find room above
            again = self._head == head
            self._last = self._last + 1 + (drawn >> 32) if again else drawn >> 3
            self._head = head
            return self._last.to_bytes(8, "big")


_ASCENDING = _Ascending()


def identifier_tails(count: int) -> bytes:
    """Return the random eight bytes of so many identifiers one after the other, in ascending order.

    Identifiers of one moment then sort as they were drawn, and an index over them grows at its end.
    """
    drawn = os.urandom(8 * count)
    if count < 2:
        return drawn
    tails = np.frombuffer(drawn, np.uint8).reshape(-1, 8).copy()
    tails[:, 0] &= 0x3F  # the variant takes the other two bits
    return np.sort(tails.view(">u8"), axis=0).tobytes()


@lru_cache(maxsize=64)
def _identifier_head(microseconds: int) -> bytes:
    milliseconds, rest = divmod(microseconds, 1000)
    return ((milliseconds & (1 << 48) - 1) << 16 | 0x7000 | (rest << 12) // 1000).to_bytes(8, "big")


def identifier_text(raw: bytes) -> str:
    """Return a UUID as people write it.

    Examples
    --------
    >>> identifier_text(bytes(range(16)))
    '00010203-0405-0607-0809-0a0b0c0d0e0f'
    """
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def identifier_bytes(text: str) -> bytes | None:
    """Return the 16 bytes of a written UUIDv7; None when it is none."""
    return bytes.fromhex(text.replace("-", "")) if _IDENTIFIER.fullmatch(text) else None


def microseconds_of(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970.

    Raises
    ------
    ValueError
        When the moment has no time zone.

    Examples
    --------
    >>> microseconds_of(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without time zone")
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@lru_cache(maxsize=1024)
def moment_of(microseconds: int) -> datetime:
    """Return the moment so many microseconds after 1970, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


@lru_cache(maxsize=64)
def written_time(microseconds: int) -> str:
    """Return a moment as RFC 3339 with six digits and Z: the form that is hashed.

    Examples
    --------
    >>> written_time(86_400_000_001)
    '1970-01-02T00:00:00.000001Z'
    """
    return moment_of(microseconds).isoformat(timespec="microseconds")[:26] + "Z"


def _name_faults(texts: Iterable[str | None]) -> list[Sentence]:
    return [
        _fault(f"{text[:40]!r} is no name (1 to 400 characters)", f"{text[:40]!r} 不是名称（1 至 400 字符）")
        for text in texts
        if text is not None and not _TEXT.fullmatch(text)
    ]


def _score_faults(scores: Iterable[float | None]) -> list[Sentence]:
    return [
        _fault(f"the score {score} is no finite number", f"分值 {score} 不是有限数")
        for score in scores
        if score is not None and not math.isfinite(score)
    ]


def _flag_faults(flags: Iterable[str]) -> list[Sentence]:
    return [
        _fault(f"'{flag}' is no flag (lower-case words)", f"“{flag}”不是标记（只用小写字母）")
        for flag in flags
        if not _FLAG.fullmatch(flag)
    ]


def _time_faults(times: Iterable[datetime | None]) -> list[Sentence]:
    return [
        _fault(f"the time {time} is not UTC", f"时间 {time} 不是 UTC")
        for time in times
        if time is not None and time.utcoffset() != timedelta(0)
    ]


def _fault(en: str, zh: str) -> Sentence:
    return Sentence(en=en, zh=zh)
