"""The notifier: takes deliveries from the broker and the store, and brings them to their receivers."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

from ringback.egress import EgressPolicy
from ringback.proxy_url import ProxyUrl
from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES, Broker
from ringback_backends.contracts.store import Store
from ringback_backends.intake import Intake, Pace
from ringback_notifier.claims import Claims
from ringback_notifier.courier import Courier
from ringback_notifier.dispatcher import Deliveries, Dispatcher, Terms
from ringback_notifier.endpoint_lane import NO_LIMITS, Limits, limits_of
from ringback_notifier.lane import LanePlan
from ringback_notifier.ledger import Ledger, Recorder
from ringback_notifier.letters import Letters
from ringback_notifier.peers import Peers
from ringback_notifier.schedule import DEFAULT_SCHEDULE_S
from ringback_notifier.sender import Deadlines, Sender
from ringback_notifier.strays import Strays
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.endpoint_health import HealthRules
from ringback_schemas.ids import EndpointId, InstanceId


@dataclass(frozen=True, slots=True)
class NotifierPlan:
    """How a notifier works; docs/settings.md tells each."""

    schedule_s: tuple[float, ...] = DEFAULT_SCHEDULE_S
    concurrency: int = 128
    deadlines: Deadlines = field(default_factory=Deadlines)
    pace: Pace = field(default_factory=Pace)
    grace_s: float = 25.0
    """How long a stop waits for what is in flight."""
    strays_every_s: float = 5.0
    lane: LanePlan = field(default_factory=LanePlan)
    """What one destination may be sent."""
    fifo_hold_s: float = 3_600.0
    """How long a delivery that fails may hold up its endpoint, if that takes one at a time."""
    peers_every_s: float = 5.0
    silent_s: float = 15.0
    """A notifier silent for so long does not share the limits any more."""
    origin: str = "localhost"
    """The DNS name that this installation goes by when it asks endpoints for consent."""
    health: HealthRules = field(default_factory=HealthRules)
    """When an endpoint is disabled because it fails."""
    proxy: ProxyUrl | None = None
    """A forward proxy that everything goes through."""
    tls: ssl.SSLContext | None = None
    """Whom to trust and who to be; absent: the system's store, and nobody."""


class Notifier:
    """Delivers from ``run`` to ``stop``. The instance ``owner`` must be registered (its heart beats) before."""

    def __init__(  # noqa: PLR0913 - all that it stands on
        self,
        store: Store,
        broker: Broker,
        announcer: Announcer,
        owner: InstanceId,
        policy: EgressPolicy,
        plan: NotifierPlan,
        *,
        observer: Deliveries | None = None,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """Everything passed in is opened and closed by the caller; it claims nothing unless ``is_alive``."""
        self._plan = plan
        self._recorder: Recorder = Recorder(
            partial(store.record_attempts, rules=plan.health),
            name="attempt",
            observe=None if observer is None else observer.on_attempts_recorded,
        )
        self._sender = Sender(policy, plan.deadlines, proxy=plan.proxy, tls=plan.tls)
        self._letters = Letters(store, self._sender, plan.origin)
        self._dispatcher = Dispatcher(
            store,
            announcer,
            Courier(store, owner, self._letters, self._sender),
            Ledger(store, announcer, self._recorder, self._letters, observer=observer),
            Terms(owner, plan.schedule_s, plan.concurrency, plan.lane),
            observer=observer,
        )
        self._strays = Strays(
            store, announcer, owner, self._dispatcher.holds, self._claim_under_way, every_s=plan.strays_every_s
        )
        self._claims = Claims(store, owner, self._dispatcher, self._limits_of)
        self._peers = Peers(store, self._dispatcher.lanes.share, silent_s=plan.silent_s, every_s=plan.peers_every_s)
        self._broker = broker
        self._is_alive = is_alive
        self._intake: Intake[ClaimedDelivery] | None = None
        self._is_stopping = False
        self._is_finishing = False

    async def run(self) -> None:
        """Deliver until ``stop``, and then until what is in flight has ended or the grace has passed.

        Undone in reverse: first nothing new, then what is in flight, then the sockets, then the last records.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._recorder)
            await stack.enter_async_context(self._letters)
            await stack.enter_async_context(self._sender)
            subscription = self._broker.subscribe((DELIVERIES,))
            waiting = self._claims.claim_waiting
            intake = Intake(
                self._claims, self._broker, subscription, self._plan.pace, waiting=waiting, is_alive=self._is_alive
            )
            self._intake = intake
            self._claims.begin(intake.nudge)
            if self._is_finishing:
                intake.finish()
            if self._is_stopping:
                intake.stop()
            async with asyncio.TaskGroup() as flights:
                self._dispatcher.begin(flights, intake.freed)
                beside = [
                    flights.create_task(self._strays.run(), name="strays"),
                    flights.create_task(self._peers.run(), name="peers"),
                    flights.create_task(self._dispatcher.lanes.run(self._dispatcher.age), name="lanes"),
                ]
                await intake.run()
                await self._dispatcher.drain(self._plan.grace_s)
                for task in beside:
                    task.cancel()

    def _claim_under_way(self) -> int | None:
        return None if self._intake is None else self._intake.claim_under_way

    async def _limits_of(self, endpoint_id: EndpointId) -> Limits:
        endpoint = await self._letters.endpoint(endpoint_id)
        return NO_LIMITS if endpoint is None else limits_of(endpoint, self._plan.fifo_hold_s)

    def stop(self) -> None:
        """Take nothing new, finish what is in flight. Safe to call twice, and before ``run``."""
        self._is_stopping = True
        if self._intake is not None:
            self._intake.stop()

    def finish(self) -> None:
        """Deliver what is due by now, then stop. Safe to call twice, and before ``run``."""
        self._is_finishing = True
        if self._intake is not None:
            self._intake.finish()

    def stop_now(self) -> None:
        """Stop, and do not wait for what is in flight. Safe to call twice, and before ``run``."""
        self.stop()
        self._dispatcher.hurry()

    @property
    def in_flight(self) -> int:
        """Deliveries under way."""
        return self._dispatcher.in_flight

    @property
    def is_clean(self) -> bool:
        """Whether, after it ran, everything it took was finished."""
        return self._dispatcher.cut == 0
