"""Group commit: concurrent calls become one set-based operation.

A batch takes what waits when the batch before it ends. There is no timer, so a lone call pays no delay, and the busier
it gets the more rows share a commit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from ringback_backends.contracts.errors import RowRefused, StoreUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Operation = Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]
Observer = Callable[[int, float], None]
"""Told the rows and the seconds of each batch."""


class Batcher(Generic[Item, Answer]):
    """Coalesces calls of ``submit`` into calls of ``operation``, which answers in the order of its items.

    A batch that the store refuses for one row's sake is taken apart by halves, and only that row fails. Any other error
    goes to every caller of the batch. A caller that is cancelled leaves its item in the batch: it may be stored.
    """

    def __init__(
        self, operation: Operation[Item, Answer], *, name: str, max_rows: int = 500, observe: Observer | None = None
    ) -> None:
        """``max_rows`` bounds one operation; ``name`` tells batches apart in task names and errors."""
        self._operation = operation
        self._name = name
        self._max_rows = max_rows
        self._observe = observe
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Ready from the start; entered for the sake of leaving."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Refuse new items, and wait until those in hand are answered."""
        self._is_closed = True
        if self._flusher is not None:
            await asyncio.shield(self._flusher)

    async def submit(self, item: Item) -> Answer:
        """The operation's answer for this item.

        Raises:
            RowRefused: the store will not have this very item.
            StoreUnavailable: the batch failed, or the batcher is closed.
        """
        return await self._enqueue(item)

    async def submit_many(self, items: Sequence[Item]) -> list[Answer]:
        """The answers for several items, in order; they may share a batch. The first error is raised."""
        return list(await asyncio.gather(*[self._enqueue(item) for item in items]))

    def _enqueue(self, item: Item) -> asyncio.Future[Answer]:
        if self._is_closed:
            raise StoreUnavailable(self._name, "closed")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name=f"batcher {self._name}")
        return future

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_rows], self._waiting[self._max_rows :]
                await self._settle(batch)
        finally:
            self._flusher = None
            for _, future in self._waiting:
                future.cancel()

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        started = time.perf_counter()
        try:
            answers = await self._operation([item for item, _ in batch])
            settled = list(zip(batch, answers, strict=True))
        except RowRefused as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            half = len(batch) // 2
            await self._settle(batch[:half])
            await self._settle(batch[half:])
            return
        except Exception as error:  # noqa: BLE001 - not handled here: each caller of the batch gets it
            _fail(batch, error)
            return
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        if self._observe is not None:
            self._observe(len(batch), time.perf_counter() - started)
        for (_, future), answer in settled:
            if not future.done():
                future.set_result(answer)


def _fail(batch: Sequence[tuple[object, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
