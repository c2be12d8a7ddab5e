"""Clients repeat themselves, contradict themselves, and change their minds."""

import asyncio
from typing import Any

import aiohttp

from tests.faults.driver import Entry
from tests.faults.fleet import API_KEY, settle
from tests.faults.stage import Case, Stage
from tests.waiting import eventually


async def same_key_in_parallel(stage: Stage) -> None:
    """A hundred equal requests with one key, over both front ends, make one job."""
    for number in range(5):
        entry = Entry(f"same-{number}", _body(stage), 0.0)
        stage.driver.ledger.entries.append(entry)
        answers = await _post_together(stage, entry.key, entry.body, 100)
        entry.answers += [status for status, _ in answers]
        entry.job_ids |= {document["id"] for status, document in answers if status == 202}
        entry.accepted_at = 1.0
        stage.faults += 1
        if {status for status, _ in answers} != {202}:
            raise AssertionError(f"equal requests got {sorted({status for status, _ in answers})}")


async def same_key_other_body(stage: Stage) -> None:
    """The same key with another body is refused with 422, and nothing is created."""
    entry = await stage.driver.submit_one()
    answers = await _post_together(stage, entry.key, {**_body(stage), "tags": ["other"]}, 10)
    stage.faults += 1
    if {status for status, _ in answers} != {422}:
        raise AssertionError(f"another body under the same key got {answers}")


async def same_key_two_tenants(stage: Stage) -> None:
    """Two tenants use the same key: two jobs, each its own tenant's and nobody else's."""
    entry = await stage.driver.submit_one()
    other = await stage.tenant("other")
    ((status, job),) = await _post_together(stage, entry.key, _body(stage), 1, api_key=other)
    stage.faults += 1
    if status != 202 or job["id"] in entry.job_ids:
        raise AssertionError(f"another tenant's request with the same key got {status} {job}")
    seen = [(await stage.api("GET", f"/v1/jobs/{job['id']}", key))[0] for key in (other, API_KEY)]
    if seen != [200, 404]:
        raise AssertionError(f"the other tenant's job was answered with {seen}")
    await eventually(lambda: stage.inbox.has_taken(job["id"]), within_s=20, what="the other tenant's webhook")


async def too_large(stage: Stage) -> None:
    """A body above the limit is refused with 413 and nothing stored; one just below it makes the whole road."""
    for size in (1_100_000, 3_000_000):
        body = {**_body(stage), "payload": {"echo": "x" * size}}
        ((status, _),) = await _post_together(stage, f"large-{size}", body, 1)
        stage.faults += 1
        if status != 413:
            raise AssertionError(f"{size} bytes got {status}")
    _, listed = await stage.api("GET", "/v1/jobs")
    if listed["items"]:
        raise AssertionError("something was stored")
    for _ in range(10):
        await stage.driver.submit_one(payload={"echo": "x" * 1_000_000})


async def cancel_races(stage: Stage) -> None:
    """Jobs are cancelled, twice at once, while they wait, are claimed, run, and have just ended."""
    await stage.load(60, 300, {"seconds": 0.15})
    cancelled = 0
    while cancelled < 300:
        entries = [entry for entry in stage.driver.ledger.accepted[cancelled:] if entry.job_ids]
        for entry in entries:
            (job_id,) = entry.job_ids
            answers = await asyncio.gather(*[stage.api("POST", f"/v1/jobs/{job_id}/cancel") for _ in range(2)])
            if not {status for status, _ in answers} <= {200, 202}:
                raise AssertionError(f"cancel answered {answers}")
            cancelled += 1
            stage.faults += 1
        await settle(0.02)


def _body(stage: Stage) -> dict[str, Any]:
    return {"type": "faults.work", "payload": {"echo": 1}, "callback_url": f"{stage.inbox.url}/hook"}


async def _post_together(
    stage: Stage, key: str, body: dict[str, Any], times: int, *, api_key: str = API_KEY
) -> list[tuple[int, Any]]:
    headers = {"Authorization": f"Bearer {api_key}", "Idempotency-Key": key}

    async def post(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
        async with session.post(f"{url}/v1/jobs", json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    urls = stage.fleet.urls
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return list(await asyncio.gather(*[post(session, urls[n % len(urls)]) for n in range(times)]))


CLIENT_CASES = (
    Case("F45+BB-70", "100 equal requests with one key", same_key_in_parallel, may_perform_twice=False, is_quick=True),
    Case(
        "F46+BB-71",
        "same key, other body",
        same_key_other_body,
        may_perform_twice=False,
        apis=1,
        workers=1,
        notifiers=1,
    ),
    Case(
        "F46t", "same key, two tenants", same_key_two_tenants, may_perform_twice=False, apis=1, workers=1, notifiers=1
    ),
    Case("BB-61", "bodies above the limit", too_large, may_perform_twice=False, apis=1, workers=1, notifiers=1),
    Case("F48", "cancel races", cancel_races, settle_s=60, may_perform_twice=False, may_cancel=True),
)  # fmt: skip
