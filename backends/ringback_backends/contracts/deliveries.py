"""The part of the store's contract that keeps deliveries. The rules of ``contracts.jobs`` hold here too."""

from collections.abc import Sequence
from typing import Protocol

from ringback_schemas.deliveries import (
    ClaimedDelivery,
    DeliveryDetail,
    DeliveryOutcome,
    DeliveryRecord,
    DeliveryRef,
)
from ringback_schemas.endpoint_health import DEFAULT_RULES, HealthRules
from ringback_schemas.events import NewEvent
from ringback_schemas.ids import DeliveryId, InstanceId, JobId, TenantId
from ringback_schemas.states import DeliveryState


class DeliveryStore(Protocol):
    """Keeps deliveries from the event to their end. Most are born in ``finish_jobs``."""

    async def add_event(self, event: NewEvent) -> None:
        """Store an event that is not a job's end, with its deliveries and no others; its ``job_id`` may be absent.

        Raises:
            RowRefused: its id, or that of a delivery, is known.
        """

    async def claim_deliveries(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], limit: int
    ) -> list[ClaimedDelivery]:
        """Take those of the named deliveries that are due: state ready, ``next_attempt_at`` come, held by nobody.

        What stands in line (see ``contracts.lanes``) is not for this claim.

        A claimed delivery is ``sending``, belongs to ``owner``, and its ``attempt`` is one more.
        """

    async def claim_due_deliveries(self, owner: InstanceId, limit: int) -> list[ClaimedDelivery]:
        """As ``claim_deliveries`` for whatever is due and was not set aside, the longest overdue first."""

    async def record_attempts(
        self, outcomes: Sequence[DeliveryOutcome], rules: HealthRules = DEFAULT_RULES
    ) -> list[bool]:
        """Store attempts and what follows from them; False for one that was fenced: nothing of it is stored.

        See ``contracts.endpoints`` for what else follows when a delivery is an endpoint's, and when it is exhausted.
        What brings about an operational event may be stored in a transaction of its own, with that event.
        """

    async def release_deliveries(self, owner: InstanceId, deliveries: Sequence[DeliveryRef]) -> list[bool]:
        """Give back deliveries that were not sent: due at once, no attempt recorded; False if no longer the owner's."""

    async def held_deliveries(self, owner: InstanceId) -> list[DeliveryRef]:
        """The owner's deliveries in ``sending``; see ``held_jobs`` for what it is good for."""

    async def redeliver(self, tenant_id: TenantId, delivery_id: DeliveryId) -> DeliveryRecord | None:
        """Make a delivery due at once with a fresh schedule, same event and bytes; absent if unknown.

        A retry that waits is replaced. One that is being sent, that was cancelled, or whose endpoint is disabled or
        gone, is returned as it is.
        """

    async def get_delivery(self, tenant_id: TenantId, delivery_id: DeliveryId) -> DeliveryDetail | None:
        """A delivery with its attempts; absent when the tenant has no such delivery."""

    async def deliveries_of_job(self, tenant_id: TenantId, job_id: JobId) -> list[DeliveryDetail]:
        """All deliveries of a job, oldest first; may be empty."""

    async def list_deliveries(
        self, tenant_id: TenantId, states: Sequence[DeliveryState], before: DeliveryId | None, limit: int
    ) -> list[DeliveryRecord]:
        """Newest first, beginning after ``before``; no states means all."""
