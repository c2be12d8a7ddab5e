"""Puts load on a stack that runs, and tells what came of it."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import procs
import stacks
from outcome import Outcome, figures

Beside = Callable[[], None]
"""Called many times a second while a load is on."""


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


@dataclass(frozen=True, slots=True)
class Offer:
    """A load to put on."""

    jobs: int
    rate: float = 0.0
    """Jobs a second; 0 for as fast as they are answered."""
    destinations: int = 1
    callback: str = "/hook"
    within_s: float = 300.0
    """How long posting them may take."""
    drain_s: float = 60.0
    """How long the stack may take from then on to bring all webhooks."""
    settle_s: float = 0.0
    """How long to look on after the last, for webhooks that come twice."""


def ask(url: str, body: str | None = None, key: str = "none") -> Any:
    """The JSON answer of a GET, or of a POST when there is a body; nothing for an empty one."""
    headers = {"authorization": f"Bearer {key}", "content-type": "text/plain"}
    request = urllib.request.Request(url, None if body is None else body.encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        content = answer.read()
    return json.loads(content) if content else None


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
        return self.observe(Offer(jobs, rate, destinations, callback))[0]

    def observe(self, offer: Offer, beside: Beside = lambda: None) -> tuple[dict[str, Any], Outcome]:
        """Put a load on, and tell how that went: its figures, and what they are made from.

        Raises:
            RuntimeError: a process ended, or no job was accepted.
            TimeoutError: posting them took too long.
        """
        ask(f"{self.bench.receiver_url}/reset", self.secret)
        before, machine_before, began = self.cpu_s(), procs.machine_cpu_s(), time.monotonic()
        told = self._loadgen(offer, beside)
        self._drain(offer, len(told["jobs"]), beside)
        after, machine_after, took_s = self.cpu_s(), procs.machine_cpu_s(), time.monotonic() - began
        self.fleet.check()
        outcome = self._outcome(told)
        if outcome.missing and outcome.unasked:
            # the receiver's count was reached by webhooks of jobs whose 202 was lost
            self._wait(lambda: not self._outcome(told).missing, offer.drain_s, beside)
            outcome = self._outcome(told)
        found = figures(outcome)
        done = max(1, found["arrived"])
        found["cpu_us_per_job"] = {name: round((after[name] - before[name]) * 1e6 / done, 1) for name in before}
        ours_s = sum(after[name] - before[name] for name in before) + told["cpu_s"]
        foreign_s = max(0.0, machine_after - machine_before - ours_s)
        found["foreign_cores"] = round(foreign_s / took_s, 2)
        found["cpu_us_per_job"]["load generator"] = round(told["cpu_s"] * 1e6 / done, 1)
        if outcome.missing:
            self._tell_missing(outcome.missing)
        return found, outcome

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

    def _loadgen(self, offer: Offer, beside: Beside) -> dict[str, Any]:
        callback = f"{self.bench.receiver_url}{offer.callback}"
        where = ["--url", self.site.url, "--callback", callback, "--key", self.stack.key]
        much = ["--jobs", str(offer.jobs), "--rate", str(offer.rate), "--connections", str(self.bench.plan.connections)]
        much += ["--destinations", str(offer.destinations)]
        out = self.site.folder / "load.json"
        command = [stacks.PYTHON, str(stacks.HERE / "loadgen.py"), *where, *much, "--out", str(out)]
        with subprocess.Popen(command) as process:

            def has_ended() -> bool:
                beside()
                self.fleet.check()
                return process.poll() is not None

            try:
                procs.wait_for(has_ended, offer.within_s, "the load generator")
            finally:
                process.kill()
        if process.returncode:
            raise RuntimeError(f"the load generator ended with {process.returncode}")
        told: dict[str, Any] = json.loads(out.read_bytes())
        if told["refused"]:
            print(f"    {self.stack.name} refused: {told['refused']}", flush=True)
        if not told["jobs"]:
            raise RuntimeError(f"{self.stack.name} accepted none of {offer.jobs} jobs")
        return told

    def _drain(self, offer: Offer, count: int, beside: Beside) -> None:
        """Wait for the webhooks of all accepted jobs; gives up silently, for what is missing is counted."""
        self._wait(lambda: ask(f"{self.bench.receiver_url}/count")["jobs"] >= count, offer.drain_s, beside)
        self._wait(lambda: False, offer.settle_s, beside)

    def _wait(self, is_over: Callable[[], bool], at_most_s: float, beside: Beside) -> None:
        ends_at = time.monotonic() + at_most_s
        while time.monotonic() < ends_at and not is_over():
            beside()
            time.sleep(0.1)

    def _outcome(self, told: Mapping[str, Any]) -> Outcome:
        arrivals: dict[str, int] = ask(f"{self.bench.receiver_url}/arrivals")
        counts = ask(f"{self.bench.receiver_url}/count")
        posted = (told["jobs"], told["begun_ns"], told["lags_ns"], told["refused"])
        others = (counts["recorded_twice"], counts["other_types"])
        return Outcome(*posted, arrivals, counts["duplicates"], counts["bad"], *others)

    def _tell_missing(self, missing: Sequence[str]) -> None:
        print(f"  {self.stack.name}: {len(missing)} webhooks missing, such as of {', '.join(missing[:5])}", flush=True)
        for name in self.fleet.pids:
            print(f"--- {name}.log\n{self.fleet.tail(name)}", flush=True)
