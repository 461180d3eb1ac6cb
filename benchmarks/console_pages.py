"""How long each page of the console takes, and how much goes over the wire, with a million decisions stored.

    python -m benchmarks.console_pages [--decisions 1000000] [--folder DIR] [--keep] [--again KEPT]

The demo's house (three submissions, one permit, 600 explained decisions) with the rest of the decisions added to its
log: the same model, spread over 90 days, with payloads of a few bytes, some of them reviewed. Every page is fetched
over HTTP from a server in this process, as somebody who may see it, eleven times, the first not counted; sizes are
those of the compressed answers.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sqlite3
import statistics
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import httpx
import uvicorn

from api.app import create_app
from api.console.sessions import SESSION
from api.demo.story import tell_story
from api.settings import Settings
from api.wiring import Service, open_service
from audit.entries import Draft, Entry
from audit.kept_counts import bring_up_to_date
from audit.log_reader import LogReader
from governance.reviews import TRACKS
from governance.statements import statement_about
from policies.roles import Role

BATCH = 10_000
ROUNDS = 10
MOST_MS, MOST_BYTES = 200.0, 150_000


def fill(service: Service, sample: Entry, decisions: int) -> None:
    """Append so many decisions of the sample's model over the 90 days up to now; one in a thousand is reviewed."""
    draws, began = random.Random(1), service.clock() - timedelta(days=90)
    for first in range(0, decisions, BATCH):
        drafts = []
        for number in range(first, min(first + BATCH, decisions)):
            score = draws.betavariate(2, 6)
            drafts.append(
                Draft(
                    kind="decision",
                    payload=b"{}",
                    model=sample.model,
                    version=sample.version,
                    artifact_digest=sample.artifact_digest,
                    rulebook_digest=sample.rulebook_digest,
                    site=sample.site,
                    subject=f"p-{draws.randrange(5000):016x}",
                    score=score,
                    verdict=score > 0.45,
                    time=began + timedelta(days=90 * number / decisions),
                    flags=("review_required",) if number % 500 == 0 else (),
                )
            )
        receipts = service.log.append(drafts)
        reviewed = [
            statement_about(
                service.log.entry(receipt.id),
                "review",
                by=f"reviewer-{draws.randrange(9)}",
                body={"seconds": draws.uniform(5, 300), "labels": dict.fromkeys(TRACKS, "safe")},
                verdict=True,
            )
            for receipt in receipts[::1000]
        ]
        service.log.append(reviewed)


def pages(service: Service, sample: Entry) -> dict[str, tuple[str, ...]]:
    """Who looks at which pages."""
    submission = service.book.of_version(sample.model or "", sample.version or "").id
    return {
        "": ("/reports", f"/reports/{sample.model}/{sample.version}", "/rules", "/log"),
        "mei": ("/queue", "/submissions", f"/submissions/{submission}", "/models", f"/models/{sample.model}/versions"),
        "regulator": (
            "/decisions",
            "/decisions?verdict=alarm",
            "/decisions?flag=review_required",
            f"/decisions/{sample.id}",
            "/requests",
            "/keeping",
        ),
        "zhao": ("/inbox", f"/decisions/{sample.id}"),
        "lin": ("/submissions/new",),
        "admin": ("/people", "/health"),
    }


def main() -> None:
    """Make a house, fill it, fetch its pages, print what they took."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--decisions", type=int, default=1_000_000)
    words.add_argument("--folder", type=Path)
    words.add_argument("--keep", action="store_true")
    words.add_argument("--again", type=Path, help="fetch the pages of a house that an earlier run filled and kept")
    wanted = words.parse_args()
    folder = wanted.again or Path(tempfile.mkdtemp(prefix="console-pages-", dir=wanted.folder))
    print(f"python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, {folder}")
    service = open_service(Settings(data=folder / "data"), door="benchmark")
    if wanted.again is None:
        build(service, folder, wanted.decisions)
    keep_house(service)
    slow = serve_and_fetch(service, explained(service))
    if not (wanted.keep or wanted.again):
        shutil.rmtree(folder, ignore_errors=True)
    if slow:
        raise SystemExit(f"over {MOST_MS:.0f} ms or {MOST_BYTES:,} bytes: {', '.join(slow)}")


def build(service: Service, folder: Path, decisions: int) -> None:
    """Tell the demo's story and fill its log."""
    tell_story(service, folder / "demo", lambda _said: None, time.monotonic)
    began = time.perf_counter()
    fill(service, explained(service), decisions)
    print(f"{decisions:,} decisions added in {time.perf_counter() - began:.0f} s")
    for name, role in (("regulator", Role.REGULATOR), ("admin", Role.ADMIN)):
        if name not in {person.name for person in service.people.everyone()}:
            service.people.add(name, role)


def explained(service: Service) -> Entry:
    """Return an alarm of the story: its page shows an explanation, as those of the filling do not."""
    oldest = LogReader(service.log.database).each(0, service.log.size())
    return next(entry for entry in oldest if entry.kind == "decision" and entry.verdict)


def keep_house(service: Service) -> None:
    """Do what a server's rounds do every minute; a benchmark makes none."""
    for what, work in (
        ("head signed", service.log.checkpoint),
        ("sums brought up to date", lambda: bring_up_to_date(service.log.database)),
    ):
        began = time.perf_counter()
        work()
        print(f"{what} in {time.perf_counter() - began:.1f} s")


def serve_and_fetch(service: Service, sample: Entry) -> list[str]:
    """Serve the house, fetch every page, print; return the pages that took too long or are too large."""
    server = uvicorn.Server(uvicorn.Config(create_app(service), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    slow = []
    print(f"{'page':<58} {'p50 ms':>8} {'max ms':>8} {'bytes':>9}")
    for name, addresses in pages(service, sample).items():
        cookies = {SESSION: service.people.redeem(service.people.once(name))} if name else {}
        with httpx.Client(base_url=url, cookies=cookies, timeout=120) as client:
            for address in addresses:
                median, longest, size = fetch(client, address)
                shown = address.replace(sample.id, "{decision}")
                print(f"{name or 'visitor':<10} {shown:<47} {median:8.1f} {longest:8.1f} {size:9,}")
                if median > MOST_MS or size > MOST_BYTES:
                    slow.append(f"{name} {shown}")
    server.should_exit = True
    thread.join(20)
    return slow


def fetch(client: httpx.Client, address: str) -> tuple[float, float, int]:
    """Return median and longest time in milliseconds, and the bytes of the answer as sent."""
    taken, size = [], 0
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        with client.stream("GET", address) as answer:
            size = sum(len(part) for part in answer.iter_raw())
            answer.raise_for_status()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken[1:]), max(taken[1:]), size


if __name__ == "__main__":
    main()
