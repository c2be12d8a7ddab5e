"""What group commits and the store count."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from ringback.telemetry.buckets import FAST_S, ROWS
from ringback.telemetry.labels import FEW, Labelled


class BatchMetrics:
    """How many rows share a commit, and how long that takes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Labelled(
            Histogram("ringback_batch_rows", "Rows in one commit.", ("batch",), buckets=ROWS, registry=registry), (FEW,)
        )
        self._seconds = Labelled(
            Histogram(
                "ringback_batch_commit_duration_seconds",
                "One group commit.",
                ("batch",),
                buckets=FAST_S,
                registry=registry,
            ),
            (FEW,),
        )

    def on_batch(self, batch: str, rows: int, seconds: float) -> None:
        """So many rows were committed together; ``batch`` is ``accept``, ``claim``, ``finish`` or ``attempt``."""
        self._rows.of(batch).observe(rows)
        self._seconds.of(batch).observe(seconds)

    def observer(self, batch: str) -> Callable[[int, float], None]:
        """What a ``Batcher`` of that name is given as ``observe``."""
        return lambda rows, seconds: self.on_batch(batch, rows, seconds)


class StoreMetrics:
    """How long the store takes, and how often it fails."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Labelled(
            Histogram(
                "ringback_store_operation_seconds",
                "One call of the store.",
                ("operation",),
                buckets=FAST_S,
                registry=registry,
            ),
            (FEW,),
        )
        self._errors = Labelled(
            Counter(
                "ringback_store_errors", "Calls of the store that failed.", ("operation", "error"), registry=registry
            ),
            (FEW, FEW),
        )

    def on_operation(self, operation: str, seconds: float, error: str | None) -> None:
        """A call ended after so long; ``error`` is the class of what came out of it, absent when all went well."""
        self._seconds.of(operation).observe(seconds)
        if error is not None:
            self._errors.of(operation, error).inc()
