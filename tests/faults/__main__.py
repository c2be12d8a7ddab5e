"""``make faults``: play the fault cases, print the table, and write it to docs/faults.md.

python -m tests.faults                     every case, then a random one
python -m tests.faults F24 F33             cases whose id has one of these
python -m tests.faults --random 5 --seconds 300 --rate 100 --seed 7
"""

import argparse
import asyncio
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.faults.cases import ALL_CASES
from tests.faults.play import Outcome, play
from tests.faults.random_faults import random_case
from tests.faults.report import HEADER, row, table, write
from tests.faults.stage import Case, Servers
from tests.servers import PostgresServer, RabbitServer
from tests.servers.vhosts import manage

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def main() -> int:
    """Play what the command line names; 1 when a case failed."""
    options = _options()
    with ExitStack() as stack:
        sites = [
            Servers(stack.enter_context(RabbitServer()), stack.enter_context(PostgresServer()))
            for _ in range(options.at_once)
        ]
        outcomes = asyncio.run(_play_all(_chosen(options), sites, options.seed))
        versions = _versions(sites[0])
    text = table(outcomes, versions, options.seed)
    sys.stdout.write("\n" + text)
    if not options.cases and options.part == "1/1":
        write(PAGE, text)
    return 1 if any(outcome.complaints for outcome in outcomes) else 0


async def _play_all(cases: list[Case], sites: list[Servers], seed: int) -> list[Outcome]:
    """The outcomes in the order of the cases; a case has its servers for itself, for it may stop them."""
    outcomes: dict[int, Outcome] = {}
    waiting = iter(enumerate(cases))
    sys.stdout.write(HEADER)

    async def play_at(servers: Servers) -> None:
        for number, case in waiting:
            folder = Path(tempfile.mkdtemp(prefix=f"ringback-fault-{number}-"))
            outcomes[number] = outcome = await play(case, servers, folder, seed)
            sys.stdout.write(row(outcome))
            for complaint in outcome.complaints:
                sys.stdout.write(f"    {complaint}\n    logs: {folder}\n")
            sys.stdout.flush()

    async with asyncio.TaskGroup() as group:
        for servers in sites:
            group.create_task(play_at(servers))
    return [outcomes[number] for number in sorted(outcomes)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("cases", nargs="*", help="parts of case ids; all cases when none is given")
    parser.add_argument("--part", default="1/1", help="2/3: the second of three equal parts, for several machines")
    parser.add_argument("--at-once", type=int, default=1, help="cases played at once, each with servers of its own")
    parser.add_argument("--random", type=int, default=1, help="how many random cases follow, each with its own seed")
    parser.add_argument("--seconds", type=float, default=120.0, help="length of a random case")
    parser.add_argument("--rate", type=float, default=60.0, help="jobs a second in a random case")
    parser.add_argument("--seed", type=int, default=20261121, help="seed of the first random case")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[Case]:
    cases = [case for case in ALL_CASES if not options.cases or any(part in case.id for part in options.cases)]
    if not options.cases or "random" in options.cases:
        seeds = range(options.seed, options.seed + options.random)
        cases += [random_case(seed, seconds=options.seconds, rate=options.rate) for seed in seeds]
    number, parts = map(int, options.part.split("/"))
    return cases[number - 1 :: parts]


def _versions(servers: Servers) -> str:
    overview = manage(servers.rabbit.management_url, "GET", "/api/overview")
    rabbit = overview["rabbitmq_version"] if isinstance(overview, dict) else "unknown"
    return f"Python {platform.python_version()}, RabbitMQ {rabbit}, {platform.system()} on {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
