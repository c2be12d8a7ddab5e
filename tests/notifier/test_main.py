"""A notifier as a process has it: from settings to exit code."""

import asyncio
import signal

import pytest

from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.errors import SchemaMismatch
from ringback_backends.lease.drain import Shutdown
from ringback_notifier.main import CLEAN, UNCLEAN, notifier_plan, run_notifier
from ringback_schemas.states import DeliveryState
from tests.answers import Hang
from tests.notifier.conftest import Rig
from tests.receiver import Receiver


def metrics() -> Metrics:
    """Metrics of a notifier."""
    return Metrics(role="notifier", version="0", store="sqlite", broker="embedded")


def settings_for(rig: Rig, **changes: object) -> Settings:
    """Settings with which a notifier finds the rig's store, and may send to loopback."""
    given: dict[str, object] = {
        "database_url": rig.url,
        "encryption_keys": [rig.key],
        "callback_allow": ["127.0.0.0/8"],
        "poll_away_s": 0.1,
    }
    return Settings(**{**given, **changes})  # type: ignore[arg-type] # pydantic checks them


async def test_notifier_delivers_and_ends_with_0_when_asked_to_stop(rig: Rig, receiver: Receiver) -> None:
    """A soft stop after the work is done is clean."""
    (delivery_id,) = await rig.deliver(receiver.url())
    shutdown = Shutdown()
    running = asyncio.create_task(run_notifier(settings_for(rig), metrics(), shutdown))

    detail = await rig.ended(delivery_id)
    shutdown.request()

    assert (await running, detail.delivery.state) == (CLEAN, DeliveryState.DELIVERED)


async def test_notifier_ends_with_8_when_a_delivery_was_cut_off(rig: Rig, receiver: Receiver) -> None:
    """Whoever stops it learns that something will be sent again; it has left, so a rescuer takes over at once."""
    receiver.always(Hang())
    (delivery_id,) = await rig.deliver(receiver.url())
    shutdown = Shutdown()
    running = asyncio.create_task(run_notifier(settings_for(rig), metrics(), shutdown))

    await receiver.wait_for(1)
    shutdown.request()
    shutdown.request()

    assert await running == UNCLEAN
    assert (await rig.store.rescue(15, 3, 10)).deliveries == (delivery_id,)


async def test_notifier_stops_on_sigterm(rig: Rig, receiver: Receiver) -> None:
    """An orchestrator's way of asking."""
    (delivery_id,) = await rig.deliver(receiver.url())
    running = asyncio.create_task(run_notifier(settings_for(rig), metrics()))

    await rig.ended(delivery_id)
    signal.raise_signal(signal.SIGTERM)

    assert await running == CLEAN


async def test_notifier_refuses_a_schema_that_is_not_ours(rig: Rig, tmp_path: object) -> None:
    """An empty database is told of at once, not waited for."""
    settings = settings_for(rig, database_url=f"sqlite:///{tmp_path}/empty.db")

    with pytest.raises(SchemaMismatch):
        await run_notifier(settings, metrics())


def test_settings_reach_the_plan() -> None:
    """Each setting of the notifier has its effect."""
    settings = Settings(
        retry_schedule=[1, 2], delivery_concurrency=3, delivery_timeout_s=4, connect_timeout_s=5, drain_s=6
    )

    plan = notifier_plan(settings)

    assert (plan.schedule_s, plan.concurrency, plan.grace_s) == ((1, 2), 3, 6)
    assert (plan.deadlines.total_s, plan.deadlines.connect_s) == (4, 5)
