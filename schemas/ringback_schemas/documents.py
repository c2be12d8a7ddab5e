"""The job resource: one shape for the API's answers and the ``data`` of webhooks.

``ringback_schemas.http.JobBody`` describes it for OpenAPI and parses it in the client; a test keeps the two alike.
"""

from datetime import UTC, datetime
from typing import Any

import orjson

from ringback_schemas.job_errors import public_error
from ringback_schemas.jobs import JobRecord, Progress

INLINE_RESULT_BYTES = 16_384
"""Greatest result that is shown inside the job; a greater one is behind ``links.result`` (Standard Webhooks: keep a
payload under 20 kB)."""


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with a ``Z``: ``2026-11-21T07:00:00.123456Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _optional(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def job_links(public_url: str, job_id: str) -> dict[str, str]:
    """Absolute links of a job: self, result, deliveries, cancel."""
    own = f"{public_url}/v1/jobs/{job_id}"
    return {"self": own, "result": f"{own}/result", "deliveries": f"{own}/deliveries", "cancel": f"{own}/cancel"}


def job_document(
    job: JobRecord,
    public_url: str,
    *,
    result: bytes | None = None,
    error: bytes | None = None,
    progress: Progress | None = None,
    waiting_reason: str | None = None,
) -> dict[str, Any]:
    """The job as a JSON document for ``orjson.dumps``; a result that fits is embedded as the very bytes stored.

    ``public_url`` has no slash at its end.
    """
    document: dict[str, Any] = {
        "id": job.id,
        "type": job.type,
        "state": job.state.value,
        "done": job.is_done,
        "queue": job.queue,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "timeout_s": job.timeout_s,
        "created_at": timestamp(job.created_at),
        "run_at": timestamp(job.run_at),
        "expires_at": _optional(job.expires_at),
        "started_at": _optional(job.started_at),
        "finished_at": _optional(job.finished_at),
        "cancelling": job.is_cancel_requested and not job.is_done,
        "waiting_reason": waiting_reason,
        "callback_url": job.callback_url,
        "callback_events": list(job.callback_events),
        "tags": list(job.tags),
        "progress": None,
        "result": None,
        "result_inline": False,
        "error": None,
        "links": job_links(public_url, job.id),
    }
    if progress is not None:
        document["progress"] = {
            "fraction": progress.fraction,
            "message": progress.message,
            "updated_at": timestamp(progress.updated_at),
        }
    if result is not None and len(result) <= INLINE_RESULT_BYTES:
        document["result"] = orjson.Fragment(result)
        document["result_inline"] = True
    if error is not None:
        document["error"] = public_error(error)
    return document


def event_body(event_type: str, happened_at: datetime, data: dict[str, Any]) -> bytes:
    """The bytes of a webhook: ``{"type", "timestamp", "data"}`` (Standard Webhooks 1.0, payload structure)."""
    return orjson.dumps({"type": event_type, "timestamp": timestamp(happened_at), "data": data})
