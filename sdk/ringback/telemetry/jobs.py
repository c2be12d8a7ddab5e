"""What workers and rescuers count."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ringback.telemetry.batches import BatchMetrics
from ringback.telemetry.buckets import ROAD_S
from ringback.telemetry.claims import ClaimCounter
from ringback.telemetry.labels import FEW, MOST_QUEUES, MOST_TASKS, Labelled
from ringback_schemas.jobs import ClaimedJob, JobRecord
from ringback_schemas.states import JOB_DONE

ATTEMPT_OUTCOMES = {"succeeded": "ok", "retrying": "retry"}
"""Job states by the words that the metric has for attempts; all others are their own."""

FENCED = "fenced"


class WorkerMetrics:
    """Jobs from the claim to their end."""

    def __init__(self, registry: CollectorRegistry, claims: ClaimCounter, batches: BatchMetrics) -> None:
        self._claims = claims
        self._batches = batches
        self._wait = Labelled(
            Histogram("ringback_job_wait_seconds", "run_at → claimed.", ("queue",), buckets=ROAD_S, registry=registry),
            (MOST_QUEUES,),
        )
        self._run = Labelled(
            Histogram("ringback_job_run_seconds", "One attempt.", ("task",), buckets=ROAD_S, registry=registry),
            (MOST_TASKS,),
        )
        self._turnaround = Labelled(
            Histogram(
                "ringback_job_turnaround_seconds",
                "Accepted → finished.",
                ("queue",),
                buckets=ROAD_S,
                registry=registry,
            ),
            (MOST_QUEUES,),
        )
        self._attempts = Labelled(
            Counter("ringback_job_attempts", "Attempts that ended.", ("task", "outcome"), registry=registry),
            (MOST_TASKS, FEW),
        )
        self._finished = Labelled(
            Counter(
                "ringback_jobs_finished", "Jobs that reached their end here.", ("task", "state"), registry=registry
            ),
            (MOST_TASKS, FEW),
        )
        self._fenced = Counter("ringback_results_fenced", "Late results that were not recorded.", registry=registry)
        self._busy = Gauge("ringback_slots_busy", "Slots taken by jobs.", registry=registry)
        self._abandoned = Gauge(
            "ringback_slots_abandoned", "Slots held by attempts that ignore being stopped.", registry=registry
        )
        self._blocked = Counter(
            "ringback_event_loop_blocked_seconds", "Time in which tasks kept the loop from turning.", registry=registry
        )

    def on_claimed(self, jobs: Sequence[ClaimedJob], source: str) -> None:
        """These jobs were claimed; ``source`` is ``broker`` or ``poll``."""
        self._claims.add("job", source, len(jobs))
        for claimed in jobs:
            job = claimed.job
            if job.started_at is not None:
                self._wait.of(job.queue).observe(max(0.0, (job.started_at - job.run_at).total_seconds()))

    def on_attempt(self, job: JobRecord, outcome: str, duration_s: float) -> None:
        """An attempt is over: a job state, ``released``, ``fenced`` or ``unsaved``; ``job`` as it was claimed."""
        self._attempts.of(job.type, ATTEMPT_OUTCOMES.get(outcome, outcome)).inc()
        self._run.of(job.type).observe(duration_s)
        if outcome in JOB_DONE:
            self._finished.of(job.type, outcome).inc()
            age_s = (datetime.now(UTC) - job.created_at).total_seconds()
            self._turnaround.of(job.queue).observe(max(0.0, age_s))
        elif outcome == FENCED:
            self._fenced.inc()

    def on_slots(self, running: int, abandoned: int) -> None:
        """So many slots are taken, and so many of these by attempts that would not end."""
        self._busy.set(running)
        self._abandoned.set(abandoned)

    def on_loop_blocked(self, seconds: float) -> None:
        """The event loop did not turn for so long."""
        self._blocked.inc(seconds)

    def on_outcomes_recorded(self, rows: int, seconds: float) -> None:
        """So many outcomes were committed together; that took so long."""
        self._batches.on_batch("finish", rows, seconds)


class RescueMetrics:
    """What was taken from the dead."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._jobs = Counter("ringback_jobs_rescued", "Jobs taken from dead processes.", registry=registry)
        self._deliveries = Counter(
            "ringback_deliveries_rescued", "Deliveries taken from dead processes.", registry=registry
        )
        self._poisoned = Counter(
            "ringback_jobs_poisoned", "Jobs that failed because they killed too many workers.", registry=registry
        )

    def on_rescued(self, jobs: int, deliveries: int, poisonous: int) -> None:
        """So much was taken from the dead."""
        self._jobs.inc(jobs)
        self._deliveries.inc(deliveries)
        self._poisoned.inc(poisonous)
