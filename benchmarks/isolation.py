"""What receivers that hang cost the others: healthy deliveries with and without them, side by side.

    python benchmarks/isolation.py                        # starts a PostgreSQL of its own
    python benchmarks/isolation.py --server postgresql://… --seconds 60

The two runs of a pair go at the same time, so that whatever else the machine does befalls both. Each is a process with
a notifier (default settings), the broker and who ends the jobs, over a database of its own; the receiver is a third.
Every address of 127.0.0.0/8 is a destination: those in 127.9.0.0/16 take a request and never answer. Healthy deliveries
come at the same even rate in both, those for hanging destinations on top. A delivery's time is from the commit of its
event to the last byte of its request at the receiver.
"""

import argparse
import asyncio
import contextlib
import logging
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import orjson  # noqa: E402 - found through the line above, as the rest
import structlog  # noqa: E402
import uvloop  # noqa: E402

import procs  # noqa: E402
from receiver import loopback  # noqa: E402
from ringback.egress import EgressPolicy  # noqa: E402
from ringback.secretbox import SecretBox, new_key  # noqa: E402
from ringback.telemetry.metrics import Metrics  # noqa: E402
from ringback_backends.announcer import Announcer  # noqa: E402
from ringback_backends.contracts.broker import DELIVERIES  # noqa: E402
from ringback_backends.contracts.store import Store  # noqa: E402
from ringback_backends.inprocess import InProcessBroker  # noqa: E402
from ringback_backends.sql import migrate, open_store  # noqa: E402
from ringback_notifier.notifier import Notifier, NotifierPlan  # noqa: E402
from ringback_schemas.deliveries import DeliveryKind, NewDelivery  # noqa: E402
from ringback_schemas.events import NewEvent  # noqa: E402
from ringback_schemas.ids import (  # noqa: E402
    DEFAULT_TENANT,
    InstanceId,
    new_delivery_id,
    new_event_id,
    new_instance_id,
    new_job_id,
)
from ringback_schemas.instances import NewInstance, Role  # noqa: E402
from ringback_schemas.jobs import JobOutcome, NewJob  # noqa: E402
from ringback_schemas.states import JobState  # noqa: E402

HANGING = "127.9."
STEP_S = 0.02
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One run."""

    name: str
    healthy: int
    hanging: int
    hanging_per_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """How much, for how long."""

    per_s: float
    seconds: float
    warmup_s: float


class Inbox(asyncio.Protocol):
    """Takes POSTs and notes when each job's came; hangs on some addresses; tells on GET."""

    def __init__(self, arrivals: dict[str, int]) -> None:
        """``arrivals`` is shared by all connections."""
        self._arrivals = arrivals
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See which address was asked for."""
        # uvloop's is not of that class
        self._transport = cast("asyncio.Transport", transport)
        self._is_hanging = str(transport.get_extra_info("sockname")[0]).startswith(HANGING)

    def data_received(self, data: bytes) -> None:
        """Answer whole requests."""
        self._read += data
        while not self._is_hanging and (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
            if len(self._read) < end + 4 + length:
                return
            body, self._read = self._read[end + 4 : end + 4 + length], self._read[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            found = orjson.dumps(self._arrivals)
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(found) + found)
            return
        self._arrivals.setdefault(orjson.loads(body)["data"]["id"], time.monotonic_ns())
        self._transport.write(ANSWER)


async def receive(port: int) -> None:
    """Be the receiver."""
    arrivals: dict[str, int] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Inbox(arrivals), sock=loopback(port), backlog=4096)
    await server.serve_forever()


def address(number: int, *, is_hanging: bool) -> str:
    """One of 60,000 of each kind."""
    return f"{HANGING if is_hanging else '127.1.'}{number // 250}.{1 + number % 250}"


async def produce(
    store: Store, announcer: Announcer, worker: InstanceId, hosts: Sequence[str], port: int
) -> dict[str, int]:
    """End a job for each host, as a worker would; when each was committed."""
    jobs = [NewJob(new_job_id(), DEFAULT_TENANT, "demo.echo", b"null") for _ in hosts]
    await store.accept(jobs)
    claimed = await store.claim_jobs(worker, [job.id for job in jobs], ["demo.echo"], len(jobs))
    outcomes, ids = [], []
    for one, host in zip(claimed, hosts, strict=True):
        destination = f"http://{host}:{port}"
        new = NewDelivery(new_delivery_id(), DeliveryKind.CALLBACK, f"{destination}/hook", destination)
        body = orjson.dumps({"type": "job.succeeded", "data": {"id": one.job.id, "result": "x" * 200}})
        event = NewEvent(new_event_id(), DEFAULT_TENANT, one.job.id, "job.succeeded", body, (new,))
        outcomes.append(JobOutcome(one.job.id, 1, worker, JobState.SUCCEEDED, result=b"null", event=event))
        ids.append(new.id)
    await store.finish_jobs(outcomes)
    at = time.monotonic_ns()
    announcer.announce(DELIVERIES, ids)
    return {one.job.id: at for one in claimed}


def hosts_of_step(case: Case, load: Load, step: int) -> Iterator[tuple[str, bool]]:
    """Whom this step's deliveries are for, at random, and whether they are healthy."""

    def count(per_s: float) -> int:
        return int((step + 1) * STEP_S * per_s) - int(step * STEP_S * per_s)

    for _ in range(count(load.per_s)):
        yield address(random.randrange(case.healthy), is_hanging=False), True  # noqa: S311 - no secret
    for _ in range(count(case.hanging_per_s) if case.hanging else 0):
        yield address(random.randrange(case.hanging), is_hanging=True), False  # noqa: S311


async def drive(store: Store, announcer: Announcer, case: Case, load: Load, port: int) -> dict[str, int]:
    """Keep the load on; when each healthy delivery that counts was committed."""
    worker, committed = new_instance_id(), {}
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:

        async def one_step(step: int) -> None:
            wanted = list(hosts_of_step(case, load, step))
            if not wanted:
                return
            times = await produce(store, announcer, worker, [host for host, _ in wanted], port)
            if step * STEP_S >= load.warmup_s:
                healthy = [job_id for job_id, (_, is_healthy) in zip(times, wanted, strict=True) if is_healthy]
                committed.update({job_id: times[job_id] for job_id in healthy})

        for step in range(round((load.warmup_s + load.seconds) / STEP_S)):
            group.create_task(one_step(step))
            await asyncio.sleep(max(0.0, began + (step + 1) * STEP_S - time.monotonic()))
    return committed


@contextlib.asynccontextmanager
async def notifying(store: Store, broker: InProcessBroker, announcer: Announcer) -> AsyncIterator[Notifier]:
    """A notifier with its defaults; what is in flight at the end is cut off."""
    owner = new_instance_id()
    await store.beat(NewInstance(owner, Role.NOTIFIER, "localhost", 1, "0"))
    metrics = Metrics(role="notifier", version="0", store="postgresql", broker="embedded")
    policy = EgressPolicy([ip_network("127.0.0.0/8")])
    notifier = Notifier(store, broker, announcer, owner, policy, NotifierPlan(grace_s=0), observer=metrics.notifier)
    running = asyncio.create_task(notifier.run())
    yield notifier
    notifier.stop()
    await running


async def measure(url: str, case: Case, load: Load, port: int) -> dict[str, Any]:
    """One run in a database of its own."""
    await migrate(url)
    broker = InProcessBroker()
    async with open_store(url, secret_box=SecretBox([new_key()])) as store, Announcer(broker) as announcer:
        await store.create_tenant(DEFAULT_TENANT, "default")
        await broker.start()
        async with notifying(store, broker, announcer) as notifier:
            committed = await drive(store, announcer, case, load, port)
            held = notifier.in_flight
            await asyncio.sleep(2)
        await broker.close()
    arrived = await arrivals(port)
    took = sorted((arrived[job_id] - at) / 1e6 for job_id, at in committed.items() if job_id in arrived)
    cuts = statistics.quantiles(took, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "lost": len(committed) - len(took), "held": held}


async def arrivals(port: int) -> dict[str, int]:
    """What came, for any run."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /arrivals HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().partition(b"content-length:")[2]))
    writer.close()
    return dict(orjson.loads(body))


async def measured(url: str, case: Case, load: Load, port: int) -> dict[str, Any]:
    """One run in a process of its own."""
    arguments = [url, *map(str, (port, case.healthy, case.hanging, case.hanging_per_s))]
    arguments += map(str, (load.per_s, load.seconds, load.warmup_s))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--one", *arguments), stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate()
    return dict(orjson.loads(answer))


async def compare(urls: Iterator[str], load: Load, port: int) -> None:
    """Each pair, and a line for each run."""
    print("| destinations | p50 ms | p95 ms | p99 ms | missing | in flight at the end |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    pairs = [
        (Case("50 healthy", 50, 0, 0), Case("the same, one more that hangs", 50, 1, load.per_s / 50)),
        (Case("9,900 healthy", 9_900, 0, 0), Case("the same, 100 more that hang", 9_900, 100, load.per_s / 100)),
    ]
    for pair in pairs:
        answers = await asyncio.gather(*[measured(next(urls), case, load, port) for case in pair])
        for case, got in zip(pair, answers, strict=True):
            times = " | ".join(f"{got[name]:.1f}" for name in ("p50", "p95", "p99"))
            print(f"| {case.name} | {times} | {got['lost']} | {got['held']} |", flush=True)
        print(f"| p99, with / without | | | {answers[1]['p99'] / answers[0]['p99']:.2f} times | | |", flush=True)


async def one(arguments: Sequence[str]) -> None:
    """Be a run: measure, and print what came of it."""
    url, port, healthy, hanging, *rest = arguments
    hanging_per_s, per_s, seconds, warmup_s = map(float, rest)
    case, load = Case("", int(healthy), int(hanging), hanging_per_s), Load(per_s, seconds, warmup_s)
    print(orjson.dumps(await measure(url, case, load, int(port))).decode())


def run(urls: Iterator[str], load: Load) -> None:
    """Start the receiver, and measure."""
    import tempfile  # noqa: PLC0415 - the receiver's process has no use for it

    with tempfile.TemporaryDirectory(prefix="ringback-isolation-") as folder, procs.Fleet(Path(folder)) as fleet:
        port = procs.free_port()
        fleet.start("receiver", [sys.executable, __file__, "--receive", str(port)], {}, HERE)
        procs.wait_for(lambda: procs.answers(f"http://127.0.0.1:{port}/"), 20, "the receiver")
        asyncio.run(compare(urls, load, port))


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=8, help=argparse.SUPPRESS)
    parser.add_argument("--server", help="a PostgreSQL server to make databases in; one of its own unless given")
    parser.add_argument("--per-s", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--warmup-s", type=float, default=20.0, help="longer than a deadline, so that slots are held")
    given = parser.parse_args()
    if given.receive is not None:
        uvloop.run(receive(given.receive))
        return
    if given.one is not None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        uvloop.run(one(given.one))
        return
    from tests.servers import PostgresServer, fresh_database  # noqa: PLC0415 - the receiver's process has no use for it

    load = Load(given.per_s, given.seconds, given.warmup_s)
    with contextlib.ExitStack() as stack:
        server = given.server or stack.enter_context(PostgresServer()).url
        run((stack.enter_context(fresh_database(server)) for _ in range(4)), load)


if __name__ == "__main__":
    main()
