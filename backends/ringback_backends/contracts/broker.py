"""The broker's contract: it carries envelopes. Nothing is lost when it loses one, for the store knows all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ringback_schemas.envelopes import Envelope, EnvelopeKind


@dataclass(frozen=True, slots=True)
class Queue:
    """Where envelopes wait: a work queue by name, or the one of deliveries."""

    kind: EnvelopeKind
    name: str = ""

    @classmethod
    def work(cls, name: str) -> "Queue":
        """The queue that workers of that name take jobs from."""
        return cls(EnvelopeKind.JOBS, name)


DELIVERIES = Queue(EnvelopeKind.DELIVERIES)


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """How the connection is, for readiness, metrics and the pace of polling."""

    is_connected: bool
    is_blocked: bool
    since: datetime
    """When it became so."""
    detail: str
    """A few words: ``connected``, or why not."""


class Received(Protocol):
    """An envelope in hand, not yet settled. Settling is best effort: it never raises and never blocks for long.

    Settling one whose connection is gone does nothing: the broker gives that message to somebody else.
    """

    @property
    def envelope(self) -> Envelope:
        """What it carries."""

    def ack(self) -> None:
        """Done with it."""

    def give_back(self) -> None:
        """Let another consumer have it."""


class Subscription(Protocol):
    """A consumer of some queues. Survives whatever happens to the connection, until it is closed."""

    async def receive(self) -> list[Received]:
        """All envelopes that wait here, at least one; waits for it, for ever while the broker is away.

        Safe to cancel: nothing is lost. Unreadable messages never come out: they go to the parking queue, counted.
        """

    async def pause(self) -> None:
        """Take no more, and give back what has not been received. Safe to call twice."""

    async def resume(self) -> None:
        """Take again. Safe to call twice."""

    async def close(self) -> None:
        """Pause for ever; what was received and not settled goes back too. Safe to call twice."""


class Broker(Protocol):
    """Carries envelopes between processes."""

    async def start(self) -> None:
        """Begin to connect; returns at once even when the broker is away, and goes on trying until closed.

        Raises:
            BrokerMisfit: it is there, and a queue or exchange differs in a way that cannot be lived with.
        """

    async def publish(self, queue: Queue, envelope: Envelope) -> None:
        """Returns when the broker has the envelope safe. Many may be under way at once.

        A queue that was never declared is declared first, though not any number of them. Bounded: gives up after a
        deadline.

        Raises:
            BrokerUnavailable: away, blocked, too slow, refused or unroutable. The broker may have it all the same.
        """

    def subscribe(self, queues: tuple[Queue, ...]) -> Subscription:
        """A consumer of all those queues, running until closed; it declares them as needed."""

    @property
    def status(self) -> BrokerStatus:
        """How it is now."""

    async def close(self) -> None:
        """Close what was opened. Safe to call twice, and without start. Unsettled envelopes go back."""
