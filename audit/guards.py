"""What the database itself refuses: to change or delete evidence, except by letting it go at its time."""

from __future__ import annotations

from sqlalchemy import Table

from audit import tables

CLEARABLE: dict[str, frozenset[str]] = {
    "log_models": frozenset(),
    "log_contexts": frozenset(),
    "log_layouts": frozenset(),
    "log_entries": frozenset({"subject", "actor", "score", "verdict"}),
    "log_payloads": frozenset({"sealed"}),
    "log_payload_keys": frozenset({"owner"}),
    "log_nodes": frozenset(),
    "log_checkpoints": frozenset(),
    "log_signing_keys": frozenset(),
}
"""Evidence tables and those of their columns that may become NULL (and nothing else)."""

RENEWABLE: dict[str, frozenset[str]] = {"log_payload_keys": frozenset({"wrapped", "wrapping"})}
"""Columns that may change: a data key is wrapped anew when the key that wraps it changes, but never comes back."""


def guards(dialect: str) -> tuple[str, ...]:
    """Return the statements that set up the guards, as of the schema's revision 0001.

    Parameters
    ----------
    dialect : str
        `sqlite` or `postgresql`.
    """
    of_table = _sqlite_guards if dialect == "sqlite" else _postgresql_guards
    first = () if dialect == "sqlite" else (_REFUSE,)
    return first + tuple(line for name in CLEARABLE for line in of_table(tables.metadata.tables[name]))


def guards_of(table: Table, dialect: str) -> tuple[str, ...]:
    """Return the statements that guard one table of another room, none of whose columns may ever change."""
    return _sqlite_guards(table) if dialect == "sqlite" else (_REFUSE, *_postgresql_guards(table))


_REFUSE = """
CREATE OR REPLACE FUNCTION log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'evidence is neither changed nor deleted: %', TG_TABLE_NAME; END $$
"""


def _sqlite_guards(table: Table) -> tuple[str, str]:
    name = table.name
    refuse = f"BEGIN SELECT RAISE(ABORT, 'evidence is neither changed nor deleted: {name}'); END"
    return (
        f"CREATE TRIGGER {name}_stay BEFORE DELETE ON {name} {refuse}",
        f"CREATE TRIGGER {name}_as_written BEFORE UPDATE ON {name} WHEN NOT ({_allowed(table, 'IS')}) {refuse}",
    )


def _postgresql_guards(table: Table) -> tuple[str, str, str]:
    name = table.name
    allowed = _allowed(table, "IS NOT DISTINCT FROM")
    return (
        f"CREATE TRIGGER {name}_stay BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION log_refuse()",
        f"CREATE TRIGGER {name}_all_stay BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION log_refuse()",
        f"CREATE TRIGGER {name}_as_written BEFORE UPDATE ON {name} FOR EACH ROW WHEN (NOT ({allowed}))"
        " EXECUTE FUNCTION log_refuse()",
    )


def _allowed(table: Table, same: str) -> str:
    clearable, renewable = CLEARABLE.get(table.name, frozenset()), RENEWABLE.get(table.name, frozenset())
    clauses = []
    for column in (column.name for column in table.columns):
        if column in renewable:
            clauses.append(f"(NEW.{column} IS NULL OR OLD.{column} IS NOT NULL)")
        elif column in clearable:
            clauses.append(f"(NEW.{column} IS NULL OR NEW.{column} {same} OLD.{column})")
        else:
            clauses.append(f"NEW.{column} {same} OLD.{column}")
    return " AND ".join(clauses)
