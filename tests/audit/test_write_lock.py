"""SQLite's one write lock: whoever wants it gets it, also beside one who hardly ever lets it go."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from audit import database
from audit.database import Database, open_database

MOST_TURNS = 3000
"""Turns that the greedy one makes at most; with SQLite's own way of waiting it makes all of them."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database lies."""
    return tmp_path / "log.db"


@pytest.fixture
def opened(file: Path) -> Iterator[Database]:
    """A database with one table."""
    made = open_database(f"sqlite:///{file}")
    with made.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (who TEXT)")
    yield made
    made.close()


def by_the_hot_path(opened: Database) -> Callable[[], None]:
    """Write as the log does."""
    writer = opened.writer()

    def write() -> None:
        writer.begin()
        writer.rows("INSERT INTO kept VALUES ('log')")
        writer.commit()

    return write


def by_a_person(opened: Database) -> Callable[[], None]:
    """Write as a verdict does."""

    def write() -> None:
        with opened.writing() as connection:
            connection.exec_driver_sql("INSERT INTO kept VALUES ('officer')")

    return write


@pytest.mark.parametrize("made", [by_the_hot_path, by_a_person])
def test_is_had_beside_one_who_takes_it_again_and_again(
    opened: Database, file: Path, made: Callable[[Database], Callable[[], None]]
) -> None:
    turns, begun, over = [0], threading.Event(), threading.Event()

    def greedy() -> None:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
            while not over.is_set() and turns[0] < MOST_TURNS:
                other.execute("BEGIN IMMEDIATE")
                begun.set()
                other.execute("INSERT INTO kept VALUES ('greedy')")
                time.sleep(0.0005)
                other.execute("COMMIT")
                turns[0] += 1

    write = made(opened)
    thread = threading.Thread(target=greedy)
    thread.start()
    assert begun.wait(30)
    for _ in range(10):
        write()
    over.set()
    thread.join()
    assert turns[0] < MOST_TURNS


@pytest.mark.parametrize("made", [by_the_hot_path, by_a_person])
def test_is_given_up_on_after_a_while(
    opened: Database,
    file: Path,
    made: Callable[[Database], Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.05)
    write = made(opened)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises((sqlite3.OperationalError, OperationalError), match="locked"):
            write()
        other.execute("ROLLBACK")
    write()
    assert opened.rows("SELECT count(*) FROM kept") == [(1,)]


def test_readers_still_wait_as_long_as_ever(opened: Database) -> None:
    with opened.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == database.WAIT_SECONDS * 1000
