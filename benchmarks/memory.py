"""Whether memory stays flat: Ringback's processes after each 10,000 of 100,000 jobs, as fast as they go.

``python benchmarks/memory.py`` takes about four minutes and writes its table into docs/benchmarks.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import document  # noqa: E402 - found through the line above, as the rest
import driving  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import run  # noqa: E402
import stacks  # noqa: E402
from tests.servers import PostgresServer, RabbitServer  # noqa: E402

SECTION = document.Section("memory", "memory.py", document.RESULTS / "memory.json")
STEP = 10_000
OURS = [stack for stack in stacks.STACKS if stack.is_ringback]


def measure_one(
    with_: driving.Bench, stack: stacks.Stack, postgres: PostgresServer, rabbit: RabbitServer, steps: int
) -> list[dict[str, float]]:
    """Resident set of each process in MiB: after a warm-up, then after each step."""
    with run.prepared(stack, postgres, rabbit) as site, measure.running(with_, stack, site) as driver:
        driver.load(jobs=200)
        rows = [_resident(driver)]
        for number in range(1, steps + 1):
            arrived = driver.load(jobs=STEP)["arrived"]
            rows.append(_resident(driver))
            print(f"  {stack.name} after {number * STEP:,} ({arrived:,} webhooks): {rows[-1]}", flush=True)
        return rows


def _resident(driver: driving.Driver) -> dict[str, float]:
    return {name: driver.memory()[name]["largest_rss"] for name in driver.fleet.pids}


def table(outcome: document.Figures) -> str:
    """The resident set of each process, in MiB, by how many jobs it has seen."""
    measured = outcome["resident_mib"]
    names = [name for rows in measured.values() for name in rows[0]]
    steps = zip(*measured.values(), strict=True)
    rows = [
        [f"{number * outcome['step']:,}", *[f"{each[name]:.0f}" for each in step for name in each]]
        for number, step in enumerate(steps)
    ]
    return document.table(["jobs so far", *names], rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10, help="of 10,000 jobs each; other than 10: write nothing")
    options = parser.parse_args()
    with run.servers() as (postgres, rabbit), run.bench(driving.Plan(), postgres, rabbit) as with_:
        outcome: dict[str, Any] = {
            "about": machine.describe(postgres.url, rabbit, OURS),
            "step": STEP,
            "resident_mib": {stack.name: measure_one(with_, stack, postgres, rabbit, options.steps) for stack in OURS},
        }
    print(table(outcome))
    if options.steps == 10:
        SECTION.write(outcome, f"{document.where(outcome)}\n\n{table(outcome)}")


if __name__ == "__main__":
    main()
