"""What the figures were measured on: the machine, how long its disk takes, the versions of everything."""

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import asyncpg

import procs
import stacks
from tests.servers import RabbitServer
from tests.servers.vhosts import manage


async def _ask(url: str, question: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def postgres_pid(url: str) -> int:
    """The postmaster's process id: the parent of whatever serves a connection."""

    async def ask() -> int:
        connection = await asyncpg.connect(url)
        try:
            return procs.parent_of(connection.get_server_pid())
        finally:
            await connection.close()

    return asyncio.run(ask())


def rabbit_pid(rabbit: RabbitServer) -> int:
    """The process id of RabbitMQ's Erlang machine."""

    def ask() -> str:
        nodes: Any = manage(rabbit.management_url, "GET", "/api/nodes")
        return str(nodes[0].get("os_pid", ""))

    # the node's own statistics take some seconds to come
    procs.wait_for(lambda: bool(ask()), 30, "RabbitMQ's process id")
    return int(ask())


def flush_us(count: int = 500) -> float:
    """Median microseconds of a write of 8 KiB with fdatasync: what one commit waits for at least."""
    took = []
    with tempfile.NamedTemporaryFile(prefix="ringback-bench-") as file:
        for _ in range(count):
            started = time.perf_counter_ns()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter_ns() - started)
    return round(statistics.median(took) / 1000, 1)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _memory_gib() -> float:
    return round(os.sysconf("SC_PHYS_PAGES") * procs.PAGE_BYTES / 2**30, 1)


def _versions(stack: stacks.Stack) -> dict[str, str]:
    if not stack.is_peer:
        return {name: metadata.version(name) for name in stack.packages}
    script = "import sys; from importlib.metadata import version as v; print(*[v(n) for n in sys.argv[1:]])"
    command = [str(stacks.PEER_BIN / "python"), "-c", script, *stack.packages]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    return dict(zip(stack.packages, told, strict=True))


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=stacks.HERE, capture_output=True, check=False, text=True)
    return done.stdout.strip() or "unknown"


def describe(postgres_url: str, rabbit: RabbitServer, chosen: Sequence[stacks.Stack]) -> dict[str, Any]:
    """All of it, as JSON."""
    overview: Any = manage(rabbit.management_url, "GET", "/api/overview")
    settings = {
        name: asyncio.run(_ask(postgres_url, f"SHOW {name}"))
        for name in ("fsync", "synchronous_commit", "shared_buffers")
    }
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {_cpu_model()}, {_memory_gib():g} GiB, Linux {platform.release()}",
        "load_before": os.getloadavg()[0],
        "flush_us": flush_us(),
        "python": sys.version.split()[0],
        "postgresql": asyncio.run(_ask(postgres_url, "SHOW server_version")),
        "postgresql_settings": settings,
        "rabbitmq": f"{overview['rabbitmq_version']} on Erlang {overview['erlang_version']}",
        "versions": {stack.name: _versions(stack) for stack in chosen},
    }
