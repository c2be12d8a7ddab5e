"""The replayer: announces what a step made due, and goes on where another process stopped."""

import asyncio
from typing import Any, cast

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.errors import RowRefused
from ringback_backends.contracts.replays import ReplayStore
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.replayer import Replayer
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, new_replay_id
from ringback_schemas.replays import ReplayFilter, ReplayPace, ReplayRecord, ReplaySkips, ReplayStep
from ringback_schemas.states import ReplayState
from tests.waiting import eventually


class Steps:
    """A store with some steps to take."""

    def __init__(self, *steps: ReplayStep) -> None:
        self.steps = list(steps)
        self.asked = 0

    async def advance_replay(self, _pace: ReplayPace) -> ReplayStep | None:
        """The next one, while there are some."""
        self.asked += 1
        return self.steps.pop(0) if self.steps else None


def step(*redelivered: str, **fields: Any) -> ReplayStep:
    """A step that made these due."""
    record = ReplayRecord(
        id=new_replay_id(),
        tenant_id=DEFAULT_TENANT,
        filter=ReplayFilter(),
        is_dry_run=False,
        state=fields.pop("state", ReplayState.RUNNING),
        is_counted=True,
        matched=3,
        redelivered=len(redelivered),
        skipped=ReplaySkips(),
        created_at=cast("Any", None),
        started_at=None,
        finished_at=None,
    )
    return ReplayStep(record, tuple(DeliveryId(one) for one in redelivered))


async def test_replayer_announces_what_is_due() -> None:
    """Step after step without a pause that anybody would notice, so that it starts at once."""
    broker = InProcessBroker()
    store = Steps(step("dlv_1", "dlv_2"), step(), step("dlv_3", state=ReplayState.DONE))
    async with Announcer(broker) as announcer:
        await broker.start()
        told = broker.subscribe((DELIVERIES,))
        replayer = Replayer(cast("ReplayStore", store), announcer, every_s=3_600)
        running = asyncio.create_task(replayer.run())

        await eventually(lambda: store.asked == 4)
        replayer.stop()
        await running

        ids = [one for received in await told.receive() for one in received.envelope.ids]
        await broker.close()
    assert ids == ["dlv_1", "dlv_2", "dlv_3"]


async def test_replay_that_the_store_refuses_ends_nothing() -> None:
    """It is come upon by every process there is: each must live on."""

    class Refusing(Steps):
        async def advance_replay(self, pace: ReplayPace) -> ReplayStep | None:
            await super().advance_replay(pace)
            raise RowRefused("advance_replay", "a value")

    store = Refusing()
    async with Announcer(InProcessBroker()) as announcer:
        replayer = Replayer(cast("ReplayStore", store), announcer, every_s=0.01)
        running = asyncio.create_task(replayer.run())

        await eventually(lambda: store.asked == 2)

        replayer.stop()
        await running


async def test_replayer_looks_again_when_it_is_woken() -> None:
    """A replay that this very process was asked for does not wait for the next look."""
    broker, store = InProcessBroker(), Steps()
    async with Announcer(broker) as announcer:
        replayer = Replayer(cast("ReplayStore", store), announcer, every_s=3_600)
        running = asyncio.create_task(replayer.run())
        await eventually(lambda: store.asked == 1)

        replayer.wake()

        await eventually(lambda: store.asked == 2)
        replayer.stop()
        await running
