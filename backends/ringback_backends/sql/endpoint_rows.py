"""Endpoints as rows of their table, and back."""

from typing import Any

import orjson
from sqlalchemy import Row

from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.sql.rows import from_json, to_json
from ringback_backends.sql.signing import SecretBox, opened
from ringback_schemas.endpoints import (
    BodyFormat,
    Consent,
    DisabledReason,
    EndpointHealth,
    EndpointRecord,
    EndpointSettings,
    Headers,
    SigningScheme,
    UnreadableHeaders,
)


def settings_row(settings: EndpointSettings, box: SecretBox) -> dict[str, Any]:
    """The columns that settings fill; consent is more than a setting. Headers that nobody can read stay as they are."""
    return _headers_column(settings.headers, box) | {
        "url": settings.url,
        "destination": settings.destination,
        "event_filter": to_json(settings.event_filter),
        "description": settings.description,
        "rate_limit_per_s": settings.rate_limit_per_s,
        "max_in_flight": settings.max_in_flight,
        "timeout_s": settings.timeout_s,
        "body_format": settings.body_format.value,
        "is_fifo": settings.is_fifo,
    }


def endpoint_record(row: Row[Any], box: SecretBox) -> EndpointRecord:
    """The endpoint of a row of the whole table; whoever may see it may do so when its headers open with no key."""
    return EndpointRecord(
        id=row.id,
        tenant_id=row.tenant_id,
        settings=_settings(row, box),
        signing=SigningScheme(row.signing),
        is_enabled=row.is_enabled,
        disabled_reason=None if row.disabled_reason is None else DisabledReason(row.disabled_reason),
        disabled_at=row.disabled_at,
        consent=Consent(row.consent),
        consent_rate_per_minute=row.consent_rate_per_minute,
        health=EndpointHealth(row.failures_in_row, row.first_failure_at, row.last_success_at),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at or row.created_at,
    )


def _settings(row: Row[Any], box: SecretBox) -> EndpointSettings:
    return EndpointSettings(
        url=row.url,
        destination=row.destination,
        event_filter=from_json(row.event_filter),
        description=row.description,
        headers=_headers(row, box),
        rate_limit_per_s=row.rate_limit_per_s,
        max_in_flight=row.max_in_flight,
        timeout_s=row.timeout_s,
        body_format=BodyFormat(row.body_format),
        is_fifo=row.is_fifo,
        needs_consent=row.consent != Consent.NOT_REQUIRED.value,
    )


def _headers(row: Row[Any], box: SecretBox) -> Headers | UnreadableHeaders:
    if row.sealed_headers is None:
        return ()
    try:
        plain = opened(box, row.sealed_headers, f"the headers of endpoint {row.id}")
    except SecretUnreadable as error:
        return UnreadableHeaders(str(error))
    return tuple((name, value) for name, value in orjson.loads(plain))


def _headers_column(headers: Headers | UnreadableHeaders, box: SecretBox) -> dict[str, Any]:
    """Nothing for those that nobody can read: the key may come back."""
    if isinstance(headers, UnreadableHeaders):
        return {}
    return {"sealed_headers": box.seal(orjson.dumps(headers)) if headers else None}
