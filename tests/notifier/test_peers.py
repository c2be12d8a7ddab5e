"""How many notifiers share what destinations may be sent."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_notifier.peers import Peers
from ringback_schemas.ids import new_instance_id
from ringback_schemas.instances import InstanceRecord, Role
from tests.waiting import eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def instance(role: Role, silent_s: float = 0.0, *, is_draining: bool = False) -> InstanceRecord:
    """A process whose heart beat so long ago."""
    return InstanceRecord(
        new_instance_id(), role, "host", 1, "1.0", (), (), NOW, NOW - timedelta(seconds=silent_s), is_draining
    )


class Instances:
    """A store with these in it."""

    def __init__(self, *instances: InstanceRecord) -> None:
        self.instances = list(instances)
        self.is_away = False
        self.asked = 0

    async def list_instances(self) -> list[InstanceRecord]:
        """All of them."""
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("list_instances", "cut off by the test")
        return self.instances


async def told(*instances: InstanceRecord) -> list[int]:
    """What a round tells."""
    numbers: list[int] = []
    store: Any = Instances(*instances)
    await Peers(store, numbers.append, silent_s=15, every_s=5).round()
    return numbers


async def test_notifiers_are_counted_whatever_else_runs() -> None:
    """Processes of their own and all-in-one ones."""
    assert await told(instance(Role.NOTIFIER), instance(Role.SERVE), instance(Role.WORKER), instance(Role.API)) == [2]


async def test_silent_and_stopping_ones_are_not_counted() -> None:
    """They send nothing new."""
    dead, leaving = instance(Role.NOTIFIER, silent_s=16), instance(Role.NOTIFIER, is_draining=True)

    assert await told(instance(Role.NOTIFIER, silent_s=4), instance(Role.WORKER), dead, leaving) == [1]


async def test_one_that_is_not_registered_yet_is_alone() -> None:
    """At least one, whatever the store says."""
    assert await told(instance(Role.WORKER)) == [1]
    assert await told() == []


async def test_outage_of_the_store_is_sat_out() -> None:
    """The number stays what it was; the notifier goes on."""
    numbers: list[int] = []
    instances = Instances(instance(Role.NOTIFIER))
    store: Any = instances
    instances.is_away = True
    peers = Peers(store, numbers.append, silent_s=15, every_s=0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(peers.run())
        await eventually(lambda: instances.asked >= 3, what="three questions")
        unanswered = list(numbers)
        instances.is_away = False
        await eventually(lambda: numbers, what="an answer")
        peers.stop()

    assert (unanswered, numbers[0]) == ([], 1)
