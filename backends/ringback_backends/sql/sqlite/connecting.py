"""How connections to a SQLite file are opened."""

import os
import sqlite3
import time
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random

BUSY_S = 4.0
"""How long a statement waits for another process's lock; below the deadline of a call."""

PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit is on the disk when it returns
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8192",  # KiB, of each connection; more takes memory and was no quicker
    "PRAGMA wal_autocheckpoint = 4000",  # pages: rarer, for a checkpoint makes a commit wait
    "PRAGMA journal_size_limit = 67108864",
)


def now_us() -> int:
    """Microseconds since 1970. The database runs in this process, so its clock is the machine's clock.

    SQLite's own ``'now'`` reads the same clock, to the millisecond, which would let a row be due before it was written.
    """
    return time.time_ns() // 1000


@retry(
    retry=retry_if_exception_type(sqlite3.OperationalError),
    stop=stop_after_delay(BUSY_S),
    wait=wait_random(0, 0.05),
    reraise=True,
)
def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other. Of processes that make the file together only one may switch.

    The others are told "locked" at once, for here SQLite does not wait.
    """
    connection.execute("PRAGMA journal_mode = WAL")


def connect(path: Path, *, is_writer: bool) -> sqlite3.Connection:
    """A connection in autocommit mode: whoever uses it says BEGIN.

    The file is made when absent, with its directory, and readable by this user alone: it holds payloads and keys.
    SQLite gives the files it puts beside it the same mode.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.create_function("ringback_now", 0, now_us)
    _write_ahead(connection)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    if not is_writer:
        connection.execute("PRAGMA query_only = ON")
    return connection
