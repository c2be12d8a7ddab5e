"""Keeps a second ``ringback serve`` off a SQLite file. Each would take itself for all of Ringback.

The lock is the kernel's, on a file beside the database, so it ends with its process, however that ends. It is not on
the database itself: closing any handle of that file would take away the locks that SQLite holds in this process.
"""

import fcntl
import os
import socket
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from ringback_backends.contracts.errors import StoreTaken, StoreUnavailable


@contextmanager
def sole_server(path: Path) -> Iterator[None]:
    """While inside, nobody else is inside with this file, here or in another process. Other ways to it stay open.

    The folder and the lock file are made when they are not there. The lock file is never deleted: somebody could hold
    the deleted one while somebody else locks the new one.

    Raises:
        StoreTaken: somebody is inside.
        StoreUnavailable: there can be no lock file.
    """
    with _taken(path):
        yield


def _taken(path: Path) -> IO[str]:
    """The lock file, locked until it is closed."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(_opened(path))
            _take(file, path)
            stack.pop_all()
            return file
    except OSError as error:
        raise StoreUnavailable("locking", str(error)) from error


def _opened(path: Path) -> IO[str]:
    place = path.resolve()  # one lock for one file, whatever links lead to it
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(place.with_name(f"{place.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(handle, "r+", errors="replace")
    _keep_from_children(file)
    return file


def _take(file: IO[str], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreTaken(str(path), file.read().strip()) from error
    # a courtesy to whoever is refused; a full disk is no reason not to serve
    with suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _keep_from_children(file: IO[str]) -> None:
    """A child that a task forks would hold the lock, too, and might outlive us."""
    known = weakref.ref(file)

    def close() -> None:
        mine = known()
        if mine is not None:
            mine.close()

    os.register_at_fork(after_in_child=close)
