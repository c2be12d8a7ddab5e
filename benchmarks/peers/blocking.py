"""The road for the two peers whose workers block: FastAPI in front, psycopg, requests."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import orjson
import psycopg_pool
import requests
import statements
from fastapi import FastAPI
from pydantic import BaseModel

import signing

THREADS = 40
"""FastAPI runs blocking handlers in so many threads: a connection for each, or they wait for one another."""

INSERT = statements.for_psycopg(statements.INSERT)
CLAIM = statements.for_psycopg(statements.CLAIM)
FINISH = statements.for_psycopg(statements.FINISH)
CLAIM_DELIVERY = statements.for_psycopg(statements.CLAIM_DELIVERY)
RECORD = statements.for_psycopg(statements.RECORD)

_thread = threading.local()


class NewJob(BaseModel):
    """What a client posts."""

    type: str
    payload: dict[str, Any]
    callback_url: str


@functools.cache
def pool() -> psycopg_pool.ConnectionPool:
    """This process's pool; made on first use, which is after a worker has forked."""
    options = {"autocommit": True}
    return psycopg_pool.ConnectionPool(statements.DATABASE_URL, min_size=1, max_size=THREADS, kwargs=options, open=True)


def session() -> requests.Session:
    """This thread's session: a session keeps connections alive, and is not safe to share between threads."""
    if not hasattr(_thread, "session"):
        _thread.session = requests.Session()
    return _thread.session


def build_api(enqueue: Callable[[str], object]) -> FastAPI:
    """``POST /v1/jobs``: commit, publish, answer 202. A plain ``def``, as FastAPI wants blocking handlers."""
    app = FastAPI()

    @app.post("/v1/jobs", status_code=202)
    def submit(job: NewJob) -> dict[str, str]:
        job_id = statements.new_id("job")
        payload = orjson.dumps(job.payload).decode()
        with pool().connection() as connection:
            connection.execute(INSERT, _arguments(job_id, job.type, payload, job.callback_url))
        enqueue(job_id)
        return {"id": job_id}

    return app


def perform(job_id: str) -> str:
    """Do the job; its delivery's id, committed with its result."""
    delivery_id = statements.new_id("dlv")
    with pool().connection() as connection:
        payload, url = connection.execute(CLAIM, _arguments(job_id)).fetchone()
        result = payload
        body = statements.webhook_body(job_id, result).decode()
        connection.execute(FINISH, _arguments(job_id, result, delivery_id, url, body))
    return delivery_id


def deliver(delivery_id: str) -> None:
    """Send the webhook and record that; an answer that is not 2xx raises, so that the task is tried again."""
    with pool().connection() as connection:
        url, text = connection.execute(CLAIM_DELIVERY, _arguments(delivery_id)).fetchone()
    body = text.encode()
    headers = signing.signed_headers(statements.SIGNING_KEY, delivery_id, body)
    answer = session().post(url, data=body, headers=headers, timeout=15, allow_redirects=False)
    answer.raise_for_status()
    with pool().connection() as connection:
        connection.execute(RECORD, _arguments(delivery_id, answer.status_code))


def _arguments(*values: object) -> dict[str, object]:
    return {f"a{number}": value for number, value in enumerate(values)}
