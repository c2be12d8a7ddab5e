"""The envelopes that a consumer was handed and has not settled. Pure but for settling them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ringback_backends.contracts.broker import Received


@dataclass(frozen=True, slots=True)
class _Held:
    """An envelope in hand, and which of its ids are not claimed yet."""

    received: Received
    ids: deque[str]


class Hand:
    """Envelopes in the order in which they came."""

    def __init__(self) -> None:
        """Empty."""
        self._held: deque[_Held] = deque()

    def __len__(self) -> int:
        """How many envelopes."""
        return len(self._held)

    def take(self, received: Sequence[Received]) -> None:
        """Have these, too."""
        self._held.extend(_Held(one, deque(one.envelope.ids)) for one in received)

    def first_ids(self, limit: int) -> list[str]:
        """The first ids in hand, without duplicates."""
        wanted: dict[str, None] = {}
        for held in self._held:
            for row_id in held.ids:
                if len(wanted) >= limit:
                    return list(wanted)
                wanted[row_id] = None
        return list(wanted)

    def drop(self, claimed: set[str]) -> None:
        """Take claimed (or stale) ids out of the envelopes; ack those that are empty then."""
        while self._held:
            ids = self._held[0].ids
            while ids and ids[0] in claimed:
                ids.popleft()
            if ids:
                return
            self._held.popleft().received.ack()

    def give_back(self) -> None:
        """Let somebody else have them all."""
        while self._held:
            self._held.popleft().received.give_back()
