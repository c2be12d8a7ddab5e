"""No interleaving of calls makes an illegal history or loses a row: the store against a model, by hypothesis."""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ringback.secretbox import SecretBox
from ringback_backends.sql import open_store
from ringback_schemas.deliveries import DeliveryAttempt, DeliveryOutcome, DeliveryRef, Timing, Verdict
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, JobId, new_instance_id
from ringback_schemas.jobs import Accepted, JobOutcome, JobRef, Replayed
from ringback_schemas.states import (
    JOB_DONE,
    DeliveryState,
    JobState,
    check_delivery_transition,
    check_job_transition,
)
from tests.conformance.store.conftest import SEALING_KEY, empty
from tests.conformance.store.making import PAST, TYPE, event, instance, job, key
from tests.conformance.store.model import Model, ModelDelivery, ModelJob

T = TypeVar("T")

OWNERS = (new_instance_id(), new_instance_id())
LONG_S = 3600.0

owners = st.sampled_from(OWNERS)
counts = st.integers(1, 4)
pick = st.integers(0, 10_000)
"""Chooses one of what is there, modulo."""

picks = st.lists(pick.map(lambda number: number * 4), max_size=4)
"""As ``pick``, for any of what is there: see ``a_job``."""

END_STATES = st.sampled_from([*JOB_DONE, JobState.RETRYING])


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to the model, and compares every answer and every row."""

    def __init__(self, url: str) -> None:
        """The database is emptied first."""
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.run(empty(url))
        opening = open_store(url, secret_box=SecretBox([SEALING_KEY]), pool_size=2)
        self.store = self.run(self.stack.enter_async_context(opening))
        self.model = Model()
        self.seen_jobs: dict[JobId, JobState] = {}
        self.seen_deliveries: dict[DeliveryId, DeliveryState] = {}
        for owner in OWNERS:
            self.run(self.store.beat(instance(owner)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on this machine's loop."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """Close the store and the loop."""
        self.run(self.stack.aclose())
        self.runner.close()

    def has_jobs(self) -> bool:
        """There is something to do it to."""
        return bool(self.model.jobs)

    def has_deliveries(self) -> bool:
        """There is something to send."""
        return bool(self.model.deliveries)

    def a_job(self, number: int) -> tuple[JobId, ModelJob]:
        """One of the jobs; in three of four cases a running one, for there is most to go wrong with it."""
        held = [(job_id, one) for job_id, one in self.model.jobs.items() if one.owner is not None]
        among = held if held and number % 4 else list(self.model.jobs.items())
        return among[number // 4 % len(among)]

    def a_delivery(self, number: int) -> tuple[DeliveryId, ModelDelivery]:
        """One of the deliveries; in three of four cases one that is being sent."""
        held = [(delivery_id, one) for delivery_id, one in self.model.deliveries.items() if one.owner is not None]
        among = held if held and number % 4 else list(self.model.deliveries.items())
        return among[number // 4 % len(among)]

    @rule(
        is_due=st.sampled_from([True, True, True, False]),
        is_expired=st.sampled_from([False, False, False, True]),
        name=st.none() | st.sampled_from(["a", "b"]),
        count=st.integers(1, 3),
    )
    def accept(self, *, is_due: bool, is_expired: bool, name: str | None, count: int) -> None:
        """Jobs, all with one key or all with none."""
        news = [
            job(
                delay_s=0.0 if is_due else LONG_S,
                expires_at=PAST if is_expired else None,
                idempotency=None if name is None else key(name),
            )
            for _ in range(count)
        ]

        answers = self.run(self.store.accept(news))

        for new, answer in zip(news, answers, strict=True):
            if name is not None and name in self.model.keys:
                assert answer == Replayed(self.model.keys[name])
                continue
            assert isinstance(answer, Accepted)
            state = JobState.QUEUED if is_due else JobState.SCHEDULED
            self.model.jobs[new.id] = ModelJob(state, is_due, is_expired)
            if name is not None:
                self.model.keys[name] = new.id

    @precondition(has_jobs)
    @rule(owner=owners, numbers=picks, limit=counts)
    def claim(self, owner: InstanceId, numbers: list[int], limit: int) -> None:
        """Named jobs, some of which may start."""
        ids = [self.a_job(number)[0] for number in numbers]
        expected = [job_id for job_id in dict.fromkeys(ids) if self.model.jobs[job_id].may_start][:limit]

        claimed = self.run(self.store.claim_jobs(owner, ids, [TYPE], limit))

        assert [one.job.id for one in claimed] == expected
        for job_id in expected:
            self.model.jobs[job_id].claim(owner)

    @rule(owner=owners, limit=counts)
    def claim_due(self, owner: InstanceId, limit: int) -> None:
        """Whatever may start."""
        ready = {job_id for job_id, one in self.model.jobs.items() if one.may_start}

        claimed = {one.job.id for one in self.run(self.store.claim_due_jobs(owner, ["default"], [TYPE], limit))}

        assert claimed <= ready
        assert len(claimed) == min(limit, len(ready))
        for job_id in claimed:
            self.model.jobs[job_id].claim(owner)

    @precondition(has_jobs)
    @rule(
        number=pick,
        state=END_STATES,
        back=st.sampled_from([0, 0, 0, 1]),
        stranger=st.none() | owners,
        is_due=st.booleans(),
    )
    def finish(self, number: int, state: JobState, back: int, stranger: InstanceId | None, *, is_due: bool) -> None:
        """The right outcome or a late one, from the owner or from somebody else."""
        job_id, expected = self.a_job(number)
        told = None if state is JobState.RETRYING else event(job_id, state)
        outcome = JobOutcome(
            job_id,
            expected.attempt - back,
            stranger or expected.owner,
            state,
            error=b"{}",
            retry_in_s=0.0 if is_due else LONG_S,
            event=told,
        )

        answers = self.run(self.store.finish_jobs([outcome, outcome]))

        is_recorded = expected.finish(outcome)
        assert answers == [outcome.delivery_ids if is_recorded else None, None]
        if is_recorded and told is not None:
            self.model.deliveries |= {delivery.id: ModelDelivery() for delivery in told.deliveries}

    @precondition(has_jobs)
    @rule(owner=owners, number=pick)
    def release(self, owner: InstanceId, number: int) -> None:
        """One that the owner may or may not hold."""
        job_id, expected = self.a_job(number)

        (answer,) = self.run(self.store.release_jobs(owner, [JobRef(job_id, expected.attempt, "default")]))

        assert answer == (expected.owner == owner)
        if answer:
            expected.give_back(is_lost=False)

    @precondition(has_jobs)
    @rule(number=pick)
    def cancel(self, number: int) -> None:
        """Changes no state by itself."""
        job_id, expected = self.a_job(number)

        record = self.run(self.store.request_cancel(DEFAULT_TENANT, job_id))
        expected.request_cancel()

        assert record is not None
        assert record.state is expected.state

    @rule(owner=owners)
    def die(self, owner: InstanceId) -> None:
        """An instance is gone; a rescuer takes everything from it, and another run of it registers."""
        self.run(self.store.leave(owner))

        rescue = self.run(self.store.rescue(LONG_S, 1_000, 1_000))

        jobs = {job_id for job_id, one in self.model.jobs.items() if one.owner == owner}
        deliveries = {delivery_id for delivery_id, one in self.model.deliveries.items() if one.owner == owner}
        assert {ref.job_id for ref in rescue.jobs} == jobs
        assert set(rescue.deliveries) == deliveries
        for job_id in jobs:
            self.model.jobs[job_id].give_back(is_lost=True)
        for delivery_id in deliveries:
            self.model.deliveries[delivery_id].lose()
        self.run(self.store.beat(instance(owner)))

    @precondition(has_deliveries)
    @rule(owner=owners, numbers=picks, limit=counts)
    def claim_deliveries(self, owner: InstanceId, numbers: list[int], limit: int) -> None:
        """Named deliveries, some of which are due."""
        ids = [self.a_delivery(number)[0] for number in numbers]
        expected = [one for one in dict.fromkeys(ids) if self.model.deliveries[one].may_be_sent][:limit]

        claimed = self.run(self.store.claim_deliveries(owner, ids, limit))

        assert [one.delivery.id for one in claimed] == expected
        for delivery_id in expected:
            self.model.deliveries[delivery_id].claim(owner)

    @rule(owner=owners, limit=counts)
    def claim_due_deliveries(self, owner: InstanceId, limit: int) -> None:
        """Whatever is due."""
        ready = {delivery_id for delivery_id, one in self.model.deliveries.items() if one.may_be_sent}

        claimed = {one.delivery.id for one in self.run(self.store.claim_due_deliveries(owner, limit))}

        assert claimed <= ready
        assert len(claimed) == min(limit, len(ready))
        for delivery_id in claimed:
            self.model.deliveries[delivery_id].claim(owner)

    @precondition(has_deliveries)
    @rule(
        owner=owners,
        number=pick,
        state=st.sampled_from([DeliveryState.DELIVERED, DeliveryState.RETRYING, DeliveryState.EXHAUSTED]),
        back=st.sampled_from([0, 0, 0, 1]),
        is_due=st.booleans(),
    )
    def record(self, owner: InstanceId, number: int, state: DeliveryState, back: int, *, is_due: bool) -> None:
        """The right attempt or a late one, from the owner or from somebody else."""
        delivery_id, expected = self.a_delivery(number)
        attempt = DeliveryAttempt(expected.attempt - back, PAST, Timing(0.1), Verdict.DELIVERED, "It was sent.")
        outcome = DeliveryOutcome(delivery_id, owner, attempt, state, 0.0 if is_due else LONG_S)

        answers = self.run(self.store.record_attempts([outcome, outcome]))

        assert answers == [expected.record(owner, attempt.attempt, state, is_due=is_due), False]

    @precondition(has_deliveries)
    @rule(owner=owners, number=pick)
    def release_delivery(self, owner: InstanceId, number: int) -> None:
        """One that the owner may or may not hold."""
        delivery_id, expected = self.a_delivery(number)

        (answer,) = self.run(self.store.release_deliveries(owner, [DeliveryRef(delivery_id, expected.attempt)]))

        assert answer == (expected.owner == owner)
        if answer:
            expected.release()

    @precondition(has_deliveries)
    @rule(number=pick)
    def redeliver(self, number: int) -> None:
        """In whatever state it is."""
        delivery_id, expected = self.a_delivery(number)
        expected.redeliver()

        record = self.run(self.store.redeliver(DEFAULT_TENANT, delivery_id))

        assert record is not None
        assert record.state is expected.state

    @invariant()
    def jobs_are_as_they_should_be(self) -> None:
        """Every job is there, as the model has it, and came to its state by a legal step."""
        for job_id, expected in self.model.jobs.items():
            detail = self.run(self.store.get_job(DEFAULT_TENANT, job_id))
            assert detail is not None
            kept = detail.job
            assert (kept.state, kept.attempt, kept.owner) == (expected.state, expected.attempt, expected.owner)
            assert (kept.uncharged, kept.losses) == (expected.uncharged, expected.losses)
            assert [one.attempt for one in detail.attempts] == expected.past_attempts
            assert (kept.finished_at is not None) == expected.is_done
            told = self.run(self.store.deliveries_of_job(DEFAULT_TENANT, job_id))
            assert [one.delivery.id for one in told] == expected.deliveries
            before = self.seen_jobs.get(job_id, kept.state)
            if before is not kept.state:
                check_job_transition(before, kept.state)
            self.seen_jobs[job_id] = kept.state

    @invariant()
    def deliveries_are_as_they_should_be(self) -> None:
        """Every delivery is there, as the model has it, and came to its state by a legal step."""
        for delivery_id, expected in self.model.deliveries.items():
            detail = self.run(self.store.get_delivery(DEFAULT_TENANT, delivery_id))
            assert detail is not None
            kept = detail.delivery
            assert (kept.state, kept.attempt, kept.owner) == (expected.state, expected.attempt, expected.owner)
            assert kept.tries == expected.tries
            assert [one.attempt for one in detail.attempts] == expected.attempts
            before = self.seen_deliveries.get(delivery_id, kept.state)
            if before is not kept.state:
                check_delivery_transition(before, kept.state)
            self.seen_deliveries[delivery_id] = kept.state


@pytest.mark.timeout(600)
def test_store_never_differs_from_the_model(database_url: str) -> None:
    """Whatever is called in whatever order, every answer and every row is the model's.

    ``RINGBACK_TEST_EXAMPLES`` asks for a longer run.
    """
    examples = int(os.environ.get("RINGBACK_TEST_EXAMPLES", "20"))
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]

    run_state_machine_as_test(
        cast("type[StoreMachine]", partial(StoreMachine, database_url)),  # whatever makes one will do
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=slow),
    )
