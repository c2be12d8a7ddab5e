"""Disks are full, rows cannot be written, and a file is locked by somebody else."""

import asyncio
import atexit
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.faults.fleet import settle
from tests.faults.stage import Case, NotPlayed, Servers, Stage

SMALL_DISK = Path("/tmp/ringback-fault-small-disk")  # noqa: S108 - a mount point, emptied before and after
SMALL_DISK_BYTES = 48 * 1024**2
"""More than the write-ahead log grows to before it is put back into the file (16 MB)."""

FAILING = """
CREATE FUNCTION fail_as_if_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device'; END $$
"""


async def postgres_full(stage: Stage) -> None:
    """PostgreSQL finds no space for new jobs for 6 s: 503 and no false 202; then all is as before."""
    await stage.load(50)
    await settle(1)
    async with _failing(stage, "jobs", "INSERT"):
        await settle(6)
    if 503 not in stage.driver.ledger.answers:
        raise AssertionError(f"a full disk was answered with {dict(stage.driver.ledger.answers)}")


async def attempts_cannot_be_written(stage: Stage) -> None:
    """Attempts of deliveries cannot be recorded for 5 s: they are when they can, and nobody goes round in circles."""
    await stage.load(40)
    await settle(1)
    async with _failing(stage, "delivery_attempts", "INSERT"):
        await settle(5)


async def outcomes_cannot_be_written(stage: Stage) -> None:
    """Events of finished jobs cannot be recorded for 5 s: outcomes wait in the workers, and are recorded then."""
    await stage.load(40)
    await settle(1)
    async with _failing(stage, "events", "INSERT"):
        await settle(5)


async def sqlite_disk_full(stage: Stage) -> None:
    """The disk under SQLite fills up: no false 202, no 500; when there is space again everything goes on."""
    await stage.load(50)
    await settle(2)
    ballast = SMALL_DISK / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        stage.faults += 1
        while True:
            file.write(b"\0" * 4096)
            file.flush()
    await settle(6)
    refused = stage.driver.ledger.answers
    ballast.unlink()
    if 503 not in refused:
        raise AssertionError(f"a full disk was answered with {dict(refused)}")
    await settle(2)
    await stage.loaded(stop=True)


async def sqlite_locked(stage: Stage) -> None:
    """Somebody holds SQLite's write lock for 12 s: 503 in bounded time, never "database is locked" as a 500."""
    await stage.load(20)
    await settle(1)
    stage.faults += 1
    await asyncio.to_thread(_hold_write_lock, stage.fleet.database_path, 12.0)
    await settle(1)


def _hold_write_lock(path: Path, seconds: float) -> None:
    waiting = asyncio.new_event_loop()
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        waiting.run_until_complete(settle(seconds))
        connection.execute("ROLLBACK")
    finally:
        connection.close()
        waiting.close()


@asynccontextmanager
async def _failing(stage: Stage, table: str, event: str) -> AsyncIterator[None]:
    """While inside, such a statement fails as on a full disk."""
    connection = await asyncpg.connect(stage.database_url)
    try:
        await connection.execute(FAILING)
        await connection.execute(
            f"CREATE TRIGGER full_disk BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION fail_as_if_full()"
        )
        stage.faults += 1
        yield
        await connection.execute(f"DROP TRIGGER full_disk ON {table}")
        await connection.execute("DROP FUNCTION fail_as_if_full()")
    finally:
        await connection.close()


async def _mount_small_disk(servers: Servers, broker_url: str) -> None:
    """A file system of 48 MB in memory; only root may mount one."""
    if os.geteuid() != 0:
        raise NotPlayed("only root may mount a small disk")
    if not await asyncio.to_thread(_is_mounted_anew):
        raise NotPlayed("a small disk cannot be mounted here")


def _is_mounted_anew() -> bool:
    SMALL_DISK.mkdir(exist_ok=True)
    unmount()
    atexit.register(unmount)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "ringback-faults", str(SMALL_DISK)]
    return subprocess.run(mounting, check=False, capture_output=True).returncode == 0


def unmount() -> None:
    """Take the small disk away; harmless when there is none."""
    subprocess.run(["umount", "--lazy", str(SMALL_DISK)], check=False, capture_output=True)


DISK_CASES = (
    Case("F38", "no space for new jobs in PostgreSQL for 6 s", postgres_full, settle_s=60),
    Case("BB-69", "delivery attempts cannot be recorded for 5 s", attempts_cannot_be_written, settle_s=60),
    Case("BB-69e", "events cannot be recorded for 5 s", outcomes_cannot_be_written, settle_s=60),
    Case("F38s", "disk under SQLite full for 6 s", sqlite_disk_full, settle_s=60, is_embedded=True,
         prepare=_mount_small_disk, settings={"DATABASE_URL": f"sqlite:///{SMALL_DISK}/ringback.db"}),
    Case("F41", "SQLite locked by somebody else for 12 s", sqlite_locked, settle_s=60, is_embedded=True),
)  # fmt: skip
