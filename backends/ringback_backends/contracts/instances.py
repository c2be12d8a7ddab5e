"""The part of the store's contract by which processes know of each other: heartbeats, leases, rescue."""

from collections.abc import Sequence
from typing import Protocol

from ringback_schemas.ids import InstanceId
from ringback_schemas.instances import InstanceRecord, NewInstance, Rescue
from ringback_schemas.tallies import Tallies


class InstanceStore(Protocol):
    """Knows which processes live. An instance's claims are its lease: they hold while its heart beats."""

    async def beat(self, instance: NewInstance, *, is_draining: bool = False) -> None:
        """Say that the instance lives; the first beat registers it, and so does one after it was taken for dead."""

    async def leave(self, instance_id: InstanceId) -> None:
        """Forget an instance that stopped in good order. What it still owns is rescued at once. Safe to call twice."""

    async def list_instances(self) -> list[InstanceRecord]:
        """All that are registered, oldest first, silent ones among them."""

    async def rescue(self, silent_s: float, poison_after: int, limit: int) -> Rescue:
        """Take back what belongs to instances that were silent for that long, or are not registered at all.

        Jobs become ``queued``, uncharged, with one more loss, and the lost attempt in their attempts; a job that
        reaches ``poison_after`` losses with this one is left alone and handed out as ``poisonous``. Deliveries become
        due at once, with a ``notifier_lost`` attempt; one that was lost so often since its schedule began is exhausted,
        with a ``poison`` attempt. At most ``limit`` jobs and as many deliveries; an instance is
        forgotten when nothing belongs to it any more.
        """

    async def tally(self) -> Tallies:
        """How much waits and how old it is, bounded in cost: counts stop at a cap."""

    async def served_types(self, silent_s: float) -> Sequence[tuple[str, str]]:
        """Pairs of queue and task type that some live instance serves."""
