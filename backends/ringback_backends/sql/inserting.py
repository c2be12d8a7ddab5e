"""``INSERT … ON CONFLICT``, which SQLAlchemy spells once per dialect."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """The dialect's own ``INSERT``."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_unless_known(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Whether the row was inserted: not when one with the same key is there, waiting for who is just inserting it."""
    statement = insert_into(connection, table).values(dict(row)).on_conflict_do_nothing()
    return connection.execute(statement).rowcount > 0
