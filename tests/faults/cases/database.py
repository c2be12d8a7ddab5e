"""The database is restarted, stopped, locked and made read-only."""

import asyncio
import time

import asyncpg

from tests.faults.fleet import settle
from tests.faults.stage import Case, Stage

FIRST_ACCEPT_WITHIN_S = 2.0


async def restart_immediate(stage: Stage) -> None:
    """PostgreSQL is restarted in ``immediate`` mode three times under load; meanwhile 503 with Retry-After."""
    await stage.load(100)
    for _ in range(3):
        await settle(1.5)
        await asyncio.to_thread(stage.servers.postgres.restart, immediate=True)
        back = time.monotonic()
        stage.faults += 1
        await settle(1.0)
        await _note_first_accept(stage, back)


async def kill(stage: Stage) -> None:
    """PostgreSQL is killed, and started again two seconds later."""
    await stage.load(100)
    await settle(1.5)
    await asyncio.to_thread(stage.servers.postgres.kill)
    stage.faults += 1
    await settle(2)
    await asyncio.to_thread(stage.servers.postgres.start)
    await _note_first_accept(stage, time.monotonic())


async def stopped_while_jobs_run(stage: Stage) -> None:
    """PostgreSQL is away for 20 s while jobs run: their results are kept, and recorded when it is back."""
    await stage.load(50, 100, {"seconds": 2.0})
    await stage.loaded()
    await asyncio.to_thread(stage.servers.postgres.stop, immediate=True)
    stage.faults += 1
    await settle(20)
    await asyncio.to_thread(stage.servers.postgres.start)


async def locked_table(stage: Stage) -> None:
    """Somebody holds an exclusive lock on the jobs for 12 s: front ends say 503 in bounded time."""
    await stage.load(20)
    await settle(1)
    connection = await asyncpg.connect(stage.database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            stage.faults += 1
            await settle(12)
    finally:
        await connection.close()


async def read_only(stage: Stage) -> None:
    """The database turns read-only for some seconds, as after a failover to a standby by mistake."""
    await stage.load(50)
    await settle(1.5)
    name = stage.database_url.rsplit("/", 1)[1]
    await _administer(stage, f"ALTER DATABASE {name} SET default_transaction_read_only = on", name)
    stage.faults += 1
    await settle(5)
    await _administer(stage, f"ALTER DATABASE {name} RESET default_transaction_read_only", name)


async def _administer(stage: Stage, statement: str, name: str) -> None:
    """Change a setting of the database, and end the sessions that have the old one."""
    connection = await asyncpg.connect(stage.servers.postgres.url)
    try:
        await connection.execute(statement)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    finally:
        await connection.close()


async def _note_first_accept(stage: Stage, since: float) -> None:
    deadline = time.monotonic() + 15
    while (first := stage.driver.ledger.first_accept_after(since)) is None:
        if time.monotonic() > deadline:
            raise AssertionError("nothing was accepted within 15 s of the database's return")
        await asyncio.sleep(0.01)
    stage.notes["first_accept_s"] = max(first, stage.notes.get("first_accept_s", 0.0))
    if first > FIRST_ACCEPT_WITHIN_S:
        stage.shortfalls.append(f"the first job was accepted after {first:.1f} s, not {FIRST_ACCEPT_WITHIN_S:g}")


DATABASE_CASES = (
    Case("F33+BB-62", "PostgreSQL restarted (immediate) three times under load", restart_immediate, is_quick=True),
    Case("F33k", "PostgreSQL killed", kill),
    Case("F34", "PostgreSQL away for 20 s while jobs run", stopped_while_jobs_run, settle_s=60),
    Case("F37", "jobs table locked for 12 s", locked_table, settle_s=60),
    Case("F39", "database read-only for 5 s", read_only, settle_s=60),
)
