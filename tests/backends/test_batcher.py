"""Group commit: what callers of a Batcher may rely on."""

import asyncio
from collections.abc import Sequence

import pytest

from ringback_backends.batcher import Batcher
from ringback_backends.contracts.errors import RowRefused, StoreUnavailable


class Doubling:
    """An operation that doubles numbers, refuses 13, and can be held at a gate."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        """Each number twice, once the gate is open."""
        self.batches.append(list(items))
        self.called.set()
        await self.gate.wait()
        if 13 in items:
            raise RowRefused("doubling", "13 is unlucky")
        return [2 * item for item in items]


async def test_batcher_answers_a_lone_call() -> None:
    """A call that is alone is a batch of one, with no timer to wait for."""
    operation = Doubling()

    async with Batcher(operation, name="test") as batcher:
        answer = await batcher.submit(21)

    assert answer == 42
    assert operation.batches == [[21]]


async def test_batcher_gathers_what_comes_while_a_batch_is_under_way() -> None:
    """Calls that come during a batch share the next one, in order."""
    operation = Doubling()
    operation.gate.clear()

    async with Batcher(operation, name="test") as batcher:
        first = asyncio.create_task(batcher.submit(1))
        await operation.called.wait()
        later = [asyncio.create_task(batcher.submit(item)) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        operation.gate.set()
        answers = await asyncio.gather(first, *later)

    assert answers == [2, 4, 6, 8]
    assert operation.batches == [[1], [2, 3, 4]]


async def test_batcher_fails_only_the_refused_row() -> None:
    """A batch that is refused for one row's sake is taken apart, and the others are stored."""
    async with Batcher(Doubling(), name="test") as batcher:
        answers = await asyncio.gather(*[batcher.submit(item) for item in (11, 12, 13, 14)], return_exceptions=True)

    assert [answer if isinstance(answer, int) else type(answer) for answer in answers] == [22, 24, RowRefused, 28]


async def test_batcher_fails_the_whole_batch_when_the_store_is_away() -> None:
    """An error that is nobody's row goes to every caller of that batch, and the next batch is tried afresh."""

    async def away(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise StoreUnavailable("test", "away")
        return list(items)

    async with Batcher(away, name="test") as batcher:
        answers = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
        again = await batcher.submit(2)

    assert [type(answer) for answer in answers] == [StoreUnavailable, StoreUnavailable]
    assert again == 2


async def test_batcher_bounds_a_batch() -> None:
    """No batch has more than max_rows rows."""
    operation = Doubling()

    async with Batcher(operation, name="test", max_rows=2) as batcher:
        await batcher.submit_many([1, 2, 3, 4, 5])

    assert operation.batches == [[1, 2], [3, 4], [5]]


async def test_batcher_stores_the_item_of_a_cancelled_caller() -> None:
    """A caller that goes away leaves its item in the batch, and the others get their answers."""
    operation = Doubling()
    operation.gate.clear()

    async with Batcher(operation, name="test") as batcher:
        gone = asyncio.create_task(batcher.submit(1))
        stays = asyncio.create_task(batcher.submit(2))
        await operation.called.wait()
        gone.cancel()
        await asyncio.sleep(0)
        operation.gate.set()
        answer = await stays

    assert answer == 4
    assert gone.cancelled()
    assert operation.batches == [[1, 2]]


async def test_batcher_answers_what_is_in_hand_when_closed_and_refuses_more() -> None:
    """Leaving waits for the calls in hand; a later one is told that the store is unavailable."""
    operation = Doubling()
    batcher = Batcher(operation, name="test")

    async with batcher:
        last = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0)

    assert await last == 2
    with pytest.raises(StoreUnavailable):
        await batcher.submit(2)


async def test_batcher_fails_callers_when_the_answers_do_not_match() -> None:
    """An operation that answers for fewer items than it was given is a bug that callers hear of: nobody waits on."""

    async def forget_one(items: Sequence[int]) -> list[int]:
        return list(items)[1:]

    async with Batcher(forget_one, name="forgetful") as batcher, asyncio.timeout(5):
        answers = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ValueError, ValueError]
