"""A secret that cannot be read costs its own deliveries a try, and nobody else anything."""

import asyncio
import sqlite3
from contextlib import closing

from ringback.webhooks import new_secret
from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.states import DeliveryState
from tests.notifier.conftest import Rig
from tests.notifier.endpoints import SECRET, end_job, now_of, register
from tests.receiver import Receiver
from tests.waiting import eventually

OF_THE_TENANT = "endpoint_id IS NULL"
SLOW_SCHEDULE = (0.2,) * 40


async def run(rig: Rig, statement: str, *values: object) -> None:
    """Change what no contract lets anybody change."""

    def change() -> None:
        with closing(sqlite3.connect(rig.url.removeprefix("sqlite:///"), timeout=10)) as connection, connection:
            connection.execute(statement, values)

    await asyncio.to_thread(change)


async def spoil(rig: Rig, condition: str) -> None:
    """Encrypt secrets with a key that nobody has."""
    turned = "CAST(replace(CAST(sealed AS TEXT), 'gAAAA', 'gBBBB') AS BLOB)"
    await run(rig, f"UPDATE signing_secrets SET sealed = {turned} WHERE {condition}")  # noqa: S608 - own words


async def mend(rig: Rig, condition: str) -> None:
    """The key is back."""
    turned = "CAST(replace(CAST(sealed AS TEXT), 'gBBBB', 'gAAAA') AS BLOB)"
    await run(rig, f"UPDATE signing_secrets SET sealed = {turned} WHERE {condition}")  # noqa: S608 - own words


async def test_callback_whose_secret_cannot_be_read_is_tried_again(rig: Rig, receiver: Receiver) -> None:
    """Nothing is sent unsigned; the attempt says what to look at; with the key back it goes out."""
    await spoil(rig, OF_THE_TENANT)
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier(schedule_s=SLOW_SCHEDULE):
        await rig.when(delivery_id, "retrying")
        assert receiver.requests == []
        await mend(rig, OF_THE_TENANT)
        detail = await rig.ended(delivery_id)

    assert detail.delivery.state is DeliveryState.DELIVERED
    first = detail.attempts[0]
    assert first.verdict is Verdict.UNSIGNED
    assert "opens with none of the encryption keys" in first.reason
    assert receiver.requests[0].verify(await rig.secrets())


async def test_tenant_without_a_secret_does_not_end_the_notifier(rig: Rig, receiver: Receiver) -> None:
    """A row that is missing is as good as one that cannot be read."""
    await run(rig, "DELETE FROM signing_secrets")
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier() as notifier:
        detail = await rig.ended(delivery_id)
        assert notifier.in_flight == 0

    assert detail.delivery.state is DeliveryState.EXHAUSTED
    assert {attempt.verdict for attempt in detail.attempts} == {Verdict.UNSIGNED}


async def test_endpoint_whose_secret_cannot_be_read_costs_the_others_nothing(rig: Rig, receiver: Receiver) -> None:
    """Asked for together, one fails and the others are sent to; and it is not held against the endpoint."""
    spoilt = await register(rig, receiver.url("/spoilt"))
    fine = await register(rig, receiver.url("/fine"), secret=new_secret())
    await spoil(rig, f"endpoint_id = '{spoilt.id}'")
    await rig.deliver()

    async with rig.notifier(schedule_s=SLOW_SCHEDULE):
        await eventually(lambda: receiver.to("/fine"), what="the other's webhook")
        outcomes = rig.counts.outcomes
        await eventually(lambda: any(one.endpoint_id == spoilt.id for one in outcomes), what="a try")

    assert receiver.to("/spoilt") == []
    assert await failures(rig, spoilt) == await failures(rig, fine) == 0


async def test_endpoint_in_order_waits_for_its_secret_like_any(rig: Rig, receiver: Receiver) -> None:
    """Its line goes on once the secret can be read."""
    endpoint = await register(rig, receiver.url(), is_fifo=True)
    await spoil(rig, f"endpoint_id = '{endpoint.id}'")
    delivery = await end_job(rig)

    async with rig.notifier(schedule_s=SLOW_SCHEDULE):
        await rig.when(delivery.id, "retrying")
        await mend(rig, f"endpoint_id = '{endpoint.id}'")
        detail = await rig.ended(delivery.id)

    assert detail.attempts[0].verdict is Verdict.UNSIGNED
    assert receiver.requests[0].verify(SECRET)


async def test_headers_that_cannot_be_read_are_not_left_out(rig: Rig, receiver: Receiver) -> None:
    """They may be what lets the request in: it is not sent without them."""
    endpoint = await register(rig, receiver.url(), headers=(("x-token", "t"),))
    await run(rig, "UPDATE endpoints SET sealed_headers = x'00' WHERE id = ?", endpoint.id)
    delivery = await end_job(rig)

    async with rig.notifier():
        detail = await rig.ended(delivery.id)

    assert (detail.attempts[0].verdict, receiver.requests) == (Verdict.UNSIGNED, [])
    assert f"the headers of endpoint {endpoint.id} cannot be read" in detail.attempts[0].reason


async def failures(rig: Rig, endpoint: EndpointRecord) -> int:
    """Its failures in a row."""
    assert endpoint.tenant_id == DEFAULT_TENANT
    return (await now_of(rig, endpoint)).health.failures_in_row
