"""What the front end counts."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from ringback.telemetry.buckets import FAST_S
from ringback.telemetry.labels import FEW, MOST_QUEUES, MOST_TASKS, Labelled


class ApiMetrics:
    """Requests, and what became of those for jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Labelled(
            Counter(
                "ringback_http_requests",
                "Requests answered; probes and metrics are not counted.",
                ("route", "method", "code"),
                registry=registry,
            ),
            (FEW, FEW, FEW),
        )
        self._durations = Labelled(
            Histogram(
                "ringback_http_request_duration_seconds",
                "From the request's headers to the answer.",
                ("route",),
                buckets=FAST_S,
                registry=registry,
            ),
            (FEW,),
        )
        self._accepted = Labelled(
            Counter(
                "ringback_jobs_accepted",
                "Jobs committed; replays of an idempotency key are not counted.",
                ("task", "queue"),
                registry=registry,
            ),
            (MOST_TASKS, MOST_QUEUES),
        )
        self._rejected = Labelled(
            Counter("ringback_jobs_rejected", "Requests for jobs refused, by problem.", ("reason",), registry=registry),
            (FEW,),
        )
        self._replays = Labelled(
            Counter("ringback_idempotent_replays", "Idempotency keys that came again.", ("result",), registry=registry),
            (FEW,),
            known=[("same",), ("conflict",)],
        )

    def on_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is the template of its path."""
        self._requests.of(route, method, str(status)).inc()
        self._durations.of(route).observe(seconds)

    def on_accepted(self, task: str, queue: str) -> None:
        """A job was committed."""
        self._accepted.of(task, queue).inc()

    def on_rejected(self, reason: str) -> None:
        """A request for a job was refused, with that problem code."""
        self._rejected.of(reason).inc()

    def on_replayed(self, result: str) -> None:
        """An idempotency key came again: ``same`` request, or ``conflict``."""
        self._replays.of(result).inc()
