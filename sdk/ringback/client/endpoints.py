"""What the client can do with registered endpoints."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from pydantic_core import to_json

from ringback.client.paging import pages
from ringback.client.transport import Transport
from ringback_schemas.endpoints import BodyFormat, SigningScheme
from ringback_schemas.http import DeliveryBody, EndpointBody, EndpointPage
from ringback_schemas.ids import check_id


class EndpointOptions(TypedDict, total=False):
    """What can be said of an endpoint; docs/endpoints.md explains each."""

    events: Sequence[str]
    description: str
    headers: Mapping[str, str]
    rate_limit_per_s: float | None
    max_in_flight: int | None
    timeout_s: float | None
    body_format: BodyFormat
    is_fifo: bool
    needs_consent: bool


class EndpointCalls:
    """Makes, shows, changes and ends registered endpoints; ``client.endpoints``. Raises as the client does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        url: str,
        *,
        signing: SigningScheme | None = None,
        secret: str | None = None,
        **options: Unpack[EndpointOptions],
    ) -> EndpointBody:
        """Register an endpoint. Not repeated by itself once it may have been seen: two calls are two endpoints.

        Args:
            url: Where the signed webhooks go.
            signing: Absent: HMAC, ``v1``.
            secret: One that you bring along, ``whsec_…`` or ``whsk_…``; absent: a fresh one.
            options: See ``EndpointOptions``; what is absent is as the API has it.
        """
        given = {"url": url, "signing": signing, "secret": secret, **options}
        body = to_json({name: value for name, value in given.items() if value is not None})
        return await self._endpoint("POST", "/v1/endpoints", body=body, is_repeatable=False)

    async def list(self) -> AsyncIterator[EndpointBody]:
        """Endpoints, newest first, page after page for as long as you ask."""
        async for page in pages(self._transport, "/v1/endpoints", []):
            for endpoint in EndpointPage.model_validate_json(page).items:
                yield endpoint

    async def get(self, endpoint_id: str) -> EndpointBody:
        """The endpoint as it is now, without its secrets."""
        return await self._endpoint("GET", _path(endpoint_id))

    async def update(
        self, endpoint_id: str, *, url: str | None = None, **options: Unpack[EndpointOptions]
    ) -> EndpointBody:
        """Change what is given; an option given as ``None`` is unset, what is absent stays."""
        changes: dict[str, Any] = {**options} if url is None else {"url": url, **options}
        return await self._endpoint("PATCH", _path(endpoint_id), body=to_json(changes))

    async def delete(self, endpoint_id: str) -> None:
        """Forget the endpoint and its secrets; what waits for it is cancelled."""
        # a repetition of what was done would be answered with 404
        await self._transport.request("DELETE", _path(endpoint_id), is_repeatable=False)

    async def enable(self, endpoint_id: str) -> EndpointBody:
        """Let it get events again; what waited for it is due at once."""
        return await self._endpoint("POST", f"{_path(endpoint_id)}/enable")

    async def disable(self, endpoint_id: str) -> EndpointBody:
        """Send it nothing more; what waits for it is kept until it is enabled."""
        return await self._endpoint("POST", f"{_path(endpoint_id)}/disable")

    async def test(self, endpoint_id: str) -> DeliveryBody:
        """Send it an ``endpoint.test`` event; the delivery tells what became of it."""
        answer = await self._transport.request("POST", f"{_path(endpoint_id)}/test", is_repeatable=False)
        return DeliveryBody.model_validate_json(answer.body)

    async def _endpoint(
        self, method: str, path: str, *, body: bytes | None = None, is_repeatable: bool = True
    ) -> EndpointBody:
        answer = await self._transport.request(method, path, body=body, is_repeatable=is_repeatable)
        return EndpointBody.model_validate_json(answer.body)


def _path(endpoint_id: str) -> str:
    return f"/v1/endpoints/{check_id('end', endpoint_id)}"
