"""One queue of the in-process broker: who waits for it, and who is next."""

from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from ringback_schemas.envelopes import Envelope

MAX_WAITING = 10_000
"""Envelopes in one queue; more are refused, and polling finds what they named. About 10 MB at 10 ids each."""


class Ticket(NamedTuple):
    """An envelope and its place in the queue, which it keeps when it is given back."""

    place: int
    envelope: Envelope


class Taker(Protocol):
    """A subscription, as a lane sees it."""

    def has_room(self, lane: "Lane") -> bool:
        """Whether it takes one more from that lane now."""

    def offer(self, lane: "Lane", ticket: Ticket) -> None:
        """Take it."""


class Lane:
    """Envelopes in order of arrival, dealt to the takers in turn."""

    def __init__(self) -> None:
        # a heap by place; what comes in order costs nothing to put in
        self._waiting: list[Ticket] = []
        self._places = 0
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
        self._places += 1
        heappush(self._waiting, Ticket(self._places, envelope))
        self.deal()

    def put_back(self, tickets: list[Ticket]) -> None:
        """Put these where they were: they have waited already."""
        for ticket in tickets:
            heappush(self._waiting, ticket)
        self.deal()

    def deal(self) -> None:
        """Give what waits to whoever has room, each in turn."""
        while self._waiting and (taker := self._next()) is not None:
            taker.offer(self, heappop(self._waiting))

    def _next(self) -> Taker | None:
        for _ in range(len(self._takers)):
            taker = self._takers[0]
            self._takers.rotate(-1)
            if taker.has_room(self):
                return taker
        return None
