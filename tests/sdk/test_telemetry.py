"""Metrics and logs."""

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from ringback.telemetry import logs
from ringback.telemetry.labels import OTHER
from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.observed import observed
from ringback_schemas.deliveries import (
    ClaimedDelivery,
    DeliveryAttempt,
    DeliveryKind,
    DeliveryOutcome,
    DeliveryRecord,
    Timing,
    Verdict,
)
from ringback_schemas.ids import (
    DEFAULT_TENANT,
    InstanceId,
    new_delivery_id,
    new_event_id,
    new_instance_id,
    new_job_id,
)
from ringback_schemas.jobs import ClaimedJob, JobRecord
from ringback_schemas.states import DeliveryState, JobState
from ringback_schemas.tallies import QueueTally, Tallies

ACCEPTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of a process that counted nothing yet."""
    return Metrics(role="serve", version="1.2.3", store="sqlite", broker="embedded")


async def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """What a scraper reads."""
    text, _ = await metrics.render()
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def a_job(queue: str = "default") -> JobRecord:
    """A job that was claimed two seconds after it was accepted."""
    return JobRecord(
        id=new_job_id(),
        tenant_id=DEFAULT_TENANT,
        type="demo.echo",
        queue=queue,
        priority=0,
        state=JobState.RUNNING,
        attempt=1,
        uncharged=0,
        losses=0,
        max_attempts=3,
        timeout_s=60,
        created_at=ACCEPTED_AT,
        run_at=ACCEPTED_AT,
        expires_at=None,
        started_at=ACCEPTED_AT + timedelta(seconds=2),
        finished_at=None,
        owner=new_instance_id(),
        is_cancel_requested=False,
        callback_url=None,
        callback_events=(),
        tags=(),
    )


def a_delivery(owner: InstanceId) -> ClaimedDelivery:
    """A delivery of an event that happened three seconds after the job was accepted."""
    record = DeliveryRecord(
        id=new_delivery_id(),
        tenant_id=DEFAULT_TENANT,
        event_id=new_event_id(),
        event_type="job.succeeded",
        job_id=new_job_id(),
        kind=DeliveryKind.CALLBACK,
        endpoint_id=None,
        url="https://app.example/hook",
        lane="https://app.example:443",
        state=DeliveryState.SENDING,
        attempt=1,
        tries=0,
        created_at=ACCEPTED_AT + timedelta(seconds=3),
        next_attempt_at=None,
        finished_at=None,
        owner=owner,
    )
    return ClaimedDelivery(record, b"{}", ACCEPTED_AT)


def an_outcome(claimed: ClaimedDelivery, owner: InstanceId) -> DeliveryOutcome:
    """It arrived five seconds after the job was accepted."""
    attempt = DeliveryAttempt(
        attempt=1,
        started_at=ACCEPTED_AT + timedelta(seconds=4),
        timing=Timing(total_s=1.0, first_byte_s=0.5),
        verdict=Verdict.DELIVERED,
        reason="200",
        status=200,
    )
    return DeliveryOutcome(claimed.delivery.id, owner, attempt, DeliveryState.DELIVERED)


async def test_metrics_count_the_way_of_a_job(metrics: Metrics) -> None:
    """Claimed, waited, finished."""
    metrics.worker.on_claimed([ClaimedJob(a_job(), b"{}")], "broker")
    metrics.worker.on_attempt(a_job(), "succeeded", 0.25)

    assert await value(metrics, "ringback_claims_total", work="job", source="broker") == 1
    assert await value(metrics, "ringback_job_wait_seconds_sum", queue="default") == 2.0
    assert await value(metrics, "ringback_job_run_seconds_sum", task="demo.echo") == 0.25
    assert await value(metrics, "ringback_job_attempts_total", task="demo.echo", outcome="ok") == 1
    assert await value(metrics, "ringback_jobs_finished_total", task="demo.echo", state="succeeded") == 1


async def test_metrics_count_fenced_results(metrics: Metrics) -> None:
    """A late result is no finished job."""
    metrics.worker.on_attempt(a_job(), "fenced", 0.25)

    assert await value(metrics, "ringback_results_fenced_total") == 1
    assert await value(metrics, "ringback_jobs_finished_total", task="demo.echo", state="fenced") is None


async def test_metrics_measure_the_promise(metrics: Metrics) -> None:
    """From the acceptance of the job to the end of the POST that delivered its webhook."""
    owner = new_instance_id()
    claimed = a_delivery(owner)

    metrics.notifier.on_attempt(claimed, an_outcome(claimed, owner), is_recorded=True)

    assert await value(metrics, "ringback_roundtrip_seconds_sum", kind="callback") == 5.0
    assert await value(metrics, "ringback_delivery_first_attempt_delay_seconds_sum", kind="callback") == 1.0
    assert await value(metrics, "ringback_delivery_attempts_total", kind="callback", verdict="delivered") == 1
    assert await value(metrics, "ringback_deliveries_finished_total", kind="callback", state="delivered") == 1


async def test_metrics_leave_out_fenced_delivery_attempts(metrics: Metrics) -> None:
    """What was not recorded counts as fenced and as nothing else."""
    owner = new_instance_id()
    claimed = a_delivery(owner)

    metrics.notifier.on_attempt(claimed, an_outcome(claimed, owner), is_recorded=False)

    assert await value(metrics, "ringback_delivery_attempts_fenced_total") == 1
    assert await value(metrics, "ringback_delivery_attempts_total", kind="callback", verdict="delivered") == 0


async def test_metrics_bound_what_clients_can_name(metrics: Metrics) -> None:
    """A client that invents queues fills neither our memory nor that of every scraper."""
    for number in range(100):
        metrics.api.on_accepted("demo.echo", f"queue-{number}")

    assert await value(metrics, "ringback_jobs_accepted_total", task="demo.echo", queue="queue-0") == 1
    assert await value(metrics, "ringback_jobs_accepted_total", task="demo.echo", queue=OTHER) == 50


async def test_metrics_show_what_waits_until_it_is_gone(metrics: Metrics) -> None:
    """A queue that became empty goes to zero instead of keeping its last value."""
    metrics.samples.on_tally(Tallies((QueueTally("mail", 7, 2, 30.5),), 3, 1.5), 0.01)
    before = await value(metrics, "ringback_queue_jobs", queue="mail", state="ready")

    metrics.samples.on_tally(Tallies((), 0, 0.0), 0.01)

    assert before == 7
    assert await value(metrics, "ringback_queue_jobs", queue="mail", state="ready") == 0
    assert await value(metrics, "ringback_queue_oldest_ready_age_seconds", queue="mail") == 0


async def test_metrics_of_two_processes_do_not_meet(metrics: Metrics) -> None:
    """There is no global registry: a second service in one program counts for itself."""
    Metrics(role="api", version="1", store="sqlite", broker="embedded").api.on_replayed("same")

    assert await value(metrics, "ringback_idempotent_replays_total", result="same") == 0


class _Failing:
    async def ping(self) -> str:
        raise StoreUnavailable("ping", "away")


async def test_observed_store_counts_failures_by_class(metrics: Metrics) -> None:
    """Who watches sees which call of the store fails, and how."""
    store: Any = observed(_Failing(), metrics.store)  # type: ignore[arg-type]  # one method is enough

    with pytest.raises(StoreUnavailable):
        await store.ping()

    assert await value(metrics, "ringback_store_errors_total", operation="ping", error="StoreUnavailable") == 1


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where log lines go; logging is as before after that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_logs_are_json_lines(stream: io.StringIO) -> None:
    """Time, level, event and logger are always there."""
    logs.configure("info", "json", stream=stream)

    structlog.get_logger("a.b").info("something", job_id="job_x", duration_s=0.5)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"], line["job_id"]) == ("something", "info", "a.b", "job_x")
    assert datetime.fromisoformat(line["at"]).tzinfo is not None


def test_logs_of_the_standard_library_come_along(stream: io.StringIO) -> None:
    """What libraries say has the same form."""
    logs.configure("info", "json", stream=stream)

    logging.getLogger("some.library").warning("hi %s", 3)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("hi 3", "warning", "some.library")


def test_logs_keep_below_the_level_to_themselves(stream: io.StringIO) -> None:
    """At `warning` the lines per attempt are not even made."""
    logs.configure("warning", "json", stream=stream)

    structlog.get_logger("a").info("unheard")

    assert stream.getvalue() == ""


def test_logs_count_by_level(stream: io.StringIO) -> None:
    """A counter beside every logged failure."""
    levels: list[str] = []
    logs.configure("info", "json", stream=stream, count=levels.append)

    structlog.get_logger("a").error("bad")
    logging.getLogger("b").warning("odd")

    assert levels == ["error", "warning"]


def test_logs_survive_a_closed_stream(stream: io.StringIO) -> None:
    """Nothing fails because of its log."""
    logs.configure("info", "json", stream=stream)
    stream.close()

    structlog.get_logger("a").info("lost")


def test_metrics_page_has_every_metric_with_its_type(metrics: Metrics) -> None:
    """Dashboards are written from the page."""
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))

    real = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in metrics.registry.collect()
        if family.name.startswith("ringback_")
    }

    assert told == real
