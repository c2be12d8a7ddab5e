"""Tasks with an owner: ended together, and a failure of one is not lost."""

import asyncio
from collections.abc import Callable, Coroutine


class Background:
    """Runs coroutines until closed. One that raises is a bug of ours: ``check`` passes it on to whoever works next."""

    def __init__(self, on_failure: Callable[[], None], parent: "Background | None" = None) -> None:
        """``on_failure`` wakes those who wait, so that they check; the parent's failures count as ours."""
        self._parent = parent
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._on_failure = on_failure

    def start(self, work: Coroutine[object, object, None], name: str) -> "asyncio.Task[None]":
        """Run it from now on."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def check(self) -> None:
        """Nothing, or the first failure.

        Raises:
            Exception: whatever one of the tasks raised.
        """
        if self._failure is not None:
            raise self._failure
        if self._parent is not None:
            self._parent.check()

    async def close(self) -> None:
        """Cancel all and wait for their end. Safe to call twice."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = self._failure or failure
            self._on_failure()
