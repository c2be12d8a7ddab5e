"""The same durable road, with envelopes of ids, claim then acknowledge, and group commits: what Python can do at all.

The same five steps, each one set-based statement for all that waits when the statement before it ends. No timers: a
lone job goes at once. A message holds ids and lives for milliseconds: it is acknowledged when its ids are claimed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import aiohttp
import asyncpg
import common
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiohttp import web

import signing

Item = TypeVar("Item")

MAX_ROWS = 500
PUBLISHES = 4
"""Envelopes outstanding at once: more of them would each carry less."""
MAX_IN_FLIGHT = 1_000
POSTS = 128

INSERT = """
    INSERT INTO jobs (id, state, type, payload, callback_url)
    SELECT id, 'queued', type, payload, url FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        AS new (id, type, payload, url)"""
CLAIM = """
    WITH ready AS (
        SELECT id FROM jobs WHERE id = ANY($1::text[]) AND state = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs SET state = 'running', attempt = attempt + 1 FROM ready WHERE jobs.id = ready.id
    RETURNING jobs.id, payload, callback_url, attempt"""
FINISH = """
    WITH ended AS (
        SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
            AS ended (id, attempt, result, delivery_id, url, body)
    ), done AS (
        UPDATE jobs SET state = 'succeeded', result = ended.result, finished_at = now() FROM ended
        WHERE jobs.id = ended.id AND jobs.state = 'running' AND jobs.attempt = ended.attempt
        RETURNING jobs.id, ended.delivery_id, ended.url, ended.body
    )
    INSERT INTO deliveries (id, job_id, url, body, state) SELECT delivery_id, id, url, body, 'pending' FROM done"""
CLAIM_DELIVERIES = """
    WITH ready AS (
        SELECT id FROM deliveries WHERE id = ANY($1::text[]) AND state = 'pending' ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE deliveries SET state = 'sending', attempt = attempt + 1 FROM ready WHERE deliveries.id = ready.id
    RETURNING deliveries.id, url, body, attempt"""
RECORD = """
    UPDATE deliveries SET state = sent.state, status = sent.status, finished_at = now()
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::integer[]) AS sent (id, attempt, state, status)
    WHERE deliveries.id = sent.id AND deliveries.state = 'sending' AND deliveries.attempt = sent.attempt"""


class Batches(Generic[Item]):
    """Calls ``operation`` with all items that wait, one call at a time (or ``lanes``)."""

    def __init__(self, operation: Callable[[list[Item]], Awaitable[object]], lanes: int = 1) -> None:
        self._operation = operation
        self._free_lanes = lanes
        self._tasks: set[asyncio.Task[None]] = set()
        self._items: list[Item] = []

    def add(self, items: Sequence[Item]) -> None:
        """Have them in the next batch."""
        self._items += items
        if self._free_lanes:
            self._free_lanes -= 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        while self._items:
            batch, self._items = self._items[:MAX_ROWS], self._items[MAX_ROWS:]
            await self._operation(batch)
        # here, and not when the task is done, which is a turn of the loop later: what is added between would be stuck
        self._free_lanes += 1


@dataclass(slots=True)
class Submission:
    """A job to insert, and who waits for that."""

    id: str
    type: str
    payload: str
    url: str
    stored: asyncio.Future[None]


class Intake:
    """Consumes envelopes: claims the ids of all that wait in one statement, then acknowledges them together."""

    def __init__(self, pool: asyncpg.Pool, statement: str, take: Callable[[list[asyncpg.Record]], None]) -> None:
        self._pool = pool
        self._statement = statement
        self._take = take
        self._in_flight = 0
        self._room = asyncio.Event()
        self._room.set()
        self._claims = Batches(self._claim)

    async def run(self, channel: AbstractChannel, queue_name: str) -> None:
        """Consume until the process ends."""
        queue = await channel.get_queue(queue_name)
        await queue.consume(self._receive)
        await asyncio.Event().wait()

    def freed(self, count: int) -> None:
        """So many of those taken are done."""
        self._in_flight -= count
        if self._in_flight < MAX_IN_FLIGHT:
            self._room.set()

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        self._claims.add([message])

    async def _claim(self, messages: list[AbstractIncomingMessage]) -> None:
        await self._room.wait()
        ids = [each for message in messages for each in orjson.loads(message.body)]
        rows = await self._pool.fetch(self._statement, ids)
        self._in_flight += len(rows)
        if self._in_flight >= MAX_IN_FLIGHT:
            self._room.clear()
        self._take(rows)
        # they came on one channel in this order, so that the last one's tag stands for all
        await messages[-1].ack(multiple=True)


def announcer(channel: AbstractChannel, queue: str) -> Batches[str]:
    """Publishes ids in envelopes, a few of them at once."""

    async def publish(ids: list[str]) -> None:
        await common.publish(channel, queue, orjson.dumps(ids))

    return Batches(publish, PUBLISHES)


async def api() -> None:
    """Insert, answer 202; publish beside that."""
    pool = await common.database(4)
    work = announcer(await common.channel(await common.broker()), common.WORK)

    async def insert(jobs: list[Submission]) -> None:
        columns = [[j.id for j in jobs], [j.type for j in jobs], [j.payload for j in jobs], [j.url for j in jobs]]
        await pool.execute(INSERT, *columns)
        work.add(columns[0])
        for job in jobs:
            if not job.stored.done():  # its client may have gone
                job.stored.set_result(None)

    inserts = Batches(insert)

    async def submit(request: web.Request) -> web.Response:
        job = orjson.loads(await request.read())
        stored = asyncio.get_running_loop().create_future()
        payload = orjson.dumps(job["payload"]).decode()
        new = Submission(common.new_id("job"), job["type"], payload, job["callback_url"], stored)
        inserts.add([new])
        await stored
        return web.Response(status=202, body=orjson.dumps({"id": new.id}), content_type="application/json")

    await common.serve(submit)
    await asyncio.Event().wait()


async def worker() -> None:
    """Claim, run each job as a task of its own, finish with the deliveries, publish those."""
    pool = await common.database(4)
    deliveries = announcer(await common.channel(await common.broker()), common.DELIVERIES)
    running: set[asyncio.Task[None]] = set()

    async def finish(ended: list[tuple[str, int, str, str, str, str]]) -> None:
        await pool.execute(FINISH, *[list(column) for column in zip(*ended, strict=True)])
        deliveries.add([each[3] for each in ended])
        intake.freed(len(ended))

    finishes = Batches(finish)

    async def perform(job: asyncpg.Record) -> None:
        result = await common.echo(job["payload"])
        body = common.webhook_body(job["id"], result).decode()
        finishes.add([(job["id"], job["attempt"], result, common.new_id("dlv"), job["callback_url"], body)])

    intake = Intake(pool, CLAIM, lambda rows: start_each(perform, rows, running))
    await intake.run(await common.channel(await common.broker(), prefetch=MAX_ROWS), common.WORK)


async def notifier() -> None:
    """Claim, post each as a task of its own, record."""
    pool = await common.database(4)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=POSTS))
    running: set[asyncio.Task[None]] = set()

    async def record(sent: list[tuple[str, int, str, int]]) -> None:
        await pool.execute(RECORD, *[list(column) for column in zip(*sent, strict=True)])
        intake.freed(len(sent))

    records = Batches(record)

    async def deliver(delivery: asyncpg.Record) -> None:
        body = delivery["body"].encode()
        headers = signing.signed_headers(common.SIGNING_KEY, delivery["id"], body)
        async with session.post(delivery["url"], data=body, headers=headers) as answer:
            await answer.read()
        state = "delivered" if answer.ok else "failed"
        records.add([(delivery["id"], delivery["attempt"], state, answer.status)])

    intake = Intake(pool, CLAIM_DELIVERIES, lambda rows: start_each(deliver, rows, running))
    await intake.run(await common.channel(await common.broker(), prefetch=MAX_ROWS), common.DELIVERIES)


def start_each(
    function: Callable[[asyncpg.Record], Awaitable[None]],
    rows: list[asyncpg.Record],
    running: set[asyncio.Task[None]],
) -> None:
    """A task for each row; ``running`` keeps them until they are done."""
    for row in rows:
        task = asyncio.ensure_future(function(row))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    common.start({"api": api, "worker": worker, "notifier": notifier})
