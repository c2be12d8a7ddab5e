"""Lists: filters, pages, cursors."""

from datetime import datetime
from typing import Any

import pytest

from ringback_schemas.http import JobPage
from ringback_schemas.states import JobState
from tests.service.api.conftest import PUBLIC_URL, Api


async def _ids(api: Api, query: str) -> list[str]:
    reply = await api.call("GET", f"/v1/jobs?{query}")
    assert reply.status == 200, reply.body
    return [job["id"] for job in reply.body["items"]]


async def test_list_is_newest_first(api: Api) -> None:
    """What came last stands first."""
    jobs = [(await api.submit())["id"] for _ in range(3)]

    assert await _ids(api, "") == jobs[::-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=scheduled", [1]),
        ("state=queued&state=scheduled", [2, 1, 0]),
        ("state=queued,scheduled", [2, 1, 0]),
        ("type=test.order", [2]),
        ("tag=red", [1, 0]),
        ("tag=%C3%BC", [1]),
        ("queue=orders", [2]),
        ("queue=default&tag=red&state=queued", [0]),
        ("tag=nobody", []),
    ],
)
async def test_list_shows_what_passes_all_filters(api: Api, query: str, expected: list[int]) -> None:
    """Filters narrow; several states widen."""
    jobs = [
        await api.submit(tags=["red"]),
        await api.submit(tags=["red", "ü"], delay_s=60),
        await api.submit(type="test.order", payload={"rows": []}),
    ]

    assert await _ids(api, query) == [jobs[index]["id"] for index in expected]


async def test_list_shows_what_was_created_after(api: Api) -> None:
    """The time itself is left out; its offset counts."""
    first, second = await api.submit(), await api.submit()
    created = datetime.fromisoformat(first["created_at"]).isoformat().replace("+00:00", "%2B00:00")

    assert await _ids(api, f"created_after={created}") in ([second["id"]], [])


async def test_list_goes_on_from_page_to_page(api: Api) -> None:
    """Following ``next`` gives every job once, and the last page has none; ids of one millisecond have no order."""
    jobs = [(await api.submit(tags=["a"]))["id"] for _ in range(5)]
    seen: list[str] = []
    path: str | None = "/v1/jobs?tag=a&limit=2"

    while path is not None:
        reply = await api.call("GET", path)
        page = JobPage.model_validate(reply.body)
        seen += [job.id for job in page.items]
        assert reply.headers.get("Link") == (None if page.next is None else f'<{page.next}>; rel="next"')
        path = None if page.next is None else page.next.removeprefix(PUBLIC_URL)

    assert seen == sorted(jobs, reverse=True)


async def test_list_does_not_shift_when_jobs_come_in(api: Api) -> None:
    """A cursor names a place between jobs, not a number of them."""
    jobs = [(await api.submit())["id"] for _ in range(3)]
    first = (await api.call("GET", "/v1/jobs?limit=2")).body
    await api.submit()

    second = (await api.call("GET", first["next"].removeprefix(PUBLIC_URL))).body

    assert [job["id"] for job in second["items"]] == [jobs[0]]


async def test_list_of_a_full_last_page_has_no_next(api: Api) -> None:
    """No page is empty."""
    for _ in range(2):
        await api.submit()

    assert (await api.call("GET", "/v1/jobs?limit=2")).body["next"] is None


async def _cursor(api: Api) -> str:
    for _ in range(2):
        await api.submit(tags=["a"])
    url: str = (await api.call("GET", "/v1/jobs?tag=a&limit=1")).body["next"]
    return url.rpartition("cursor=")[2]


@pytest.mark.parametrize("query", ["", "tag=b&", "tag=a&state=queued&"])
async def test_cursor_of_other_filters_is_refused(api: Api, query: str) -> None:
    """It would give a page that belongs to nothing."""
    cursor = await _cursor(api)

    reply = await api.call("GET", f"/v1/jobs?{query}limit=1&cursor={cursor}")

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["cursor"])


async def test_cursor_of_another_tenant_is_refused(api: Api) -> None:
    """Cursors do not travel."""
    cursor = await _cursor(api)

    reply = await api.call("GET", f"/v1/jobs?tag=a&limit=1&cursor={cursor}", key=await api.stranger())

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["cursor"])


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "AAAA", "%C3%BC", "A" * 300, "am9iXzAxa2IzdjRyNmRl"])
async def test_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    """Whatever it is, it is a 422 that names the parameter."""
    reply = await api.call("GET", f"/v1/jobs?cursor={cursor}")

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["cursor"])


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("state=done", "state"),
        ("limit=0", "limit"),
        ("limit=1000", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("type=", "type"),
        ("type=a%00", "type"),
        ("queue=A", "queue"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-11-21T07:00:00", "created_after"),
        ("statee=queued", "statee"),
    ],
)
async def test_parameter_that_is_wrong_is_a_422(api: Api, query: str, parameter: str) -> None:
    """A misspelt filter must not list everything."""
    reply = await api.call("GET", f"/v1/jobs?{query}")

    assert reply.problem == (422, "invalid-input")
    assert set(reply.places) == {parameter}


async def test_list_shows_only_the_own_tenants_jobs(api: Api) -> None:
    """Whatever is filtered."""
    await api.submit()

    reply = await api.call("GET", "/v1/jobs", key=await api.stranger())

    assert reply.body == {"items": [], "next": None}


async def _ended(api: Api, count: int) -> list[dict[str, Any]]:
    jobs = [await api.submit(callback_url="http://192.0.2.1/hook") for _ in range(count)]
    for job in jobs:
        await api.finish(job["id"], JobState.SUCCEEDED, result=b"1")
    return jobs


async def test_deliveries_are_listed_in_pages(api: Api) -> None:
    """As jobs are; without their attempts."""
    jobs = await _ended(api, 3)

    first = (await api.call("GET", "/v1/deliveries?limit=2&state=pending")).body
    second = (await api.call("GET", first["next"].removeprefix(PUBLIC_URL))).body

    assert [item["job_id"] for item in first["items"] + second["items"]] == [job["id"] for job in jobs[::-1]]
    assert second["next"] is None
    assert first["items"][0]["attempts"] is None


async def test_deliveries_of_another_state_are_not_listed(api: Api) -> None:
    """The filter is heeded."""
    await _ended(api, 1)

    assert (await api.call("GET", "/v1/deliveries?state=exhausted,delivered")).body["items"] == []
