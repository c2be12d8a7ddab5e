"""A database of a test's own on a PostgreSQL that others use too."""

import asyncio
import secrets
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The address of a new, empty database on that server; dropped at the end, whoever is still connected."""
    name = f"ringback_test_{secrets.token_hex(6)}"
    run_apart(_execute(server_url, f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        run_apart(_execute(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url, timeout=10)
    try:
        await connection.execute(statement, timeout=60)
    finally:
        await connection.close(timeout=10)


def run_apart(work: Coroutine[object, object, None]) -> None:
    """Run a coroutine on a loop in a thread of its own: a fixture may be asked for while a test's loop runs."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
