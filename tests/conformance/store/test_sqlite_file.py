"""What SQLite adds: a file of one's own, another process's lock, a power cut's guard."""

import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ringback.secretbox import SecretBox
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_backends.sql import migrate, open_store
from ringback_backends.sql.sqlite import connecting
from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.jobs import JobFilter
from tests.conformance.store.conftest import SEALING_KEY
from tests.conformance.store.making import job


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file shall be; its folder is not there yet."""
    return tmp_path / "data" / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """A store over that file."""
    await migrate(f"sqlite:///{path}")
    async with open_store(f"sqlite:///{path}", secret_box=SecretBox([SEALING_KEY])) as opened:
        yield opened


@pytest.fixture
def lock(path: Path, store: Store) -> Iterator[sqlite3.Connection]:
    """Another process that holds the lock for writing."""
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    yield stranger
    stranger.close()


async def test_files_are_for_this_user_alone(store: Store, path: Path) -> None:
    """The file holds payloads and keys: nobody else may read it, nor what SQLite puts beside it."""
    await store.accept([job()])

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert set(modes.values()) == {0o600}
    assert path.name in modes


async def test_commits_are_durable(path: Path) -> None:
    """Readers do not wait for the writer, and a commit is on the disk when it returns."""
    connection = connecting.connect(path, is_writer=True)

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


async def test_a_lock_held_for_long_is_an_outage(
    store: Store, lock: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write waits for another process's lock, then says unavailable; reading goes on, and so does all afterwards."""
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.accept([job()])
    assert await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 1) == []

    lock.execute("ROLLBACK")

    assert len(await store.accept([job()])) == 1


async def test_a_file_that_cannot_be_opened_is_an_outage(tmp_path: Path) -> None:
    """A folder in the file's place is told as unavailable, not as a driver's error."""
    async with open_store(f"sqlite:///{tmp_path}", secret_box=SecretBox([SEALING_KEY])) as broken:
        with pytest.raises(StoreUnavailable):
            await broken.ping()
        with pytest.raises(StoreUnavailable):
            await broken.accept([job()])
