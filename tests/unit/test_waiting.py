"""``eventually``: what tests wait with."""

import asyncio

import pytest

from tests.waiting import eventually, eventually_blocking


async def test_eventually_gives_the_value_when_it_becomes_true() -> None:
    """The first truthy value comes back, whatever its type."""
    answers = iter([None, 0, "", "here"])

    value = await eventually(lambda: next(answers))

    assert value == "here"


async def test_eventually_awaits_when_the_condition_is_async() -> None:
    """A coroutine function may be the condition."""
    came = asyncio.Event()
    asyncio.get_running_loop().call_soon(came.set)

    async def has_come() -> bool:
        return came.is_set()

    assert await eventually(has_come) is True


async def test_eventually_tells_what_it_waited_for_when_nothing_came() -> None:
    """The failure names the thing, the time and the last value."""
    with pytest.raises(AssertionError, match=r"waited 0\.01 s in vain for a miracle; the last answer was \[\]"):
        await eventually(list, within_s=0.01, what="a miracle")


async def test_eventually_does_not_wait_longer_when_the_condition_hangs() -> None:
    """The deadline also ends a condition that never answers."""

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    with pytest.raises(AssertionError, match="no answer at all"):
        await eventually(hangs, within_s=0.01)


def test_eventually_blocking_tells_what_it_waited_for_when_nothing_came() -> None:
    """The synchronous twin complains in the same words."""
    with pytest.raises(AssertionError, match="in vain for a port"):
        eventually_blocking(bool, within_s=0.01, what="a port")
