"""One job or one delivery, for people."""

from datetime import datetime

import typer

from ringback.cli.asking import describe
from ringback.cli.output import ago, print_fields, print_table, print_value
from ringback_schemas.http import DeliveryBody, JobBody


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


def _when(moment: datetime) -> str:
    return f"{moment.isoformat(sep=' ', timespec='seconds')} ({ago(moment)})"
