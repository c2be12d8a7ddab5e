"""What Ringback has on a RabbitMQ: two exchanges, a queue for each work queue and one for deliveries, and the lot."""

from dataclasses import dataclass
from enum import StrEnum

from ringback_backends.contracts.broker import Queue
from ringback_backends.queue_names import checked
from ringback_schemas.envelopes import EnvelopeKind


class QueueType(StrEnum):
    """How the server keeps a queue."""

    QUORUM = "quorum"
    CLASSIC = "classic"


@dataclass(frozen=True, slots=True)
class ExchangeShape:
    """A durable direct exchange."""

    name: str


@dataclass(frozen=True, slots=True)
class QueueShape:
    """A durable queue, and what leads to it; the default exchange leads to every queue and needs no binding."""

    name: str
    type: QueueType
    exchange: ExchangeShape | None = None
    routing_key: str = ""
    max_length: int | None = None

    @property
    def arguments(self) -> dict[str, int | str]:
        """The arguments it is declared with: the smallest set that every version understands."""
        arguments: dict[str, int | str] = {"x-queue-type": self.type.value}
        if self.type is QueueType.QUORUM:
            # RabbitMQ 4.0 drops a message that was given back 20 times, which a full fleet does in seconds. Some limit
            # there must be: before 4.0 a queue without one puts what is given back at its end instead of its front.
            arguments["x-delivery-limit"] = 1_000_000
        if self.max_length is not None:
            arguments["x-max-length"] = self.max_length
        return arguments


WORK = ExchangeShape("ringback.work")
DELIVERIES = ExchangeShape("ringback.deliveries")
PARKED_AT_MOST = 10_000
"""Messages in the parking queue; the oldest go first, so that a broken producer cannot fill the server's disk."""


def shape_of(queue: Queue, type_: QueueType) -> QueueShape:
    """Where envelopes of that queue are.

    Raises:
        InvalidQueueName: nowhere.
    """
    checked(queue)
    if queue.kind is EnvelopeKind.DELIVERIES:
        return QueueShape("ringback.deliveries", type_, DELIVERIES, "deliveries")
    return QueueShape(f"ringback.work.{queue.name}", type_, WORK, queue.name)


def parking(type_: QueueType) -> QueueShape:
    """Where messages go that nobody can read."""
    return QueueShape("ringback.parked", type_, routing_key="ringback.parked", max_length=PARKED_AT_MOST)
