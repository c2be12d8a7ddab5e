"""The part of the store's contract that keeps registered receivers. The rules of ``contracts.jobs`` hold here too.

When a job ends, ``finish_jobs`` makes one delivery for each endpoint of its tenant that is enabled and wants the event,
in the same transaction, with the id ``fanned_delivery_id``. ``record_attempts`` keeps each endpoint's ``health``, and
disables one that fails for too long.

Operational events (``ringback_schemas.operational``) are events of no job, stored in the transaction that brings about
what they tell of: an endpoint's failures in a row reach ``FAILING_AFTER`` or end after that, it is disabled or enabled,
a delivery becomes ``exhausted``. They go to the enabled endpoints of the tenant that subscribe, but for the one that
they are about. Nothing is told of what becomes of their own deliveries, and attempts at these count for nothing.
Attempts of one call that go to one endpoint are looked at together: what they turn and turn back is not told.

What an endpoint's state means for its deliveries:

- *disabled*: no new ones; those that wait are *parked*: ready, with no ``next_attempt_at`` and the reason
  ``endpoint_disabled``, so that no claim finds them. One that is being sent ends as it ends; its retry is parked.
- *enabled* again: what was parked is due at once, and goes on with its schedule.
- *deleted*: those that wait are ``cancelled``. One that is being sent ends as it ends; in place of a retry it is
  ``cancelled``.

Claims do not look at endpoints, so for a moment one may hand out what a change that just happened should have stopped:
whoever sends looks at the endpoint first, and gives what may not be sent to ``withhold_deliveries``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ringback_schemas.deliveries import DeliveryRef
from ringback_schemas.endpoints import (
    ArmedEndpoint,
    Consent,
    DisabledReason,
    EndpointRecord,
    EndpointSettings,
    NewSecret,
    PublicKey,
    UnreadableEndpoint,
)
from ringback_schemas.ids import EndpointId, InstanceId, TenantId
from ringback_schemas.tenants import SigningSecret


class EndpointStore(Protocol):
    """Keeps endpoints with their secrets. Headers and secrets are encrypted.

    An endpoint whose headers cannot be decrypted is shown, changed, enabled and disabled like any, with
    ``UnreadableHeaders`` among its settings. Storing these leaves the headers as they are: the key may come back.
    """

    async def create_endpoint(
        self, tenant_id: TenantId, endpoint_id: EndpointId, settings: EndpointSettings, secret: NewSecret
    ) -> EndpointRecord | None:
        """Store an enabled endpoint with its first secret; absent when the tenant has ``MAX_ENDPOINTS`` already."""

    async def get_endpoint(self, tenant_id: TenantId, endpoint_id: EndpointId) -> EndpointRecord | None:
        """An endpoint; absent when the tenant has no such endpoint."""

    async def list_endpoints(self, tenant_id: TenantId, before: EndpointId | None, limit: int) -> list[EndpointRecord]:
        """Newest first, beginning after ``before``."""

    async def update_endpoint(
        self, tenant_id: TenantId, endpoint_id: EndpointId, version: int, settings: EndpointSettings
    ) -> EndpointRecord | None:
        """Replace an endpoint's settings when it still has that version; absent when it has not, or is unknown.

        Deliveries that wait go to the new URL, and by the new limits: of very many the oldest, and the rest as
        ``arrange_endpoint`` comes to them. A new URL has to consent anew.
        """

    async def delete_endpoint(self, tenant_id: TenantId, endpoint_id: EndpointId) -> bool:
        """Forget an endpoint and its secrets, and cancel its deliveries that wait. False if unknown.

        With very many it takes several transactions; one that is broken off leaves a disabled endpoint to be deleted.
        """

    async def enable_endpoint(self, tenant_id: TenantId, endpoint_id: EndpointId) -> EndpointRecord | None:
        """Let an endpoint get events again, counting its failures from 0; absent if unknown. Safe to call twice."""

    async def disable_endpoint(
        self, tenant_id: TenantId, endpoint_id: EndpointId, reason: DisabledReason, *, only_at: str | None = None
    ) -> EndpointRecord | None:
        """Stop an endpoint, unless it has another URL than ``only_at`` by now; absent if unknown.

        One that is disabled already keeps its reason.
        """

    async def arrange_endpoint(self, after: str, limit: int) -> EndpointId | None:
        """Take a step where an endpoint was changed or enabled with very many that wait: at most ``limit`` of them.

        The next such endpoint with an id behind ``after``; None when there is none. Safe for several processes at once.
        What has not been come to yet goes by the limits before the change, and stays parked; nothing is handed out of a
        line meanwhile.
        """

    async def endpoint_secrets(self, tenant_id: TenantId, endpoint_id: EndpointId) -> Sequence[SigningSecret]:
        """An endpoint's live secrets in clear, newest first; empty if unknown."""

    async def rotate_endpoint_secret(
        self, tenant_id: TenantId, endpoint_id: EndpointId, secret: NewSecret, old_expire_at: datetime
    ) -> Sequence[SigningSecret]:
        """As ``rotate_signing_secret``, for an endpoint's own; empty if unknown. It signs as the secret does then."""

    async def public_keys(self, tenant_id: TenantId) -> list[PublicKey]:
        """The public halves of all live keys of a tenant and its endpoints, newest first; may be empty."""

    async def arm_endpoints(
        self, endpoint_ids: Sequence[EndpointId]
    ) -> list[ArmedEndpoint | UnreadableEndpoint | None]:
        """What sending to these takes, in their order; None for one that is unknown. For notifiers: any tenant's.

        One whose secrets or headers cannot be decrypted does not keep the others from being sent to.
        """

    async def record_consent(
        self, endpoint_id: EndpointId, url: str, consent: Consent, rate_per_minute: int | None
    ) -> bool:
        """Note how the handshake with that URL went; False when the endpoint is unknown or has another URL by now."""

    async def withhold_deliveries(self, owner: InstanceId, deliveries: Sequence[DeliveryRef]) -> list[bool]:
        """Give back deliveries that were not sent, for their endpoint's sake; False if no longer the owner's.

        They become what the endpoint's state says: parked, cancelled, or due at once when it is enabled after all.
        """
