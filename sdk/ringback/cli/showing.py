"""One job, one delivery or one endpoint, for people."""

from datetime import datetime

import typer

from ringback.cli.asking import describe
from ringback.cli.output import ago, print_fields, print_table, print_value
from ringback_schemas.http import DeliveryBody, EndpointBody, JobBody


def show_job(job: JobBody) -> None:
    """Its fields, then the result or the error."""
    print_fields(
        [
            ("id", job.id),
            ("type", job.type),
            ("state", describe(job)),
            ("queue", job.queue),
            ("attempt", f"{job.attempt} of {job.max_attempts}"),
            ("accepted", _when(job.created_at)),
            ("runs", _when(job.run_at) if not job.done and job.run_at > job.created_at else None),
            ("finished", None if job.finished_at is None else _when(job.finished_at)),
            ("callback", job.callback_url),
            ("tags", ", ".join(job.tags) or None),
            ("error", None if job.error is None else f"{job.error.code}: {job.error.message}"),
        ]
    )
    if job.result_inline:
        typer.echo()
        print_value(job.result)
    elif job.state == "succeeded":
        typer.echo(f"\nThe result is large: ringback jobs result {job.id}")


def show_delivery(delivery: DeliveryBody) -> None:
    """Its fields, then its attempts."""
    print_fields(
        [
            ("id", delivery.id),
            ("event", f"{delivery.event_type} ({delivery.event_id})"),
            ("job", delivery.job_id),
            ("url", delivery.url),
            ("state", str(delivery.state)),
            ("next try", None if delivery.next_attempt_at is None else ago(delivery.next_attempt_at)),
        ]
    )
    rows = [
        (str(one.attempt), ago(one.started_at), f"{one.duration.total_s * 1000:.0f} ms", str(one.verdict), one.reason)
        for one in delivery.attempts or ()
    ]
    print_table(("#", "WHEN", "TOOK", "VERDICT", "REASON"), rows, empty="not tried yet")


def show_endpoint(endpoint: EndpointBody) -> None:
    """What it is, what it wants, and how it goes."""
    rate, in_flight, timeout_s = endpoint.rate_limit_per_s, endpoint.max_in_flight, endpoint.timeout_s
    print_fields(
        [
            ("id", endpoint.id),
            ("url", endpoint.url),
            ("state", "enabled" if endpoint.enabled else f"disabled: {endpoint.disabled_reason}"),
            ("events", " ".join(endpoint.events) or "*"),
            ("description", endpoint.description or None),
            ("headers", _headers(endpoint)),
            ("limits", None if rate is None else f"{rate:g} a second"),
            ("in flight", None if in_flight is None else f"at most {in_flight}"),
            ("timeout", None if timeout_s is None else f"{timeout_s:g} s"),
            ("body", str(endpoint.body_format)),
            ("signing", str(endpoint.signing)),
            ("order", "one at a time, in order" if endpoint.is_fifo else None),
            ("consent", str(endpoint.consent) if endpoint.needs_consent else None),
            ("failures", f"{endpoint.failures_in_row} in a row" if endpoint.failures_in_row else None),
            ("success", None if endpoint.last_success_at is None else ago(endpoint.last_success_at)),
            ("made", _when(endpoint.created_at)),
        ]
    )


def _headers(endpoint: EndpointBody) -> str | None:
    if endpoint.has_unreadable_headers:
        return "cannot be decrypted: nothing is sent"
    return " ".join(f"{name}={value}" for name, value in endpoint.headers.items()) or None


def _when(moment: datetime) -> str:
    return f"{moment.isoformat(sep=' ', timespec='seconds')} ({ago(moment)})"
