"""From the bodies of requests to the settings of an endpoint, and back to what is shown of it."""

from dataclasses import replace

from ringback.egress import destination_of
from ringback_schemas.endpoints import EndpointRecord, EndpointSettings, Headers, UnreadableHeaders
from ringback_schemas.http import EndpointBody, EndpointLinks, EndpointPatch, EndpointRequest
from ringback_service.api.bodies import invalid
from ringback_service.api.callbacks import CallbackGuard
from ringback_service.api.endpoint_headers import checked_headers, readable, shown_headers, strangers_may_have
from ringback_service.api.refusals import FieldError

URL_POINTER = "/url"


async def settings_of(request: EndpointRequest, guard: CallbackGuard) -> EndpointSettings:
    """The settings of an endpoint that is to be made.

    Raises:
        Refused: nothing may be sent to its URL, or its headers cannot be sent.
    """
    url = await guard.vet(request.url, URL_POINTER)
    return EndpointSettings(
        url=url,
        destination=destination_of(url),
        event_filter=tuple(request.events),
        description=request.description,
        headers=checked_headers(request.headers),
        rate_limit_per_s=request.rate_limit_per_s,
        max_in_flight=request.max_in_flight,
        timeout_s=request.timeout_s,
        body_format=request.body_format,
        is_fifo=request.is_fifo,
        needs_consent=request.needs_consent,
    )


async def changed(stored: EndpointSettings, patch: EndpointPatch, guard: CallbackGuard) -> EndpointSettings:
    """The settings with what the request names in place of what they were. Raises as ``settings_of``.

    Credentials do not go along to another destination: whoever may change a URL could read them there.
    """
    given = patch.model_fields_set
    plain = {name: getattr(patch, name) for name in given - {"url", "events", "headers"}}
    settings = replace(stored, **plain)
    if "events" in given:
        settings = replace(settings, event_filter=tuple(patch.events))
    if "url" in given:
        url = await guard.vet(patch.url, URL_POINTER)
        settings = replace(settings, url=url, destination=destination_of(url))
    is_elsewhere = settings.destination != stored.destination
    if "headers" in given:
        known = readable(stored.headers)
        known = strangers_may_have(known) if is_elsewhere else known
        return replace(settings, headers=checked_headers(patch.headers, known))
    if is_elsewhere and (why := _why_not_elsewhere(stored.headers)) is not None:
        detail = f"must be given anew, or as {{}}, for the URL leads elsewhere: {why}"
        raise invalid([FieldError(code="header", detail=detail, pointer="/headers")])
    return settings


def _why_not_elsewhere(headers: Headers | UnreadableHeaders) -> str | None:
    """What speaks against sending them to another destination; None when nothing does."""
    if isinstance(headers, UnreadableHeaders):
        return "they cannot be read, and some may be credentials"
    return None if strangers_may_have(headers) == headers else "some of them look like credentials"


def show_endpoint(endpoint: EndpointRecord, public_url: str) -> EndpointBody:
    """The endpoint as clients see it: without secrets."""
    own, settings, health = f"{public_url}/v1/endpoints/{endpoint.id}", endpoint.settings, endpoint.health
    return EndpointBody(
        id=endpoint.id,
        url=settings.url,
        events=list(settings.event_filter),
        description=settings.description,
        headers=shown_headers(readable(settings.headers)),
        has_unreadable_headers=isinstance(settings.headers, UnreadableHeaders),
        rate_limit_per_s=settings.rate_limit_per_s,
        max_in_flight=settings.max_in_flight,
        timeout_s=settings.timeout_s,
        body_format=settings.body_format,
        signing=endpoint.signing,
        is_fifo=settings.is_fifo,
        needs_consent=settings.needs_consent,
        consent=endpoint.consent,
        consent_rate_per_minute=endpoint.consent_rate_per_minute,
        enabled=endpoint.is_enabled,
        disabled_reason=endpoint.disabled_reason,
        disabled_at=endpoint.disabled_at,
        failures_in_row=health.failures_in_row,
        first_failure_at=health.first_failure_at,
        last_success_at=health.last_success_at,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
        links=EndpointLinks(self=own, secret=f"{own}/secret", test=f"{own}/test"),
    )
