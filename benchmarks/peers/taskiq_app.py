"""FastAPI + Taskiq on RabbitMQ, asyncpg and aiohttp, set up for reliability as their documentation advises.

taskiq-aio-pika publishes persistent messages on channels with confirms, on quorum queues by default; a worker
acknowledges when the task is done and its result saved (``--ack-type when_saved``, the default).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import asyncpg
import orjson
import statements
from fastapi import FastAPI
from pydantic import BaseModel
from taskiq import Context, SimpleRetryMiddleware, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker

import signing

INSERT = statements.for_asyncpg(statements.INSERT)
CLAIM = statements.for_asyncpg(statements.CLAIM)
FINISH = statements.for_asyncpg(statements.FINISH)
CLAIM_DELIVERY = statements.for_asyncpg(statements.CLAIM_DELIVERY)
RECORD = statements.for_asyncpg(statements.RECORD)

# qos: as many messages as the worker runs tasks at once (--max-async-tasks, 100 by default)
broker = AioPikaBroker(statements.BROKER_URL, qos=100).with_middlewares(SimpleRetryMiddleware(default_retry_count=10))


class NewJob(BaseModel):
    """What a client posts."""

    type: str
    payload: dict[str, Any]
    callback_url: str


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_connections(state: TaskiqState) -> None:
    """Once for each worker process."""
    state.pool = await asyncpg.create_pool(statements.DATABASE_URL, min_size=10, max_size=10)
    state.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def close_connections(state: TaskiqState) -> None:
    """As opened."""
    await state.session.close()
    await state.pool.close()


@broker.task
async def perform(job_id: str, context: Annotated[Context, TaskiqDepends()]) -> None:
    """Do the job, then have its webhook sent by a task of its own."""
    pool = context.state.pool
    payload, url = await pool.fetchrow(CLAIM, job_id)
    delivery_id, result = statements.new_id("dlv"), payload
    body = statements.webhook_body(job_id, result).decode()
    await pool.execute(FINISH, job_id, result, delivery_id, url, body)
    await deliver.kiq(delivery_id)


@broker.task(retry_on_error=True)
async def deliver(delivery_id: str, context: Annotated[Context, TaskiqDepends()]) -> None:
    """Send one webhook and record that."""
    pool, session = context.state.pool, context.state.session
    url, text = await pool.fetchrow(CLAIM_DELIVERY, delivery_id)
    body = text.encode()
    headers = signing.signed_headers(statements.SIGNING_KEY, delivery_id, body)
    async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
        answer.raise_for_status()
        await answer.read()
    await pool.execute(RECORD, delivery_id, answer.status)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The front end's pool, and the broker to publish to."""
    await broker.startup()
    app.state.pool = await asyncpg.create_pool(statements.DATABASE_URL, min_size=10, max_size=10)
    yield
    await app.state.pool.close()
    await broker.shutdown()


api = FastAPI(lifespan=lifespan)


@api.post("/v1/jobs", status_code=202)
async def submit(job: NewJob) -> dict[str, str]:
    """Commit, publish, answer 202."""
    job_id = statements.new_id("job")
    payload = orjson.dumps(job.payload).decode()
    await api.state.pool.execute(INSERT, job_id, job.type, payload, job.callback_url)
    await perform.kiq(job_id)
    return {"id": job_id}
