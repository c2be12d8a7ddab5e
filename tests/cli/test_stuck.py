"""A process whose tasks ignore being stopped ends all the same: nobody restarts one that hangs."""

import asyncio
import os
import sys
from pathlib import Path

from ringback.cli.exits import Exit
from ringback.secretbox import SecretBox, new_key
from ringback_backends.sql import migrate, open_store
from ringback_schemas.ids import DEFAULT_TENANT, new_job_id
from ringback_schemas.jobs import NewJob

TASKS = "tests.service.worker.tasks"


async def test_worker_ends_when_all_its_slots_are_held_by_deaf_tasks(tmp_path: Path) -> None:
    """Its event loop would wait for them for ever; instead it says what went wrong and leaves."""
    url, key = f"sqlite:///{tmp_path}/ringback.db", new_key()
    await migrate(url)
    async with open_store(url, secret_box=SecretBox([key])) as store:
        await store.create_tenant(DEFAULT_TENANT, "default")
        await store.accept([NewJob(new_job_id(), DEFAULT_TENANT, "slow.deaf", b"3600.0", timeout_s=0.05)])
    settings = {"DATABASE_URL": url, "ENCRYPTION_KEYS": f'["{key}"]', "CONCURRENCY": "1", "TASKS": TASKS}
    known = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringback.cli.main", "worker", cwd=Path(__file__).parents[2],
        env={**known, **{f"RINGBACK_{name}": value for name, value in settings.items()}},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()

    assert process.returncode == Exit.BAD
    assert b"all 1 slots" in err
    assert b"Traceback" not in err
