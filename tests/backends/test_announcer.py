"""Announcements: ids into envelopes, in the background, and never in anybody's way."""

import asyncio
from collections.abc import Sequence

import pytest

from ringback_backends.announcer import IDS_PER_ENVELOPE, Announcer
from ringback_backends.contracts.broker import DELIVERIES, Queue
from ringback_backends.inprocess import InProcessBroker
from ringback_schemas.envelopes import Envelope
from ringback_schemas.ids import new_delivery_id
from tests.waiting import eventually


class Counts:
    """Counts what was announced and dropped."""

    def __init__(self) -> None:
        self.announced = 0
        self.dropped = 0

    def on_announced(self, ids: int) -> None:
        """So many were published."""
        self.announced += ids

    def on_dropped(self, ids: int) -> None:
        """So many were not."""
        self.dropped += ids


def fresh_ids(count: int) -> list[str]:
    """So many delivery ids."""
    return [new_delivery_id() for _ in range(count)]


async def envelopes(broker: InProcessBroker, queue: Queue, ids: int) -> Sequence[tuple[str, ...]]:
    """The envelopes that wait there, until that many ids have come."""
    subscription = broker.subscribe((queue,))
    found: list[tuple[str, ...]] = []
    async with asyncio.timeout(10):
        while sum(len(one) for one in found) < ids:
            for received in await subscription.receive():
                found.append(received.envelope.ids)
                received.ack()
    await subscription.close()
    return found


async def test_announcer_puts_ids_of_one_turn_into_one_envelope() -> None:
    """Ids announced in the same turn of the loop share an envelope, in order."""
    broker = InProcessBroker()
    await broker.start()
    ids = fresh_ids(3)

    async with Announcer(broker) as announcer:
        for one in ids:
            announcer.announce(DELIVERIES, [one])

    assert await envelopes(broker, DELIVERIES, 3) == [tuple(ids)]


async def test_announcer_bounds_an_envelope() -> None:
    """More ids than one envelope carries go into several, none lost."""
    broker = InProcessBroker()
    await broker.start()
    ids = fresh_ids(2 * IDS_PER_ENVELOPE + 1)

    async with Announcer(broker) as announcer:
        announcer.announce(DELIVERIES, ids)
        found = await envelopes(broker, DELIVERIES, len(ids))

    assert [len(one) for one in found] == [IDS_PER_ENVELOPE, IDS_PER_ENVELOPE, 1]
    assert [one for envelope in found for one in envelope] == ids


async def test_announcer_keeps_queues_apart() -> None:
    """Ids of two queues are never in one envelope."""
    broker = InProcessBroker()
    await broker.start()
    mail, other = Queue.work("mail"), Queue.work("other")

    async with Announcer(broker) as announcer:
        announcer.announce(mail, ["job_1"])
        announcer.announce(other, ["job_2"])

    assert await envelopes(broker, mail, 1) == [("job_1",)]
    assert await envelopes(broker, other, 1) == [("job_2",)]


async def test_announcer_drops_and_counts_when_the_broker_is_away() -> None:
    """A broker that is away costs announcements, which polling makes up for; nothing is raised."""
    counts = Counts()
    broker = InProcessBroker()

    async with Announcer(broker, observer=counts) as announcer:
        announcer.announce(DELIVERIES, fresh_ids(5))

    assert (counts.announced, counts.dropped) == (0, 5)


async def test_announcer_announces_later_when_due() -> None:
    """An announcement for later comes by itself."""
    broker = InProcessBroker()
    await broker.start()

    async with Announcer(broker) as announcer:
        announcer.announce_later(DELIVERIES, ["dlv_1"], 0.02)
        found = await envelopes(broker, DELIVERIES, 1)

    assert found == [("dlv_1",)]


async def test_announcer_forgets_what_is_for_later_when_closed() -> None:
    """Timers end with the announcer; nothing fires afterwards."""
    counts = Counts()
    broker = InProcessBroker()
    await broker.start()

    async with Announcer(broker, observer=counts) as announcer:
        announcer.announce_later(DELIVERIES, ["dlv_1"], 0.0)

    await asyncio.sleep(0)
    assert (counts.announced, counts.dropped) == (0, 0)


class Sluggish(InProcessBroker):
    """A broker that takes some turns of the loop for each envelope."""

    async def publish(self, queue: Queue, envelope: Envelope) -> None:
        """Take the envelope after a while."""
        for _ in range(5):
            await asyncio.sleep(0)
        await super().publish(queue, envelope)


async def test_announcer_publishes_all_that_waits_when_closed() -> None:
    """Closing waits for every envelope, not only for those that were under way when it began."""
    counts = Counts()
    broker = Sluggish()
    await broker.start()

    async with Announcer(broker, observer=counts) as announcer:
        announcer.announce(DELIVERIES, fresh_ids(10 * IDS_PER_ENVELOPE))

    assert counts.announced == 10 * IDS_PER_ENVELOPE


class Hanging(InProcessBroker):
    """A broker that never confirms."""

    async def publish(self, queue: Queue, envelope: Envelope) -> None:  # noqa: ARG002 - the contract's form
        """Wait for ever."""
        await asyncio.Event().wait()


async def test_announcer_drops_what_is_not_published_soon_when_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing gives up in time, leaves no publish running behind it, and counts what it dropped."""
    monkeypatch.setattr("ringback_backends.announcer.CLOSE_WITHIN_S", 0.05)
    counts = Counts()
    broker = Hanging()
    await broker.start()

    async with Announcer(broker, observer=counts) as announcer:
        announcer.announce(DELIVERIES, fresh_ids(10 * IDS_PER_ENVELOPE))

    assert (counts.announced, counts.dropped) == (0, 10 * IDS_PER_ENVELOPE)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "announce"]


async def test_announcer_forgets_queues_that_are_done_with() -> None:
    """Queue names come from clients: what is kept of them must not grow with their number."""
    broker = InProcessBroker()
    await broker.start()

    async with Announcer(broker) as announcer:
        for number in range(50):
            announcer.announce(Queue.work(f"queue-{number}"), ["job_1"])
        before = announcer.queues
        await eventually(lambda: announcer.queues == 0)

    assert before == 50
