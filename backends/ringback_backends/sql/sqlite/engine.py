"""The threads that work on a SQLite file."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.sql.errors import translated
from ringback_backends.sql.sqlite.connecting import connect

T = TypeVar("T")


class SqliteDatabase:
    """A ``Database`` over SQLite, and the way to its bare connection for set-based statements.

    SQLite allows one writer at a time: a single thread is that writer, so that writes queue up here, in order and
    without polling for the lock. Readers see the last commit and wait for nobody.
    """

    def __init__(self, path: Path, *, readers: int, deadline_s: float) -> None:
        """Opens nothing until the first query."""
        self._path = path
        self._deadline_s = deadline_s
        self._is_closed = False
        self._bare: sqlite3.Connection | None = None
        self._writer = _engine(self._opened, StaticPool, "BEGIN IMMEDIATE")
        self._reader = _engine(partial(connect, path, is_writer=False), QueuePool, "BEGIN", size=readers)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="ringback-sqlite-writer")
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="ringback-sqlite-reader")

    async def read(self, operation: str, query: Callable[[Connection], T]) -> T:
        """See ``Database.read``."""
        return await self._run(operation, self._reading, partial(_transaction, self._reader, query))

    async def write(self, operation: str, query: Callable[[Connection], T], *, is_relaxed: bool = False) -> T:
        """See ``Database.write``."""
        work = partial(_transaction, self._writer, query)
        return await self._run(operation, self._writing, partial(self._relaxed, work) if is_relaxed else work)

    async def write_bare(
        self, operation: str, work: Callable[[sqlite3.Connection], T], *, is_relaxed: bool = False
    ) -> T:
        """As ``write`` over the driver's connection, for set-based statements."""
        transaction = partial(self._bare_transaction, work)
        work_of = partial(self._relaxed, transaction) if is_relaxed else transaction
        return await self._run(operation, self._writing, work_of)

    async def close(self) -> None:
        """See ``Database.close``. Waits for what is under way."""
        self._is_closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._reader.dispose()
        self._writer.dispose()
        if self._bare is not None:
            self._bare.close()

    async def _run(self, operation: str, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreUnavailable(operation, "it is closed")
        with translated(operation):
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _opened(self) -> sqlite3.Connection:
        """The one connection that writes; only its thread comes here."""
        if self._bare is None:
            self._bare = connect(self._path, is_writer=True)
        return self._bare

    def _bare_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            answer = work(connection)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return answer

    def _relaxed(self, work: Callable[[], T]) -> T:
        """Commits without waiting for the disk: in WAL mode a power cut may undo it, and harms nothing before it."""
        connection = self._opened()
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            return work()
        finally:
            connection.execute("PRAGMA synchronous = FULL")


def bare(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, for set-based statements in the same transaction."""
    driver: sqlite3.Connection | None = connection.connection.driver_connection
    assert driver is not None, "it is open"  # noqa: S101 - for whoever checks types
    return driver


def _engine(
    creator: Callable[[], sqlite3.Connection],
    poolclass: type[StaticPool | QueuePool],
    begin: str,
    *,
    size: int | None = None,
) -> Engine:
    sizes = {} if size is None else {"pool_size": size, "max_overflow": 0}
    engine = create_engine("sqlite+pysqlite://", creator=creator, poolclass=poolclass, **sizes)
    # the driver is in autocommit mode, so BEGIN is ours to say (SQLAlchemy, "Serializable isolation, savepoints, and
    # transactional DDL" of the pysqlite dialect)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin) and None)
    return engine


def _transaction(engine: Engine, query: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return query(connection)
