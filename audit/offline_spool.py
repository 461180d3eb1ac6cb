"""Where traces wait while the log is away: fsynced files with a count of their own, handed in later in order.

A spool is a folder with one file per outage, named by the first number in it, and beside each a key file. A
record is `length (4 bytes, little-endian) || AES-256-GCM(header length (4) || header || layout length (4) || layout
|| payload)` under the file's key, with the record's number as nonce and associated data: a record that is changed,
swapped or taken from the middle does not open. Handing in destroys key and file.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.entries import Clock, Draft, Receipt, identifier_text, microseconds_of, moment_of, new_identifier
from audit.group_commit import GroupCommit
from audit.log_writer import OutOfOrder
from audit.signed_note import keep_secret, secret_of_file, sync_folder
from audit.trace_log import TraceLog
from policies.errors import Refused, Sentence, Unavailable

WAITING = -1
"""Index in the receipt of a trace that is durable in a spool and has no place in the tree yet."""

AT_ONCE = 1000
_LENGTH = struct.Struct("<I")
_PLAIN = (
    *("kind", "model", "version", "artifact_digest", "rulebook_digest", "subject", "about", "actor", "site"),
    *("score", "verdict", "id"),
)


class StrangeRecord(Refused):
    """A spool that came from elsewhere holds what a box has no business to say."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            Sentence(
                en=f"this spool holds an entry of kind '{kind}', which no edge box writes; nothing of it was handed in",
                zh=f"该暂存含有类型为“{kind}”的条目，边缘设备不会写入此类条目；未上交任何内容",
            )
        )


class SpoolStopped(Unavailable):
    """The disk of the spool failed to keep what it was told to keep."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Sentence(
                en=f"the spool has stopped: its disk did not keep what it was told to ({why}); only alarms may leave",
                zh=f"离线暂存已停止：磁盘未能保存应写入的内容（{why}）；此时仅可放行报警",
            )
        )


@dataclass(frozen=True)
class Gap:
    """Numbers of a source that are missing between two records, or before the first."""

    source: str
    before: int
    after: int

    @property
    def missing(self) -> int:
        """How many records are missing."""
        return self.after - self.before - 1


@dataclass(frozen=True)
class HandedIn:
    """How many traces went into the log, and what was found missing on the way."""

    traces: int
    gaps: tuple[Gap, ...]


class OfflineSpool:
    """A `TraceSink` on a local disk. One process at a time uses a folder.

    Parameters
    ----------
    folder : Path
    clock : callable
        The present moment in UTC.
    source : str
        Name under which the log counts these traces, such as `edge-box-7`; not the name of a running log writer.
    """

    def __init__(self, folder: Path, clock: Clock, source: str) -> None:
        self.source = source
        self.folder = folder
        self._clock = clock
        self._file: Path | None = None
        self._handle: int | None = None
        self._cipher: AESGCM | None = None
        self._stopped: str | None = None
        folder.mkdir(parents=True, exist_ok=True)
        for file in filter(_never_acknowledged, self._files()):
            self._discard(file)
        self._next = self._last_number() + 1
        self._writing, self._handing_in = threading.Lock(), threading.Lock()
        self._commits: GroupCommit[tuple[Draft, ...], tuple[Receipt, ...]] = GroupCommit(self._write)

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Keep all drafts durably; their receipts say `index == WAITING` and keep their ids when handed in.

        Raises
        ------
        SpoolStopped
        """
        return self._commits.submit(tuple(drafts)) if drafts else ()

    def waiting(self) -> int:
        """Return how many traces wait to be handed in."""
        return sum(len(list(self._records(file))) for file in self._files())

    def close(self) -> None:
        """Close the open file; the next trace begins another."""
        with self._writing:
            self._close()

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._file = self._handle = self._cipher = None

    @property
    def stopped(self) -> bool:
        """Whether the disk failed this spool."""
        return self._stopped is not None

    def require_kinds(self, kinds: frozenset[str]) -> None:
        """Raise StrangeRecord unless every record that waits is of one of these kinds."""
        for file in self._files():
            for _, draft in self._records(file):
                if draft.kind not in kinds:
                    raise StrangeRecord(draft.kind)

    def hand_in(self, log: TraceLog) -> HandedIn:
        """Give everything that waits to the log, oldest first, flagged `spooled`; then destroy it here.

        May be repeated after a crash: what the log already has is skipped. Missing numbers become an `incident`
        entry and are reported. Traces that come meanwhile begin a new file and wait for the next time.
        """
        with self._handing_in:
            with self._writing:
                self._close()
                files = self._files()
            return self._give(log, files)

    def _give(self, log: TraceLog, files: Sequence[Path]) -> HandedIn:
        traces, gaps = 0, list[Gap]()
        for file in files:
            for numbers in _portions(self._records(file)):
                handed, found = self._portion(log, numbers)
                traces += handed
                gaps += found
            self._destroy(file)
        return HandedIn(traces, tuple(gaps))

    # --- writing -----------------------------------------------------------------------------------------------

    def _write(self, turn: Sequence[tuple[Draft, ...]]) -> list[tuple[Receipt, ...] | BaseException]:
        with self._writing:
            return self._written(turn)

    def _written(self, turn: Sequence[tuple[Draft, ...]]) -> list[tuple[Receipt, ...] | BaseException]:
        if self._stopped is not None:
            raise SpoolStopped(self._stopped)
        receipts, records, number = [], [], self._next
        handle, cipher = self._opened()
        for drafts in turn:
            whole = [self._complete(draft) for draft in drafts]
            receipts.append(tuple(_receipt(draft) for draft in whole))
            for draft in whole:
                records.append(_sealed(draft, number, cipher))
                number += 1
        try:
            _write_all(handle, b"".join(records))
            os.fdatasync(handle)
        except OSError as wrong:
            self._stopped = str(wrong)
            raise SpoolStopped(self._stopped) from wrong
        self._next = number
        return list(receipts)

    def _opened(self) -> tuple[int, AESGCM]:
        if self._handle is None or self._cipher is None:
            file = self.folder / f"{self._next:012d}.spool"
            try:
                keep_secret(_key_of(file), os.urandom(32))
                self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
                sync_folder(self.folder)
            except OSError as wrong:
                raise SpoolStopped(str(wrong)) from wrong
            self._file, self._cipher = file, AESGCM(secret_of_file(_key_of(file)))
        return self._handle, self._cipher

    def _complete(self, draft: Draft) -> Draft:
        time = self._clock() if draft.time is None else draft.time
        id = draft.id or identifier_text(new_identifier(microseconds_of(time)))
        return replace(draft, id=id, time=time, layout=draft.shared_layout)

    # --- reading -----------------------------------------------------------------------------------------------

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.spool"))

    def _records(self, file: Path) -> Iterator[tuple[int, Draft]]:
        """Every record that opens; one cut short at the end was never acknowledged, one that does not open is a gap."""
        cipher, raw, place, number = AESGCM(secret_of_file(_key_of(file))), file.read_bytes(), 0, int(file.stem)
        while place + _LENGTH.size <= len(raw):
            (length,) = _LENGTH.unpack_from(raw, place)
            sealed = raw[place + _LENGTH.size : place + _LENGTH.size + length]
            if len(sealed) < length:
                return
            draft = _unsealed(sealed, number, cipher)
            if draft is not None:
                yield number, draft
            place, number = place + _LENGTH.size + length, number + 1

    def _last_number(self) -> int:
        numbers = [number for file in self._files() for number, _ in self._records(file)]
        starts = [int(file.stem) - 1 for file in self._files()]
        count = self.folder / "count"
        kept = int(count.read_text()) if count.exists() else 0
        return max(numbers + starts + [kept])

    # --- handing in --------------------------------------------------------------------------------------------

    def _portion(self, log: TraceLog, numbered: Sequence[tuple[int, Draft]]) -> tuple[int, list[Gap]]:
        handed, gaps, rest = 0, list[Gap](), _with_fresh_ids(log, numbered)
        while rest:
            run = _unbroken(rest)
            try:
                log.hand_in(self.source, run[0][0], [draft for _, draft in run])
            except OutOfOrder as wrong:
                if wrong.expected > wrong.found:
                    rest = [(number, draft) for number, draft in rest if number >= wrong.expected]
                    continue
                gaps.append(Gap(self.source, wrong.expected - 1, wrong.found))
                self._admit(log, gaps[-1])
                log.hand_in(self.source, run[0][0], [draft for _, draft in run], gap_admitted=True)
            handed += len(run)
            rest = rest[len(run) :]
        return handed, gaps

    def _admit(self, log: TraceLog, gap: Gap) -> None:
        said: dict[str, Any] = {
            "gap": {"source": gap.source, "before": gap.before, "after": gap.after},
            "en": f"{gap.missing} traces of {gap.source} are missing between {gap.before} and {gap.after}",
            "zh": f"{gap.source} 在 {gap.before} 与 {gap.after} 之间缺失 {gap.missing} 条留痕",
        }
        log.append([Draft(kind="incident", payload=json.dumps(said, ensure_ascii=False, sort_keys=True).encode())])

    def _destroy(self, file: Path) -> None:
        with _key_of(file).open("r+b") as secret:
            secret.write(b"0" * 64)
            os.fsync(secret.fileno())
        self._keep_count()
        self._discard(file)

    def _discard(self, file: Path) -> None:
        _key_of(file).unlink(missing_ok=True)
        file.unlink()
        sync_folder(self.folder)

    def _keep_count(self) -> None:
        with self._writing:
            last = self._next - 1
        draft = self.folder / "count.draft"
        with draft.open("w") as count:
            count.write(str(last))
            count.flush()
            os.fsync(count.fileno())
        os.replace(draft, self.folder / "count")
        sync_folder(self.folder)


def _key_of(file: Path) -> Path:
    return file.with_suffix(".key")


def _never_acknowledged(file: Path) -> bool:
    """Whether a file ends within its first record: the power went before anyone was told that it is kept."""
    raw = file.read_bytes()
    return len(raw) < _LENGTH.size or len(raw) < _LENGTH.size + _LENGTH.unpack_from(raw)[0]


def _write_all(handle: int, raw: bytes) -> None:
    while raw:
        raw = raw[os.write(handle, raw) :]


def _receipt(draft: Draft) -> Receipt:
    if draft.id is None or draft.time is None:
        raise ValueError("a spooled draft has id and time")
    return Receipt(draft.id, WAITING, draft.time, sha256(draft.payload).digest())


def _sealed(draft: Draft, number: int, cipher: AESGCM) -> bytes:
    if draft.time is None:
        raise ValueError("a spooled draft has a time")
    flags = (*draft.flags, *(() if "spooled" in draft.flags else ("spooled",)))
    fields = {name: getattr(draft, name) for name in _PLAIN} | {"flags": flags, "time": microseconds_of(draft.time)}
    header, layout = orjson.dumps(fields), draft.layout or b""
    plain = b"".join((_LENGTH.pack(len(header)), header, _LENGTH.pack(len(layout)), layout, draft.payload))
    bound = number.to_bytes(12, "big")
    sealed = cipher.encrypt(bound, plain, bound)
    return _LENGTH.pack(len(sealed)) + sealed


def _unsealed(sealed: bytes, number: int, cipher: AESGCM) -> Draft | None:
    bound = number.to_bytes(12, "big")
    try:
        plain = cipher.decrypt(bound, sealed, bound)
    except InvalidTag:
        return None
    (length,) = _LENGTH.unpack_from(plain)
    fields, place = orjson.loads(plain[4 : 4 + length]), 4 + length
    (layout,) = _LENGTH.unpack_from(plain, place)
    place += 4
    fields["flags"], fields["time"] = tuple(fields["flags"]), moment_of(fields["time"])
    return Draft(payload=plain[place + layout :], layout=plain[place : place + layout] or None, **fields)


def _with_fresh_ids(log: TraceLog, numbered: Sequence[tuple[int, Draft]]) -> list[tuple[int, Draft]]:
    """Give a trace that the log kept after all, though it could not say so, a new id and a flag: both stay."""
    known = log.known([draft.id for _, draft in numbered if draft.id is not None])
    return [
        (number, replace(draft, id=None, flags=(*draft.flags, "repeated"), about=draft.id))
        if draft.id in known
        else (number, draft)
        for number, draft in numbered
    ]


def _unbroken(numbered: Sequence[tuple[int, Draft]]) -> list[tuple[int, Draft]]:
    first = numbered[0][0]
    return [one for place, one in enumerate(numbered) if one[0] == first + place]


def _portions(records: Iterator[tuple[int, Draft]]) -> Iterator[list[tuple[int, Draft]]]:
    held: list[tuple[int, Draft]] = []
    for record in records:
        held.append(record)
        if len(held) == AT_ONCE:
            yield held
            held = []
    if held:
        yield held
