"""Where each microsecond of a job goes: samples of each process while jobs go as fast as they can, by library.

``python benchmarks/profile_road.py`` takes a minute and writes its table into docs/benchmarks.md. A process's CPU for a
job is shared out as its samples are; a sample counts for whoever's Python line it hit, with what that line called in C.
"""

import argparse
import collections
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import document  # noqa: E402 - found through the line above, as the rest
import driving  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import peers_venv  # noqa: E402
import run  # noqa: E402
import stacks  # noqa: E402
from tests.servers import PostgresServer, RabbitServer  # noqa: E402

SECTION = document.Section("profile", "profile_road.py", document.RESULTS / "profile.json")
BEFORE = document.RESULTS / "profile-before.json"
RINGBACK = stacks.named("ringback")
JOBS = 20_000
SAMPLES_PER_S = 150
SECONDS = 9

GROUPS = {
    "HTTP: aiohttp": ("aiohttp", "yarl", "multidict", "http/"),
    "event loop: uvloop, asyncio": ("asyncio", "uvloop", "contextlib", "selectors"),
    "RabbitMQ: aio-pika, aiormq": ("aio_pika", "aiormq", "pamqp", "ringback_backends/rabbitmq"),
    "PostgreSQL: asyncpg": ("asyncpg",),
    "store, batches, broker's contract": ("ringback_backends",),
    "JSON and validation: pydantic, orjson": (
        "pydantic",
        "json",
        "ringback_schemas/documents",
        "ringback_schemas/http",
    ),
    "logs and metrics: structlog, prometheus": ("structlog", "prometheus_client", "ringback/telemetry"),
    "data: ids, records, enums": (
        "ringback_schemas",
        "<string>",
        "enum",
        "random",
        "secrets",
        "dataclasses",
        "<frozen",
    ),
    "signing, egress guard": ("ringback/webhooks", "ringback/egress", "hmac"),
    "front end, worker, notifier": ("ringback_service", "ringback_notifier", "ringback"),
}
REST = "rest of Python"


def group_of(frame: str) -> str:
    """Whose line it is; a frame is ``function (path:line)``."""
    path = frame.rpartition("(")[2]
    for group, beginnings in GROUPS.items():
        if path.startswith(beginnings):
            return group
    return REST


def shares(raw: Iterable[str]) -> dict[str, float]:
    """The share of each group in samples as ``py-spy --format raw`` writes them; threads that wait do not count."""
    counts: collections.Counter[str] = collections.Counter()
    for line in raw:
        stack, _, count = line.rpartition(" ")
        leaf = stack.rpartition(";")[2]
        if not leaf.startswith(("EpollSelector.select", "wait (threading")):
            counts[group_of(leaf)] += int(count)
    total = sum(counts.values()) or 1
    return {group: count / total for group, count in counts.items()}


def profile(driver: driving.Driver, folder: Path) -> dict[str, dict[str, float]]:
    """µs of a job by process and group."""
    spies = {
        name: subprocess.Popen(
            [
                *(str(peers_venv.FOLDER / "bin" / "py-spy"), "record", "--format", "raw", "--pid", str(pid)),
                *("--rate", str(SAMPLES_PER_S), "--duration", str(SECONDS), "--output", str(folder / name)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, pid in driver.fleet.pids.items()
    }
    cpu = driver.load(jobs=JOBS)["cpu_us_per_job"]
    for spy in spies.values():
        spy.wait(60)
    return {name: _spread(cpu[name], shares((folder / name).read_text().splitlines())) for name in spies}


def _spread(cpu_us: float, by_group: Mapping[str, float]) -> dict[str, float]:
    return {group: round(cpu_us * share, 1) for group, share in by_group.items()}


def measure_all(postgres: PostgresServer, rabbit: RabbitServer, bench: driving.Bench) -> dict[str, Any]:
    """The profile of a stack of its own, and what it was measured on: looked at first, for the load average."""
    about = machine.describe(postgres.url, rabbit, [RINGBACK])
    with (
        run.prepared(RINGBACK, postgres, rabbit) as site,
        measure.running(bench, RINGBACK, site) as driver,
        tempfile.TemporaryDirectory(prefix="ringback-profile-") as folder,
    ):
        driver.load(jobs=2_000)
        return {"about": about, "us_per_job": profile(driver, Path(folder))}


def table(now: document.Figures, before: document.Figures) -> str:
    """µs of a job by what was done, for each process: before → now."""
    by_process, by_process_before = now["us_per_job"], before["us_per_job"]
    groups = dict.fromkeys(group for each in by_process.values() for group in each)
    rows = [
        [
            group,
            *[
                _change(by_process_before[name].get(group, 0.0), each.get(group, 0.0))
                for name, each in by_process.items()
            ],
        ]
        for group in sorted(groups, key=lambda group: -sum(each.get(group, 0.0) for each in by_process.values()))
    ]
    totals = [_change(sum(by_process_before[name].values()), sum(each.values())) for name, each in by_process.items()]
    return document.table(["µs a job", *by_process], [*rows, ["**all**", *totals]])


def _change(before: float, now: float) -> str:
    return f"{before:.0f} → {now:.0f}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures there, and nothing into the document")
    options = parser.parse_args()
    peers_venv.prepare()
    with run.servers() as (postgres, rabbit), run.bench(driving.Plan(), postgres, rabbit) as bench:
        outcome = measure_all(postgres, rabbit, bench)
    if options.out is not None:
        SECTION.keep(outcome, options.out)
        return
    before = json.loads(BEFORE.read_text())
    since = f"Before: commit {before['about']['commit']}. Now: {document.where(outcome)}"
    SECTION.write(outcome, f"{since}\n\n{table(outcome, before)}")


if __name__ == "__main__":
    main()
