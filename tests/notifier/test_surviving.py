"""What outages, kills and stops do to deliveries: nothing is lost, nothing is recorded twice (P3, P4)."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ringback_schemas.deliveries import Verdict
from ringback_schemas.ids import new_instance_id
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Hang, Held
from tests.notifier.conftest import BODY, Rig
from tests.receiver import Receiver
from tests.waiting import eventually


async def test_outcome_is_recorded_when_the_store_comes_back(rig: Rig, receiver: Receiver) -> None:
    """What was sent is told, however late, and not sent again meanwhile."""
    rig.outage.away = {"record_attempts"}
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await eventually(lambda: rig.outage.calls.count("record_attempts") >= 3, what="three tries to record")
        rig.outage.away = set()
        detail = await rig.ended(delivery_id)

    assert (detail.delivery.state, len(receiver.requests)) == (DeliveryState.DELIVERED, 1)


async def test_outcome_is_recorded_once_when_the_answer_of_the_store_is_lost(rig: Rig, receiver: Receiver) -> None:
    """A commit whose answer was lost is not doubled by trying again: it is fenced."""
    rig.outage.lost_answers = {"record_attempts"}
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await rig.ended(delivery_id)
        rig.outage.lost_answers = set()
        await eventually(lambda: rig.counts.fenced, what="the second record to be fenced")

    assert len((await rig.delivery(delivery_id)).attempts) == 1


async def test_delivery_waits_for_its_secret_while_the_store_is_away(rig: Rig, receiver: Receiver) -> None:
    """Nothing is sent unsigned."""
    rig.outage.away = {"signing_secrets"}
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await eventually(lambda: rig.outage.calls.count("signing_secrets") >= 3, what="three questions for the secret")
        sent_meanwhile = len(receiver.requests)
        rig.outage.away = set()
        await rig.ended(delivery_id)

    assert sent_meanwhile == 0
    assert receiver.requests[0].verify(await rig.secrets()).body == BODY


async def test_delivery_whose_claim_was_not_answered_is_given_back(rig: Rig, receiver: Receiver) -> None:
    """A claim that was committed while its answer was lost would otherwise be held for ever."""
    rig.outage.lost_answers = {"claim_deliveries", "claim_due_in_lanes", "claim_in_lanes"}
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await rig.when(delivery_id, "sending")
        rig.outage.lost_answers = set()
        detail = await rig.ended(delivery_id)

    assert detail.delivery.state == DeliveryState.DELIVERED
    assert [attempt.verdict for attempt in detail.attempts] == [Verdict.DELIVERED]


async def test_delivery_whose_claim_is_answered_late_is_not_taken_for_a_stray(rig: Rig, receiver: Receiver) -> None:
    """It is held and unknown for many rounds; given back, it would be sent twice."""
    answered = asyncio.Event()
    rig.outage.late_answers = dict.fromkeys(("claim_deliveries", "claim_due_in_lanes", "claim_in_lanes"), answered)
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await rig.when(delivery_id, "sending")
        before = rig.outage.calls.count("held_deliveries")
        await eventually(lambda: rig.outage.calls.count("held_deliveries") > before + 3, what="three more looks")
        answered.set()
        detail = await rig.ended(delivery_id)

    assert [(attempt.attempt, attempt.verdict) for attempt in detail.attempts] == [(1, Verdict.DELIVERED)]
    assert (len(receiver.requests), rig.counts.fenced) == (1, [])


async def test_delivery_of_a_dead_notifier_is_sent_again_with_the_same_id_and_bytes(
    rig: Rig, receiver: Receiver
) -> None:
    """Killed amid a request: the receiver may get it twice, and can tell (BB-55)."""
    receiver.script(Hang())
    (delivery_id,) = await rig.deliver(receiver.url())
    async with rig.notifier(grace_s=0):
        await receiver.wait_for(1)
    await rig.store.leave(rig.owner)
    rescue = await rig.store.rescue(15, 3, 100)

    survivor = replace(rig, owner=new_instance_id())
    async with survivor.notifier():
        detail = await survivor.ended(delivery_id)

    assert rescue.deliveries == (delivery_id,)
    assert [attempt.verdict for attempt in detail.attempts] == [Verdict.NOTIFIER_LOST, Verdict.DELIVERED]
    assert len({(request.webhook_id, request.body) for request in receiver.requests}) == 1


async def test_late_outcome_of_a_rescued_delivery_is_fenced(rig: Rig, receiver: Receiver) -> None:
    """A notifier that was taken for dead cannot overwrite what the next one did."""
    gate = asyncio.Event()
    receiver.script(Held(gate, Answer(500)))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await receiver.wait_for(1)
        await rig.store.leave(rig.owner)
        await rig.store.rescue(15, 3, 100)
        detail = await rig.ended(delivery_id)
        gate.set()
        await eventually(lambda: rig.counts.fenced, what="the late outcome to be fenced")

    assert detail.delivery.state == DeliveryState.DELIVERED
    assert (await rig.delivery(delivery_id)).attempts == detail.attempts


async def test_stop_lets_what_is_in_flight_finish(rig: Rig, receiver: Receiver) -> None:
    """Within the grace a delivery that was begun is also recorded (BB-65)."""
    gate = asyncio.Event()
    receiver.always(Held(gate))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier() as notifier:
        await receiver.wait_for(1)
        notifier.stop()
        notifier.stop()
        gate.set()

    assert (await rig.delivery(delivery_id)).delivery.state == DeliveryState.DELIVERED


async def test_stop_takes_nothing_new(rig: Rig, receiver: Receiver) -> None:
    """What comes after a stop is for the others."""
    async with rig.notifier() as notifier:
        notifier.stop()
        (delivery_id,) = await rig.deliver(receiver.url())

    assert (await rig.delivery(delivery_id)).delivery.state == DeliveryState.PENDING


async def test_stop_before_the_run_ends_it_at_once(rig: Rig) -> None:
    """A stop is not lost when it comes early."""
    async with rig.notifier() as notifier:
        notifier.stop()
        notifier.stop_now()


async def test_second_stop_gives_back_what_was_not_sent(rig: Rig, receiver: Receiver) -> None:
    """What waits for its secret was not sent: it is pending again, without an attempt."""
    rig.outage.away = {"signing_secrets"}
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier(grace_s=60) as notifier:
        await eventually(lambda: "signing_secrets" in rig.outage.calls, what="a delivery in hand")
        notifier.stop_now()

    detail = await rig.delivery(delivery_id)
    assert (detail.delivery.state, detail.attempts, receiver.requests) == (DeliveryState.PENDING, (), [])


async def test_what_was_being_sent_at_the_end_of_the_grace_stays_for_the_rescuer(rig: Rig, receiver: Receiver) -> None:
    """The receiver may have it: it is neither given back as unsent nor recorded as failed."""
    receiver.always(Hang())
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier(grace_s=0):
        await receiver.wait_for(1)

    assert (await rig.delivery(delivery_id)).delivery.state == DeliveryState.SENDING


async def test_deliveries_go_on_without_envelopes(rig: Rig, receiver: Receiver) -> None:
    """Polling alone carries everything."""
    ids = await rig.deliver(*[receiver.url(f"/{number}") for number in range(20)], is_announced=False)

    async with rig.notifier():
        states = [(await rig.ended(one)).delivery.state for one in ids]

    assert states == [DeliveryState.DELIVERED] * 20


async def test_attempt_that_the_database_forgot_is_not_sent_beside_itself(
    rig: Rig, receiver: Receiver, tmp_path: Path
) -> None:
    """A crashed database may forget a claim and hand the attempt out again: the one in flight counts for it."""
    gate = asyncio.Event()
    receiver.always(Held(gate))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await receiver.wait_for(1)
        with closing(sqlite3.connect(tmp_path / "ringback.db")) as database, database:
            database.execute("UPDATE deliveries SET state = 'pending', owner = NULL, attempt = attempt - 1")
        await rig.when(delivery_id, "sending")
        gate.set()
        detail = await rig.ended(delivery_id)

    assert (detail.delivery.state, len(detail.attempts), len(receiver.requests)) == (DeliveryState.DELIVERED, 1, 1)
