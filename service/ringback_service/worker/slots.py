"""What a worker has in hand, and how much more it can take."""

import asyncio
from collections.abc import Callable, Iterator

from ringback_service.worker.running import Key, Running


class Slots:
    """Attempts in hand. One that was abandoned keeps its slot until its code really ends."""

    def __init__(self, size: int, on_free: Callable[[], None]) -> None:
        """``on_free`` is called whenever a slot gets free."""
        self.size = size
        self.abandoned = 0
        self._on_free = on_free
        self._held: dict[Key, Running] = {}
        self._settled = asyncio.Event()
        self._settled.set()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._held.values()))

    def get(self, key: Key) -> Running | None:
        """The attempt with that key; absent when it is not in hand."""
        return self._held.get(key)

    @property
    def room(self) -> int:
        """How many more fit."""
        return self.size - len(self._held)

    def add(self, running: Running) -> None:
        """Take an attempt in hand."""
        self._held[running.key] = running
        self._settled.clear()

    def abandon(self, running: Running) -> None:
        """Its outcome is settled, and its code still runs."""
        if self._held.get(running.key) is running:
            self.abandoned += 1
            self._check()

    def free(self, running: Running) -> None:
        """Its outcome is settled, and its code has ended."""
        del self._held[running.key]
        if running.is_abandoned:
            self.abandoned -= 1
        self._check()
        self._on_free()

    async def settled(self) -> None:
        """Wait until every outcome is: nothing is in hand but what was abandoned."""
        await self._settled.wait()

    def _check(self) -> None:
        if len(self._held) == self.abandoned:
            self._settled.set()
