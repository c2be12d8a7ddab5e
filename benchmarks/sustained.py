"""Whether a load can go on: 1,000 jobs a second for five minutes, and nothing is lost, left behind or kept in memory.

``python benchmarks/sustained.py`` takes six minutes and writes its table into docs/benchmarks.md. Jobs are posted at
their times whatever became of those before them. Ends with 1 and says why when a webhook is missing or
wrong, a job was refused, the last webhook came late, the backlog or a process grew, or the load generator fell behind.
"""

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import document  # noqa: E402 - found through the line above, as the rest
import driving  # noqa: E402
import limits  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import stacks  # noqa: E402
from outcome import long_figures, slices  # noqa: E402

SECTION = document.Section("sustained", "sustained.py", document.RESULTS / "sustained.json")
RATE, SECONDS = 1_000.0, 300.0
POSTING_S = 120.0
"""How much longer than planned posting may take: the last request may wait a minute for its answer."""
DRAIN_S = 120.0
SETTLE_S = 5.0
OURS = [stack.name for stack in stacks.STACKS if stack.is_ringback]


@dataclass(slots=True)
class MemoryWatch:
    """Takes the resident set of each process now and then; called often, for whoever calls has nothing to wait with."""

    driver: driving.Driver
    every_s: float
    began: float = field(default_factory=time.monotonic)
    samples: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self) -> None:
        """A sample, if one is due."""
        if time.monotonic() - self.began >= len(self.samples) * self.every_s:
            self.take()

    def take(self) -> None:
        """A sample now. Without the receiver: it keeps the id of every job, so as to find what is missing."""
        found = self.driver.memory()
        resident = {name: each["largest_rss"] for name, each in found.items() if name != "receiver"}
        self.samples.append({"at_s": round(time.monotonic() - self.began, 1), "resident_mib": resident})
        print(f"  {self.samples[-1]['at_s']:.0f} s: {resident}", flush=True)


def warmed_up(driver: driving.Driver, jobs: int) -> dict[str, Any]:
    """What came of so many jobs, as fast as they go; it is judged as the load is."""
    figures, outcome = driver.observe(driving.Offer(jobs, drain_s=DRAIN_S))
    return {"figures": figures, "refusals": dict(outcome.refused)}


def measured(driver: driving.Driver, rate: float, seconds: float) -> dict[str, Any]:
    """What came of the load."""
    warm_up = [warmed_up(driver, jobs) for jobs in (200, 600)]
    offer = driving.Offer(
        jobs=round(rate * seconds),
        rate=rate,
        within_s=seconds + POSTING_S,
        drain_s=DRAIN_S,
        settle_s=SETTLE_S,
    )
    watch = MemoryWatch(driver, min(10.0, seconds / 10))
    figures, outcome = driver.observe(offer, watch)
    watch.take()
    found: dict[str, Any] = {
        "rate": rate,
        "seconds": seconds,
        "drain_s": DRAIN_S,
        "warm_up": warm_up,
        "own": list(driver.fleet.pids),
        "figures": {**figures, **long_figures(outcome)},
        "refusals": dict(outcome.refused),
        "fifths": slices(outcome, seconds / 5),
        "slices": slices(outcome, watch.every_s),
        "memory": watch.samples,
    }
    return {**found, "complaints": limits.complaints(found)}


def run_all(stack: stacks.Stack, rate: float, seconds: float) -> dict[str, Any]:
    """The same on servers of its own, and what it was measured on."""
    with (
        run.servers() as (postgres, rabbit),
        run.bench(driving.Plan(), postgres, rabbit) as bench,
        run.prepared(stack, postgres, rabbit) as site,
    ):
        about = machine.describe(postgres.url, rabbit, [stack])
        with measure.running(bench, stack, site) as driver:
            return {"about": about, "stack": stack.name, **measured(driver, rate, seconds)}


def summary(found: document.Figures) -> str:
    """The whole load as a list."""
    figures = found["figures"]
    late, accept, road = (_latency(figures[name]) for name in ("begun_late_ms", "accept_ms", "road_ms"))
    submitted = (
        f"{figures['submitted']:,} jobs submitted, {figures['submitted_per_s']:,.1f} of {found['rate']:,.0f} a second"
    )
    drained = f"the last webhook came {figures['drained_s']:.2f} s after the last submission"
    facts = [
        f"{submitted}, each begun late by {late}",
        report.lost_of([figures]).removesuffix("."),
        f"202 after {accept}; verified webhook after {road}",
        f"{drained}; at most {figures['most_backlog']:,} jobs were on the road at once",
        f"{report.total_cpu_us(figures):,.0f} µs of CPU a job; {report.others(figures['foreign_cores'])}",
        f"load average before: {found['about']['load_before']:.2f}",
    ]
    return "\n".join(f"- {fact}" for fact in facts)


def _latency(found: document.Figures) -> str:
    return f"{found['p50']:.1f} / {found['p99']:.1f} / {found['max']:.1f} ms (p50 / p99 / most)"


def table(found: document.Figures) -> str:
    """Rates, latency and backlog of each fifth, and the resident set of each process at its end, in MiB."""
    names = list(found["memory"][0]["resident_mib"])

    def memory(sample: limits.Sample) -> list[str]:
        return [f"{sample['resident_mib'][name]:.0f}" for name in names]

    rows = [["before", "", "", "", "", *memory(found["memory"][0])]]
    for piece in found["fifths"]:
        latency = f"{piece['accept_ms']['p50']:.1f} / {piece['accept_ms']['p99']:.1f}"
        rates = [f"{piece['submitted_per_s']:,.0f}", latency, f"{piece['arrived_per_s']:,.0f}", f"{piece['backlog']:,}"]
        rows.append([f"{piece['until_s']:.0f} s", *rates, *memory(limits.near(found["memory"], piece["until_s"]))])
    rows.append(["after the last webhook", "", "", "", "", *memory(found["memory"][-1])])
    grown = limits.growth(found)
    rows.append(["times the first fifth's", "", "", "", "", *[f"{grown[name]:.2f}" for name in names]])
    head = ["until", "submitted /s", "202 p50 / p99, ms", "webhooks /s", "on the road", *names]
    return document.table(head, rows)


def verdict(found: document.Figures) -> str:
    """Whether all is well, in a sentence or more."""
    if found["complaints"]:
        return f"**Not kept: {'; '.join(found['complaints'])}.**"
    grown = f"no process of Ringback's grew by more than {limits.GROWTH_LIMIT - 1:.0%}"
    return f"Nothing was lost or left behind, and {grown}."


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE, help="jobs a second; other than 1000: write nothing")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for how long; other than 300: write nothing")
    parser.add_argument("--stack", choices=OURS, default=OURS[0], help=f"other than {OURS[0]}: write nothing")
    options = parser.parse_args()
    found = run_all(stacks.named(options.stack), options.rate, options.seconds)
    text = "\n\n".join([document.where(found), summary(found), table(found), verdict(found)])
    print(text)
    if (options.rate, options.seconds, options.stack) == (RATE, SECONDS, OURS[0]):
        SECTION.write(found, text)
    if found["complaints"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
