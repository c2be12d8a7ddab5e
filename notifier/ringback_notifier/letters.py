"""What is to be sent for a delivery: where to, which bytes, signed by whom. Asks the store, seldom."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog

from ringback.webhooks import InvalidSecret, Signer
from ringback.webhooks.cloudevents import CONTENT_TYPE, REQUEST_ORIGIN_HEADER, structured_event
from ringback_backends.batcher import Batcher
from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.contracts.store import Store
from ringback_notifier.consents import Consents
from ringback_notifier.recent import Recent
from ringback_notifier.replies import Failed, Sent
from ringback_notifier.sender import Sender
from ringback_schemas.deliveries import ClaimedDelivery, Timing, Verdict
from ringback_schemas.endpoints import ArmedEndpoint, BodyFormat, Consent, EndpointRecord, UnreadableEndpoint
from ringback_schemas.errors import RingbackError
from ringback_schemas.ids import EndpointId, TenantId
from ringback_schemas.tenants import SigningSecret

_DATA = b',"data":'

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """One POST to be made."""

    url: str
    body: bytes
    signer: Signer
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Beside, and instead of, the usual ones."""
    total_s: float | None = None
    """How long the receiver may take; absent: as long as any."""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Its endpoint is disabled or gone: it must not be sent."""


UNWANTED = Unwanted()


class _UnknownEndpoint(RingbackError):
    """The endpoint was deleted."""


@dataclass(frozen=True, slots=True)
class _Armed:
    """An endpoint, ready to be sent to."""

    endpoint: EndpointRecord
    signer: Signer
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Unarmed:
    """An endpoint that cannot be sent to now, for a reason on our side."""

    endpoint: EndpointRecord
    reply: Failed


class Letters:
    """Prepares what is sent. Entered in the loop that it is used in."""

    def __init__(self, store: Store, sender: Sender, origin: str) -> None:
        """``origin`` is the DNS name that the whole sending system goes by, for handshakes of consent."""
        self._store = store
        self._origin = origin
        self._arming: Batcher[EndpointId, ArmedEndpoint | UnreadableEndpoint | None] = Batcher(
            store.arm_endpoints, name="arm"
        )
        self._tenants: Recent[TenantId, Signer | Failed] = Recent(self._ask_tenant, name="signer")
        self._endpoints: Recent[EndpointId, _Armed | _Unarmed] = Recent(self._ask_endpoint, name="endpoint")
        self._consents = Consents(store, sender, origin)

    async def __aenter__(self) -> Self:
        """Ready from the start; entered for the sake of leaving."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ask nothing more."""
        await self._arming.__aexit__(kind, error, traceback)

    def at_hand(self, claimed: ClaimedDelivery) -> Letter | None:
        """The letter of a callback, when nobody needs to be asked for it."""
        delivery = claimed.delivery
        if delivery.endpoint_id is not None:
            return None
        signer = self._tenants.kept(delivery.tenant_id)
        return Letter(delivery.url, claimed.body, signer) if isinstance(signer, Signer) else None

    async def prepare(self, claimed: ClaimedDelivery) -> Letter | Sent | Unwanted:
        """What is to be sent; or the attempt, when it ended before anything could be.

        Raises:
            StoreUnavailable: what it takes cannot be had now.
        """
        delivery = claimed.delivery
        if delivery.endpoint_id is None:
            signer = self._tenants.kept(delivery.tenant_id) or await self._tenants.ask(delivery.tenant_id)
            return _unsent(signer) if isinstance(signer, Failed) else Letter(delivery.url, claimed.body, signer)
        try:
            armed = self._endpoints.kept(delivery.endpoint_id) or await self._endpoints.ask(delivery.endpoint_id)
        except _UnknownEndpoint:
            return UNWANTED
        if not armed.endpoint.is_enabled:
            return UNWANTED
        if isinstance(armed, _Unarmed):
            return _unsent(armed.reply)
        if armed.endpoint.consent in {Consent.PENDING, Consent.WITHHELD}:
            reply = await self._consents.ask(armed.endpoint)
            if reply.refusal is not None:
                return reply.refusal
            self.forget(delivery.endpoint_id)
        return _letter(claimed, armed)

    async def endpoint(self, endpoint_id: EndpointId) -> EndpointRecord | None:
        """An endpoint as it was a few seconds ago at most; absent when it was deleted.

        Raises:
            StoreUnavailable: it cannot be had now.
        """
        try:
            armed = self._endpoints.kept(endpoint_id) or await self._endpoints.ask(endpoint_id)
        except _UnknownEndpoint:
            return None
        return armed.endpoint

    def forget(self, endpoint_id: EndpointId) -> None:
        """Ask anew for an endpoint: it is known to have changed."""
        self._endpoints.forget(endpoint_id)

    async def _ask_tenant(self, tenant_id: TenantId) -> Signer | Failed:
        try:
            secrets = await self._store.signing_secrets(tenant_id)
        except SecretUnreadable as error:
            return _unsigned(tenant_id, str(error))
        return _signer(tenant_id, secrets)

    async def _ask_endpoint(self, endpoint_id: EndpointId) -> _Armed | _Unarmed:
        armed = await self._arming.submit(endpoint_id)
        match armed:
            case None:
                raise _UnknownEndpoint(f"there is no endpoint {endpoint_id}")
            case UnreadableEndpoint():
                return _Unarmed(armed.endpoint, _unsigned(endpoint_id, armed.reason))
            case ArmedEndpoint():
                signer = _signer(endpoint_id, armed.secrets)
        if isinstance(signer, Failed):
            return _Unarmed(armed.endpoint, signer)
        return _Armed(armed.endpoint, signer, _headers(armed, self._origin))


def _signer(whose: TenantId | EndpointId, secrets: Iterable[SigningSecret]) -> Signer | Failed:
    """With every live secret, or not at all: a receiver may have any one of them."""
    try:
        return Signer([secret.secret for secret in secrets])
    except InvalidSecret as error:
        return _unsigned(whose, f"the signing secret of {whose} cannot be used: {error}")


def _unsigned(whose: TenantId | EndpointId, reason: str) -> Failed:
    """What is to be done about it is in the operator's hands; the deliveries are tried again meanwhile."""
    log.error("webhooks_unsigned", whose=whose, reason=reason)
    return Failed(Verdict.UNSIGNED, f"not sent: {reason}")


def _unsent(reply: Failed) -> Sent:
    return Sent(reply, datetime.now(UTC), Timing(0.0))


def _headers(armed: ArmedEndpoint, origin: str) -> dict[str, str]:
    endpoint, headers = armed.endpoint, dict(armed.headers)
    if endpoint.settings.body_format is BodyFormat.CLOUDEVENTS:
        headers["content-type"] = CONTENT_TYPE
    if endpoint.consent is not Consent.NOT_REQUIRED:
        headers[REQUEST_ORIGIN_HEADER] = origin
    return headers


def _letter(claimed: ClaimedDelivery, armed: _Armed) -> Letter:
    settings = armed.endpoint.settings
    body = cloud_event(claimed) if settings.body_format is BodyFormat.CLOUDEVENTS else claimed.body
    # where the endpoint is now: a delivery that was claimed while its URL changed still names the old one
    return Letter(settings.url, body, armed.signer, armed.headers, settings.timeout_s)


def cloud_event(claimed: ClaimedDelivery) -> bytes:
    """The event's body as a CloudEvent: the same bytes on every try, with its ``data`` byte for byte.

    ``documents.event_body`` writes ``type``, ``timestamp`` and ``data`` in this order, the first two without quotes.
    """
    delivery, body = claimed.delivery, claimed.body
    split = body.index(_DATA)
    head = json.loads(body[:split] + b"}")
    return structured_event(
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        at=datetime.fromisoformat(head["timestamp"]),
        source=f"urn:ringback:{delivery.tenant_id}",
        subject=delivery.job_id or delivery.endpoint_id or delivery.id,
        data=body[split + len(_DATA) : -1],
    )
