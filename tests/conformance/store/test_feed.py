"""The pull feed: every event of a tenant, once, in an order that never changes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_schemas.events import ENDPOINT_TEST, NewEvent, StoredEvent
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, TenantId, new_event_id
from ringback_schemas.states import JobState
from tests.conformance.store.making import OTHER_TENANT, ended, event, recorded, running, running_jobs

INSERT = """
INSERT INTO events (id, tenant_id, job_id, type, body, created_at, job_created_at)
VALUES ($1, $2, '', 'job.succeeded', '{}', now(), now())
"""


several_writers = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True, scope="module")
"""SQLite has one writer, so there is nothing to wait for."""


@pytest.fixture
async def bystander(database_url: str, store: Store) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else; only PostgreSQL lets two write at the same time."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def told(store: Store, *types: str, tenant_id: TenantId = DEFAULT_TENANT) -> list[str]:
    """Store an event of each type; their ids."""
    news = [NewEvent(new_event_id(), tenant_id, None, one, f'{{"type":"{one}"}}'.encode()) for one in types]
    for new in news:
        await store.add_event(new)
    return [new.id for new in news]


async def read(
    store: Store, after: int = 0, limit: int = 100, patterns: Sequence[str] = (), tenant_id: TenantId = DEFAULT_TENANT
) -> list[StoredEvent]:
    """A page, as it is settled now."""
    page = await store.read_events(tenant_id, after, await store.settled_events(), limit, patterns)
    return list(page.events)


async def ids(store: Store, after: int = 0, tenant_id: TenantId = DEFAULT_TENANT) -> list[str]:
    """The ids on a page."""
    return [one.id for one in await read(store, after, tenant_id=tenant_id)]


async def test_feed_of_nothing_is_empty(store: Store) -> None:
    """There is a place to go on from all the same."""
    until = await store.settled_events()

    page = await store.read_events(DEFAULT_TENANT, 0, until, 10)

    assert (page.events, page.place, page.has_more) == ((), 0, False)
    assert await store.last_place(DEFAULT_TENANT, until) == 0


async def test_feed_has_the_ends_of_jobs(store: Store, owner: InstanceId) -> None:
    """An event comes out as it was stored, byte for byte."""
    outcome = ended(await running(store, owner), JobState.FAILED)
    await store.finish_jobs([outcome])

    (found,) = await read(store)

    assert outcome.event is not None
    assert (found.id, found.job_id, found.type) == (outcome.event.id, outcome.job_id, "job.failed")
    assert found.body == outcome.event.body
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_feed_has_events_of_no_job(store: Store) -> None:
    """Such as a test of an endpoint."""
    await told(store, ENDPOINT_TEST)

    (found,) = await read(store)

    assert (found.type, found.job_id) == (ENDPOINT_TEST, None)


async def test_feed_keeps_the_order_of_a_batch(store: Store, owner: InstanceId) -> None:
    """Outcomes recorded in one call come in the order of the call."""
    outcomes = [ended(claimed) for claimed in await running_jobs(store, owner, 20)]
    outcomes.reverse()
    assert all(await recorded(store, outcomes))

    assert await ids(store) == [outcome.event.id for outcome in outcomes if outcome.event]


async def test_feed_goes_on_where_a_page_ended(store: Store) -> None:
    """Page after page gives every event once, in order."""
    stored = await told(store, *["job.succeeded"] * 7)
    until, place, found = await store.settled_events(), 0, list[str]()

    for count, has_more in ((3, True), (3, True), (1, False), (0, False)):
        page = await store.read_events(DEFAULT_TENANT, place, until, 3)
        assert (len(page.events), page.has_more) == (count, has_more)
        found += [one.id for one in page.events]
        place = page.place

    assert found == stored


async def test_feed_stays_after_what_is_read_when_nothing_is_new(store: Store) -> None:
    """The place moves only with events."""
    await told(store, "job.succeeded")
    (first,) = await read(store)

    page = await store.read_events(DEFAULT_TENANT, first.place, await store.settled_events(), 10)

    assert (page.events, page.place) == ((), first.place)


async def test_feed_keeps_tenants_apart(store: Store) -> None:
    """Each sees its own, in between the others'."""
    mine = await told(store, "job.succeeded")
    theirs = await told(store, "job.succeeded", tenant_id=OTHER_TENANT)
    mine += await told(store, "job.failed")

    assert await ids(store) == mine
    assert await ids(store, tenant_id=OTHER_TENANT) == theirs


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["job.failed"], ["job.failed"]),
        (["job.*"], ["job.succeeded", "job.failed"]),
        (["endpoint.*", "job.failed"], ["endpoint.test", "job.failed"]),
        (["*"], ["job.succeeded", "endpoint.test", "job.failed"]),
        (["JOB.*", "job._ailed", "job.%"], []),
    ],
)
async def test_feed_of_some_types(store: Store, patterns: list[str], expected: list[str]) -> None:
    """Patterns are those of an endpoint's filter."""
    await told(store, "job.succeeded", "endpoint.test", "job.failed")

    assert [one.type for one in await read(store, patterns=patterns)] == expected


async def test_feed_looks_at_a_bounded_number_of_events(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What matches seldom is found over several pages, some of them empty."""
    monkeypatch.setattr("ringback_backends.sql.feed.SCANNED", 4)
    await told(store, *["job.succeeded"] * 9, "job.failed")
    until, place, sizes = await store.settled_events(), 0, list[int]()

    while True:
        page = await store.read_events(DEFAULT_TENANT, place, until, 10, ["job.failed"])
        sizes.append(len(page.events))
        place = page.place
        if not page.has_more:
            break

    assert sizes == [0, 0, 1]


async def test_feed_of_some_types_goes_on_behind_a_full_page(store: Store) -> None:
    """A page that is full before the look ends leaves the rest for the next."""
    await told(store, *["job.failed", "job.succeeded"] * 3)
    until = await store.settled_events()

    first = await store.read_events(DEFAULT_TENANT, 0, until, 2, ["job.failed"])
    second = await store.read_events(DEFAULT_TENANT, first.place, until, 2, ["job.failed"])

    assert [(len(page.events), page.has_more) for page in (first, second)] == [(2, True), (1, False)]


async def test_feed_is_the_same_in_another_process(store: Store, second_store: Store) -> None:
    """A place holds wherever it is used."""
    stored = await told(store, *["job.succeeded"] * 3)
    (first, *_) = await read(store)

    assert await ids(second_store, after=first.place) == stored[1:]


async def test_last_place_is_behind_everything(store: Store) -> None:
    """Only what comes later is behind it."""
    await told(store, "job.succeeded")
    await told(store, "job.succeeded", tenant_id=OTHER_TENANT)
    place = await store.last_place(DEFAULT_TENANT, await store.settled_events())

    later = await told(store, "job.failed")

    assert await ids(store, after=place) == later


async def test_place_before_a_moment_has_all_since_behind_it(store: Store) -> None:
    """Found whatever other tenants did."""
    await told(store, *["job.succeeded"] * 3, tenant_id=OTHER_TENANT)
    stored = await told(store, *["job.succeeded"] * 5)
    moment = (await read(store))[2].created_at

    place = await store.place_before(DEFAULT_TENANT, moment, await store.settled_events())

    found = await ids(store, after=place)
    assert found == stored[-len(found) :]
    assert stored[2] in found


BEYOND = {
    "the first there is": (datetime.min.replace(tzinfo=UTC), 3),
    "past": (datetime.now(UTC) - timedelta(days=1), 3),
    "future": (datetime.now(UTC) + timedelta(days=1), 0),
    "the last there is": (datetime.max.replace(tzinfo=UTC), 0),
}


@pytest.mark.parametrize(("moment", "count"), BEYOND.values(), ids=BEYOND)
async def test_place_before_a_moment_beyond_all(store: Store, moment: datetime, count: int) -> None:
    """Before the oldest are all events, after the newest none."""
    await told(store, *["job.succeeded"] * 3)

    place = await store.place_before(DEFAULT_TENANT, moment, await store.settled_events())

    assert len(await ids(store, after=place)) == count


@several_writers
async def test_feed_waits_for_a_slower_transaction(store: Store, bystander: asyncpg.Connection) -> None:
    """What commits later but drew its number earlier is not skipped: nothing behind it is shown before."""
    (before,) = await told(store, "job.succeeded")
    await store.settled_events()
    transaction = bystander.transaction()
    await transaction.start()
    slow = new_event_id()
    await bystander.execute(INSERT, slow, DEFAULT_TENANT)
    fast = await told(store, "job.succeeded")

    shown_meanwhile = await ids(store)
    await transaction.commit()

    assert shown_meanwhile == [before]
    assert await ids(store) == [before, slow, *fast]


@several_writers
async def test_feed_goes_on_over_what_was_rolled_back(store: Store, bystander: asyncpg.Connection) -> None:
    """A gap that nobody fills any more holds nobody up."""
    transaction = bystander.transaction()
    await transaction.start()
    await bystander.execute(INSERT, new_event_id(), DEFAULT_TENANT)
    stored = await told(store, "job.succeeded")
    await transaction.rollback()

    assert await ids(store) == stored


@several_writers
async def test_feed_is_not_held_up_by_who_writes_elsewhere(store: Store, bystander: asyncpg.Connection) -> None:
    """A long transaction in the same database that writes no events costs the feed nothing."""
    transaction = bystander.transaction()
    await transaction.start()
    await bystander.execute("CREATE TABLE other_business (x int)")
    await bystander.fetch("SELECT * FROM events")
    stored = await told(store, "job.succeeded")

    shown = await ids(store)
    await transaction.rollback()

    assert shown == stored


@several_writers
async def test_feed_that_never_knew_where_it_stood_says_so(
    store: Store, second_store: Store, bystander: asyncpg.Connection
) -> None:
    """A process that starts while somebody holds a transaction open must not guess."""
    transaction = bystander.transaction()
    await transaction.start()
    await bystander.execute(INSERT, new_event_id(), DEFAULT_TENANT)

    with pytest.raises(StoreUnavailable, match="does not end"):
        await second_store.settled_events()
    await transaction.rollback()

    assert await second_store.settled_events() == 0


async def test_feed_read_while_many_write(store: Store, second_store: Store) -> None:
    """A reader that follows four writers sees every event once, in the order that it has afterwards."""
    found: list[str] = []

    async def follow(count: int) -> None:
        place = 0
        while len(found) < count:
            page = await store.read_events(DEFAULT_TENANT, place, await store.settled_events(), 7)
            found.extend(one.id for one in page.events)
            place = page.place

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(4 * 40))
        writing = [group.create_task(told(second_store, *["job.succeeded"] * 40)) for _ in range(4)]

    assert sorted(found) == sorted(one for writer in writing for one in writer.result())
    assert found == [one.id for one in await read(store, limit=1_000)]


async def test_feed_shows_what_was_stored_before_it_was_asked(store: Store, owner: InstanceId) -> None:
    """Whoever saw a job end finds its event at once."""
    for _ in range(5):
        outcome = ended(await running(store, owner))
        await store.finish_jobs([outcome])
        assert outcome.event is not None
        assert (await ids(store))[-1] == outcome.event.id


async def test_feed_knows_events_with_many_deliveries_once(store: Store, owner: InstanceId) -> None:
    """The feed is of events, however many are told of each."""
    claimed = await running(store, owner)
    await store.finish_jobs([ended(claimed, event=event(claimed.job.id, deliveries=3))])

    assert len(await read(store)) == 1
