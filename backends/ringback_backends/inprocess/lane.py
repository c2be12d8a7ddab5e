"""One queue of the in-process broker: who waits for it, and who is next."""

from collections import deque
from typing import Protocol

from ringback_schemas.envelopes import Envelope

MAX_WAITING = 10_000
"""Envelopes in one queue; more are refused, and polling finds what they named. About 10 MB at 10 ids each."""


class Taker(Protocol):
    """A subscription, as a lane sees it."""

    def has_room(self, lane: "Lane") -> bool:
        """Whether it takes one more from that lane now."""

    def offer(self, lane: "Lane", envelope: Envelope) -> None:
        """Take it."""


class Lane:
    """Envelopes in order of arrival, dealt to the takers in turn."""

    def __init__(self) -> None:
        self._waiting: deque[Envelope] = deque()
        self._takers: deque[Taker] = deque()

    @property
    def is_full(self) -> bool:
        """Whether the next envelope is refused."""
        return len(self._waiting) >= MAX_WAITING

    def join(self, taker: Taker) -> None:
        """Deal to this one too."""
        self._takers.append(taker)
        self.deal()

    def leave(self, taker: Taker) -> None:
        """Deal to it no more."""
        self._takers.remove(taker)

    def put(self, envelope: Envelope) -> None:
        """Put one at the end."""
        self._waiting.append(envelope)
        self.deal()

    def put_back(self, envelopes: list[Envelope]) -> None:
        """Put them at the front, in their order, for they have waited already."""
        self._waiting.extendleft(reversed(envelopes))
        self.deal()

    def deal(self) -> None:
        """Give what waits to whoever has room, each in turn."""
        while self._waiting and (taker := self._next()) is not None:
            taker.offer(self, self._waiting.popleft())

    def _next(self) -> Taker | None:
        for _ in range(len(self._takers)):
            taker = self._takers[0]
            self._takers.rotate(-1)
            if taker.has_room(self):
                return taker
        return None
