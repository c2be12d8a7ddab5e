"""How a job ends, whatever was stored of it."""

from dataclasses import replace
from datetime import UTC, datetime

from ringback_backends.endings import UNREADABLE, end_job
from ringback_schemas.ids import DEFAULT_TENANT, new_job_id
from ringback_schemas.jobs import JobRecord
from ringback_schemas.states import JobState

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
JOB = JobRecord(
    *(new_job_id(), DEFAULT_TENANT, "some.task", "default", 0, JobState.QUEUED, 0, 0, 0, 3, 60.0, NOW, NOW),
    *(None, None, None, None, False, "https://app.example/hook", (), ()),
)


def test_delivery_goes_to_the_callback() -> None:
    """With the destination that lanes go by."""
    outcome = end_job(JOB, JobState.EXPIRED, now=NOW, public_url="https://ringback.test")

    assert outcome.event is not None
    (delivery,) = outcome.event.deliveries
    assert (delivery.url, delivery.destination) == (JOB.callback_url, "https://app.example:443")


def test_callback_that_cannot_be_read_does_not_keep_a_job_from_ending() -> None:
    """Its delivery is made all the same: the attempts at it say what is wrong."""
    spoilt = replace(JOB, callback_url="ht!tp://[::")

    outcome = end_job(spoilt, JobState.EXPIRED, now=NOW, public_url="https://ringback.test")

    assert outcome.event is not None
    (delivery,) = outcome.event.deliveries
    assert (delivery.url, delivery.destination) == ("ht!tp://[::", UNREADABLE)
