"""Measuring one stack: put it up, warm it up, steady rates, then as fast as it goes; CPU and memory beside that."""

import asyncio
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

import procs
import signing
import stacks

DRAIN_S = 60.0
"""How long a stack may take, after the last submission, to bring all webhooks."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rates: tuple[float, ...] = (25, 100, 400)
    steady_s: float = 8.0
    flood_s: float = 6.0
    """About how long the whole road is driven as fast as it goes."""
    connections: int = 64
    fewest: int = 1_000
    most: int = 30_000


@dataclass(frozen=True, slots=True)
class Bench:
    """What every stack is measured with."""

    receiver_url: str
    server_pids: Mapping[str, int]
    """Of PostgreSQL, RabbitMQ and the receiver: what is not a stack's own."""
    plan: Plan


def percentiles(values_ns: Sequence[int]) -> dict[str, float]:
    """p50, p95, p99 and the greatest, in milliseconds."""
    ordered = sorted(values_ns) or [0]
    last = len(ordered) - 1
    named = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(last, int(share * len(ordered)))] / 1e6, 2) for name, share in named.items()}


def ask(url: str, body: str | None = None, key: str = "none") -> Any:
    """The JSON answer of a GET, or of a POST when there is a body; nothing for an empty one."""
    headers = {"authorization": f"Bearer {key}", "content-type": "text/plain"}
    request = urllib.request.Request(url, None if body is None else body.encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        content = answer.read()
    return json.loads(content) if content else None


def measure(bench: Bench, stack: stacks.Stack, site: stacks.Site) -> dict[str, Any]:
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
    return str(ask(url, key=stack.key)["secrets"][0]["secret"])


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
def running(bench: Bench, stack: stacks.Stack, site: stacks.Site) -> Iterator["Driver"]:
    """The stack, up and answering; ended with the block."""
    with procs.Fleet(site.folder) as fleet:
        for role in stack.roles(site):
            fleet.start(role.name, role.command, stack.environment(site), role.cwd)

        def is_up() -> bool:
            fleet.check()
            return procs.answers(f"{site.url}/readyz")

        procs.wait_for(is_up, 60, f"{stack.name} to answer")
        secret = _secret(stack, site) if stack.is_ringback else signing.SECRET
        yield Driver(bench, stack, site, fleet, secret)


@dataclass(frozen=True, slots=True)
class Driver:
    """Puts load on a stack that runs, and tells what came of it."""

    bench: Bench
    stack: stacks.Stack
    site: stacks.Site
    fleet: procs.Fleet
    secret: str

    def load(self, *, jobs: int, rate: float = 0.0, destinations: int = 1, callback: str = "/hook") -> dict[str, Any]:
        """Put so many jobs through, and tell how that went."""
        ask(f"{self.bench.receiver_url}/reset", self.secret)
        before, machine_before, began = self.cpu_s(), procs.machine_cpu_s(), time.monotonic()
        told = self._loadgen(jobs, rate, destinations, callback)
        self._drain(len(told["jobs"]))
        after, machine_after, took_s = self.cpu_s(), procs.machine_cpu_s(), time.monotonic() - began
        self.fleet.check()
        figures = self._figures(told)
        done = max(1, figures["arrived"])
        figures["cpu_us_per_job"] = {name: round((after[name] - before[name]) * 1e6 / done, 1) for name in before}
        ours_s = sum(after[name] - before[name] for name in before) + told["cpu_s"]
        foreign_s = max(0.0, machine_after - machine_before - ours_s)
        figures["foreign_cores"] = round(foreign_s / took_s, 2)
        if figures["arrived"] < figures["jobs"]:
            print(f"  {self.stack.name}: {figures['jobs'] - figures['arrived']} webhooks missing", flush=True)
            for name in self.fleet.pids:
                print(f"--- {name}.log\n{self.fleet.tail(name)}", flush=True)
        figures["cpu_us_per_job"]["load generator"] = round(told["cpu_s"] * 1e6 / done, 1)
        return figures

    def memory(self) -> dict[str, dict[str, float]]:
        """MiB of each process of the stack, and of the servers."""
        found = {name: procs.memory(pid) for name, pid in self._pids().items()}
        return {name: {"largest_rss": each.largest_rss, "total_pss": each.total_pss} for name, each in found.items()}

    def _pids(self) -> dict[str, int]:
        servers = dict(self.bench.server_pids)
        if self.stack.name == "ringback-embedded":
            servers = {name: pid for name, pid in servers.items() if name == "receiver"}
        return {**self.fleet.pids, **servers}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of each process so far."""
        return {name: procs.cpu_s(pid) for name, pid in self._pids().items()}

    def _loadgen(self, jobs: int, rate: float, destinations: int, callback: str) -> dict[str, Any]:
        where = ["--url", self.site.url, "--callback", f"{self.bench.receiver_url}{callback}", "--key", self.stack.key]
        much = ["--jobs", str(jobs), "--rate", str(rate), "--connections", str(self.bench.plan.connections)]
        much += ["--destinations", str(destinations)]
        out = self.site.folder / "load.json"
        command = [stacks.PYTHON, str(stacks.HERE / "loadgen.py"), *where, *much, "--out", str(out)]
        subprocess.run(command, check=True, timeout=300)
        told: dict[str, Any] = json.loads(out.read_bytes())
        if told["refused"]:
            print(f"    {self.stack.name} refused: {told['refused']}", flush=True)
        return told

    def _drain(self, count: int) -> None:
        """Wait for the webhooks of all accepted jobs; gives up silently, for what is missing is counted."""
        ends_at = time.monotonic() + DRAIN_S
        while time.monotonic() < ends_at and ask(f"{self.bench.receiver_url}/count")["jobs"] < count:
            time.sleep(0.1)

    def _figures(self, told: Mapping[str, Any]) -> dict[str, Any]:
        arrivals: dict[str, int] = ask(f"{self.bench.receiver_url}/arrivals")
        counts = ask(f"{self.bench.receiver_url}/count")
        jobs: list[tuple[str, int, int]] = told["jobs"]
        road_ns = [arrivals[name] - began for name, began, _ in jobs if name in arrivals]
        first = min(began for _, began, _ in jobs)
        last_answer = max(began + took for _, began, took in jobs)
        last_webhook = max(arrivals.values(), default=first + 1)
        return {
            "jobs": len(jobs),
            "arrived": len(road_ns),
            "refused": sum(told["refused"].values()),
            "duplicates": counts["duplicates"],
            "bad_signatures": counts["bad"],
            "accept_per_s": round(len(jobs) / (last_answer - first) * 1e9, 1),
            "road_per_s": round(len(road_ns) / (last_webhook - first) * 1e9, 1),
            "behind_s": round((last_webhook - last_answer) / 1e9, 3),
            "accept_ms": percentiles([took for _, _, took in jobs]),
            "road_ms": percentiles(road_ns),
            "begun_late_ms": percentiles(told["lags_ns"]),
        }
