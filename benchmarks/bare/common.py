"""What both sets of bare scripts share: the connections, the queue names, the task, and the bytes of a webhook."""

import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

import aio_pika
import asyncpg
import orjson
import uvloop
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiohttp import web

import signing

WORK = "bare.work"
DELIVERIES = "bare.deliveries"
SIGNING_KEY = signing.key_of(signing.SECRET)
QUORUM = {"x-queue-type": "quorum"}


def new_id(kind: str) -> str:
    """An id that sorts by time, so that the newest rows lie together in the index."""
    return f"{kind}_{time.time_ns():016x}{secrets.token_hex(4)}"


async def database(size: int) -> asyncpg.Pool:
    """A pool of ``size`` connections."""
    return await asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=size, max_size=size)


async def broker() -> AbstractConnection:
    """A plain connection: a bare script dies when the broker does."""
    return await aio_pika.connect(os.environ["BENCH_BROKER_URL"])


async def channel(connection: AbstractConnection, prefetch: int = 0) -> AbstractChannel:
    """A channel with publisher confirms on which both queues exist."""
    opened = await connection.channel(publisher_confirms=True)
    if prefetch:
        await opened.set_qos(prefetch_count=prefetch)
    for name in (WORK, DELIVERIES):
        await opened.declare_queue(name, durable=True, arguments=QUORUM)
    return opened


async def publish(opened: AbstractChannel, queue: str, body: bytes) -> None:
    """Persistent, mandatory and confirmed."""
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await opened.default_exchange.publish(message, routing_key=queue)


async def echo(payload: str) -> str:
    """The task: its result is its payload."""
    return payload


def webhook_body(job_id: str, result: str) -> bytes:
    """The bytes of the webhook for a job that succeeded; ``result`` is JSON."""
    data = {"id": job_id, "type": "demo.echo", "state": "succeeded", "result": orjson.Fragment(result)}
    return orjson.dumps({"type": "job.succeeded", "timestamp": time.time(), "data": data})


async def serve(submit: Callable[[web.Request], Awaitable[web.Response]]) -> None:
    """Serve ``POST /v1/jobs`` with that handler."""
    app = web.Application()
    app.add_routes([web.post("/v1/jobs", submit)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["BENCH_PORT"]), backlog=1024).start()


def start(roles: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run the role that the command line names."""

    async def run() -> None:
        await roles[sys.argv[1]]()

    uvloop.run(run())
