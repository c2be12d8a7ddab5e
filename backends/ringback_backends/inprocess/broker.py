"""The in-process broker itself."""

from datetime import UTC, datetime

from ringback_backends.broker_observer import BrokerObserver, Unobserved
from ringback_backends.contracts.broker import BrokerStatus, Queue
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_backends.inprocess.lane import Lane
from ringback_backends.inprocess.subscription import InProcessSubscription
from ringback_backends.queue_names import checked
from ringback_schemas.envelopes import Envelope


class InProcessBroker:
    """Carries envelopes between the components of one process, on one event loop."""

    def __init__(self, *, observer: BrokerObserver | None = None) -> None:
        """Nothing runs in the background."""
        self._observer = observer or Unobserved()
        self._lanes: dict[Queue, Lane] = {}
        self._subscriptions: list[InProcessSubscription] = []
        self._status = BrokerStatus(is_connected=False, is_blocked=False, since=datetime.now(UTC), detail="not started")

    async def start(self) -> None:
        """Open for publishing."""
        self._become(is_connected=True, detail="connected")

    async def publish(self, queue: Queue, envelope: Envelope) -> None:
        """Put it into memory.

        Raises:
            BrokerUnavailable: not started, closed, or the queue is full.
        """
        lane = self._lane(queue)
        if not self._status.is_connected or lane.is_full:
            self._observer.on_publish("refused" if lane.is_full else "away", 0.0)
            raise BrokerUnavailable("the queue is full" if lane.is_full else self._status.detail)
        lane.put(envelope)
        self._observer.on_publish("confirmed", 0.0)

    def subscribe(self, queues: tuple[Queue, ...]) -> InProcessSubscription:
        """A consumer of all those queues."""
        subscription = InProcessSubscription([self._lane(queue) for queue in dict.fromkeys(queues)])
        self._subscriptions.append(subscription)
        return subscription

    @property
    def status(self) -> BrokerStatus:
        """Connected from start to close."""
        return self._status

    async def close(self) -> None:
        """Refuse what comes now, and end the subscriptions."""
        if self._status.detail != "closed":
            self._become(is_connected=False, detail="closed")
        for subscription in self._subscriptions:
            await subscription.close()

    def _lane(self, queue: Queue) -> Lane:
        lane = self._lanes.get(queue)
        if lane is None:
            lane = self._lanes[checked(queue)] = Lane()
        return lane

    def _become(self, *, is_connected: bool, detail: str) -> None:
        self._status = BrokerStatus(is_connected=is_connected, is_blocked=False, since=datetime.now(UTC), detail=detail)
