"""RabbitMQ as Ringback's broker."""

import asyncio

from ringback_backends.broker_observer import BrokerObserver, Unobserved
from ringback_backends.contracts.broker import BrokerStatus, Queue
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_backends.rabbitmq.background import Background
from ringback_backends.rabbitmq.declaring import declare
from ringback_backends.rabbitmq.feed import QUIET_S, Feed, Source
from ringback_backends.rabbitmq.health import Health
from ringback_backends.rabbitmq.inbox import Inbox
from ringback_backends.rabbitmq.line import Line
from ringback_backends.rabbitmq.link import Link
from ringback_backends.rabbitmq.parking import Parking
from ringback_backends.rabbitmq.publisher import MOST_NEW_QUEUES, Publisher
from ringback_backends.rabbitmq.subscription import RabbitSubscription
from ringback_backends.rabbitmq.topology import DELIVERIES, WORK, QueueType, parking, shape_of
from ringback_schemas.envelopes import Envelope

START_WITHIN_S = 1.0
PUBLISH_WITHIN_S = 2.0
PREFETCH = 50
LEAST_PREFETCH = 5


class RabbitBroker:
    """Carries envelopes through RabbitMQ 3.10 to 4.x; one connection publishes and another consumes.

    The server stops reading from connections that publish when it runs out of memory or disk, and acks must not wait
    behind that.
    """

    def __init__(
        self,
        url: str,
        *,
        queue_type: QueueType | str = QueueType.QUORUM,
        publish_within_s: float = PUBLISH_WITHIN_S,
        prefetch: int = PREFETCH,
        quiet_s: float = QUIET_S,
        most_new_queues: int = MOST_NEW_QUEUES,
        observer: BrokerObserver | None = None,
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: ``amqp://`` or ``amqps://``; for the latter ``?cafile=…&certfile=…&keyfile=…`` name the certificates.
            queue_type: what queues are declared as; what exists as another type is used as it is.
            publish_within_s: the deadline of one publish.
            prefetch: the most unsettled envelopes of one subscription.
            quiet_s: after so many seconds without a message a consumer begins anew, in case the server has lost it.
            most_new_queues: how many it makes to publish to; past that it uses those that somebody else has made.
            observer: told of publishes, parked messages and reconnections.
        """
        self._url = url
        self._type = QueueType(queue_type)
        self._prefetch = prefetch
        self._quiet_s = quiet_s
        self._observer = observer or Unobserved()
        self._health = Health()
        self._background = Background(self._wake_all)
        self._publishing = Link(url, "publishing", self._health, self._observer, self._prepare)
        self._consuming: Link | None = None
        self._publisher = Publisher(
            self._publishing, self._health, self._observer, publish_within_s, most_new_queues=most_new_queues
        )
        self._parking = Parking(self._publisher, parking(self._type), self._observer)
        self._subscriptions: list[tuple[RabbitSubscription, Inbox]] = []
        self._is_started = False
        self._is_closed = False

    async def start(self) -> None:
        """Begin to connect; waits a second at most for the first answer.

        Raises:
            BrokerMisfit: an exchange or the parking queue cannot be used.
        """
        if self._is_started or self._is_closed:
            return
        self._is_started = True
        self._run(self._publishing)
        if self._consuming is not None:
            self._run(self._consuming)
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await self._publishing.first_try.wait()
        except TimeoutError:
            # it goes on trying, and the status tells
            return
        if self._publishing.misfit is not None:
            await self.close()
            raise self._publishing.misfit

    async def publish(self, queue: Queue, envelope: Envelope) -> None:
        """Returns when the server has it safe.

        Raises:
            BrokerUnavailable: away, blocked, too slow, refused, unroutable; or not started, or closed.
        """
        self._background.check()
        if self._is_closed or not self._is_started:
            raise BrokerUnavailable("closed" if self._is_closed else "not started")
        await self._publisher.publish(shape_of(queue, self._type), envelope.to_bytes())

    def subscribe(self, queues: tuple[Queue, ...]) -> RabbitSubscription:
        """A consumer of all those queues. Call it on the event loop."""
        shapes = {queue: shape_of(queue, self._type) for queue in queues}
        link = self._consuming_link()
        inbox = Inbox()
        background = Background(inbox.wake, self._background)
        prefetch = max(LEAST_PREFETCH, self._prefetch // max(1, len(shapes)))
        feeds = [
            Feed(
                Source(shape, queue.kind, prefetch, self._quiet_s), link, inbox, self._parking, self._health, background
            )
            for queue, shape in shapes.items()
        ]
        subscription = RabbitSubscription(feeds, inbox, background)
        self._subscriptions.append((subscription, inbox))
        return subscription

    @property
    def status(self) -> BrokerStatus:
        """Connected when both connections stand and every subscription consumes, or rests because it was paused."""
        return self._health.status

    async def close(self) -> None:
        """Give back what is unsettled, and close the connections; five seconds at most."""
        self._is_closed = True
        self._health.trouble("broker", "closed")
        await asyncio.gather(*[subscription.close() for subscription, _ in self._subscriptions])
        await self._background.close()

    async def _prepare(self, line: Line) -> None:
        lot = parking(self._type)
        self._health.note("topology", "; ".join(await declare(line, WORK, DELIVERIES, lot)) or None)

    async def _nothing(self, line: Line) -> None:
        """Consumers declare what they need themselves."""

    def _consuming_link(self) -> Link:
        if self._consuming is None:
            self._consuming = Link(self._url, "consuming", self._health, self._observer, self._nothing)
            if self._is_started:
                self._run(self._consuming)
        return self._consuming

    def _run(self, link: Link) -> None:
        self._background.start(link.run(), f"broker {link.role}")

    def _wake_all(self) -> None:
        for _, inbox in self._subscriptions:
            inbox.wake()
