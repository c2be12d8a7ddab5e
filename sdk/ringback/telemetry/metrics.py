"""All metrics of a process, over a registry of its own: no global state, so two of them can live in one process.

docs/metrics.md lists them. Each part implements the observer that the component beside it declares.
"""

import asyncio
import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from ringback.telemetry.api import ApiMetrics
from ringback.telemetry.batches import BatchMetrics, StoreMetrics
from ringback.telemetry.broker import BrokerMetrics
from ringback.telemetry.claims import ClaimCounter
from ringback.telemetry.deliveries import NotifierMetrics
from ringback.telemetry.jobs import RescueMetrics, WorkerMetrics
from ringback.telemetry.labels import FEW, Labelled
from ringback.telemetry.samples import SampleMetrics

LEVELS = ("warning", "error", "critical")


class Metrics:
    """What a process counts; hand out the parts to the components."""

    def __init__(self, *, role: str, version: str, store: str, broker: str) -> None:
        """``store`` and ``broker`` name the kinds of back end, never an address."""
        self.registry = CollectorRegistry()
        Gauge(
            "ringback_build_info",
            "Always 1; its labels say what runs.",
            ("version", "python", "role", "store", "broker"),
            registry=self.registry,
        ).labels(version, platform.python_version(), role, store, broker).set(1)
        claims = ClaimCounter(self.registry)
        self.batches = BatchMetrics(self.registry)
        self.store = StoreMetrics(self.registry)
        self.api = ApiMetrics(self.registry)
        self.worker = WorkerMetrics(self.registry, claims, self.batches)
        self.rescues = RescueMetrics(self.registry)
        self.notifier = NotifierMetrics(self.registry, claims, self.batches)
        self.broker = BrokerMetrics(self.registry)
        self.samples = SampleMetrics(self.registry)
        self._messages = Labelled(
            Counter("ringback_log_messages", "Lines logged, from warnings up.", ("level",), registry=self.registry),
            (FEW,),
            known=[(level,) for level in LEVELS],
        )
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def on_log(self, level: str) -> None:
        """A line of that level was logged."""
        if level in LEVELS:
            self._messages.of(level).inc()

    async def render(self, accept: str = "") -> tuple[bytes, str]:
        """The text for a scraper, and its content type; ``accept`` is the scraper's header.

        In a thread: thousands of series take tens of milliseconds, in which the loop would answer nobody.
        """
        encode, content_type = choose_encoder(accept)
        return await asyncio.to_thread(encode, self.registry), content_type
