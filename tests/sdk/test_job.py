"""What a task sees of its job."""

from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from ringback.egress import EgressPolicy, UrlRefused
from ringback.job import LONGEST_MESSAGE, Job, Reporter, Resources


def make_job(reporter: Reporter | None = None, resources: Resources | None = None) -> Job:
    """A job."""
    return Job(
        id="job_x",
        type="some.task",
        attempt=1,
        max_attempts=3,
        created_at=datetime.now(UTC),
        reporter=reporter,
        resources=resources,
    )


@pytest.mark.parametrize(("given", "told"), [(0.5, 0.5), (-1, 0.0), (2, 1.0), (None, None), (float("nan"), None)])
async def test_progress_brings_fractions_into_range(given: float | None, told: float | None) -> None:
    """A slip in progress is no reason to fail a job."""
    notes: list[tuple[float | None, str | None]] = []

    await make_job(lambda fraction, message: notes.append((fraction, message))).progress(given, "x")

    assert notes == [(told, "x")]


def test_progress_cuts_long_messages() -> None:
    """Progress is a line, not a log."""
    notes: list[str | None] = []

    make_job(lambda _, message: notes.append(message)).progress_nowait(None, "x" * 10_000)

    assert notes == ["x" * LONGEST_MESSAGE]


async def test_progress_goes_nowhere_without_a_reporter() -> None:
    """A task can be tested with a bare job."""
    await make_job().progress(0.1)


def test_is_cancelled_follows_cancel() -> None:
    """The worker raises the flag, the task sees it."""
    job = make_job()
    before = job.is_cancelled

    job.cancel()

    assert (before, job.is_cancelled) == (False, True)


def test_resources_are_the_strictest_when_none_are_lent() -> None:
    """A job made by hand, or in a process of the pool, cannot reach inner networks."""
    with pytest.raises(UrlRefused):
        make_job().resources.egress.check_url("http://127.0.0.1/")


def test_resources_are_those_that_the_worker_lends() -> None:
    """What an operator opened is open to tasks."""
    policy = EgressPolicy([ip_network("127.0.0.0/8")])

    assert make_job(resources=Resources(policy)).resources.egress is policy
