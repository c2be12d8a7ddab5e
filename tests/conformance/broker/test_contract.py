"""The contract, over every broker. Its sentences are in ``ringback_backends.contracts.broker``."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from ringback_backends.contracts.broker import DELIVERIES, Broker, Queue
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_schemas.envelopes import Envelope
from tests.conformance.broker.parts import deliveries, fresh_queue, is_silent, jobs, receive, take
from tests.waiting import eventually


async def test_publish_carries_an_envelope_to_a_subscription(broker: Broker) -> None:
    """What is received is what was published."""
    queue, envelope = fresh_queue(), jobs(3)
    subscription = broker.subscribe((queue,))

    await broker.publish(queue, envelope)

    assert [envelope] == await take(subscription)


async def test_publish_keeps_an_envelope_when_nobody_subscribes_yet(broker: Broker) -> None:
    """*A queue that was never declared is declared first*, and keeps what it gets."""
    queue, envelope = fresh_queue(), jobs()

    await broker.publish(queue, envelope)

    assert [envelope] == await take(broker.subscribe((queue,)))


async def test_publish_may_be_under_way_many_times_at_once(broker: Broker) -> None:
    """*Many may be under way at once*: a thousand at once arrive, each once."""
    queue = fresh_queue()
    subscription = broker.subscribe((queue,))
    envelopes = [jobs() for _ in range(1000)]

    published = asyncio.gather(*[broker.publish(queue, envelope) for envelope in envelopes])
    taken = await take(subscription, len(envelopes))
    await published

    assert {envelope.ids for envelope in envelopes} == {envelope.ids for envelope in taken}
    assert len(envelopes) == len(taken)


async def test_receive_keeps_the_order_when_there_is_one_consumer(broker: Broker) -> None:
    """First in, first out."""
    queue = fresh_queue()
    envelopes = [jobs() for _ in range(20)]
    for envelope in envelopes:
        await broker.publish(queue, envelope)

    assert envelopes == await take(broker.subscribe((queue,)), len(envelopes))


async def test_subscription_takes_from_all_its_queues(broker: Broker) -> None:
    """*A consumer of all those queues*: work queues and that of deliveries alike."""
    first, second = fresh_queue(), fresh_queue()
    subscription = broker.subscribe((first, second, DELIVERIES))
    sent = {first: jobs(), second: jobs(), DELIVERIES: deliveries()}

    for queue, envelope in sent.items():
        await broker.publish(queue, envelope)

    assert set(sent.values()) == set(await take(subscription, 3))


async def test_subscription_takes_from_no_other_queue(broker: Broker) -> None:
    """Queues are apart."""
    subscription = broker.subscribe((fresh_queue(),))

    await broker.publish(fresh_queue(), jobs())

    assert await is_silent(subscription)


async def test_subscriptions_share_a_queue(broker: Broker) -> None:
    """Of two subscriptions each gets a share, and no envelope goes to both."""
    queue = fresh_queue()
    envelopes = [jobs() for _ in range(20)]
    one, other = broker.subscribe((queue,)), broker.subscribe((queue,))
    await eventually(lambda: broker.status.is_connected, what="both subscriptions to consume")

    for envelope in envelopes:
        await broker.publish(queue, envelope)
    to_one, to_other = await take(one, 10), await take(other, 10)

    assert {envelope.ids for envelope in envelopes} == {envelope.ids for envelope in to_one + to_other}


async def test_subscription_leaves_the_rest_to_others_when_it_settles_nothing(broker: Broker) -> None:
    """One that holds much gets no more, so that a stuck consumer does not hoard the queue."""
    queue = fresh_queue()
    stuck = broker.subscribe((queue,))
    await asyncio.gather(*[broker.publish(queue, jobs()) for _ in range(200)])
    await receive(stuck)

    assert len(await take(broker.subscribe((queue,)), 100)) >= 100


async def test_receive_loses_nothing_when_it_is_cancelled(broker: Broker) -> None:
    """*Safe to cancel: nothing is lost*, at whatever moment."""
    queue = fresh_queue()
    subscription = broker.subscribe((queue,))
    envelopes = [jobs() for _ in range(50)]
    taken: list[Envelope] = []
    for number, envelope in enumerate(envelopes):
        waiting = asyncio.create_task(subscription.receive())
        await broker.publish(queue, envelope)
        for _ in range(number % 5):
            await asyncio.sleep(0)
        if not waiting.cancel():
            taken += [received.envelope for received in waiting.result()]
        else:
            await asyncio.wait({waiting})
            taken += [] if waiting.cancelled() else [received.envelope for received in waiting.result()]

    taken += [received.envelope for received in await receive(subscription, len(envelopes) - len(taken))]

    assert envelopes == taken


async def test_ack_means_that_nobody_gets_it_again(broker: Broker) -> None:
    """What is acked does not go back when its subscription ends; what is not acked does."""
    queue, done, undone = fresh_queue(), jobs(), jobs()
    first = broker.subscribe((queue,))
    await broker.publish(queue, done)
    await broker.publish(queue, undone)
    (await receive(first, 2))[0].ack()

    await first.close()

    second = broker.subscribe((queue,))
    assert [undone] == await take(second)
    assert await is_silent(second)


async def test_give_back_lets_another_consumer_have_it(broker: Broker) -> None:
    """*Let another consumer have it*."""
    queue, envelope = fresh_queue(), jobs()
    first = broker.subscribe((queue,))
    await broker.publish(queue, envelope)
    received = await receive(first)
    await first.pause()

    received[0].give_back()

    assert [envelope] == await take(broker.subscribe((queue,)))


async def test_give_back_keeps_the_order(broker: Broker) -> None:
    """What is given back has waited longest, so it comes before all others."""
    queue = fresh_queue()
    envelopes = [jobs() for _ in range(10)]
    first = broker.subscribe((queue,))
    for envelope in envelopes[:5]:
        await broker.publish(queue, envelope)
    held = await receive(first, 5)
    await first.pause()
    for envelope in envelopes[5:]:
        await broker.publish(queue, envelope)

    for received in held:
        received.give_back()
    await first.close()

    assert envelopes == await take(broker.subscribe((queue,)), 10)


async def test_settling_does_nothing_the_second_time(broker: Broker) -> None:
    """*It never raises*: only the first word counts."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, envelope)
    received = (await receive(subscription))[0]

    received.ack()
    received.ack()
    received.give_back()

    assert await is_silent(subscription)


async def test_settling_does_nothing_when_its_subscription_is_closed(broker: Broker) -> None:
    """*Settling one whose connection is gone does nothing: the broker gives that message to somebody else*."""
    queue, envelope = fresh_queue(), jobs()
    first = broker.subscribe((queue,))
    await broker.publish(queue, envelope)
    received = (await receive(first))[0]
    await first.close()

    received.ack()
    received.give_back()

    second = broker.subscribe((queue,))
    assert [envelope] == await take(second)
    assert await is_silent(second)


async def test_pause_gives_back_what_has_not_been_received(broker: Broker) -> None:
    """*Take no more, and give back what has not been received*."""
    queue, envelopes = fresh_queue(), [jobs() for _ in range(5)]
    paused, other = broker.subscribe((queue,)), broker.subscribe((queue,))
    await other.pause()
    for envelope in envelopes:
        await broker.publish(queue, envelope)

    await paused.pause()
    await paused.pause()
    await other.resume()

    assert envelopes == await take(other, 5)
    assert await is_silent(paused)


async def test_pause_leaves_what_was_received_to_be_settled(broker: Broker) -> None:
    """Acks reach the broker while the subscription rests."""
    queue = fresh_queue()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, jobs())
    received = await receive(subscription)
    await subscription.pause()

    received[0].ack()
    await subscription.close()

    assert await is_silent(broker.subscribe((queue,)))


async def test_resume_takes_again(broker: Broker) -> None:
    """What came during the pause is received after it; resuming twice changes nothing."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await subscription.pause()
    await broker.publish(queue, envelope)

    await subscription.resume()
    await subscription.resume()

    assert [envelope] == await take(subscription)


async def test_pause_and_resume_lose_nothing_when_they_alternate(broker: Broker) -> None:
    """A consumer that is full again and again still gets each envelope once."""
    queue, envelopes = fresh_queue(), [jobs() for _ in range(60)]
    subscription = broker.subscribe((queue,))
    await asyncio.gather(*[broker.publish(queue, envelope) for envelope in envelopes])

    taken: list[Envelope] = []
    while len(taken) < len(envelopes):
        for received in await receive(subscription):
            received.ack()
            taken.append(received.envelope)
        await subscription.pause()
        await subscription.resume()

    assert {envelope.ids for envelope in envelopes} == {envelope.ids for envelope in taken}
    assert len(envelopes) == len(taken)


async def test_closed_subscription_stays_closed(broker: Broker) -> None:
    """*Pause for ever. Safe to call twice*: resuming does not open it again."""
    queue = fresh_queue()
    subscription = broker.subscribe((queue,))

    await subscription.close()
    await subscription.close()
    await subscription.resume()
    await broker.publish(queue, jobs())

    assert await is_silent(subscription)


async def test_close_is_harmless_when_never_started(make_broker: Callable[[], Broker]) -> None:
    """*Safe to call twice, and without start*."""
    broker = make_broker()

    await broker.close()
    await broker.close()

    assert not broker.status.is_connected


async def test_publish_fails_when_not_started(make_broker: Callable[[], Broker]) -> None:
    """The error is the one that publishers cope with."""
    with pytest.raises(BrokerUnavailable, match="not started"):
        await make_broker().publish(fresh_queue(), jobs())


async def test_publish_fails_when_closed(broker: Broker) -> None:
    """The error is the one that publishers cope with."""
    await broker.close()

    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.publish(fresh_queue(), jobs())


@pytest.mark.parametrize("name", ["", "a b", "#", "ü", "a" * 101, "x\n"])
async def test_a_bad_queue_name_is_refused_in_words(broker: Broker, name: str) -> None:
    """It fails safe: an error that publishers cope with, and no queue of that name."""
    with pytest.raises(BrokerUnavailable, match="no name for a queue"):
        await broker.publish(Queue.work(name), jobs())
    with pytest.raises(BrokerUnavailable, match="no name for a queue"):
        broker.subscribe((Queue.work(name),))


async def test_status_says_since_when_it_is_connected(broker: Broker) -> None:
    """An aware time in UTC and a few words."""
    status = broker.status

    assert status.is_connected
    assert not status.is_blocked
    assert status.since.utcoffset() == timedelta(0)
    assert status.detail == "connected"


async def test_status_says_that_it_is_closed(broker: Broker) -> None:
    """Readiness and polling go by it."""
    await broker.close()

    assert not broker.status.is_connected
    assert broker.status.detail == "closed"
