"""Rescuer and sweeper: what the dead held runs elsewhere, what waited too long ends."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from ringback_backends.contracts.broker import DELIVERIES, Queue
from ringback_backends.contracts.errors import RowRefused, StoreUnavailable
from ringback_backends.contracts.jobs import Recorded
from ringback_backends.contracts.store import Store
from ringback_backends.lease.drain import Shutdown
from ringback_backends.lease.frame import FramePlan, framed
from ringback_backends.lease.rescuer import RescuePlan, Rescuer
from ringback_backends.lease.sweeper import Sweeper
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, JobId, new_instance_id
from ringback_schemas.instances import Rescue, Role
from ringback_schemas.jobs import JobOutcome
from ringback_schemas.states import JobState
from tests.backends.lease.conftest import Place
from tests.waiting import eventually

URL = "https://ringback.test"
DEAD_AT_ONCE = RescuePlan(lease_s=0.0, every_s=0.01, poison_after=2)


def a_rescuer(place: Place, plan: RescuePlan = DEAD_AT_ONCE) -> Rescuer:
    """A rescuer in that place."""
    return Rescuer(place.store, place.announcer, URL, plan)


async def claim(place: Place, owner: InstanceId) -> int:
    """How many jobs somebody could claim."""
    return len(await place.store.claim_due_jobs(owner, ["default"], ["some.task"], 100))


async def test_job_of_a_silent_instance_is_queued_again_and_announced(place: Place) -> None:
    """What belongs to a process that fell silent is given back uncharged, with a loss, and announced."""
    work = place.broker.subscribe((Queue.work("default"),))
    job_id = await place.submit()
    await claim(place, await place.live())

    await a_rescuer(place).round()

    job = await place.job(job_id)
    assert (job.state, job.owner, job.losses, job.charged_attempts) == ("queued", None, 1, 0)
    assert [received.envelope.ids for received in await work.receive()] == [(job_id,)]
    assert await place.registered() == []


async def test_job_of_a_living_instance_is_left_alone(place: Place) -> None:
    """A process that beats keeps what it has."""
    job_id = await place.submit()
    owner = await place.live()
    await claim(place, owner)

    await a_rescuer(place, RescuePlan(lease_s=60)).round()

    assert ((await place.job(job_id)).owner, await place.registered()) == (owner, [owner])


async def test_job_of_an_instance_that_left_is_given_back_at_once(place: Place) -> None:
    """Nobody waits for a lease of somebody who is not registered."""
    job_id = await place.submit()
    await claim(place, new_instance_id())

    await a_rescuer(place, RescuePlan(lease_s=60)).round()

    assert (await place.job(job_id)).state == "queued"


async def test_job_that_kills_its_workers_fails_as_poison(place: Place) -> None:
    """With poison_after losses a job fails, its event is written, and its delivery is announced."""
    deliveries = place.broker.subscribe((DELIVERIES,))
    job_id = await place.submit(callback_url="https://example.com/hook", max_attempts=10)
    for _ in range(DEAD_AT_ONCE.poison_after):
        assert await claim(place, await place.live()) == 1
        await a_rescuer(place).round()

    detail = await place.store.get_job(DEFAULT_TENANT, job_id)
    assert detail is not None
    assert (detail.job.state, orjson.loads(detail.error or b"")["code"]) == ("failed", "poison")
    stored = await place.store.deliveries_of_job(DEFAULT_TENANT, job_id)
    assert [list(received.envelope.ids) for received in await deliveries.receive()] == [[stored[0].delivery.id]]


async def test_rescues_at_the_same_time_record_once(place: Place) -> None:
    """Several rescuers at once take each job once and end each poisonous job once."""
    for _ in range(20):
        await place.submit()
    await claim(place, await place.live())

    await asyncio.gather(*[a_rescuer(place).round() for _ in range(4)])

    jobs = await place.store.claim_due_jobs(await place.live(), ["default"], ["some.task"], 100)
    assert [claimed.job.losses for claimed in jobs] == [1] * 20


class Refusing:
    """A store that will not have anything of one job."""

    def __init__(self, store: Store, job_id: JobId) -> None:
        self._store = store
        self._job_id = job_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def finish_jobs(self, outcomes: Sequence[JobOutcome]) -> list[Recorded]:
        """Refuse them all when it is among them."""
        if any(outcome.job_id == self._job_id for outcome in outcomes):
            raise RowRefused("finish_jobs", "a value of that job")
        return await self._store.finish_jobs(outcomes)


async def test_expired_job_that_the_store_will_not_end_does_not_keep_the_others(place: Place) -> None:
    """It is set aside, with a line in the log; the sweeper goes on."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    first, spoilt, last = [await place.submit(expires_at=past) for _ in range(3)]
    store = cast("Store", Refusing(place.store, spoilt))

    assert not await Sweeper(store, place.announcer, URL).round()

    states = [(await place.job(one)).state for one in (first, spoilt, last)]
    assert states == [JobState.EXPIRED, JobState.QUEUED, JobState.EXPIRED]


async def test_callback_that_cannot_be_read_does_not_end_the_sweeper(place: Place) -> None:
    """The job ends; its delivery is there to be looked at."""
    job_id = await place.submit(expires_at=datetime.now(UTC) - timedelta(seconds=1), callback_url="http://[broken")

    await Sweeper(place.store, place.announcer, URL).round()

    assert (await place.job(job_id)).state is JobState.EXPIRED
    (delivery,) = await place.store.deliveries_of_job(DEFAULT_TENANT, job_id)
    assert delivery.delivery.url == "http://[broken"


async def test_poisonous_job_that_the_store_will_not_end_does_not_keep_the_others(place: Place) -> None:
    """Nor does it end the rescuer."""
    ids = [await place.submit() for _ in range(2)]
    store = cast("Store", Refusing(place.store, ids[0]))
    for _ in range(DEAD_AT_ONCE.poison_after):
        await claim(place, await place.live())
        await Rescuer(store, place.announcer, URL, DEAD_AT_ONCE).round()

    assert [(await place.job(one)).state for one in ids] == [JobState.RUNNING, JobState.FAILED]


class Shaky:
    """A store that comes back after an outage, with everybody's heartbeats overdue."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*_: Any) -> Any:
            self.calls.append(name)
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable(name, "away")
            return Rescue()

        return call


class Outage:
    """A store that does not answer its first pings."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store = store
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def ping(self) -> str:
        """Fail, or ask the real one."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("ping", "away")
        return await self._store.ping()


async def test_nobody_is_rescued_right_after_an_outage(place: Place) -> None:
    """When the store comes back everybody looks dead until they have beaten: the rescuer waits half a lease."""
    store = Shaky(failures=2)
    rescuer = Rescuer(cast("Store", store), place.announcer, URL, RescuePlan(lease_s=0.4, every_s=0.02))
    running = asyncio.create_task(rescuer.run())

    await eventually(lambda: store.calls.count("rescue") >= 3)
    rescuer.stop()
    await running

    assert store.calls[:3] == ["rescue", "ping", "ping"]


async def test_nobody_is_rescued_by_a_process_that_could_not_beat_itself(place: Place) -> None:
    """A process that was suspended finds everybody silent, itself among them: the rescuer waits half a lease."""
    store, age_s = Shaky(failures=0), 60.0
    plan = RescuePlan(lease_s=0.4, every_s=0.02)
    rescuer = Rescuer(cast("Store", store), place.announcer, URL, plan, heart_age_s=lambda: age_s)
    running = asyncio.create_task(rescuer.run())

    await eventually(lambda: len(store.calls) >= 3)
    age_s = 0.1
    await eventually(lambda: "rescue" in store.calls)
    rescuer.stop()
    await running

    assert store.calls[:3] == ["ping", "ping", "ping"]


async def test_process_that_had_to_wait_for_the_store_rescues_nobody_at_first(place: Place) -> None:
    """Who starts during an outage finds everybody silent when it ends, and leaves them the time to beat again."""
    job_id = await place.submit()
    await claim(place, await place.live())
    outage = Outage(place.store, failures=2)
    plan = FramePlan(Role.WORKER, "1.0", URL, rescue=RescuePlan(lease_s=0.5, every_s=0.01))
    # overdue, as is everybody after an outage that was longer than the lease
    await eventually(place.silence_of(0.5))

    async with framed(
        plan, Shutdown(), store=cast("Store", outage), broker=place.broker, open_store=place.open_store
    ) as frame:
        await frame.rescuer.round()

    assert outage.failures == 0
    assert (await place.job(job_id)).state == "running"


async def test_expired_job_ends_with_its_event(place: Place) -> None:
    """A job that still waits when its expires_at passes ends as expired, and its delivery is announced."""
    deliveries = place.broker.subscribe((DELIVERIES,))
    soon = datetime.now(UTC) + timedelta(milliseconds=50)
    job_id = await place.submit(expires_at=soon, callback_url="https://example.com/hook")
    later = await place.submit(expires_at=soon + timedelta(hours=1))
    sweeper = Sweeper(place.store, place.announcer, URL, every_s=0.02)
    running = asyncio.create_task(sweeper.run())

    received = await deliveries.receive()
    sweeper.stop()
    await running

    assert ((await place.job(job_id)).state, (await place.job(later)).state) == ("expired", "queued")
    assert len(received[0].envelope.ids) == 1


async def test_sweeper_ends_more_than_one_round_holds(place: Place) -> None:
    """A full round is followed by the next one at once."""
    soon = datetime.now(UTC) + timedelta(milliseconds=1)
    for _ in range(5):
        await place.submit(expires_at=soon)
    sweeper = Sweeper(place.store, place.announcer, URL, every_s=3_600, limit=2)

    async def next_round() -> bool:
        return await sweeper.round() is False

    await eventually(next_round)

    assert await place.store.expired_jobs(10) == []
