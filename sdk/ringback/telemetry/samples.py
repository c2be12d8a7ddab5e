"""Gauges that are sampled from the store: the same in every process that samples, so use ``max by``, never ``sum``."""

import time

from prometheus_client import CollectorRegistry, Gauge

from ringback.telemetry.labels import MOST_QUEUES, OTHER
from ringback_schemas.tallies import Tallies


class SampleMetrics:
    """What waits, and for how long."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._jobs = Gauge(
            "ringback_queue_jobs", "Jobs by queue, counted up to 10,000.", ("queue", "state"), registry=registry
        )
        self._age = Gauge(
            "ringback_queue_oldest_ready_age_seconds",
            "How long the oldest job waits that could start; 0 without one.",
            ("queue",),
            registry=registry,
        )
        self._deliveries = Gauge(
            "ringback_deliveries", "Deliveries, counted up to 10,000.", ("state",), registry=registry
        )
        self._due_age = Gauge(
            "ringback_delivery_oldest_due_age_seconds",
            "How late we are with the oldest delivery that is due; 0 without one.",
            registry=registry,
        )
        self._sampled_at = Gauge(
            "ringback_store_sample_timestamp_seconds", "When the gauges above were true.", registry=registry
        )
        self._duration = Gauge(
            "ringback_store_sample_duration_seconds", "How long the newest sample took.", registry=registry
        )
        self._queues: set[str] = set()

    def on_tally(self, tallies: Tallies, seconds: float) -> None:
        """This is in the store now. A queue that became empty stays, at zero."""
        shown = {tally.queue: tally for tally in tallies.queues[:MOST_QUEUES]}
        self._queues |= shown.keys() if len(self._queues) < MOST_QUEUES else set()
        for queue in self._queues:
            tally = shown.get(queue)
            self._jobs.labels(queue, "ready").set(tally.ready if tally else 0)
            self._jobs.labels(queue, "running").set(tally.running if tally else 0)
            self._age.labels(queue).set(tally.oldest_ready_age_s if tally else 0)
        self._show_others(tallies)
        self._deliveries.labels("due").set(tallies.deliveries_due)
        self._due_age.set(tallies.oldest_due_age_s)
        self._sampled_at.set(time.time())
        self._duration.set(seconds)

    def _show_others(self, tallies: Tallies) -> None:
        others = [tally for tally in tallies.queues if tally.queue not in self._queues]
        if not others:
            return
        self._jobs.labels(OTHER, "ready").set(sum(tally.ready for tally in others))
        self._jobs.labels(OTHER, "running").set(sum(tally.running for tally in others))
        self._age.labels(OTHER).set(max(tally.oldest_ready_age_s for tally in others))
