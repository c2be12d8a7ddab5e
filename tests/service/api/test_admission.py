"""A front end that is asked for more than it can take in hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ringback_schemas.jobs import Acceptance, NewJob
from ringback_schemas.problems import Problems
from ringback_service.api.admission import Admission
from ringback_service.api.refusals import Refused
from tests.service.api.conftest import Api
from tests.waiting import eventually

JOB = {"type": "test.echo"}


async def test_submission_beyond_the_room_is_refused_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store takes its time: those in hand are accepted in the end, the next one is told to come again."""
    monkeypatch.setattr(api.deps.admission, "_most_requests", 2)
    is_open, accept = asyncio.Event(), api.store.accept

    async def slow(jobs: Sequence[NewJob]) -> Sequence[Acceptance]:
        await is_open.wait()
        return await accept(jobs)

    monkeypatch.setattr(api.deps.acceptor, "_operation", slow)
    first = [asyncio.create_task(api.call("POST", "/v1/jobs", json=JOB)) for _ in range(2)]
    await eventually(lambda: api.deps.admission.requests == 2)

    refused = await api.call("POST", "/v1/jobs", json=JOB)

    assert refused.problem == (503, "overloaded")
    assert refused.headers["Retry-After"] == "1"
    is_open.set()
    assert [reply.status for reply in await asyncio.gather(*first)] == [202, 202]
    assert (await api.call("POST", "/v1/jobs", json=JOB)).status == 202


async def test_refused_submission_leaves_its_place(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of a submission, the next one finds room."""
    monkeypatch.setattr(api.deps.admission, "_most_requests", 1)

    replies = [await api.call("POST", "/v1/jobs", json=body) for body in ({"type": "unknown"}, {}, JOB)]

    assert [reply.status for reply in replies] == [422, 422, 202]


def test_bytes_are_bounded_too() -> None:
    """By what all in hand have together."""
    admission = Admission(most_bytes=100)
    admission.admit(60)
    second = admission.admit(40)

    with pytest.raises(Refused) as refusal:
        admission.check(1)

    assert refusal.value.problem is Problems.OVERLOADED
    with second:
        pass
    admission.check(40)


def test_body_larger_than_all_the_room_is_let_in_alone() -> None:
    """Else a large limit for bodies would be a promise that is never kept."""
    admission = Admission(most_bytes=100)

    admission.check(1_000)
    with admission.admit(1_000), pytest.raises(Refused):
        admission.check(1)

    admission.check(1_000)


async def test_bodies_that_are_slow_to_come_take_no_room(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or whoever begins to send, and no more, would shut everybody out."""
    monkeypatch.setattr(api.deps.admission, "_most_requests", 1)
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"type": '
        has_begun.set()
        await may_end.wait()
        yield b'"test.echo"}'

    headers = {"Content-Type": "application/json"}
    sending = asyncio.create_task(api.call("POST", "/v1/jobs", data=slow(), headers=headers))
    await has_begun.wait()

    assert (await api.call("POST", "/v1/jobs", json=JOB)).status == 202

    may_end.set()
    assert (await sending).status == 202
