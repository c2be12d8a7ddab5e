"""The benchmark: every stack in one run on one machine, with the same load and the same receiver.

``python benchmarks/run.py`` takes less than ten minutes; ``--full`` measures longer and three times over. Starts its
own PostgreSQL and RabbitMQ, and the peers from an environment of their own (``benchmarks/.venv``); ends all of it.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import document  # noqa: E402 - found through the line above, as the rest
import driving  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import peers_venv  # noqa: E402
import procs  # noqa: E402
import report  # noqa: E402
import stacks  # noqa: E402
from tests.servers import PostgresServer, RabbitServer, fresh_database, fresh_vhost  # noqa: E402
from tests.servers.provision import main as provision  # noqa: E402
from tests.servers.provision import missing_packages  # noqa: E402

QUICK = driving.Plan()
FULL = driving.Plan(steady_s=20.0, flood_s=15.0, most=60_000)


@contextmanager
def servers() -> Iterator[tuple[PostgresServer, RabbitServer]]:
    """A PostgreSQL and a RabbitMQ that nobody else uses."""
    if missing_packages():
        provision()
    with PostgresServer() as postgres, RabbitServer() as rabbit:
        yield postgres, rabbit


@contextmanager
def bench(plan: driving.Plan, postgres: PostgresServer, rabbit: RabbitServer) -> Iterator[driving.Bench]:
    """The receiver, and where the servers' CPU is counted."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringback-bench-")))
        fleet = stack.enter_context(procs.Fleet(folder))
        port = procs.free_port()
        command = [stacks.PYTHON, str(HERE / "receiver.py"), "--port", str(port)]
        fleet.start("receiver", command, {}, HERE)
        url = f"http://127.0.0.1:{port}"
        procs.wait_for(lambda: procs.answers(f"{url}/count"), 20, "the receiver")
        pids = {"postgresql": machine.postgres_pid(postgres.url), "rabbitmq": machine.rabbit_pid(rabbit)}
        yield driving.Bench(url, {**pids, **fleet.pids}, plan)


@contextmanager
def site(postgres: PostgresServer, rabbit: RabbitServer) -> Iterator[stacks.Site]:
    """Where nothing is yet: an empty database, virtual host and folder, gone with the block, and a free port."""
    with ExitStack() as stack:
        yield stacks.Site(
            stack.enter_context(fresh_database(postgres.url)),
            stack.enter_context(fresh_vhost(rabbit.url, rabbit.management_url)),
            procs.free_port(),
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringback-bench-"))),
        )


@contextmanager
def prepared(stack: stacks.Stack, postgres: PostgresServer, rabbit: RabbitServer) -> Iterator[stacks.Site]:
    """A site with the stack's tables."""
    with site(postgres, rabbit) as made:
        measure.prepare(stack, made)
        yield made


def measure_one(
    with_: driving.Bench, stack: stacks.Stack, postgres: PostgresServer, rabbit: RabbitServer
) -> dict[str, Any] | None:
    """The stack's figures, on a database and a virtual host of its own; nothing when it failed, which is told."""
    with site(postgres, rabbit) as made:
        try:
            return measure.measure(with_, stack, made)
        except Exception:  # noqa: BLE001 - one stack that fails shall not cost the others their figures
            print(f"  {stack.name} FAILED", flush=True)
            traceback.print_exc()
            for log in sorted(made.folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", flush=True)
            return None


def run(names: Sequence[str], plan: driving.Plan, rounds: int) -> dict[str, Any]:
    """The figures of each round of each stack, and what they were measured on."""
    chosen = [stack for stack in stacks.STACKS if stack.name in names]
    if any(stack.is_peer for stack in chosen):
        peers_venv.prepare()
    results: dict[str, list[dict[str, Any]]] = {stack.name: [] for stack in chosen}
    with servers() as (postgres, rabbit), bench(plan, postgres, rabbit) as with_:
        about = machine.describe(postgres.url, rabbit, chosen)
        for number in range(rounds):
            for stack in chosen:
                started = time.monotonic()
                figures = measure_one(with_, stack, postgres, rabbit)
                if figures is not None:
                    results[stack.name].append(figures)
                    print(report.line(stack, figures, number + 1, time.monotonic() - started), flush=True)
    return {"about": about, "rounds": rounds, "results": {name: each for name, each in results.items() if each}}


def main() -> None:
    """Measure, print, write."""
    every = [stack.name for stack in stacks.STACKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="longer, and three rounds: about an hour")
    parser.add_argument("--rounds", type=int, help="how often each stack is measured; the median is told")
    parser.add_argument("--stacks", help=f"only these, and write nothing: {', '.join(every)}")
    parser.add_argument("--rates", help="only these steady rates, such as 100,400, and write nothing")
    options = parser.parse_args()
    plan = FULL if options.full else QUICK
    if options.rates:
        plan = dataclasses.replace(plan, rates=tuple(float(rate) for rate in options.rates.split(",")))
    names = options.stacks.split(",") if options.stacks else every
    outcome = run(names, plan, options.rounds or (3 if options.full else 1))
    outcome["about"]["command"] = " ".join(["python", "benchmarks/run.py", *sys.argv[1:]])
    print(report.tables(outcome))
    if not options.stacks and not options.rates:
        report.write(outcome)
        print(f"\nwritten: {document.DOCUMENT}, {report.PICTURE}, {report.SECTION.raw}")


if __name__ == "__main__":
    main()
