"""The part of the store's contract that keeps replays. The rules of ``contracts.jobs`` hold here too.

A replay walks twice through its tenant's deliveries, in the order of their ids: first it counts what matches, then it
redelivers (see ``DeliveryStore.redeliver``) what still does, as retries, so behind what is fresh, but at the end of the
line if there is one. A dry run ends after the first walk. What is meant is fixed when the replay is made: deliveries
that exist then and are in one of the states then.

Each step is one transaction, which moves the place in the walk together with what it does to deliveries. So a step that
is lost with its process has not happened, and one that has is never repeated: each delivery is redelivered at most once
by a replay, whoever takes the steps and however often they die. Steps of one replay exclude each other; nobody owns it
in between, so nothing has to be taken from the dead.
"""

from typing import Protocol

from ringback_schemas.ids import ReplayId, TenantId
from ringback_schemas.replays import NewReplay, ReplayPace, ReplayRecord, ReplayStep


class ReplayStore(Protocol):
    """Keeps replays, and carries them out step by step."""

    async def create_replay(self, replay: NewReplay) -> ReplayRecord | None:
        """Store a replay; absent when the tenant has ``MAX_OPEN_REPLAYS`` that are not done."""

    async def get_replay(self, tenant_id: TenantId, replay_id: ReplayId) -> ReplayRecord | None:
        """A replay; absent when the tenant has no such replay."""

    async def list_replays(self, tenant_id: TenantId, before: ReplayId | None, limit: int) -> list[ReplayRecord]:
        """Newest first, beginning after ``before``."""

    async def cancel_replay(self, tenant_id: TenantId, replay_id: ReplayId) -> ReplayRecord | None:
        """Let a replay do nothing more; absent if unknown. What it made due stays so; one that is done stays done."""

    async def advance_replay(self, pace: ReplayPace) -> ReplayStep | None:
        """Take one step of an open replay of any tenant: the one that waited longest for its turn.

        Absent when there is none that nobody else is at, or when a step would redeliver and ``most_due`` deliveries are
        due already: replays that only count have their turn then.
        """
