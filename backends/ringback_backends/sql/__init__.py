"""The store over SQL: PostgreSQL by asyncpg, SQLite by a thread that writes and a few that read."""

from ringback_backends.sql.migrate import migrate
from ringback_backends.sql.opening import open_store, served_alone
from ringback_backends.sql.urls import InvalidDatabaseUrl, is_sqlite

__all__ = ["InvalidDatabaseUrl", "is_sqlite", "migrate", "open_store", "served_alone"]
