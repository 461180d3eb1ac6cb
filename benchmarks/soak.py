"""Long load: seventy percent of what the machine can take, and every acknowledged decision looked for afterwards.

    python -m benchmarks.soak                  # one minute of load
    python -m benchmarks.soak --seconds 1800   # the long form

One governed server with one worker and XGBoost (100 trees of depth 6, 60 features), one row per request. First the
rate is measured at which answers come when nobody waits, then requests are sent at 70 % of it on a fixed timetable: a
request that is late is not left out. Afterwards the server is stopped and its log opened: every id that was given to a
caller must be there, the whole log is computed again from its stored bytes and compared with every signed head, and
bundles of a sample are verified as a stranger would. Fails on any error, missing decision, fault, or growth of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from audit.database import open_database
from audit.trace_log import TraceLog, open_log
from audit.verify import verify_bundle
from benchmarks.bare_servers import Server, named
from benchmarks.log_append import system_clock
from benchmarks.serve import NAMES, data_of, governed, make_submission, tables_of

SHARE = 0.7
CONNECTIONS = 16
SAMPLE = 500
GROWTH = 0.1
"""Share by which the server may be larger in the last quarter of the run than in the second."""


@dataclass
class Seen:
    """What the callers saw."""

    ids: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def requests_of(server: Server) -> list[bytes]:
    """Return every request of a server as it is sent."""
    at = urlsplit(server.url)
    headers = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items())
    head = f"POST {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n{headers}"
    return [f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode() for body in server.bodies]


class Caller:
    """One connection that asks over and over."""

    def __init__(self, server: Server, requests: Iterator[bytes], seen: Seen) -> None:
        at = urlsplit(server.url)
        self._host, self._port = at.hostname, at.port
        self._requests = requests
        self._seen = seen

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self) -> None:
        """Ask once and note what came back."""
        request = next(self._requests)
        start = time.perf_counter()
        try:
            head = await self._sent(request)
        except (asyncio.IncompleteReadError, ConnectionError):  # the server hangs up on a connection that rested
            await self.open()
            head = await self._sent(request)
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        said = await self._reader.readexactly(length)
        self._seen.latencies.append(time.perf_counter() - start)
        if not head.startswith("http/1.1 200"):
            self._seen.errors.append(f"{head.splitlines()[0]}: {said[:200]!r}")
            return
        self._seen.ids += json.loads(said)["decision_ids"]

    async def _sent(self, request: bytes) -> str:
        self._writer.write(request)
        return (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def as_fast_as_possible(callers: list[Caller], seconds: float, seen: Seen) -> float:
    """Answers per second when every caller asks again as soon as it is answered."""
    end, before = time.perf_counter() + seconds, len(seen.latencies)

    async def go(caller: Caller) -> None:
        while time.perf_counter() < end:
            await caller.ask()

    await asyncio.gather(*map(go, callers))
    return (len(seen.latencies) - before) / seconds


async def on_a_timetable(callers: list[Caller], seconds: float, rate: float, seen: Seen) -> None:
    """Send `rate` requests per second; who comes too late sends at once and notes by how much."""
    start = time.perf_counter() + 0.1
    due = iter(range(int(seconds * rate)))

    async def go(caller: Caller) -> None:
        for number in due:
            wait = start + number / rate - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            seen.late.append(max(0.0, -wait))
            await caller.ask()

    await asyncio.gather(*map(go, callers))


async def watch(pid: int, every: float, sizes: list[float]) -> None:
    """Note the resident size of a process, in MiB, until cancelled."""
    while True:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        sizes.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
        await asyncio.sleep(every)


async def soak(server: Server, seconds: float, seen: Seen) -> tuple[float, list[float]]:
    """Load the server; return the rate it could take and its sizes over the run."""
    requests = itertools.cycle(requests_of(server))
    callers = [Caller(server, requests, seen) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(caller.open() for caller in callers))
    for _ in range(5):  # the first calls of each size compile their kernels
        await as_fast_as_possible(callers, 2, seen)
    capacity = await as_fast_as_possible(callers, 5, seen)
    seen.latencies.clear()
    sizes: list[float] = []
    watching = asyncio.create_task(watch(server.pid, max(0.2, seconds / 400), sizes))
    await on_a_timetable(callers, seconds, SHARE * capacity, seen)
    watching.cancel()
    for caller in callers:
        caller.close()
    return capacity, sizes


def proven(log: TraceLog, ids: list[str]) -> list[str]:
    """Return what does not hold: ids the log does not have, faults of the whole log, bundles that do not verify."""
    known = log.known(ids)
    wrong = [f"{len(ids) - len(known)} of {len(ids)} acknowledged decisions are not in the log"] * (
        len(known) < len(ids)
    )
    found = log.recheck()
    wrong += [fault.en for fault in found.faults]
    for id in random.Random(3).sample(ids, min(SAMPLE, len(ids))):
        told = verify_bundle(log.evidence(id))
        if not told.holds:
            wrong.append(f"the bundle of {id} does not verify")
    return wrong


def main() -> None:
    """Load, stop, look."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=float, default=60, help="length of the load at 70 %%")
    asked = words.parse_args()
    seen = Seen()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; server and callers on the same machine")
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        with governed(folder, make_submission(folder / "submission"), named(tables_of(1), NAMES)) as server:
            capacity, sizes = asyncio.run(soak(server, asked.seconds, seen))
        database = open_database(f"sqlite:///{data_of(folder) / 'mingjing.db'}")
        log = open_log(data_of(folder), database, system_clock, "soak", tend=False)
        wrong = seen.errors + proven(log, seen.ids)
        entries = log.size()
        log.close()
        database.close()
    quarter = len(sizes) // 4
    second, last = statistics.median(sizes[quarter : 2 * quarter]), statistics.median(sizes[-quarter:])
    if last > second * (1 + GROWTH):
        wrong.append(f"the server grew from {second:.0f} to {last:.0f} MiB")
    taken, late = sorted(seen.latencies), sorted(seen.late)
    print(f"capacity {capacity:.0f} requests/s at {CONNECTIONS} connections")
    print(f"load {SHARE * capacity:.0f} requests/s for {asked.seconds:.0f} s")
    print(f"{len(taken)} requests, {len(seen.errors)} errors")
    print(f"latency p50 {_at(taken, 0.5):.2f} ms, p99 {_at(taken, 0.99):.2f} ms, largest {taken[-1] * 1e3:.0f} ms")
    print(f"behind the timetable p50 {_at(late, 0.5):.2f} ms, p99 {_at(late, 0.99):.2f} ms")
    print(f"server: {second:.0f} MiB in the second quarter, {last:.0f} MiB in the last")
    print(f"{len(seen.ids)} acknowledged decisions, {entries} entries in the log")
    print(f"all found, the whole log rechecked, {SAMPLE} bundles verified: {'yes' if not wrong else 'NO'}")
    if wrong:
        raise SystemExit("\n".join(wrong[:20]))


def _at(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)] * 1e3


if __name__ == "__main__":
    main()
