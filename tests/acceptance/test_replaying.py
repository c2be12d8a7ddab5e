"""A replay of 10,001 deliveries over real processes: killed halfway, and cancelled halfway (BB-74).

The deliveries are written straight into the store: what is shown is what becomes of them, not how they came about.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from ringback.client import Client
from ringback_schemas.http import ReplayBody
from ringback_schemas.ids import DEFAULT_TENANT, new_delivery_id, new_event_id
from tests.faults.fleet import API_KEY, Fleet, FleetPlan
from tests.receiver import Receiver
from tests.waiting import eventually

COUNT = 10_001
HALFWAY = 3_000
WITHIN_S = 120.0
"""Nothing but a bound: a machine may be as slow as it likes."""

QUICK_LEASE = {"HEARTBEAT_S": "0.5", "LEASE_S": "3", "RESCUE_EVERY_S": "0.5", "LOG_LEVEL": "warning"}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def database_url(module_postgres_url: str) -> str:
    """Where the fleet keeps everything."""
    return module_postgres_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(
    database_url: str, module_amqp_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """A front end and two notifiers."""
    plan = FleetPlan(database_url, module_amqp_url, apis=1, workers=0, notifiers=2, settings=QUICK_LEASE)
    async with Fleet(plan, tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(fleet: Fleet) -> AsyncIterator[Client]:
    """A client of the front end."""
    async with Client(fleet.urls[0], API_KEY) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """It was down, and is well again."""
    async with Receiver() as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="module")
async def store(fleet: Fleet, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A look behind the scenes, once there is a schema."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def exhaust(store: asyncpg.Connection, receiver: Receiver) -> None:
    """So many deliveries that were tried once, an hour ago, and given up."""
    past = datetime.now(UTC) - timedelta(hours=1)
    ids = [(new_delivery_id(), new_event_id()) for _ in range(COUNT)]
    events = [(event, DEFAULT_TENANT, "", "job.failed", b'{"type":"job.failed"}', past, past) for _, event in ids]
    targets = [
        (DEFAULT_TENANT, delivery, event, "job.failed", "", "callback", receiver.url(), past) for delivery, event in ids
    ]
    states = [(delivery, DEFAULT_TENANT, receiver.destination, "exhausted", 1, 1, past, past) for delivery, _ in ids]
    for table, columns, rows in (
        ("events", "id tenant_id job_id type body created_at job_created_at", events),
        ("delivery_targets", "tenant_id delivery_id event_id event_type job_id kind url created_at", targets),
        ("deliveries", "id tenant_id destination state attempt tries claimed_at finished_at", states),
    ):
        await store.copy_records_to_table(table, records=rows, columns=columns.split())


async def at_least(client: Client, replay: ReplayBody, redelivered: int) -> ReplayBody:
    """The replay, once it has come so far and not to its end."""

    async def far_enough() -> ReplayBody | None:
        seen = await client.replays.get(replay.id)
        assert not seen.done, "it was over before anything could be done to it"
        return seen if seen.redelivered >= redelivered else None

    found = await eventually(far_enough, within_s=WITHIN_S, what=f"{redelivered} redeliveries")
    assert found is not None
    return found


async def states(store: asyncpg.Connection, receiver: Receiver) -> Counter[str]:
    """How many deliveries to this receiver are in which state."""
    rows = await store.fetch(
        "SELECT d.state, count(*) FROM deliveries d JOIN delivery_targets t ON t.delivery_id = d.id "
        "WHERE t.url = $1 GROUP BY 1",
        receiver.url(),
    )
    return Counter(dict(rows))


async def settled(store: asyncpg.Connection, receiver: Receiver, delivered: int) -> None:
    """Wait until so many are delivered and the rest is as it was."""
    expected = Counter({"delivered": delivered, "exhausted": COUNT - delivered})

    async def are_so() -> bool:
        return await states(store, receiver) == +expected

    await eventually(are_so, within_s=WITHIN_S, what=f"{delivered} to be delivered")


async def sent_more_than_once(store: asyncpg.Connection, receiver: Receiver) -> int:
    """Deliveries with several attempts on record, those that died with their notifier left out."""
    count: int = await store.fetchval(
        "SELECT count(*) FROM (SELECT a.delivery_id FROM delivery_attempts a "
        "JOIN delivery_targets t ON t.delivery_id = a.delivery_id WHERE t.url = $1 AND a.verdict <> 'notifier_lost' "
        "GROUP BY 1 HAVING count(*) > 1) AS several",
        receiver.url(),
    )
    return count


async def test_replay_killed_halfway_redelivers_each_once(
    fleet: Fleet, client: Client, receiver: Receiver, store: asyncpg.Connection
) -> None:
    """Both notifiers die; one comes back, and goes on where the replay was."""
    await exhaust(store, receiver)
    dry = await client.replays.wait(
        (await client.replays.start(dry_run=True, url=receiver.url())).id, timeout_s=WITHIN_S
    )
    replay = await client.replays.start(url=receiver.url())
    await at_least(client, replay, HALFWAY)

    for notifier in fleet.notifiers:
        await notifier.kill()
    halfway = await client.replays.get(replay.id)
    await fleet.notifiers[0].start()

    done = await client.replays.wait(replay.id, timeout_s=WITHIN_S)
    await settled(store, receiver, COUNT)
    assert HALFWAY <= halfway.redelivered < COUNT
    assert (done.state, done.matched, done.redelivered, done.skipped.changed) == ("done", COUNT, COUNT, 0)
    assert dry.matched == COUNT
    assert await sent_more_than_once(store, receiver) == 0
    assert len({request.webhook_id for request in receiver.requests}) == COUNT


async def test_replay_cancelled_halfway_sends_what_it_had_made_due_and_nothing_else(
    client: Client, receiver: Receiver, store: asyncpg.Connection
) -> None:
    """The rest stays exhausted."""
    await exhaust(store, receiver)
    replay = await client.replays.start(url=receiver.url())
    await at_least(client, replay, 1)

    cancelled = await client.replays.cancel(replay.id)

    await settled(store, receiver, cancelled.redelivered)
    assert cancelled.state == "cancelled"
    assert 0 < cancelled.redelivered < COUNT
    assert await client.replays.get(replay.id) == cancelled
    assert await sent_more_than_once(store, receiver) == 0
