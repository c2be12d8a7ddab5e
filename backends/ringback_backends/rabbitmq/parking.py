"""Where messages go that nobody can read: out of the way, kept for a person to look at, counted."""

import structlog
from aiormq.abc import DeliveredMessage

from ringback_backends.broker_observer import BrokerObserver
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_backends.rabbitmq.publisher import Publisher
from ringback_backends.rabbitmq.topology import QueueShape

KEPT_BYTES = 65_536
"""Of each message: enough to see what it is. A whole one may have a hundred megabytes."""

log = structlog.get_logger(__name__)


class Parking:
    """Moves messages to the parking queue."""

    def __init__(self, publisher: Publisher, shape: QueueShape, observer: BrokerObserver) -> None:
        self._publisher = publisher
        self._shape = shape
        self._observer = observer

    async def park(self, message: DeliveredMessage, queue: str, reason: str) -> bool:
        """Whether it is parked; the headers tell from which queue, why, and how long it was."""
        size = len(message.body)
        headers: dict[str, str | int] = {
            "ringback-queue": queue,
            "ringback-reason": reason,
            "ringback-size-bytes": size,
        }
        try:
            await self._publisher.publish(self._shape, message.body[:KEPT_BYTES], headers)
        except BrokerUnavailable as error:
            log.warning("message_not_parked", queue=queue, reason=reason, size_bytes=size, because=str(error))
            return False
        self._observer.on_parked()
        log.warning("message_parked", queue=queue, reason=reason, size_bytes=size)
        return True

    async def restore(self, shape: QueueShape, body: bytes) -> None:
        """Put a good message back at the end of its queue."""
        try:
            await self._publisher.publish(shape, body)
        except BrokerUnavailable as error:
            log.warning("message_not_restored", queue=shape.name, because=str(error))

    def dropped(self, queue: str, reason: str) -> None:
        """Say that a message was not even fit to be parked, and count it with those that were."""
        self._observer.on_parked()
        log.error("message_dropped", queue=queue, reason=reason)
