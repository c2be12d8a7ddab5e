"""What goes to and comes from the broker."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ringback.telemetry.buckets import FAST_S
from ringback.telemetry.labels import FEW, Labelled

PUBLISH_RESULTS = ("confirmed", "returned", "refused", "timeout", "blocked", "away")


class BrokerMetrics:
    """The connection and its traffic."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connected = Gauge("ringback_broker_connected", "1 while the broker is there.", registry=registry)
        self._blocked = Gauge("ringback_broker_blocked", "1 while it takes no publishes.", registry=registry)
        self._publishes = Labelled(
            Counter("ringback_broker_publishes", "Envelopes published, by result.", ("result",), registry=registry),
            (FEW,),
            known=[(result,) for result in PUBLISH_RESULTS],
        )
        self._confirms = Histogram(
            "ringback_broker_confirm_seconds", "Publish → confirmed.", buckets=FAST_S, registry=registry
        )
        self._reconnects = Labelled(
            Counter("ringback_broker_reconnects", "Connections made anew.", ("role",), registry=registry),
            (FEW,),
            known=[("publishing",), ("consuming",)],
        )
        self._envelopes = Labelled(
            Counter("ringback_envelopes", "Envelopes received that were special.", ("result",), registry=registry),
            (FEW,),
            known=[("parked",)],
        )
        self._announced = Labelled(
            Counter(
                "ringback_announced_ids",
                "Ids told to consumers; polling finds the dropped.",
                ("result",),
                registry=registry,
            ),
            (FEW,),
            known=[("published",), ("dropped",)],
        )

    def watch(self, is_connected: Callable[[], bool], is_blocked: Callable[[], bool]) -> None:
        """Ask the broker's status at each scrape."""
        self._connected.set_function(is_connected)
        self._blocked.set_function(is_blocked)

    def on_publish(self, result: str, seconds: float) -> None:
        """A publish ended after so long."""
        self._publishes.of(result).inc()
        if result == "confirmed":
            self._confirms.observe(seconds)

    def on_parked(self) -> None:
        """A message that nobody can read was put aside."""
        self._envelopes.of("parked").inc()

    def on_reconnect(self, role: str) -> None:
        """The connection for ``publishing`` or ``consuming`` is there again after it was lost."""
        self._reconnects.of(role).inc()

    def on_announced(self, ids: int) -> None:
        """So many ids were published and confirmed."""
        self._announced.of("published").inc(ids)

    def on_dropped(self, ids: int) -> None:
        """So many were not: polling will find them."""
        self._announced.of("dropped").inc(ids)
