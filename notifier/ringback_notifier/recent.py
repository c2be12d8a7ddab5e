"""Keeps answers for a few seconds: a change shows at once to people, and whoever is asked is asked seldom."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

KEEP_S = 3.0
_MOST = 10_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Answers by key, asked for anew when they are older than ``KEEP_S``."""

    def __init__(
        self,
        question: Callable[[Key], Awaitable[Value]],
        *,
        name: str,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives seconds from any beginning; what the question raises is not kept."""
        self._question = question
        self._name = name
        self._keep_s = keep_s
        self._clock = clock
        self._kept: dict[Key, tuple[float, Value]] = {}
        self._asking: dict[Key, asyncio.Task[Value]] = {}

    def kept(self, key: Key) -> Value | None:
        """The answer, when it is at hand and fresh."""
        kept = self._kept.get(key)
        return kept[1] if kept is not None and kept[0] > self._clock() else None

    def forget(self, key: Key) -> None:
        """Ask anew next time."""
        self._kept.pop(key, None)

    async def ask(self, key: Key) -> Value:
        """A fresh answer; all who ask at once share one question. Raises as the question does."""
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._ask(key), name=f"{self._name} {key}")
            self._asking[key] = asking
        # shielded: who gives up must not take the answer from the others
        return await asyncio.shield(asking)

    async def _ask(self, key: Key) -> Value:
        try:
            value = await self._question(key)
        finally:
            del self._asking[key]
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = (self._clock() + self._keep_s, value)
        return value
