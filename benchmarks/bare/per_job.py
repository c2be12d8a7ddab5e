"""The durable road with no features, one message for each job and one commit for each step.

Five commits and two confirmed publishes a job: insert, claim, finish, claim the delivery, record it. A message is
acknowledged when its step is committed and the next message confirmed.
"""

import asyncio

import aiohttp
import common
import orjson
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web

import signing

IN_HAND = 64
"""Messages that one process works on at once; its pool and its connections are as many."""

INSERT = "INSERT INTO jobs (id, state, type, payload, callback_url) VALUES ($1, 'queued', $2, $3, $4)"
CLAIM = """
    UPDATE jobs SET state = 'running', attempt = attempt + 1 WHERE id = $1 AND state IN ('queued', 'running')
    RETURNING payload, callback_url, attempt"""
FINISH = """
    WITH done AS (
        UPDATE jobs SET state = 'succeeded', result = $3, finished_at = now()
        WHERE id = $1 AND state = 'running' AND attempt = $2 RETURNING id
    )
    INSERT INTO deliveries (id, job_id, url, body, state) SELECT $4, id, $5, $6, 'pending' FROM done"""
CLAIM_DELIVERY = """
    UPDATE deliveries SET state = 'sending', attempt = attempt + 1 WHERE id = $1 AND state IN ('pending', 'sending')
    RETURNING url, body, attempt"""
RECORD = """
    UPDATE deliveries SET state = $3, status = $4, finished_at = now()
    WHERE id = $1 AND state = 'sending' AND attempt = $2"""


async def api() -> None:
    """Insert, publish, answer 202."""
    pool = await common.database(16)
    channel = await common.channel(await common.broker())

    async def submit(request: web.Request) -> web.Response:
        job = orjson.loads(await request.read())
        job_id = common.new_id("job")
        payload = orjson.dumps(job["payload"]).decode()
        await pool.execute(INSERT, job_id, job["type"], payload, job["callback_url"])
        await common.publish(channel, common.WORK, job_id.encode())
        return web.Response(status=202, body=orjson.dumps({"id": job_id}), content_type="application/json")

    await common.serve(submit)
    await asyncio.Event().wait()


async def worker() -> None:
    """Claim, run, finish with the delivery, publish that, acknowledge."""
    pool = await common.database(16)
    connection = await common.broker()
    publisher = await common.channel(await common.broker())

    async def perform(message: AbstractIncomingMessage) -> None:
        job_id = message.body.decode()
        job = await pool.fetchrow(CLAIM, job_id)
        if job is not None:
            result = await common.echo(job["payload"])
            delivery_id = common.new_id("dlv")
            body = common.webhook_body(job_id, result).decode()
            await pool.execute(FINISH, job_id, job["attempt"], result, delivery_id, job["callback_url"], body)
            await common.publish(publisher, common.DELIVERIES, delivery_id.encode())
        await message.ack()

    await consume(connection, common.WORK, perform)


async def notifier() -> None:
    """Claim, post, record, acknowledge."""
    pool = await common.database(16)
    connection = await common.broker()
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_HAND))

    async def deliver(message: AbstractIncomingMessage) -> None:
        delivery_id = message.body.decode()
        delivery = await pool.fetchrow(CLAIM_DELIVERY, delivery_id)
        if delivery is not None:
            body = delivery["body"].encode()
            headers = signing.signed_headers(common.SIGNING_KEY, delivery_id, body)
            async with session.post(delivery["url"], data=body, headers=headers) as answer:
                await answer.read()
            state = "delivered" if answer.ok else "failed"
            await pool.execute(RECORD, delivery_id, delivery["attempt"], state, answer.status)
        await message.ack()

    await consume(connection, common.DELIVERIES, deliver)


async def consume(connection, name, callback) -> None:  # noqa: ANN001 - three lines for two callers above
    """Hand each message of a queue to the callback until the process ends."""
    channel = await common.channel(connection, prefetch=IN_HAND)
    queue = await channel.get_queue(name)
    await queue.consume(callback)
    await asyncio.Event().wait()


if __name__ == "__main__":
    common.start({"api": api, "worker": worker, "notifier": notifier})
