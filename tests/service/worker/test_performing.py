"""What a task may do, and what its job comes to: results and errors are data."""

import json
from typing import Any

import orjson
import pytest

from ringback_schemas.jobs import AttemptOutcome, JobDetail
from tests.service.worker.conftest import Rig
from tests.service.worker.tasks import BAD, RESULTS
from tests.waiting import eventually


def error_of(detail: JobDetail) -> dict[str, Any]:
    """The error of a job that failed."""
    assert detail.error is not None
    document: dict[str, Any] = orjson.loads(detail.error)
    return document


@pytest.mark.parametrize("task", ["good.sum", "good.thread", "good.process"])
async def test_worker_records_the_result_wherever_a_task_runs(rig: Rig, task: str) -> None:
    """On the loop, in a thread and in a process a task gets its payload and gives its result."""
    async with rig.worker():
        job_id = await rig.submit(task, {"a": 2, "b": 3})
        detail = await rig.ended(job_id, within_s=30)

    assert (detail.job.state, detail.result, detail.job.attempt) == ("succeeded", b'{"total":5}', 1)
    assert detail.error is None


@pytest.mark.parametrize("kind", ["loop", "thread", "process"])
async def test_worker_survives_whatever_a_task_raises(rig: Rig, kind: str) -> None:
    """Anything raised, SystemExit and its like included, fails its own job and is told with its class."""
    async with rig.worker():
        job_ids = {name: await rig.submit(f"bad.{kind}", name, max_attempts=1) for name in BAD}
        details = {name: await rig.ended(job_id, within_s=30) for name, job_id in job_ids.items()}
        last = await rig.ended(await rig.submit("good.sum", {"a": 1, "b": 1}))

    assert {name: error_of(detail)["exception"] for name, detail in details.items()} == {name: name for name in BAD}
    assert {detail.job.state for detail in details.values()} == {"failed"}
    assert last.job.state == "succeeded"


async def test_worker_survives_stop_iteration_in_a_thread(rig: Rig) -> None:
    """StopIteration, which no future can carry, is data as well."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("bad.thread", "StopIteration", max_attempts=1))

    assert error_of(detail)["exception"] == "StopIteration"


async def test_error_tells_what_and_where(rig: Rig) -> None:
    """An error has its code, message, class, and a traceback that begins in the task."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("bad.loop", "ValueError", max_attempts=1))

    error = error_of(detail)
    assert (error["code"], error["message"], error["exception"]) == ("handler-error", "bad value", "ValueError")
    assert "tasks.py" in error["traceback"]


async def test_fail_ends_a_job_at_its_first_attempt(rig: Rig) -> None:
    """Fail is final, however many attempts are left."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("bad.fail", "out of paper", max_attempts=5))

    assert (detail.job.state, detail.job.attempt, error_of(detail)["message"]) == ("failed", 1, "out of paper")


async def test_failing_task_is_tried_again_until_it_succeeds(rig: Rig) -> None:
    """A failed attempt is followed by the next one, and is kept with its error."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("good.flaky", 2))

    assert (detail.job.state, detail.result) == ("succeeded", b"3")
    assert [(attempt.attempt, attempt.outcome) for attempt in detail.attempts] == [
        (1, AttemptOutcome.RETRY),
        (2, AttemptOutcome.RETRY),
    ]
    assert [json.loads(attempt.error or b"")["message"] for attempt in detail.attempts] == ["attempt 1", "attempt 2"]


async def test_failing_task_is_given_up_after_its_last_attempt(rig: Rig) -> None:
    """After max_attempts the job fails with the last error."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("good.flaky", 99, max_attempts=2))

    assert (detail.job.state, detail.job.attempt, error_of(detail)["message"]) == ("failed", 2, "attempt 2")


async def test_retry_waits_as_long_as_the_task_asks(rig: Rig) -> None:
    """Retry(in_s=…) makes the row wait that long, by the database's clock."""
    async with rig.worker():
        detail = await rig.when(await rig.submit("bad.retry", 3_600.0), "retrying")

    waits_s = (detail.job.run_at - detail.attempts[0].ended_at).total_seconds()
    assert waits_s == pytest.approx(3_600, abs=5)


async def test_payload_that_no_longer_fits_fails_without_a_retry(rig: Rig) -> None:
    """A payload that the model refuses at run time fails at once, with a pointer to the fault."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("good.sum", {"a": "x", "b": 1}))

    error = error_of(detail)
    assert (detail.job.state, detail.job.attempt, error["code"]) == ("failed", 1, "payload-invalid")
    assert "/a: Input should be a valid integer" in error["message"]


@pytest.mark.parametrize("result", sorted(RESULTS))
async def test_result_that_cannot_be_stored_fails_the_job(rig: Rig, result: str) -> None:
    """What is not JSON, or too large, is a typed failure; never silence, never a retry."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("bad.result", result))

    assert (detail.job.state, detail.job.attempt, error_of(detail)["code"]) == ("failed", 1, "result-invalid")


async def test_result_of_another_shape_is_converted_or_refused(rig: Rig) -> None:
    """A dict for a model passes when it fits the published schema, and fails the job when it does not."""
    async with rig.worker():
        fits = await rig.ended(await rig.submit("bad.shape", {"total": "7"}))
        other = await rig.ended(await rig.submit("bad.shape", {"sum": 7}))

    assert (fits.job.state, fits.result) == ("succeeded", b'{"total":7}')
    assert (other.job.state, error_of(other)["code"]) == ("failed", "result-invalid")


async def test_nul_in_payload_and_result_is_nothing_special(rig: Rig) -> None:
    """A NUL character goes through, though PostgreSQL would not have it in a text."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("bad.fail", "a\x00b"))

    assert error_of(detail)["message"] == "a\x00b"


@pytest.mark.parametrize(("code", "said"), [(-9, "signal 9"), (7, "exit code 7")])
async def test_death_of_a_pool_process_fails_only_its_own_job(rig: Rig, code: int, said: str) -> None:
    """A child that is killed, or leaves, costs its job an attempt; the pool goes on."""
    async with rig.worker():
        other = await rig.submit("good.patient", 0.2)
        dead = await rig.ended(await rig.submit("dead.process", code, max_attempts=1), within_s=30)
        after = await rig.ended(await rig.submit("good.process", {"a": 1, "b": 1}), within_s=30)
        beside = await rig.ended(other)

    assert (dead.job.state, error_of(dead)["code"]) == ("failed", "worker-lost")
    assert said in error_of(dead)["message"]
    assert (beside.job.state, after.job.state) == ("succeeded", "succeeded")


@pytest.mark.parametrize("task", ["good.patient", "slow.process"])
async def test_progress_reaches_the_store(rig: Rig, task: str) -> None:
    """What a task tells of itself is stored while it runs, from a process of the pool too."""
    async with rig.worker():
        job_id = await rig.submit(task, 1.0)

        async def told() -> bool:
            return (await rig.job(job_id)).progress is not None

        await eventually(told, within_s=20)
        detail = await rig.ended(job_id, within_s=20)

    assert detail.job.state == "succeeded"


async def test_unknown_type_is_left_to_other_workers(rig: Rig) -> None:
    """A job whose type this worker does not know stays queued, untouched."""
    async with rig.worker():
        unknown = await rig.submit("nobody.knows")
        await rig.ended(await rig.submit("good.sum", {"a": 1, "b": 1}))

    detail = await rig.job(unknown)
    assert (detail.job.state, detail.job.attempt) == ("queued", 0)


async def test_blocked_loop_is_reported(rig: Rig) -> None:
    """A task that blocks the event loop is noticed and told, and what else runs goes on afterwards."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit("slow.blocking", 1.3))
        await eventually(lambda: rig.counts.blocked)

    assert detail.job.state == "succeeded"
    assert rig.counts.blocked[0] > 1
