"""A process lives while its heart beats, whatever its loop is busy with."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from structlog.testing import capture_logs

from ringback_backends.contracts.errors import SchemaMismatch, StoreUnavailable
from ringback_backends.contracts.instances import InstanceStore
from ringback_backends.lease.heartbeat import Heartbeat
from ringback_schemas.instances import NewInstance
from tests.backends.lease.conftest import Place, an_instance
from tests.waiting import eventually


class Beats:
    """A store that counts beats, and can be away."""

    def __init__(self) -> None:
        self.beats: list[bool] = []
        self.left = 0
        self.failures: list[Exception] = []

    async def beat(self, instance: NewInstance, *, is_draining: bool = False) -> None:  # noqa: ARG002 - the contract's form
        """Count it, or fail."""
        if self.failures:
            raise self.failures.pop(0)
        self.beats.append(is_draining)

    async def leave(self, instance_id: str) -> None:  # noqa: ARG002 - the contract's form
        """Count it."""
        self.left += 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator[InstanceStore]:
        """Itself."""
        yield cast("InstanceStore", self)


async def test_instance_is_registered_when_the_heartbeat_was_entered_and_gone_when_left(place: Place) -> None:
    """Entering returns after the first beat, so claims may follow; leaving forgets the instance."""
    instance = an_instance()

    async with Heartbeat(instance, place.open_store):
        during = await place.registered()

    assert during == [instance.id]
    assert await place.registered() == []


async def test_heart_beats_while_the_loop_is_blocked() -> None:
    """A task that blocks the event loop does not look dead: the heart has a thread of its own."""
    store = Beats()

    async with Heartbeat(an_instance(), store.open, interval_s=0.02):
        before = len(store.beats)
        time.sleep(0.5)  # noqa: ASYNC251 - blocking the loop is the fault
        after = len(store.beats)

    assert after - before >= 5


async def test_heart_survives_an_outage_and_waits_for_the_first_beat() -> None:
    """A store that is away is waited for, at the start as well; nothing is entered before a beat was taken."""
    store = Beats()
    store.failures = [StoreUnavailable("beat", "away") for _ in range(3)]

    async with Heartbeat(an_instance(), store.open, interval_s=0.02) as heartbeat:
        assert store.beats
        store.failures = [StoreUnavailable("beat", "away") for _ in range(3)]
        count = len(store.beats)
        await eventually(lambda: len(store.beats) > count + 2)
        assert heartbeat.age_s < 5

    assert store.left == 1


async def test_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    """Not at every beat that is missed."""
    store = Beats()
    store.failures = [StoreUnavailable("beat", "away") for _ in range(5)]

    with capture_logs() as lines:
        async with Heartbeat(an_instance(), store.open, interval_s=0.02):
            pass

    assert [line["event"] for line in lines] == ["heartbeat_missed", "heartbeat_resumed"]


async def test_draining_is_told_at_once() -> None:
    """When a process begins to drain, the others hear of it with the next beat, which comes at once."""
    store = Beats()

    async with Heartbeat(an_instance(), store.open, interval_s=3_600) as heartbeat:
        heartbeat.drain()
        await eventually(lambda: store.beats[-1])


async def test_heart_that_cannot_beat_raises_instead_of_waiting() -> None:
    """A store that cannot be used at all is an error at the start, not a wait."""
    store = Beats()
    store.failures = [SchemaMismatch(None, "0001")]

    with pytest.raises(SchemaMismatch):
        await Heartbeat(an_instance(), store.open).__aenter__()


async def test_heart_that_stops_later_is_told_to_whoever_watches() -> None:
    """A heart that dies takes its process down: watch raises what it died of."""
    store = Beats()

    async with Heartbeat(an_instance(), store.open, interval_s=0.01) as heartbeat:
        store.failures = [SchemaMismatch("0000", "0001")]
        with pytest.raises(SchemaMismatch):
            await heartbeat.watch()


async def test_waiting_for_the_first_beat_can_be_cancelled() -> None:
    """A stop while the store is away does not have to wait for it."""
    store = Beats()
    store.failures = [StoreUnavailable("beat", "away") for _ in range(10_000)]
    entering = asyncio.create_task(Heartbeat(an_instance(), store.open, interval_s=0.01).__aenter__())
    await eventually(lambda: len(store.failures) < 9_999)

    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering

    assert store.left == 1


async def test_age_is_endless_before_the_first_beat() -> None:
    """Who never said that it lives is not taken to live."""
    store = Beats()
    heart = Heartbeat(an_instance(), store.open, interval_s=0.02)
    before = heart.age_s

    async with heart:
        after = heart.age_s

    assert before == math.inf
    assert after < 5
