"""RabbitMQ is stopped, killed, absent, wiped, full, and filled with junk."""

import asyncio
import time
from urllib.parse import quote, urlsplit

import aio_pika

from tests.faults.fleet import settle
from tests.faults.stage import Case, Stage
from tests.servers.vhosts import manage

AWAY_S = 20.0


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
    if not taken:
        raise AssertionError("no work was done while the broker was away")
    if stage.driver.ledger.answers.keys() - {202}:
        raise AssertionError(f"accepting did not go on: {dict(stage.driver.ledger.answers)}")


async def killed_again_and_again(stage: Stage) -> None:
    """RabbitMQ is killed and comes back, three times."""
    await stage.load(60)
    for _ in range(3):
        await settle(1)
        await asyncio.to_thread(stage.servers.rabbit.kill)
        stage.faults += 1
        await asyncio.to_thread(stage.servers.rabbit.start)


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
    await asyncio.to_thread(_make_vhost, stage)
    stage.faults += 1
    for worker in stage.fleet.workers:
        await stage.fleet.revive(worker)


async def queues_deleted(stage: Stage) -> None:
    """The queues are deleted under the consumers' feet; they notice, and declare them again."""
    await stage.load(60)
    for _ in range(3):
        await settle(2)
        await asyncio.to_thread(_for_each_queue, stage, "DELETE", "")
        stage.faults += 1
    await settle(6)


async def queues_purged(stage: Stage) -> None:
    """Envelopes vanish again and again: polling finds what they named."""
    await stage.load(100)
    for _ in range(6):
        await settle(1.5)
        await asyncio.to_thread(_for_each_queue, stage, "DELETE", "/contents")
        stage.faults += 1


async def publishes_refused(stage: Stage) -> None:
    """A policy lets the queues refuse what is published (nack): polling carries the work."""
    limits = {"pattern": r"^ringback\.", "definition": {"max-length": 1, "overflow": "reject-publish"},
              "apply-to": "queues"}  # fmt: skip
    await asyncio.to_thread(manage, *_admin(stage), "PUT", f"/api/policies/{_vhost(stage)}/tiny", limits)
    stage.faults += 1
    await stage.load(60, 400)
    await stage.loaded()
    await asyncio.to_thread(manage, *_admin(stage), "DELETE", f"/api/policies/{_vhost(stage)}/tiny")


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


def _vhost(stage: Stage) -> str:
    return quote(urlsplit(stage.broker_url).path[1:], safe="")


def _admin(stage: Stage) -> tuple[str]:
    return (stage.servers.rabbit.management_url,)


def _make_vhost(stage: Stage) -> None:
    manage(*_admin(stage), "PUT", f"/api/vhosts/{_vhost(stage)}")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    manage(*_admin(stage), "PUT", f"/api/permissions/{_vhost(stage)}/guest", everything)


def _for_each_queue(stage: Stage, method: str, suffix: str) -> None:
    queues = manage(*_admin(stage), "GET", f"/api/queues/{_vhost(stage)}")
    assert isinstance(queues, list)
    for queue in queues:
        manage(*_admin(stage), method, f"/api/queues/{_vhost(stage)}/{quote(queue['name'], safe='')}{suffix}")


BROKER_CASES = (
    Case("F01+BB-57", "RabbitMQ stopped for 20 s", stopped, is_quick=True),
    Case("F02", "RabbitMQ killed three times", killed_again_and_again),
    Case("F03", "RabbitMQ absent at start", absent_at_start, is_broker_absent=True),
    Case("F04", "RabbitMQ wiped with jobs queued", wiped_with_jobs_queued, is_quick=True),
    Case("F06", "queues deleted under the consumers", queues_deleted),
    Case("F20", "queues purged again and again", queues_purged),
    Case("F15", "publishes refused by a policy", publishes_refused),
    Case("F18+BB-63", "junk in our queues", junk, may_perform_twice=False),
)
