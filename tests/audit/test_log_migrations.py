"""The migrations give exactly the tables the code speaks of, on both databases, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from api.migrations import newest_revision, revision_of, upgrade, upgrade_database
from audit.database import Database, create_all, open_database
from audit.tables import metadata


# SQLAlchemy cannot read back an index over an expression; tests/audit/test_subject_index.py compares that one
@pytest.mark.filterwarnings("ignore:.*expression-based index .?log_entries_by_subject")
class TestUpgrade:
    def test_the_tables_are_those_of_the_code(self, database: Database) -> None:
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": _of_the_log})
            assert compare_metadata(context, metadata) == []

    def test_a_second_time_changes_nothing(self, database: Database) -> None:
        upgrade_database(database)
        assert revision_of(database) == newest_revision()

    def test_by_address(self, tmp_path: Path) -> None:
        upgrade(f"sqlite:///{tmp_path / 'new' / 'log.db'}")
        database = open_database(f"sqlite:///{tmp_path / 'new' / 'log.db'}")
        assert revision_of(database) == newest_revision()
        database.close()

    def test_tools_may_create_the_same_without_them(self, tmp_path: Path) -> None:
        database = open_database(f"sqlite:///{tmp_path / 'log.db'}")
        assert revision_of(database) is None
        create_all(database)
        with database.reading() as connection:
            assert set(inspect(connection).get_table_names()) >= set(metadata.tables)
        database.close()


def _of_the_log(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return kind != "table" or (name or "").startswith("log_")
