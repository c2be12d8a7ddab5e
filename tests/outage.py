"""A store that is away when a test wants it to be."""

import asyncio
from typing import Any

from ringback_backends.contracts.errors import RowRefused, StoreUnavailable
from ringback_backends.contracts.store import Store


class Outage:
    """Stands before a real store, and can be away for some of its operations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away: set[str] = set()
        self.lost_answers: set[str] = set()
        """Operations that happen, and whose answers do not come."""
        self.late_answers: dict[str, asyncio.Event] = {}
        """Operations that happen, and whose answers come when the event is set."""
        self.refuses: set[str] = set()
        """Operations whose values it will not have."""
        self.calls: list[str] = []
        """The operations that were asked for, in order."""
        self.refused = 0
        """How many of them ended in an error of these kinds."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if name in self.away:
                self.refused += 1
                raise StoreUnavailable(name, "cut off by the test")
            if name in self.refuses:
                self.refused += 1
                raise RowRefused(name, "not wanted by the test")
            # known beforehand: whoever sees what was committed may change this before the answer is here
            is_lost = name in self.lost_answers
            answer = await method(*args, **kwargs)
            if name in self.late_answers:
                await self.late_answers[name].wait()
            if is_lost:
                self.refused += 1
                raise StoreUnavailable(name, "answer lost by the test")
            return answer

        return call
