"""What befalls endpoints is told to those that ask, by webhooks like any."""

from ringback.webhooks import new_secret
from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoint_health import HealthRules
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.http.operational import DeliveryExhaustedBody, EndpointEventBody
from tests.answers import Answer
from tests.notifier.conftest import Rig
from tests.notifier.endpoints import SECRET, end_job, now_of, register
from tests.receiver import Receiver
from tests.waiting import eventually

JOBS = ("job.*",)
WATCHES = ("endpoint.*", "delivery.*")


async def bodies(receiver: Receiver, path: str, count: int) -> list[bytes]:
    """So many webhooks to that path, verified, in the order in which they came."""
    await eventually(lambda: len(receiver.to(path)) >= count, what=f"{count} at {path}")
    return [one.verify(SECRET).body for one in receiver.to(path)]


async def test_410_is_told_with_its_reason(rig: Rig, receiver: Receiver) -> None:
    """The delivery has ended, and the endpoint is disabled (BB-02): an event for each."""
    receiver.always(Answer(410), path="/gone")
    await register(rig, receiver.url("/watch"), event_filter=WATCHES)
    gone = await register(rig, receiver.url("/gone"), secret=new_secret(), event_filter=JOBS)
    await end_job(rig)

    async with rig.notifier():
        told = await bodies(receiver, "/watch", 2)

    exhausted = next(DeliveryExhaustedBody.model_validate_json(one) for one in told if b'"delivery.exhausted"' in one)
    disabled = next(EndpointEventBody.model_validate_json(one) for one in told if b'"endpoint.disabled"' in one)
    assert (exhausted.data.verdict, exhausted.data.status, exhausted.data.attempts) == (Verdict.GONE, 410, 1)
    assert (disabled.data.endpoint_id, disabled.data.disabled_reason) == (gone.id, DisabledReason.GONE)


async def test_endpoint_that_fails_is_told_of_and_given_up(rig: Rig, receiver: Receiver) -> None:
    """By the rules of the notifier: first it fails, then it is disabled."""
    receiver.always(Answer(500), path="/bad")
    await register(rig, receiver.url("/watch"), event_filter=("endpoint.*",))
    bad = await register(rig, receiver.url("/bad"), secret=new_secret(), event_filter=JOBS)
    await end_job(rig)

    async with rig.notifier(schedule_s=(0.01,) * 20, health=HealthRules(6, 0)):
        told = await bodies(receiver, "/watch", 2)

    parsed = {body.type: body.data for body in map(EndpointEventBody.model_validate_json, told)}
    assert set(parsed) == {"endpoint.failing", "endpoint.disabled"}
    assert parsed["endpoint.disabled"].disabled_reason is DisabledReason.FAILING
    assert (await now_of(rig, bad)).health.failures_in_row == 6


async def test_failing_watchers_do_not_report_each_other(rig: Rig, receiver: Receiver) -> None:
    """What becomes of an operational event's own delivery is told to nobody."""
    receiver.always(Answer(500))
    watchers = [await register(rig, receiver.url(f"/{n}"), event_filter=WATCHES) for n in range(2)]
    noisy = await register(rig, receiver.url("/noisy"), secret=new_secret(), event_filter=JOBS)
    await rig.store.disable_endpoint(noisy.tenant_id, noisy.id, DisabledReason.REQUESTED)

    async with rig.notifier(schedule_s=(0.01,) * 6):
        await eventually(lambda: len(rig.counts.outcomes) >= 14, what="both deliveries to be given up")

    assert len(await rig.store.list_deliveries(noisy.tenant_id, [], None, 10)) == 2
    assert [(await now_of(rig, one)).health.failures_in_row for one in watchers] == [0, 0]
