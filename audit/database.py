"""The one database of the house: opened so that what it acknowledges survives a power cut."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from audit.guards import guards
from audit.tables import metadata
from policies.errors import Malformed, Sentence, Unavailable

LOOK_SECONDS = 0.0002
"""How often a writer looks whether SQLite's write lock is free, at first; it is held for about a millisecond."""

WAIT_SECONDS = 30
"""How long a writer waits for another before it gives up."""

STRIDES = (1000, 64, 8)
"""Rows of one statement where many are inserted: the step from Python into SQLite costs as much as a small row."""

MOST_VALUES = 32_766
"""Values that one statement of SQLite takes at most."""

COPIED = 50
"""Rows from which on PostgreSQL takes them as one stream."""

LONGEST_WAL = 8000
"""Pages of SQLite's write-ahead file beyond which a writer moves them into the database itself."""

Rows = Callable[..., list[tuple[Any, ...]]]
"""Reads with one statement, written with `?`, and its values."""

_WAITS = "mingjing_waits"
_PATIENT = f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}"

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL loses acknowledged commits when the power goes
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # else INSERT OR REPLACE slips past the guards
    "PRAGMA secure_delete = ON",
    _PATIENT,
    "PRAGMA cache_size = -32000",
    f"PRAGMA wal_autocheckpoint = {LONGEST_WAL}",
)


class DatabaseRefused(Malformed):
    """The address names no database that can hold the log."""

    def __init__(self, url: str) -> None:
        super().__init__(
            Sentence(
                en=f"'{url}' is no database for the log; expected sqlite:///FILE or postgresql://HOST/NAME",
                zh=f"“{url}”不能作为日志数据库；应为 sqlite:///文件 或 postgresql://主机/库名",
            )
        )


class DatabaseAway(Unavailable):
    """The database cannot be reached or does not take writes now."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Sentence(
                en=f"the database does not answer ({why}); try again, or look at disk and connection",
                zh=f"数据库没有响应（{why}）；请稍后重试，或检查磁盘与连接",
            )
        )


@dataclass(frozen=True)
class Database:
    """An open database.

    `dialect` is `sqlite` or `postgresql`. Read through `reading()`, write through `writing()`; the log has its
    own connection and waits while another writer holds SQLite's only write lock, so never append to the log
    inside `writing()`.
    """

    engine: Engine
    dialect: str

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose statements see one state; nothing is kept."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Connection]:
        """A connection that holds the write lock from the start and commits at the end, or undoes everything.

        `wait` is how many seconds it waits for another writer, `WAIT_SECONDS` when nothing is said.
        """
        options = {_WAITS: WAIT_SECONDS if wait is None else wait}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            if wait is not None and self.dialect == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(wait * 1000)}ms'")
            yield connection

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read with one statement, written with `?`.

        Raises
        ------
        DatabaseAway
            When the database does not answer.
        """
        with self._reaching(statement, values), self.engine.connect() as connection:
            return _fetched(connection, self._spoken(statement), values)

    @contextmanager
    def one_state(self) -> Iterator[Rows]:
        """Return what reads like `rows`, but whose statements all see the database at one and the same moment."""
        with self._reaching("BEGIN", ()), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield lambda statement, *values: _fetched(connection, self._spoken(statement), values)

    def _spoken(self, statement: str) -> str:
        return statement if self.dialect == "sqlite" else _with_percent(statement)

    @contextmanager
    def _reaching(self, statement: str, values: tuple[object, ...]) -> Iterator[None]:
        """Say what went wrong with a statement in the words of this house."""
        dbapi: Any = self.engine.dialect.loaded_dbapi
        try:
            yield
        except (OperationalError, dbapi.OperationalError) as wrong:
            raise DatabaseAway(str(getattr(wrong, "orig", wrong))) from wrong
        except dbapi.Error as wrong:
            raise DatabaseError(self._spoken(statement), values, wrong) from wrong

    def settle(self) -> None:
        """Move what SQLite's write-ahead file holds into the database, beside readers and writers: none waits.

        Raises
        ------
        DatabaseAway
            When the database does not answer.
        """
        if self.dialect == "sqlite":
            self.rows("PRAGMA wal_checkpoint(PASSIVE)")

    def writer(self) -> Writer:
        """Return a connection of its own for the log's hot path."""
        return Writer(self)

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open the database at `url`; neither creates nor changes tables.

    Parameters
    ----------
    url : str
        `sqlite:///relative.db`, `sqlite:////absolute.db`, or `postgresql://user:password@host:port/name`.

    Raises
    ------
    DatabaseRefused
        For any other address, a SQLite database in memory included: it would forget what it acknowledged.
    """
    try:
        address = make_url(url)
    except ArgumentError as wrong:
        raise DatabaseRefused(url) from wrong
    kind = address.get_backend_name()
    if kind == "sqlite" and address.database not in (None, "", ":memory:"):
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, poolclass=QueuePool, pool_size=8, max_overflow=56)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif kind == "postgresql":
        engine = create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        event.listen(engine, "connect", _prepare_postgresql)
    else:
        raise DatabaseRefused(address.render_as_string(hide_password=True))
    return Database(engine, kind)


def create_all(database: Database) -> None:
    """Create the log's tables and guards without the migrations, for tools and tests."""
    with database.writing() as connection:
        metadata.create_all(connection)
        for statement in guards(database.dialect):
            # psycopg reads a bare % as the beginning of a parameter
            connection.exec_driver_sql(statement if database.dialect == "sqlite" else statement.replace("%", "%%"))


class Writer:
    """One plain connection with the three moves the log needs, in the speech of either database.

    Statements are written with `?`; everything happens between `begin` and `commit`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.dialect == "sqlite"
        self._connection: Any = None
        self._cursor: Any = None
        dbapi: Any = database.engine.dialect.loaded_dbapi
        self.error: type[Exception] = dbapi.Error
        self.duplicate: type[Exception] = dbapi.IntegrityError

    def begin(self) -> None:
        """Take the write lock: what is read from here on is the newest state, and stays so until the end."""
        if self._connection is None:
            self._connection = self._database.engine.raw_connection()
            self._cursor = self._connection.cursor()
        if self._sqlite:
            _lock_sqlite(self._cursor.execute, WAIT_SECONDS)
        else:
            self._cursor.execute("SELECT pg_advisory_xact_lock(4993446713310306919)")

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        self._cursor.execute(self._spoken(statement), values)
        found: list[tuple[Any, ...]] = self._cursor.fetchall() if self._cursor.description else []
        return found

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
        """Add rows to a table."""
        if not rows:
            return
        if len(rows) == 1:
            self._cursor.execute(self._spoken(_insertion(table, columns)), rows[0])
        elif self._sqlite:
            self._insert_in_strides(table, columns, rows)
        elif len(rows) < COPIED:
            self._cursor.executemany(self._spoken(_insertion(table, columns)), rows)
        else:
            self._copy(table, columns, rows)

    def _insert_in_strides(self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
        first = 0
        for stride in (stride for stride in STRIDES if stride * len(columns) <= MOST_VALUES):
            end = len(rows) - (len(rows) - first) % stride
            if first < end:
                parts = (tuple(chain.from_iterable(rows[at : at + stride])) for at in range(first, end, stride))
                self._cursor.executemany(_insertion(table, columns, stride), parts)
            first = end
        if first < len(rows):
            self._cursor.executemany(_insertion(table, columns), rows[first:])

    def _copy(self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
        with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def commit(self) -> None:
        """Make it durable; when this returns, it is."""
        if self._sqlite:
            self._cursor.execute("COMMIT")
        else:
            self._connection.commit()

    def undo(self) -> None:
        """Leave the database as it was at `begin`; after a broken connection the next `begin` opens a new one."""
        try:
            if self._sqlite:
                if self._connection is not None and self._connection.driver_connection.in_transaction:
                    self._cursor.execute("ROLLBACK")
            elif self._connection is not None:
                self._connection.rollback()
        except self.error:
            self.close()

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection = self._cursor = None

    def _spoken(self, statement: str) -> str:
        return statement if self._sqlite else _with_percent(statement)


def breaks_the_log(wrong: Exception) -> bool:
    """Return whether an error means that the disk may have lost what it was told to keep.

    After a failed fsync the page cache is no longer what the disk holds, so trying again would prove nothing.
    """
    code = getattr(wrong, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _fetched(connection: Connection, spoken: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    cursor = connection.connection.cursor()  # rows come as they are: a recheck reads millions
    cursor.execute(spoken, values)
    return list(cursor.fetchall())


@lru_cache(maxsize=256)
def _insertion(table: str, columns: tuple[str, ...], rows: int = 1) -> str:
    places = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([places] * rows)}"


@lru_cache(maxsize=256)
def _with_percent(statement: str) -> str:
    return statement.replace("?", "%s")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own idea of transactions would commit behind our back
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    wait = connection.get_execution_options().get(_WAITS)
    if wait is not None:
        _lock_sqlite(connection.exec_driver_sql, wait)
    else:
        connection.exec_driver_sql("BEGIN")


def _lock_sqlite(execute: Callable[[str], object], wait: float) -> None:
    """Begin with SQLite's write lock, looking for it often.

    SQLite by itself waits up to a tenth of a second between two looks, and under load always comes too late.
    """
    began = time.monotonic()
    execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                execute("BEGIN IMMEDIATE")
                return
            except (sqlite3.OperationalError, OperationalError) as held:
                waited = time.monotonic() - began
                if not _is_held(held) or waited > wait:
                    raise
            time.sleep(LOOK_SECONDS if waited < 1 else 10 * LOOK_SECONDS)
    finally:
        execute(_PATIENT)


def _is_held(wrong: sqlite3.OperationalError | OperationalError) -> bool:
    code = getattr(wrong.orig if isinstance(wrong, OperationalError) else wrong, "sqlite_errorcode", 0)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)


def _prepare_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'")
    connection.commit()
