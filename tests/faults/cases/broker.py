"""RabbitMQ is stopped, killed, absent, wiped, full, and filled with junk."""

import asyncio
import random
import time

import aio_pika

from tests.faults import rabbit
from tests.faults.fleet import settle
from tests.faults.stage import Case, Servers, Stage

AWAY_S = 20.0
CONSUMERS_BACK_WITHIN_S = 5.0


async def stopped(stage: Stage) -> None:
    """RabbitMQ is away for 20 s under steady submission: accepting and work go on."""
    await stage.load(60)
    await settle(3)
    before = stage.driver.ledger.accept_p99_s(0, time.monotonic())
    gone = time.monotonic()
    await asyncio.to_thread(stage.servers.rabbit.stop)
    stage.faults += 1
    await settle(AWAY_S)
    taken = sum(arrival.taken > 0 for arrival in stage.inbox.arrivals.values() if arrival.taken_at > gone + 3)
    stage.notes["accept_p99_before_s"] = before
    stage.notes["accept_p99_away_s"] = stage.driver.ledger.accept_p99_s(gone, time.monotonic())
    stage.notes["delivered_while_away"] = taken
    await asyncio.to_thread(stage.servers.rabbit.start)
    stage.notes["consumers_back_s"] = await rabbit.consumers_back(stage, time.monotonic(), CONSUMERS_BACK_WITHIN_S)
    if not taken:
        raise AssertionError("no work was done while the broker was away")
    if stage.driver.ledger.answers.keys() - {202}:
        raise AssertionError(f"accepting did not go on: {dict(stage.driver.ledger.answers)}")


async def killed_again_and_again(stage: Stage) -> None:
    """RabbitMQ is killed at random moments and comes back, five times; each time the consumers come back too."""
    chance = random.Random(2)  # noqa: S311 - a replayable schedule
    await stage.load(60)
    for _ in range(5):
        await settle(chance.uniform(0, 2))
        await asyncio.to_thread(stage.servers.rabbit.kill)
        stage.faults += 1
        await settle(chance.uniform(0, 1))
        await asyncio.to_thread(stage.servers.rabbit.start)
        back_s = await rabbit.consumers_back(stage, time.monotonic(), CONSUMERS_BACK_WITHIN_S)
        stage.notes["consumers_back_s"] = max(back_s, stage.notes.get("consumers_back_s", 0.0))


async def killed_before_it_serves(stage: Stage) -> None:
    """RabbitMQ is killed again while it still starts, as by an impatient supervisor, and while clients log in."""
    chance = random.Random(3)  # noqa: S311 - a replayable schedule
    await stage.load(60)
    await settle(1)
    for _ in range(4):
        await asyncio.to_thread(stage.servers.rabbit.kill)
        stage.faults += 1
        starting = asyncio.create_task(asyncio.to_thread(stage.servers.rabbit.start), name="rabbit starts")
        await settle(chance.uniform(0.5, 5))
        await asyncio.to_thread(stage.servers.rabbit.kill)
        stage.faults += 1
        await asyncio.gather(starting, return_exceptions=True)
    await asyncio.to_thread(stage.servers.rabbit.start)
    stage.notes["consumers_back_s"] = await rabbit.consumers_back(stage, time.monotonic(), CONSUMERS_BACK_WITHIN_S)


async def absent_at_start(stage: Stage) -> None:
    """The fleet starts without RabbitMQ: it accepts and works at once, and uses the broker when it appears."""
    stage.faults += 1
    await stage.load(40)
    await settle(5)
    await asyncio.to_thread(stage.servers.rabbit.start)


async def wiped_with_jobs_queued(stage: Stage) -> None:
    """RabbitMQ forgets everything while jobs wait in its queues and no worker lives."""
    for worker in stage.fleet.workers:
        await worker.kill()
    await stage.load(200, 300)
    await stage.loaded()
    await asyncio.to_thread(stage.servers.rabbit.wipe)
    await asyncio.to_thread(rabbit.make_vhost, stage)
    stage.faults += 1
    for worker in stage.fleet.workers:
        await stage.fleet.revive(worker)


async def queues_deleted(stage: Stage) -> None:
    """The queues are deleted under the consumers' feet; they notice, and declare them again."""
    await stage.load(60)
    for _ in range(3):
        await settle(2)
        await asyncio.to_thread(rabbit.for_each_queue, stage, "DELETE")
        stage.faults += 1
    await settle(6)


async def queues_purged(stage: Stage) -> None:
    """Envelopes vanish again and again: polling finds what they named."""
    await stage.load(100)
    for _ in range(6):
        await settle(1.5)
        await asyncio.to_thread(rabbit.for_each_queue, stage, "DELETE", "/contents")
        stage.faults += 1


async def publishes_refused(stage: Stage) -> None:
    """A policy lets the queues refuse what is published (nack): polling carries the work."""
    limits = {"pattern": r"^ringback\.", "definition": {"max-length": 1, "overflow": "reject-publish"},
              "apply-to": "queues"}  # fmt: skip
    await asyncio.to_thread(rabbit.ask, stage, "PUT", f"/api/policies/{rabbit.vhost(stage)}/tiny", limits)
    stage.faults += 1
    await stage.load(60, 400)
    await stage.loaded()
    await asyncio.to_thread(rabbit.ask, stage, "DELETE", f"/api/policies/{rabbit.vhost(stage)}/tiny")


async def junk(stage: Stage) -> None:
    """Foreign messages in our queues: not JSON, wrong shape, unknown ids, ten megabytes."""
    stuff = [b"", b"junk", b"\xff\x00", b"[]", b'{"v":9}', b'{"v":1,"kind":"jobs","ids":["job_nobody"]}',
             b'{"v":1,"kind":"jobs","ids":["job_01kb3v4r6de0qv8t3kq1x1m9za"]}', b"x" * 10_000_000,
             b'{"v":1,"kind":"deliveries","ids":["dlv_01kb3v4r6de0qv8t3kq1x1m9za"]}']  # fmt: skip
    await stage.load(60, 300)
    connection = await aio_pika.connect(stage.broker_url)
    async with connection:
        channel = await connection.channel()
        for body in stuff:
            for queue in ("ringback.work.default", "ringback.deliveries"):
                await channel.default_exchange.publish(aio_pika.Message(body), queue)
                stage.faults += 1


async def consumers_timed_out(stage: Stage) -> None:
    """RabbitMQ allows three seconds to acknowledge, jobs take six and wait for slots: no channel is closed for it."""
    try:
        await stage.load(100, 150, {"seconds": 6.0})
        stage.faults += 1
        await stage.loaded()
        await settle(12)
    finally:
        await _set_consumer_timeout(stage.servers, 1_800_000, 60_000)
    closed = [process.name for process in stage.fleet.processes if "broker_connection_lost" in process.log_text()]
    if closed:
        raise AssertionError(f"{closed} lost a connection over it")


async def out_of_memory(stage: Stage) -> None:
    """RabbitMQ blocks publishers (memory alarm) for 12 s: accepting and work go on, and readiness says so."""
    await stage.load(60)
    await settle(3)
    before, began = stage.driver.ledger.accept_p99_s(0, time.monotonic()), time.monotonic()
    await asyncio.to_thread(stage.servers.rabbit.control, "set_vm_memory_high_watermark", "0.0000001")
    stage.faults += 1
    try:
        await settle(12)
        _, readiness = await stage.api("GET", "/readyz")
    finally:
        await asyncio.to_thread(stage.servers.rabbit.control, "set_vm_memory_high_watermark", "0.4")
    stage.notes["accept_p99_before_s"] = before
    stage.notes["accept_p99_blocked_s"] = stage.driver.ledger.accept_p99_s(began, time.monotonic())
    (check,) = [check for check in readiness["checks"] if check["name"] == "broker"]
    if check["status"] != "degraded" or not readiness["ready"]:
        raise AssertionError(f"readiness said {readiness}")
    if stage.driver.ledger.answers.keys() - {202}:
        raise AssertionError(f"accepting did not go on: {dict(stage.driver.ledger.answers)}")


async def queues_of_another_kind(stage: Stage) -> None:
    """Our queues exist already, classic and with a TTL: used as they are, and the processes say what differs."""
    stage.faults += len(rabbit.QUEUES)
    await stage.load(60, 300)
    await stage.loaded()
    for process in (stage.fleet.workers[0], stage.fleet.notifiers[0]):
        said = process.log_text()
        if "differs" not in said or "x-message-ttl" not in said:
            raise AssertionError(f"{process.name} does not say what differs: {said[:1000]}")
    lost = sum(process.log_text().count("broker_connection_lost") for process in stage.fleet.processes)
    if lost:
        raise AssertionError(f"{lost} connections were lost over it")


async def predeclare(servers: Servers, broker_url: str) -> None:
    """Make our queues before Ringback does, in another way."""
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        for name in rabbit.QUEUES:
            await channel.declare_queue(name, durable=True, arguments={"x-message-ttl": 86_400_000})


async def shorten_consumer_timeout(servers: Servers, broker_url: str) -> None:
    """From three seconds on an unacknowledged message closes its channel; RabbitMQ looks every second."""
    await _set_consumer_timeout(servers, 3_000, 1_000)


async def _set_consumer_timeout(servers: Servers, timeout_ms: int, look_every_ms: int) -> None:
    """For channels that are opened from now on."""
    values = {"consumer_timeout": timeout_ms, "channel_tick_interval": look_every_ms}
    for name, value in values.items():
        await asyncio.to_thread(servers.rabbit.control, "eval", f"application:set_env(rabbit, {name}, {value}).")


async def stop_rabbit(servers: Servers, broker_url: str) -> None:
    """RabbitMQ is not there when the fleet starts."""
    await asyncio.to_thread(servers.rabbit.stop)


BROKER_CASES = (
    Case("F01+BB-57", "RabbitMQ stopped for 20 s", stopped, is_quick=True),
    Case("F02", "RabbitMQ killed five times at random moments", killed_again_and_again, settle_s=60),
    Case("F02s", "RabbitMQ killed four times while it starts", killed_before_it_serves, settle_s=60),
    Case("F03", "RabbitMQ absent at start", absent_at_start, prepare=stop_rabbit),
    Case("F04", "RabbitMQ wiped with jobs queued", wiped_with_jobs_queued, is_quick=True),
    Case("F06", "queues deleted under the consumers", queues_deleted),
    Case("F20", "queues purged again and again", queues_purged),
    Case("F15", "publishes refused by a policy", publishes_refused),
    Case("F18+BB-63", "junk in our queues", junk, may_perform_twice=False),
    Case("F07", "jobs longer than RabbitMQ's consumer timeout", consumers_timed_out, settle_s=60,
         prepare=shorten_consumer_timeout, may_perform_twice=False),
    Case("F08+BB-60", "RabbitMQ out of memory for 12 s", out_of_memory),
    Case("F17", "queues exist with other arguments", queues_of_another_kind, prepare=predeclare),
)  # fmt: skip
