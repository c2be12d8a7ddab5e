"""Database addresses as users write them, and what they mean for the drivers."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ringback_schemas.errors import RingbackError

_POSTGRES = ("postgresql", "postgres", "postgresql+asyncpg")
_SQLITE = ("sqlite", "sqlite+aiosqlite")


class InvalidDatabaseUrl(RingbackError):
    """A database address that names no database Ringback can use. Never shows the address: it may hold a password."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"not a database address: {reason} (it looks like postgresql://user:password@host:5432/name "
            "or sqlite:///ringback-data/ringback.db)"
        )


def parse(database_url: str) -> URL:
    """The address in parts.

    Raises:
        InvalidDatabaseUrl: it is no address, or one of another kind of database.
    """
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise InvalidDatabaseUrl("it cannot be read") from error
    if url.drivername in _SQLITE:
        if url.database in (None, "", ":memory:"):
            raise InvalidDatabaseUrl("SQLite needs a file, for several connections share it")
        return url
    if url.drivername not in _POSTGRES:
        raise InvalidDatabaseUrl(f"{url.drivername} is neither postgresql nor sqlite")
    return url


def is_sqlite(database_url: str) -> bool:
    """Whether the address names a SQLite file rather than a PostgreSQL server."""
    return parse(database_url).drivername in _SQLITE


def sqlite_path(database_url: str) -> Path:
    """The file of a SQLite address."""
    return Path(str(parse(database_url).database))


def postgres_dsn(database_url: str) -> str:
    """The address as asyncpg reads it, query parameters such as ``sslmode`` included."""
    return parse(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
