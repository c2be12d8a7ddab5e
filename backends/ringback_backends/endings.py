"""How a job ends: from the job and what came out of it to everything that the store records in one transaction.

Workers (succeeded, failed, cancelled), the sweeper (expired), the rescuer (poison) and the front end (cancelled while
it waits) all come through here, so an event looks the same whoever ended the job. Nothing here does I/O.
"""

from datetime import datetime
from functools import lru_cache

from ringback.egress import UrlRefused, destination_of
from ringback_schemas.deliveries import DeliveryKind, NewDelivery
from ringback_schemas.documents import event_body, job_document, timestamp
from ringback_schemas.events import EVENT_TYPES, NewEvent
from ringback_schemas.ids import new_delivery_id, new_event_id
from ringback_schemas.job_errors import JobError, JobErrorCode
from ringback_schemas.jobs import JobOutcome, JobRecord
from ringback_schemas.states import JobState


def end_job(
    job: JobRecord,
    state: JobState,
    *,
    result: bytes | None = None,
    error: bytes | None = None,
    now: datetime,
    public_url: str,
) -> JobOutcome:
    """The outcome that ends this job, with its event and the delivery to its callback, if it wants one.

    The outcome is fenced by the owner and attempt of ``job``. A job that is cancelled or expires without an ``error``
    gets the standard one.

    Args:
        job: As it was last read: running, or waiting without an owner.
        state: The terminal state.
        result: JSON; only of a job that succeeded.
        error: A ``JobError`` as bytes; of any other.
        now: When it ended: ``finished_at`` and ``timestamp`` in the event.
        public_url: Base of the links, without a slash at its end.

    Raises:
        KeyError: ``state`` is not terminal.
    """
    event_type = EVENT_TYPES[state]
    error = error if error is not None else _standard_error(job, state)
    document = job_document(job, public_url, result=result, error=error)
    # over the document: to copy the record first, frozen and with slots as it is, costs as much as all the rest here
    document.update(state=state.value, done=True, finished_at=timestamp(now), cancelling=False)
    event = NewEvent(
        id=new_event_id(),
        tenant_id=job.tenant_id,
        job_id=job.id,
        type=event_type,
        body=event_body(event_type, now, document),
        deliveries=_callback(job, event_type),
    )
    return JobOutcome(
        job_id=job.id, attempt=job.attempt, owner=job.owner, state=state, result=result, error=error, event=event
    )


UNREADABLE = "unreadable:"
"""The destination of a URL that cannot be read."""


# many jobs have one receiver, and to take its URL apart costs more than to write the event
@lru_cache(maxsize=4_096)
def _destination_of(url: str) -> str:
    """Where it leads to.

    A URL was read before its job was accepted, so one that cannot be read now was spoilt since, or another version was
    less strict. The job ends all the same: its delivery is made, and the sender says of each attempt what is wrong.
    """
    try:
        return destination_of(url)
    except UrlRefused:
        return UNREADABLE


def _callback(job: JobRecord, event_type: str) -> tuple[NewDelivery, ...]:
    """The delivery to the job's own callback; none when it has no URL, or did not ask for this event."""
    if job.callback_url is None or (job.callback_events and event_type not in job.callback_events):
        return ()
    return (
        NewDelivery(
            id=new_delivery_id(),
            kind=DeliveryKind.CALLBACK,
            url=job.callback_url,
            destination=_destination_of(job.callback_url),
        ),
    )


def _standard_error(job: JobRecord, state: JobState) -> bytes | None:
    if state is JobState.CANCELLED:
        when = "while it ran" if job.owner is not None else "before it ran"
        return JobError(JobErrorCode.CANCELLED, f"the job was cancelled {when}").to_bytes()
    if state is JobState.EXPIRED:
        return JobError(JobErrorCode.EXPIRED, "the job was still waiting when its expires_at passed").to_bytes()
    return None
