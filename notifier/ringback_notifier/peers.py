"""Counts the notifiers that live: they share what a destination may be sent."""

from collections.abc import Callable
from datetime import timedelta

from ringback_backends.contracts.instances import InstanceStore
from ringback_backends.lease.rounds import Rounds
from ringback_schemas.instances import Role

NOTIFIERS = frozenset({Role.NOTIFIER, Role.SERVE})


class Peers(Rounds):
    """Tells now and then how many notifiers there are, this one among them."""

    name = "peers"

    def __init__(
        self, store: InstanceStore, on_count: Callable[[int], None], *, silent_s: float, every_s: float
    ) -> None:
        """``on_count`` is given the number, at least 1; who was silent for ``silent_s`` is not counted."""
        super().__init__(every_s)
        self._store = store
        self._on_count = on_count
        self._silent_s = silent_s

    async def round(self) -> bool:
        """Count once.

        Silence is reckoned from the youngest heartbeat, for the clock that wrote them is the database's. One of them is
        this process's own, and a few seconds old.
        """
        instances = await self._store.list_instances()
        youngest = max((one.heartbeat_at for one in instances), default=None)
        if youngest is None:
            return False
        since = youngest - timedelta(seconds=self._silent_s)
        alive = [one for one in instances if one.role in NOTIFIERS and one.heartbeat_at > since and not one.is_draining]
        self._on_count(max(1, len(alive)))
        return False
