"""Claims, of jobs and of deliveries: how much came by envelope, how much by polling."""

from prometheus_client import CollectorRegistry, Counter

from ringback.telemetry.labels import FEW, Labelled


class ClaimCounter:
    """Counts claims; a growing share of ``poll`` tells that envelopes get lost."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._claims = Labelled(
            Counter("ringback_claims", "Jobs and deliveries claimed.", ("work", "source"), registry=registry),
            (FEW, FEW),
            known=[
                ("delivery", "lane"),
                *((work, source) for work in ("job", "delivery") for source in ("broker", "poll")),
            ],
        )

    def add(self, work: str, source: str, count: int) -> None:
        """So many were claimed."""
        self._claims.of(work, source).inc(count)
