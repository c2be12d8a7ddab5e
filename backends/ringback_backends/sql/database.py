"""What the queries in SQLAlchemy Core need of a database: to run a function over a connection in one transaction."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

DEADLINE_S = 10.0
"""Longest that any call takes, with the wait for a connection. The database gives up sooner, so that it, not we,
decides."""


class Database(Protocol):
    """Runs plain functions over a SQLAlchemy connection; each run is one transaction, bounded in time.

    The functions are the same for both databases, and know nothing of event loops.
    """

    async def read(self, operation: str, query: Callable[[Connection], T]) -> T:
        """What the query answers; it changes nothing.

        Raises:
            StoreUnavailable: no answer in time.
        """

    async def write(self, operation: str, query: Callable[[Connection], T], *, is_relaxed: bool = False) -> T:
        """What the query answers; its changes are committed then.

        ``is_relaxed``: may be undone by a crash of the database's machine shortly after. For what is only worth having.

        Raises:
            RowRefused: a value does not fit; nothing was changed.
            StoreUnavailable: no answer in time; changed or not.
        """

    async def close(self) -> None:
        """Close what was opened. Safe to call twice."""
