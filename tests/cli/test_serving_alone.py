"""One ``ringback serve`` for a SQLite file."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringback.cli.exits import Exit
from ringback_backends.contracts.errors import StoreTaken, StoreUnavailable
from ringback_backends.sql import served_alone
from tests.servers.processes import free_port

Process = asyncio.subprocess.Process


@asynccontextmanager
async def ringback(folder: Path, *arguments: str) -> AsyncIterator[Process]:
    """A command in a process of its own, in that folder, with the default settings; it ends with the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringback.cli.main", *arguments,
        cwd=folder, env={"PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Process]:
    """``ringback serve`` that is up, with its data in that folder."""
    async with ringback(folder, "serve", "--port", str(free_port())) as process:
        assert process.stdout is not None
        while b"Stop" not in (line := await process.stdout.readline()):
            assert line, "it ended instead of serving"
        yield process


async def test_second_serve_on_the_same_file_is_refused(tmp_path: Path) -> None:
    """In one sentence, which says who has it; the first one goes on."""
    async with serving(tmp_path) as first, ringback(tmp_path, "serve", "--port", str(free_port())) as second:
        _, told = await second.communicate()
        goes_on = first.returncode is None

    assert second.returncode == Exit.UNREACHABLE
    assert told.decode().count("\n") == 1
    assert f"works on ringback-data/ringback.db already (process {first.pid} on " in told.decode()
    assert goes_on


async def test_serve_starts_at_once_when_the_one_before_was_killed(tmp_path: Path) -> None:
    """The kernel gave up its lock."""
    async with serving(tmp_path) as first:
        first.kill()
        await first.wait()

        async with serving(tmp_path) as second:
            assert second.returncode is None


@pytest.mark.parametrize(
    "command", [("keys", "create", "mine"), ("keys", "list"), ("tenants", "create", "other"), ("migrate",)]
)
async def test_commands_on_the_store_work_beside_it(tmp_path: Path, command: tuple[str, ...]) -> None:
    """What administers the file does not serve from it."""
    async with serving(tmp_path), ringback(tmp_path, *command) as beside:
        _, told = await beside.communicate()

    assert beside.returncode == Exit.DONE, told


def test_lock_is_one_for_all_ways_to_the_file(tmp_path: Path) -> None:
    """In this process, too, and by a link."""
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)

    with (
        served_alone(f"sqlite:///{tmp_path}/x.db"),
        pytest.raises(StoreTaken),
        served_alone(f"sqlite:///{tmp_path}/link/x.db"),
    ):
        pass
    with served_alone(f"sqlite:///{tmp_path}/x.db"):
        pass


def test_file_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    """As a store that is away, not with a traceback."""
    (tmp_path / "data").write_text("not a folder")

    with pytest.raises(StoreUnavailable, match="data"), served_alone(f"sqlite:///{tmp_path}/data/x.db"):
        pass


def test_errors_of_whoever_is_inside_come_out_as_they_are(tmp_path: Path) -> None:
    """Not as the lock's."""
    with pytest.raises(ConnectionResetError), served_alone(f"sqlite:///{tmp_path}/x.db"):
        raise ConnectionResetError


def test_postgresql_may_be_served_by_many() -> None:
    """Leases keep them apart."""
    url = "postgresql://localhost/x"

    with served_alone(url), served_alone(url):
        pass


ORPHAN = """
import os, signal, sys, time
from ringback_backends.sql import served_alone
with served_alone(sys.argv[1]):
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(600)
        os._exit(0)
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_child_that_a_task_forked_does_not_keep_the_lock(tmp_path: Path) -> None:
    """It may outlive a process that was killed."""
    url = f"sqlite:///{tmp_path}/x.db"
    killed = subprocess.run([sys.executable, "-c", ORPHAN, url], stdout=subprocess.PIPE, check=False)
    orphan = int(killed.stdout)

    try:
        with served_alone(url):
            pass
    finally:
        os.kill(orphan, signal.SIGKILL)  # fails if it did not live

    assert killed.returncode == -signal.SIGKILL
