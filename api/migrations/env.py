"""Where the `alembic` command of a developer starts: compares the tables in the code with a database.

`alembic -x url=sqlite:///dev.db revision --autogenerate` with `script_location = api/migrations`. The program itself
migrates through `api.migrations.upgrade` and never runs this file.
"""

from __future__ import annotations

from alembic import context

from audit.database import open_database
from audit.tables import metadata


def compare() -> None:
    """Run what the command asked for on the database it named."""
    database = open_database(context.get_x_argument(as_dictionary=True)["url"])
    with database.writing() as connection:
        context.configure(connection=connection, target_metadata=metadata)
        context.run_migrations()


if getattr(context, "config", None) is not None:  # absent where a tool merely imports every file
    compare()
