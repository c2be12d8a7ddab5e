"""What is unsettled on one channel, and the settling of it.

Consumers settle without waiting: acks gather here and leave in groups. A channel has one of these and takes it along
when it goes, so that settling late, over a channel that is gone, reaches nothing.
"""

import asyncio
from enum import Enum, auto

from aiormq import Channel

from ringback_backends.rabbitmq.errors import DRIVER_ERRORS


class _Fate(Enum):
    UNKNOWN = auto()
    DONE = auto()
    RETURNED = auto()


class Settlements:
    """The delivery tags of one channel, in their order, and what is to become of each."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._fates: dict[int, _Fate] = {}
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._is_over = False
        self.deliveries = 0
        """How many have come so far."""

    @property
    def is_empty(self) -> bool:
        """Whether all that came is settled."""
        return not self._fates

    def received(self, tag: int) -> None:
        """A delivery has come."""
        self.deliveries += 1
        self._fates[tag] = _Fate.UNKNOWN

    def ack(self, tag: int) -> None:
        """Done with it. Only the first word on a tag counts."""
        self._decide(tag, _Fate.DONE)

    def give_back(self, tag: int) -> None:
        """Back to the queue."""
        self._decide(tag, _Fate.RETURNED)

    async def run(self) -> None:
        """Write what is decided, until cancelled or the channel is gone."""
        while not self._is_over:
            await self._wake.wait()
            await self.flush()

    async def flush(self) -> None:
        """Write what is decided now."""
        async with self._writing:
            self._wake.clear()
            for tag, fate, is_group in self._take():
                await self._write(tag, fate, is_group=is_group)

    def end(self) -> None:
        """Write nothing any more: a frame on a closing channel makes the server close the whole connection (504)."""
        self._is_over = True
        self._wake.set()

    def _decide(self, tag: int, fate: _Fate) -> None:
        if not self._is_over and self._fates.get(tag) is _Fate.UNKNOWN:
            self._fates[tag] = fate
            self._wake.set()

    def _take(self) -> list[tuple[int, _Fate, bool]]:
        """What to write: the oldest tags in groups of one fate (as ``multiple``), later ones each for itself."""
        writes: list[tuple[int, _Fate, bool]] = []
        is_prefix = True
        for tag, fate in self._fates.items():
            if fate is _Fate.UNKNOWN:
                is_prefix = False
            elif is_prefix and writes and writes[-1][1] is fate:
                writes[-1] = (tag, fate, True)
            else:
                writes.append((tag, fate, is_prefix))
        self._fates = {tag: fate for tag, fate in self._fates.items() if fate is _Fate.UNKNOWN}
        return writes

    async def _write(self, tag: int, fate: _Fate, *, is_group: bool) -> None:
        if self._is_over:
            return
        try:
            if fate is _Fate.DONE:
                await self._channel.basic_ack(tag, multiple=is_group, wait=False)
            else:
                await self._channel.basic_nack(tag, multiple=is_group, requeue=True, wait=False)
        except DRIVER_ERRORS:
            # the channel is gone, and the server has given everything back already
            self.end()
