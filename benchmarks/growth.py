"""Whether a job costs more when much is kept, much waits, or many receivers are served: Ringback on PostgreSQL.

``python benchmarks/growth.py`` goes to 10⁶ finished jobs, a backlog of 10⁵ and 10⁴ destinations; ``--full`` ten times
as far, which takes about an hour and 20 GB of disk. Each case begins with an empty database, except that finished jobs
are added to those of the case before.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import asyncpg  # noqa: E402 - found through the line above, as the rest

import document  # noqa: E402
import driving  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import stacks  # noqa: E402
from ringback_schemas.ids import DEFAULT_TENANT  # noqa: E402

RINGBACK = stacks.named("ringback")
CHUNK = 250_000
FLOOD = 10_000
DRAIN_S = 12.0
SECTION = document.Section("growth", "growth.py", document.RESULTS / "growth.json")
GROUPS = ("kept", "backlog", "destinations")

BACKLOG = """
INSERT INTO jobs (id, tenant_id, type, queue, priority, state, attempt, uncharged, losses, max_attempts, timeout_s,
                  created_at, run_at, is_cancel_requested)
SELECT 'job_0' || lpad(to_hex(n), 25, '0'), :tenant, 'demo.echo', 'default', 0, 'queued', 0, 0, 0, 3, 60, now(), now(),
       false
FROM generate_series(:first, :last) AS n;
INSERT INTO job_requests (tenant_id, job_id, payload, callback_url, callback_events, tags)
SELECT :tenant, 'job_0' || lpad(to_hex(n), 25, '0'), convert_to('{"text":"' || repeat('x', 187) || '"}', 'UTF8'), :url,
       '[]', '[]'
FROM generate_series(:first, :last) AS n;
"""


async def fill(url: str, script: str, first: int, last: int, callback: str = "") -> None:
    """Insert rows by SQL, a chunk at a time, and let PostgreSQL tidy up as it would have by itself in time."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    values = {":tenant": f"'{DEFAULT_TENANT}'", ":url": f"'{callback}'"}
    for start in range(first, last + 1, CHUNK):
        chunk = {**values, ":first": str(start), ":last": str(min(last, start + CHUNK - 1))}
        statement = script
        for name, value in chunk.items():
            statement = statement.replace(name, value)
        await connection.execute(statement, timeout=600)
    await connection.execute("VACUUM ANALYZE", timeout=1800)
    await connection.execute("CHECKPOINT", timeout=600)
    await connection.close()


def flood(bench: driving.Bench, made: stacks.Site, destinations: int = 1, callback: str = "/hook") -> dict[str, Any]:
    """As fast as it goes, after a warm-up."""
    with measure.running(bench, RINGBACK, made) as driver:
        driver.load(jobs=1_000, destinations=destinations, callback=callback)
        return driver.load(jobs=FLOOD, destinations=destinations, callback=callback)


def drain(bench: driving.Bench, made: stacks.Site) -> dict[str, Any]:
    """What waits in the database is performed and delivered, for some seconds: no envelope tells of it."""
    with measure.running(bench, RINGBACK, made) as driver:
        driving.ask(f"{bench.receiver_url}/reset", driver.secret)
        time.sleep(2)  # lets it get going
        counted, cpu, began = _received(bench), driver.cpu_s(), time.monotonic()
        time.sleep(DRAIN_S)
        done, took_s = _received(bench) - counted, time.monotonic() - began
        after = driver.cpu_s()
        driver.fleet.check()
    each = {name: round((after[name] - cpu[name]) * 1e6 / max(1, done), 1) for name in cpu}
    return {"road_per_s": round(done / took_s, 1), "jobs": done, "arrived": done, "cpu_us_per_job": each}


def _received(bench: driving.Bench) -> int:
    return int(driving.ask(f"{bench.receiver_url}/count")["jobs"])


def run_all(*, full: bool) -> dict[str, Any]:
    """Every case: its figures by name."""
    factor = 10 if full else 1
    cases: dict[str, dict[str, Any]] = {}

    def note(name: str, measured: Callable[[], dict[str, Any]]) -> None:
        cases[name] = figures = measured()
        cpu = report.total_cpu_us(figures)
        print(f"  {name}: whole road {figures['road_per_s']:,.0f}/s, {cpu:,.0f} µs of CPU a job", flush=True)

    with run.servers() as (postgres, rabbit), run.bench(driving.Plan(), postgres, rabbit) as bench:
        about = machine.describe(postgres.url, rabbit, [RINGBACK])
        callback = f"{bench.receiver_url}/hook"
        finished = (HERE / "growth.sql").read_text()
        with run.prepared(RINGBACK, postgres, rabbit) as made:
            note("0 finished jobs kept", lambda: flood(bench, made))
            kept = 0
            for rows in (100_000 * factor, 1_000_000 * factor):
                asyncio.run(fill(made.database_url, finished, kept + 1, rows))
                kept = rows
                note(f"{rows:,} finished jobs kept", lambda: flood(bench, made))
        for rows in (50_000, 100_000 * factor):
            with run.prepared(RINGBACK, postgres, rabbit) as made:
                with measure.running(bench, RINGBACK, made):
                    pass  # the tenant and its secret are there from now on
                asyncio.run(fill(made.database_url, BACKLOG, 1, rows, callback))
                note(f"backlog of {rows:,}", lambda: drain(bench, made))
        with run.prepared(RINGBACK, postgres, rabbit) as made:
            # what many destinations are held against: they too need a new connection for almost every webhook
            note("10 destinations, connections closed by them", lambda: flood(bench, made, 10, "/hook/once"))
        for destinations in (10, 1_000 * factor, 10_000 * factor):
            with run.prepared(RINGBACK, postgres, rabbit) as made:
                note(f"{destinations:,} destinations", lambda: flood(bench, made, destinations))  # noqa: B023
    return {"about": about, "cases": cases}


def table(outcome: document.Figures) -> str:
    """Each case beside the first of its group."""
    rows = []
    for group in GROUPS:
        cases = {name: figures for name, figures in outcome["cases"].items() if group in name}
        first = next(iter(cases.values()))
        for name, figures in cases.items():
            cpu = report.total_cpu_us(figures)
            times = cpu / report.total_cpu_us(first)
            database = figures["cpu_us_per_job"]["postgresql"]
            rows.append([name, f"{figures['road_per_s']:,.0f}", f"{cpu:,.0f}", f"{database:,.0f}", f"{times:.2f}"])
    head = ["case", "whole road /s", "CPU of all, µs a job", "of it PostgreSQL", "times the first of its kind"]
    return document.table(head, rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="ten times as far")
    options = parser.parse_args()
    outcome = run_all(full=options.full)
    SECTION.write(outcome, f"{document.where(outcome)}\n\n{table(outcome)}")


if __name__ == "__main__":
    main()
