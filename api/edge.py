"""An edge box: decides away from the plant's network with a signed package, keeps every trace in its spool."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

import numpy as np
from fastapi import FastAPI

from api.answering import BodyLimit, Fronted, guard, handle_faults
from api.hot_path import HotPath
from api.identity import People
from api.migrations import upgrade
from api.patience import Patience
from api.readiness import Readiness
from api.routes import health, invocations, open_inference
from audit.alarms_only import AlarmsOnly
from audit.database import Database, open_database
from audit.decided import Decided
from audit.entries import Clock
from audit.forward_clock import ForwardClock
from audit.offline_spool import OfflineSpool
from audit.pseudonym_keys import PseudonymKeys
from audit.traced_inference import TracedInference
from governance.edge_package import Package, PackageRefused, place_in, read_package, unpack_models
from governance.micro_batches import MicroBatches
from governance.models import Models
from governance.monitors import Monitors
from governance.permits import PermitBook
from governance.serving import Serving
from governance.submissions import SubmissionBook
from governance.tallies import Tallies
from model_registry.boxed_store import BoxedStore
from policies.errors import Conflict, Malformed, Sentence
from policies.roles import Person
from policies.rulebook import read_rulebook
from policies.terms import MonitorRules

logger = logging.getLogger("mingjing.edge")

LOOK_EVERY = 30.0
"""Seconds after which the present moment is kept for the next start."""


class AnotherRuns(Conflict):
    """The box's folder is in use."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            Sentence(en=f"another process serves from {folder}; stop it first", zh=f"已有进程在使用 {folder}，请先停止")
        )


class WithoutKeys:
    """An edge box keeps no keys of requests: what is sent twice is decided twice."""

    def once(self, key: str, request: bytes, by: Person, decide: Callable[[], Decided]) -> tuple[Decided, bool]:
        """Decide."""
        return decide(), False


@dataclass(frozen=True, kw_only=True)
class EdgeHouse:
    """All that decides on a box. Close it when done; the spool stays."""

    package: Package
    clock: ForwardClock
    database: Database
    spool: OfflineSpool
    people: People
    serving: Serving
    readiness: Readiness
    lock: TextIOWrapper
    repeats: WithoutKeys

    def warm_up(self) -> None:
        """Load the models; until that is done the box says that it is not ready."""
        with self.readiness.loading():
            self.serving.warm()

    def close(self) -> None:
        """Keep the moment, and let go of spool, database and folder."""
        self.clock.keep()
        self.spool.close()
        self.database.close()
        self.lock.close()


def open_edge(
    file: Path, data: Path, *, trusted: str | None, clock: Clock, monotonic: Callable[[], float]
) -> EdgeHouse:
    """Open a box's folder with a package.

    Parameters
    ----------
    file : Path
        The package, as `mingjing edge export` wrote it.
    data : Path
        The box's own folder: its spool, its clock, and which key it trusts.
    trusted : str or None
        Fingerprint of head office's log key; None takes the one that was given the first time.

    Raises
    ------
    PackageRefused, Malformed, AnotherRuns
        Also for a package older than one that was in use: a veto in between would be forgotten.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _alone(data)
    try:
        package = read_package(file.read_bytes(), _trusted(data, trusted))
        _require_newer(data, package)
        now = ForwardClock(clock, monotonic, data / "latest-moment")
        now.not_before(package.issued)
        now.keep()
        return _opened(data, package, now, monotonic, lock)
    except BaseException:
        lock.close()
        raise


def _opened(
    data: Path, package: Package, clock: ForwardClock, monotonic: Callable[[], float], lock: TextIOWrapper
) -> EdgeHouse:
    rulebook = read_rulebook(package.files["rulebook.toml"])
    folder = data / "package"
    shutil.rmtree(folder, ignore_errors=True)
    unpack_models(package, folder / "models")
    url = f"sqlite:///{folder.resolve() / 'box.db'}"
    upgrade(url)
    database = open_database(url)
    place_in(package, database)
    keys = PseudonymKeys(data / "keys", monotonic)
    spool = OfflineSpool(data / "spool", clock, f"edge-{package.box}")
    (data / "spool" / "box").write_text(package.box, encoding="utf-8")
    permits = PermitBook(database, clock, monotonic)
    models = Models(BoxedStore(folder / "models", package.places), lambda: rulebook.code)
    serving = Serving(
        permits=permits,
        book=SubmissionBook(database),
        models=models,
        log=spool,
        inference=TracedInference(spool, lambda: rulebook.purposes),
        hurried=AlarmsOnly(spool, lambda: rulebook.purposes, hand_in=lambda: None),
        monitors=Monitors(MonitorRules, lambda *_: np.zeros((0, 0)), lambda *_: (0, 0), lambda _: None, clock),
        tallies=Tallies(),
        rulebook=lambda: rulebook,
        clock=clock,
        monotonic=monotonic,
        keys=keys,
    )
    return EdgeHouse(
        package=package,
        clock=clock,
        database=database,
        spool=spool,
        people=People(database, clock, spool, keys, lambda: rulebook.purposes),
        serving=serving,
        readiness=Readiness(lambda: spool.stopped, lambda: None, permits.permits),
        lock=lock,
        repeats=WithoutKeys(),
    )


def create_edge_app(house: EdgeHouse, *, patience: Patience | None = None) -> FastAPI:
    """Return the application of a box: health and deciding, no pages, no governance. It closes the house at the end."""
    batches, waiting = MicroBatches(house.serving), patience or Patience()
    stop = threading.Event()

    def keep_time() -> None:
        while not stop.wait(LOOK_EVERY):
            house.clock.keep()
            house.serving.catch_up()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=keep_time, name="mingjing-edge", daemon=True).start()
        yield
        stop.set()
        batches.close()
        waiting.close()
        house.close()

    app = Fronted(title="Mingjing edge", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.service, app.state.patience, app.state.batches = house, waiting, batches
    for routes in (health, invocations, open_inference):
        app.include_router(routes.router)
    handle_faults(app)
    guard(app)
    app.add_middleware(BodyLimit)
    app.front = app.lean_road = HotPath(app.behind, service=house, batches=batches, patience=waiting)
    return app


def _alone(data: Path) -> TextIOWrapper:
    lock = (data / "in-use.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        lock.close()
        raise AnotherRuns(data) from held
    return lock


def _trusted(data: Path, given: str | None) -> str:
    """Return the fingerprint this box trusts; the first one given is kept, another one is refused."""
    file = data / "trusted-key"
    known = file.read_text(encoding="ascii").strip() if file.exists() else None
    if known is None and given is None:
        raise Malformed(
            Sentence(
                en="this box trusts no key yet; give head office's with --trust (`mingjing edge export` prints it)",
                zh="本设备尚未信任任何密钥，请用 --trust 给出总部日志密钥的指纹（由 `mingjing edge export` 打印）",
            )
        )
    if known is not None and given is not None and known != given.lower():
        raise PackageRefused(
            Sentence(
                en=f"this box trusts {known[:16]}…, found {given[:16]}…; remove {file} if head office's key changed",
                zh=f"本设备信任 {known[:16]}…，实际为 {given[:16]}…；若总部密钥已更换，请删除 {file}",
            )
        )
    if known is None:
        file.write_text(str(given).lower(), encoding="ascii")
    return known or str(given)


def _require_newer(data: Path, package: Package) -> None:
    """Raise PackageRefused for a package issued before one that was in use."""
    file = data / "newest-package"
    newest = file.read_text(encoding="ascii").strip() if file.exists() else ""
    if package.issued.isoformat() < newest:
        raise PackageRefused(
            Sentence(
                en=f"this package was issued at {package.issued:%Y-%m-%d %H:%M} UTC, before one that was in use; "
                "take the newest",
                zh=f"该许可包签发于 {package.issued:%Y-%m-%d %H:%M} UTC，早于已启用的许可包，请使用最新的",
            )
        )
    draft = file.with_suffix(".draft")
    draft.write_text(package.issued.isoformat(), encoding="ascii")
    os.replace(draft, file)
