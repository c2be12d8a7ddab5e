"""The intake of a consumer: envelopes at once, polling for what they miss, no acknowledgement before a claim."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.intake import Intake, Pace
from ringback_schemas.envelopes import Envelope, EnvelopeKind
from ringback_schemas.ids import new_delivery_id
from tests.waiting import eventually


class Slots:
    """A consumer with some slots over a shelf of claimable ids."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.shelf: dict[str, None] = {}
        self.taken: list[tuple[str, str]] = []
        self.is_store_away = False
        self.failures = 0
        self.polls = 0
        self.largest_claim = 0
        self.on_take: Callable[[], None] = _nothing

    def room(self) -> int:
        """Slots that are free."""
        return self.slots - len(self.taken)

    async def claim(self, ids: Sequence[str]) -> list[str]:
        """Those of the ids that are still on the shelf."""
        self._fail_if_away()
        self.largest_claim = max(self.largest_claim, len(ids))
        return [one for one in ids if self.shelf.pop(one, self) is None]

    async def claim_due(self, limit: int) -> list[str]:
        """The first on the shelf."""
        self._fail_if_away()
        self.polls += 1
        due = list(self.shelf)[:limit]
        for one in due:
            del self.shelf[one]
        return due

    def take(self, claimed: Sequence[str], source: str) -> None:
        """Keep them, and where they came from."""
        self.taken += [(one, source) for one in claimed]
        self.on_take()

    def has_taken(self, count: int) -> bool:
        """Whether it has taken so many."""
        return len(self.taken) == count

    def _fail_if_away(self) -> None:
        if self.is_store_away:
            self.failures += 1
            raise StoreUnavailable("claim", "away")


def _nothing() -> None:
    return


@asynccontextmanager
async def feeding(work: Slots, broker: InProcessBroker, pace: Pace | None = None) -> AsyncIterator[Intake[str]]:
    """An intake that runs, and ends by being stopped."""
    intake = Intake(work, broker, broker.subscribe((DELIVERIES,)), pace or Pace(poll_s=60, poll_away_s=60))
    running = asyncio.create_task(intake.run())
    try:
        yield intake
    finally:
        intake.stop()
        await running


async def started_broker() -> InProcessBroker:
    """A broker that takes envelopes."""
    broker = InProcessBroker()
    await broker.start()
    return broker


def fresh_ids(count: int) -> list[str]:
    """So many delivery ids."""
    return [new_delivery_id() for _ in range(count)]


async def put(broker: InProcessBroker, ids: Sequence[str]) -> None:
    """Publish one envelope."""
    await broker.publish(DELIVERIES, Envelope(EnvelopeKind.DELIVERIES, tuple(ids)))


async def waiting_envelopes(broker: InProcessBroker) -> list[tuple[str, ...]]:
    """What another consumer would get now."""
    other = broker.subscribe((DELIVERIES,))
    try:
        async with asyncio.timeout(1):
            return [received.envelope.ids for received in await other.receive()]
    except TimeoutError:
        return []
    finally:
        await other.close()


async def test_intake_claims_what_envelopes_name() -> None:
    """Ids in envelopes are claimed, and handed over as from the broker."""
    broker, work = await started_broker(), Slots(10)
    ids = fresh_ids(3)

    async with feeding(work, broker):
        await eventually(lambda: work.polls >= 1, what="the first poll")
        work.shelf = dict.fromkeys(ids)
        await put(broker, ids)
        await eventually(lambda: len(work.taken) == 3, what="three deliveries")

    assert [(one, "broker") for one in ids] == work.taken
    assert await waiting_envelopes(broker) == []


async def test_intake_numbers_the_claim_that_is_under_way() -> None:
    """Until what it brought was taken; none is while the intake waits."""
    broker, work, seen = await started_broker(), Slots(10), list[int | None]()
    work.shelf = dict.fromkeys(fresh_ids(1))

    async with feeding(work, broker) as intake:
        work.on_take = lambda: seen.append(intake.claim_under_way)
        await eventually(lambda: work.has_taken(1), what="a delivery")
        await eventually(lambda: intake.claim_under_way is None, what="the end of the claim")
        ids = fresh_ids(1)
        work.shelf = dict.fromkeys(ids)
        await put(broker, ids)
        await eventually(lambda: work.has_taken(2), what="another delivery")

    first, second = seen
    assert first is not None
    assert second is not None
    assert second > first


async def test_intake_polls_at_start_for_what_no_envelope_names() -> None:
    """Work that was never announced, or whose envelope was lost, is found by polling."""
    broker, work = await started_broker(), Slots(10)
    ids = fresh_ids(2)
    work.shelf = dict.fromkeys(ids)

    async with feeding(work, broker):
        await eventually(lambda: len(work.taken) == 2, what="two deliveries")

    assert [(one, "poll") for one in ids] == work.taken


async def test_intake_polls_again_at_once_after_a_full_batch() -> None:
    """A backlog is worked off batch after batch, without a pause of the poll's length between them."""
    broker, work = await started_broker(), Slots(2)
    work.shelf = dict.fromkeys(fresh_ids(6))

    async with feeding(work, broker) as intake:
        for expected in (2, 4, 6):
            await eventually(partial(work.has_taken, expected), what=f"{expected} deliveries")
            work.slots += 2
            intake.freed()

    assert work.shelf == {}


async def test_intake_never_claims_more_than_there_is_room_for() -> None:
    """An envelope larger than the room is claimed in parts."""
    broker, work = await started_broker(), Slots(2)
    ids = fresh_ids(5)

    async with feeding(work, broker) as intake:
        await eventually(lambda: work.polls >= 1, what="the first poll")
        work.shelf = dict.fromkeys(ids)
        await put(broker, ids)
        await eventually(lambda: len(work.taken) == 2, what="the first two")
        work.slots = 10
        intake.freed()
        await eventually(lambda: len(work.taken) == 5, what="the rest")

    assert work.largest_claim <= 3


async def test_intake_gives_envelopes_back_when_there_is_no_room() -> None:
    """A full consumer returns what it cannot take soon, so that another one may have it."""
    broker, work = await started_broker(), Slots(1)
    ids = fresh_ids(3)
    work.shelf = {ids[0]: None}

    async with feeding(work, broker):
        await eventually(lambda: work.room() == 0, what="the slot to be taken")
        await put(broker, ids[1:])
        envelopes = await eventually(lambda: waiting_envelopes(broker), what="the envelope to be given back")

    assert envelopes == [tuple(ids[1:])]


async def test_intake_acknowledges_nothing_while_the_store_is_away() -> None:
    """Envelopes stay in hand until the store answers, and are claimed then."""
    broker, work = await started_broker(), Slots(10)
    ids = fresh_ids(2)

    async with feeding(work, broker):
        await eventually(lambda: work.polls >= 1, what="the first poll")
        work.is_store_away = True
        work.shelf = dict.fromkeys(ids)
        await put(broker, ids)
        await eventually(lambda: work.failures >= 2, what="two failed claims")
        assert work.taken == []
        work.is_store_away = False
        await eventually(lambda: len(work.taken) == 2, what="both deliveries")


async def test_intake_returns_what_it_holds_when_stopped() -> None:
    """What was received and not claimed goes back when the consumer stops."""
    broker, work = await started_broker(), Slots(10)
    ids = fresh_ids(2)
    work.is_store_away = True

    async with feeding(work, broker):
        await put(broker, ids)
        await eventually(lambda: work.failures >= 1, what="a failed claim")

    assert await waiting_envelopes(broker) == [tuple(ids)]


async def test_intake_polls_soon_when_the_broker_goes_away() -> None:
    """While the broker is away polling carries everything, at its quicker pace."""
    broker, work = await started_broker(), Slots(10)
    ids = fresh_ids(1)

    async with feeding(work, broker, Pace(poll_s=60, poll_away_s=0.05)):
        await eventually(lambda: work.polls >= 1, what="the first poll")
        await broker.close()
        work.shelf = dict.fromkeys(ids)
        await eventually(lambda: len(work.taken) == 1, within_s=5, what="the delivery")

    assert work.taken == [(ids[0], "poll")]


async def test_intake_claims_nothing_while_its_process_looks_dead() -> None:
    """What a process without a heartbeat claims is taken from it at once, so it claims nothing until it beats again."""
    work, broker, is_alive = Slots(5), await started_broker(), False
    ids = fresh_ids(2)
    work.shelf = dict.fromkeys(ids)
    intake = Intake(
        work, broker, broker.subscribe((DELIVERIES,)), Pace(poll_s=0.02, poll_away_s=0.02), is_alive=lambda: is_alive
    )
    running = asyncio.create_task(intake.run())
    await put(broker, ids)
    other = broker.subscribe((DELIVERIES,))

    given_back = await other.receive()
    before = list(work.taken)
    is_alive = True
    await eventually(partial(work.has_taken, 2))
    intake.stop()
    await running

    assert (before, [list(one.envelope.ids) for one in given_back]) == ([], [ids])
