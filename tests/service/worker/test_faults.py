"""The store goes away, answers and leases are lost, the worker is stopped: nothing is lost, nothing is doubled."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.jobs import AttemptOutcome
from tests.service.worker.conftest import Rig
from tests.waiting import eventually


async def test_result_outlives_an_outage_of_the_store(rig: Rig) -> None:
    """A result that cannot be saved is kept and saved when the store is back; the task is not run again."""
    async with rig.worker():
        job_id = await rig.submit("good.patient", 0.1)
        await rig.when(job_id, "running")
        rig.outage.away |= {"finish_jobs"}
        await eventually(lambda: rig.outage.refused >= 3)
        rig.outage.away.clear()
        detail = await rig.ended(job_id)

    assert (detail.job.state, detail.job.attempt) == ("succeeded", 1)


async def test_delivery_is_announced_when_the_answer_to_a_finish_was_lost(rig: Rig) -> None:
    """A transaction that was committed without an answer counts as saved, and its delivery is announced."""
    deliveries = rig.broker.subscribe((DELIVERIES,))
    async with rig.worker():
        rig.outage.lost_answers |= {"finish_jobs"}
        job_id = await rig.submit("good.sum", {"a": 1, "b": 1}, callback_url="https://example.com/hook")
        await rig.ended(job_id)
        rig.outage.lost_answers.clear()
        received = await deliveries.receive()

    stored = await rig.store.deliveries_of_job(DEFAULT_TENANT, job_id)
    assert list(received[0].envelope.ids) == [detail.delivery.id for detail in stored]


async def test_job_whose_claim_was_not_answered_is_found_again(rig: Rig) -> None:
    """A claim that was committed and whose answer was lost leaves a stray; its owner finds it and gives it back."""
    rig.outage.lost_answers |= {"claim_jobs", "claim_due_jobs"}
    async with rig.worker():
        job_id = await rig.submit("good.sum", {"a": 1, "b": 1})
        await rig.when(job_id, "running")
        rig.outage.lost_answers.clear()
        detail = await rig.ended(job_id)

    assert detail.job.state == "succeeded"
    assert [attempt.outcome for attempt in detail.attempts] == [AttemptOutcome.RELEASED]
    assert detail.job.charged_attempts == 1


async def test_job_whose_claim_is_answered_late_is_not_taken_for_a_stray(rig: Rig) -> None:
    """It is held and unknown for many rounds; given back, it would be performed twice."""
    answered = asyncio.Event()
    rig.outage.late_answers = dict.fromkeys(("claim_jobs", "claim_due_jobs"), answered)
    async with rig.worker():
        job_id = await rig.submit("good.sum", {"a": 1, "b": 1})
        await rig.when(job_id, "running")
        before = rig.outage.calls.count("held_jobs")
        await eventually(lambda: rig.outage.calls.count("held_jobs") > before + 3, what="three more looks")
        answered.set()
        detail = await rig.ended(job_id)

    assert (detail.job.state, detail.job.attempt) == ("succeeded", 1)
    assert detail.attempts == ()


async def test_late_result_of_a_lost_lease_is_fenced(rig: Rig) -> None:
    """When a job was taken from a worker that looked dead, the worker's late result is not recorded."""
    async with rig.worker():
        job_id = await rig.submit("good.patient", 0.5)
        await rig.when(job_id, "running")
        rig.outage.away |= {"claim_jobs", "claim_due_jobs"}
        await rig.store.rescue(0.0, 3, 10)
        await eventually(lambda: "fenced" in rig.counts.outcomes)
        between = await rig.job(job_id)
        rig.outage.away.clear()
        detail = await rig.ended(job_id)

    assert (between.job.state, between.result, between.job.losses) == ("queued", None, 1)
    assert (detail.job.state, detail.job.attempt, detail.job.charged_attempts) == ("succeeded", 2, 1)


async def test_soft_stop_finishes_what_is_in_hand(rig: Rig) -> None:
    """A worker that is stopped softly takes nothing new and finishes what it has."""
    async with rig.worker() as worker:
        job_id = await rig.submit("good.patient", 0.3)
        await rig.when(job_id, "running")
        worker.stop()
        later = await rig.submit("good.sum", {"a": 1, "b": 1})

    assert worker.is_clean
    assert (await rig.job(job_id)).job.state == "succeeded"
    assert (await rig.job(later)).job.state == "queued"


@pytest.mark.parametrize("task", ["good.patient", "slow.thread", "slow.deaf", "slow.process"])
async def test_stop_gives_back_what_does_not_finish_in_time(rig: Rig, task: str) -> None:
    """What is not done at the end of the drain goes back uncharged, at once, for another worker."""
    async with rig.worker(drain_s=0.1) as worker:
        job_id = await rig.submit(task, 3.0)
        await rig.when(job_id, "running")

    detail = await rig.job(job_id)
    assert (detail.job.state, detail.job.owner, detail.job.charged_attempts) == ("queued", None, 0)
    assert not worker.is_clean


async def test_second_signal_stops_now(rig: Rig) -> None:
    """A hard stop does not wait for the drain."""
    async with rig.worker(drain_s=3_600) as worker:
        job_id = await rig.submit("good.patient", 3_600.0)
        await rig.when(job_id, "running")
        worker.stop()
        worker.stop_now()

    assert (await rig.job(job_id)).job.state == "queued"


async def test_cancelled_worker_still_saves_and_gives_back(rig: Rig) -> None:
    """A worker that is cancelled from outside, as when another loop of its process dies, leaves nothing hanging."""
    worker = asyncio.create_task(_run(rig), name="worker")
    job_id = await rig.submit("good.patient", 3_600.0)
    await rig.when(job_id, "running")
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker

    assert (await rig.job(job_id)).job.state == "queued"


async def _run(rig: Rig) -> None:
    async with rig.worker():
        await asyncio.Event().wait()


async def test_attempt_that_the_database_forgot_is_not_run_beside_itself(rig: Rig, tmp_path: Path) -> None:
    """A crashed database may forget a claim and hand the attempt out again: the one under way counts for it."""
    async with rig.worker():
        job_id = await rig.submit("good.patient", 1.0)
        await rig.when(job_id, "running")
        with closing(sqlite3.connect(tmp_path / "ringback.db")) as database, database:
            database.execute("UPDATE jobs SET state = 'queued', owner = NULL, attempt = attempt - 1")
        await rig.when(job_id, "running")
        detail = await rig.ended(job_id)

    assert (detail.job.state, detail.job.attempt, rig.counts.outcomes) == ("succeeded", 1, ["succeeded"])


async def test_progress_that_is_no_text_is_made_one(rig: Rig) -> None:
    """Half a surrogate pair and a zero byte, which databases refuse, are replaced; the job goes on."""
    async with rig.worker():
        job_id = await rig.submit("good.garbled", 0.3)
        detail = await rig.ended(job_id)

    assert (detail.job.state, detail.progress and detail.progress.message) == ("succeeded", "half ? a \ufffd pair")


async def test_progress_that_the_store_refuses_is_dropped(rig: Rig) -> None:
    """A worker does not die of what a task tells of itself."""
    rig.outage.refuses |= {"save_progress"}
    async with rig.worker() as worker:
        job_id = await rig.submit("good.patient", 0.3)
        await eventually(lambda: rig.outage.refused)
        detail = await rig.ended(job_id)

    assert (detail.job.state, detail.progress, worker.is_clean) == ("succeeded", None, True)


async def test_cancel_outlives_the_worker_that_was_asked(rig: Rig) -> None:
    """A job whose worker died before it could stop it is cancelled by the next one, and not run again."""
    rig.outage.away |= {"cancel_requests"}
    async with rig.worker():
        job_id = await rig.submit("good.patient", 0.5)
        await rig.when(job_id, "running")
        await rig.store.request_cancel(DEFAULT_TENANT, job_id)
        await rig.store.rescue(0.0, 3, 10)
        detail = await rig.ended(job_id)

    assert (detail.job.state, detail.job.attempt) == ("cancelled", 2)
