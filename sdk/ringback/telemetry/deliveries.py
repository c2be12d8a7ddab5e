"""What notifiers count."""

from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ringback.telemetry.batches import BatchMetrics
from ringback.telemetry.buckets import FAST_S, ROAD_S
from ringback.telemetry.claims import ClaimCounter
from ringback.telemetry.labels import FEW, Labelled
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryAttempt, DeliveryKind, DeliveryOutcome, Verdict
from ringback_schemas.lanes import Circuit
from ringback_schemas.states import DELIVERY_DONE, DeliveryState

_KINDS = [kind.value for kind in DeliveryKind]


class NotifierMetrics:
    """Deliveries from the claim to their end."""

    def __init__(self, registry: CollectorRegistry, claims: ClaimCounter, batches: BatchMetrics) -> None:
        self._claims = claims
        self._batches = batches
        self._attempts = Labelled(
            Counter("ringback_delivery_attempts", "Webhooks sent, or tried.", ("kind", "verdict"), registry=registry),
            (FEW, FEW),
            known=[(kind, verdict.value) for kind in _KINDS for verdict in Verdict],
        )
        self._finished = Labelled(
            Counter(
                "ringback_deliveries_finished", "Deliveries that came to rest.", ("kind", "state"), registry=registry
            ),
            (FEW, FEW),
            known=[(kind, state.value) for kind in _KINDS for state in DELIVERY_DONE],
        )
        self._phases = Labelled(
            Histogram(
                "ringback_delivery_attempt_seconds",
                "Where the time of an attempt goes.",
                ("phase",),
                buckets=FAST_S,
                registry=registry,
            ),
            (FEW,),
        )
        self._first_delay = Labelled(
            Histogram(
                "ringback_delivery_first_attempt_delay_seconds",
                "Event committed → first attempt begun.",
                ("kind",),
                buckets=ROAD_S,
                registry=registry,
            ),
            (FEW,),
        )
        self._roundtrip = Labelled(
            Histogram(
                "ringback_roundtrip_seconds",
                "The promise: job accepted → webhook delivered.",
                ("kind",),
                buckets=ROAD_S,
                registry=registry,
            ),
            (FEW,),
        )
        lanes = Gauge(
            "ringback_lanes", "Destinations in memory, by the state of their circuits.", ("circuit",), registry=registry
        )
        self._lanes = {circuit: lanes.labels(circuit.value) for circuit in Circuit}
        self._fenced = Counter(
            "ringback_delivery_attempts_fenced", "Attempts that were not recorded: too late.", registry=registry
        )

    def on_lanes(self, counts: Mapping[Circuit, int]) -> None:
        """So many lanes are in memory, by the state of their circuits."""
        for circuit, count in counts.items():
            self._lanes[circuit].set(count)

    def on_deliveries_claimed(self, count: int, source: str) -> None:
        """So many were claimed; ``source`` is ``broker``, ``poll`` or ``lane``."""
        self._claims.add("delivery", source, count)

    def on_attempts_recorded(self, rows: int, seconds: float) -> None:
        """So many attempts went into one commit, which took so long."""
        self._batches.on_batch("attempt", rows, seconds)

    def on_attempt(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, *, is_recorded: bool) -> None:
        """An attempt was made; not recorded means fenced: somebody else has the delivery now."""
        if not is_recorded:
            self._fenced.inc()
            return
        delivery, attempt = claimed.delivery, outcome.attempt
        kind = delivery.kind.value
        self._attempts.of(kind, attempt.verdict.value).inc()
        self._time(attempt)
        if delivery.attempt == 1:
            delay_s = (attempt.started_at - delivery.created_at).total_seconds()
            self._first_delay.of(kind).observe(max(0.0, delay_s))
        if outcome.state in DELIVERY_DONE:
            self._finished.of(kind, outcome.state.value).inc()
        if outcome.state is DeliveryState.DELIVERED:
            arrived_at = attempt.started_at + timedelta(seconds=attempt.timing.total_s)
            road_s = (arrived_at - claimed.job_created_at).total_seconds()
            self._roundtrip.of(kind).observe(max(0.0, road_s))

    def _time(self, attempt: DeliveryAttempt) -> None:
        timing = attempt.timing
        phases = (
            ("total", timing.total_s),
            ("dns", timing.dns_s),
            ("connect", timing.connect_s),
            ("tls", timing.tls_s),
            ("first_byte", timing.first_byte_s),
        )
        for phase, seconds in phases:
            if seconds is not None:
                self._phases.of(phase).observe(seconds)
