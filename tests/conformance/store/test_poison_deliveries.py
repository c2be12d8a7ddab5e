"""A delivery that kills its notifiers is given up before it has killed them all."""

from dataclasses import replace

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryDetail, Verdict
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId
from ringback_schemas.instances import Rescue
from ringback_schemas.states import DeliveryState
from tests.conformance.store.making import ALL_SILENT, SETTINGS, attempted, registered, sending

POISON_AFTER = 3


async def rescued(store: Store) -> Rescue:
    """Everybody is dead."""
    return await store.rescue(ALL_SILENT, POISON_AFTER, 100)


async def claimed_again(store: Store, owner: InstanceId, sent: ClaimedDelivery) -> ClaimedDelivery:
    """Somebody sends it once more."""
    (again,) = await store.claim_deliveries(owner, [sent.delivery.id], 1)
    return again


async def detail(store: Store, sent: ClaimedDelivery) -> DeliveryDetail:
    """All about it."""
    found = await store.get_delivery(DEFAULT_TENANT, sent.delivery.id)
    assert found is not None
    return found


async def lost(store: Store, owner: InstanceId, sent: ClaimedDelivery, times: int) -> Rescue:
    """It is lost so often; the last rescue."""
    rescue = await rescued(store)
    for _ in range(times - 1):
        await claimed_again(store, owner, sent)
        rescue = await rescued(store)
    return rescue


async def test_delivery_that_was_lost_too_often_is_given_up(store: Store, owner: InstanceId) -> None:
    """With the third loss, visibly, and for good."""
    sent = await sending(store, owner)

    rescue = await lost(store, owner, sent, POISON_AFTER)

    assert (rescue.deliveries, rescue.exhausted) == ((), (sent.delivery.id,))
    told = await detail(store, sent)
    assert [one.verdict for one in told.attempts] == [Verdict.NOTIFIER_LOST] * 2 + [Verdict.POISON]
    assert "3 notifiers died" in told.attempts[-1].reason
    assert (told.delivery.state, told.delivery.owner) == (DeliveryState.EXHAUSTED, None)
    assert (told.delivery.next_attempt_at, told.attempts[-1].next_attempt_at) == (None, None)
    assert told.delivery.finished_at is not None
    assert await store.claim_due_deliveries(owner, 5) == []


async def test_losses_count_with_other_failures_between(store: Store, owner: InstanceId) -> None:
    """They need not follow each other."""
    sent = await sending(store, owner)
    await lost(store, owner, sent, 2)
    again = await claimed_again(store, owner, sent)
    await store.record_attempts([attempted(again, DeliveryState.RETRYING)])
    await claimed_again(store, owner, sent)

    assert (await rescued(store)).exhausted == (sent.delivery.id,)


async def test_redelivery_counts_from_nothing(store: Store, owner: InstanceId) -> None:
    """Whoever asks for it has mended something."""
    sent = await sending(store, owner)
    await lost(store, owner, sent, POISON_AFTER)
    await store.redeliver(DEFAULT_TENANT, sent.delivery.id)
    await claimed_again(store, owner, sent)

    rescue = await lost(store, owner, sent, POISON_AFTER - 1)

    assert (rescue.deliveries, rescue.exhausted) == ((sent.delivery.id,), ())


async def test_poison_is_told_to_those_who_ask(store: Store, owner: InstanceId) -> None:
    """As any delivery that was given up; what tells it is to be announced."""
    watcher = await registered(store, replace(SETTINGS, event_filter=("delivery.exhausted",)))
    sent = await sending(store, owner)

    rescue = await lost(store, owner, sent, POISON_AFTER)

    (told,) = await store.claim_deliveries(owner, list(rescue.deliveries), 5)
    assert (told.delivery.endpoint_id, told.delivery.event_type) == (watcher.id, "delivery.exhausted")
    assert sent.delivery.id.encode() in told.body
    assert b'"verdict":"poison"' in told.body
