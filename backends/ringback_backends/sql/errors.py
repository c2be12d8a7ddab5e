"""Drivers' errors, translated once: what callers see is in ``contracts.errors``.

By type and SQLSTATE, never by text. What is neither the database's state nor a value's fault is a bug of ours; it comes
out as ``StoreUnavailable`` all the same, for a driver's error must not cross this edge, and its cause is chained.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ringback_backends.contracts.errors import RowRefused, SchemaMismatch, StoreError, StoreUnavailable

REVISION = "0010"
"""The schema that this program knows: the newest migration."""

# 22 data exception, 23 integrity constraint, 54 program limit (an index row too large)
_REFUSING_CLASSES = ("22", "23", "54")
_UNDEFINED_TABLE = "42P01"
_UNDEFINED_COLUMN = "42703"

_REMEDIES = {
    "3D000": "the server has no database of the name in RINGBACK_DATABASE_URL: create it, then run `ringback migrate`",
    "28000": "the server does not let in the user of RINGBACK_DATABASE_URL from here",
    "28P01": "the server refuses the password in RINGBACK_DATABASE_URL",
    "42501": "the user of RINGBACK_DATABASE_URL may not use the tables: grant it that",
    "53300": "the server has no connection left: fewer by RINGBACK_POOL_SIZE, or more by its max_connections",
    "57P03": "the server is starting or stopping",
}
"""What is wrong, and what to do, by SQLSTATE: where it is not simply away."""

DRIVER_ERRORS = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    OSError,  # refused, reset, unreachable; TimeoutError is one of them
    UnicodeEncodeError,  # a lone surrogate in a text
    OverflowError,  # an integer beyond 64 bits, in sqlite3
)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turns what a driver raises into a ``StoreError`` of that operation."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise store_error(operation, error) from error


def store_error(operation: str, error: Exception) -> StoreError:
    """What callers shall see of a driver's error."""
    cause = driver_error(error)
    if isinstance(cause, asyncpg.PostgresError) and cause.sqlstate in (_UNDEFINED_TABLE, _UNDEFINED_COLUMN):
        return SchemaMismatch(None, REVISION)
    if _refuses_value(cause):
        return RowRefused(operation, _reason(cause))
    remedy = _REMEDIES.get(str(cause.sqlstate), "") if isinstance(cause, asyncpg.PostgresError) else ""
    return StoreUnavailable(operation, _reason(cause), remedy=remedy)


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error inside whatever SQLAlchemy wrapped around it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _refuses_value(cause: BaseException) -> bool:
    if isinstance(cause, asyncpg.PostgresError):
        return str(cause.sqlstate)[:2] in _REFUSING_CLASSES
    if isinstance(cause, asyncpg.InterfaceError):
        return isinstance(cause, ValueError)  # its DataError: a value that does not fit the parameter's type
    if isinstance(cause, sqlite3.OperationalError):
        return False
    return isinstance(
        cause,
        (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, UnicodeEncodeError, OverflowError),
    )


def _reason(cause: BaseException) -> str:
    """The class and the first line: the lines after it may quote values."""
    first = (str(cause).splitlines() or [""])[0]
    return f"{type(cause).__name__}: {first}" if first else type(cause).__name__
