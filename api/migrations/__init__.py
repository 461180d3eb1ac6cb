"""Brings the database to the shape this program needs, step by step, from whatever shape it has."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from audit.database import Database, open_database

FOLDER = Path(__file__).parent


def upgrade(url: str) -> None:
    """Apply every migration that the database at `url` has not seen, all or none.

    Several processes may start at once: the first does the work, the others wait and find it done.

    Raises
    ------
    DatabaseRefused
        When `url` names no database of ours.
    """
    database = open_database(url)
    try:
        upgrade_database(database)
    finally:
        database.close()


def upgrade_database(database: Database, revision: str = "head") -> None:
    """Apply the migrations to an open database."""
    scripts = ScriptDirectory(str(FOLDER))

    def steps(at: object, context: MigrationContext) -> object:
        return scripts._upgrade_revs(revision, at)  # type: ignore[arg-type]  # what alembic.command.upgrade calls

    with (
        database.writing() as connection,
        EnvironmentContext(configuration(database), scripts, fn=steps) as environment,
    ):
        if database.dialect == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4993446713310306920)")
        environment.configure(connection=connection)
        environment.run_migrations()


def revision_of(database: Database) -> str | None:
    """Return the revision the database is at; None before the first migration."""
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """Return the revision this program needs."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def configuration(database: Database) -> Config:
    """Return what Alembic wants to know, without a file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["database"] = database
    return config
