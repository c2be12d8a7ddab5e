"""Measuring one stack: put it up, warm it up, steady rates, then as fast as it goes; CPU and memory beside that."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

import driving
import procs
import signing
import stacks


def measure(bench: driving.Bench, stack: stacks.Stack, site: stacks.Site) -> dict[str, Any]:
    """All figures of one stack, from putting it up to ending it.

    Raises:
        RuntimeError: one of its processes ended.
        TimeoutError: it did not come up, or its first jobs never came back.
    """
    prepare(stack, site)
    with running(bench, stack, site) as driver:
        driver.load(jobs=200)
        flood_rate = driver.load(jobs=600)["road_per_s"]
        idle_memory = driver.memory()
        steady = {
            f"{rate:g}": driver.load(jobs=int(rate * bench.plan.steady_s), rate=rate) for rate in bench.plan.rates
        }
        jobs = round(min(max(flood_rate * bench.plan.flood_s, bench.plan.fewest), bench.plan.most))
        flood = driver.load(jobs=jobs)
        return {"steady": steady, "flood": flood, "memory_idle": idle_memory, "memory": driver.memory()}


def _secret(stack: stacks.Stack, site: stacks.Site) -> str:
    """The secret that Ringback made for the tenant; the key that shows it is made while it starts."""
    url = f"{site.url}/v1/signing-secret"
    procs.wait_for(lambda: procs.answers(url, key=stack.key, refusals=False), 20, "Ringback to know its first key")
    return str(driving.ask(url, key=stack.key)["secrets"][0]["secret"])


async def _make_tables(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute((stacks.HERE / "schema.sql").read_text())
    await connection.close()


def prepare(stack: stacks.Stack, site: stacks.Site) -> None:
    """Make the stack's tables."""
    if stack.has_tables:
        asyncio.run(_make_tables(site.database_url))
    if stack.before is not None:
        role = stack.before(site)
        environment = {**os.environ, **stack.environment(site)}
        subprocess.run(role.command, env=environment, cwd=role.cwd, check=True, timeout=120, stdout=subprocess.DEVNULL)


@contextmanager
def running(bench: driving.Bench, stack: stacks.Stack, site: stacks.Site) -> Iterator[driving.Driver]:
    """The stack, up and answering; ended with the block."""
    with procs.Fleet(site.folder) as fleet:
        for role in stack.roles(site):
            fleet.start(role.name, role.command, stack.environment(site), role.cwd)

        def is_up() -> bool:
            fleet.check()
            return procs.answers(f"{site.url}/readyz")

        procs.wait_for(is_up, 60, f"{stack.name} to answer")
        secret = _secret(stack, site) if stack.is_ringback else signing.SECRET
        yield driving.Driver(bench, stack, site, fleet, secret)
