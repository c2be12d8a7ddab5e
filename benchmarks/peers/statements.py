"""What the peers say to PostgreSQL, and the bytes that they send.

The same five commits a job as Ringback and the bare scripts: insert, claim, finish with the delivery, claim the
delivery, record it. With ``BENCH_LEAN`` in the environment nothing is claimed, for the message that a worker has not
yet acknowledged can stand for its claim: three commits, and neither a running job nor a second attempt can be seen.
"""

import os
import secrets
import time

import orjson

import signing

DATABASE_URL = os.environ["BENCH_DATABASE_URL"]
BROKER_URL = os.environ["BENCH_BROKER_URL"]
SIGNING_KEY = signing.key_of(signing.SECRET)

INSERT = "INSERT INTO jobs (id, state, type, payload, callback_url) VALUES ({0}, 'queued', {1}, {2}, {3})"
READ = "SELECT payload, callback_url FROM jobs WHERE id = {0}"
CLAIM = """
    UPDATE jobs SET state = 'running', attempt = attempt + 1 WHERE id = {0} AND state IN ('queued', 'running')
    RETURNING payload, callback_url"""
FINISH = """
    WITH done AS (
        UPDATE jobs SET state = 'succeeded', result = {1}, finished_at = now()
        WHERE id = {0} AND state IN ('queued', 'running') RETURNING id
    )
    INSERT INTO deliveries (id, job_id, url, body, state) SELECT {2}, id, {3}, {4}, 'pending' FROM done"""
READ_DELIVERY = "SELECT url, body FROM deliveries WHERE id = {0}"
CLAIM_DELIVERY = """
    UPDATE deliveries SET state = 'sending', attempt = attempt + 1 WHERE id = {0} AND state IN ('pending', 'sending')
    RETURNING url, body"""
RECORD = """
    UPDATE deliveries SET state = 'delivered', status = {1}, finished_at = now() WHERE id = {0}"""

if os.environ.get("BENCH_LEAN"):
    CLAIM, CLAIM_DELIVERY = READ, READ_DELIVERY


def for_psycopg(statement: str) -> str:
    """With psycopg's placeholders: each argument is named once and in order of its number."""
    return statement.format(*["%(" + f"a{number}" + ")s" for number in range(5)])


def for_asyncpg(statement: str) -> str:
    """With asyncpg's placeholders."""
    return statement.format("$1", "$2", "$3", "$4", "$5")


def new_id(kind: str) -> str:
    """An id that sorts by time, so that the newest rows lie together in the index."""
    return f"{kind}_{time.time_ns():016x}{secrets.token_hex(4)}"


def webhook_body(job_id: str, result: str) -> bytes:
    """The bytes of the webhook for a job that succeeded; ``result`` is JSON."""
    data = {"id": job_id, "type": "demo.echo", "state": "succeeded", "result": orjson.Fragment(result)}
    return orjson.dumps({"type": "job.succeeded", "timestamp": time.time(), "data": data})
