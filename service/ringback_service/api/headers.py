"""Headers of requests, answers and webhooks, as OpenAPI describes them."""

from typing import Any

Header = dict[str, Any]


def _text(description: str, **more: Any) -> Header:
    return {"description": description, "schema": {"type": "string", **more}}


REQUEST_HEADERS: dict[str, Header] = {
    "Idempotency-Key": _text(
        "Makes a repeated request harmless: the same key with the same body gives the same job. 1 to 255 visible ASCII "
        "characters, quoted (RFC 8941) or bare; holds within the tenant, as long as the job is kept.",
        maxLength=257,
    ),
    "Prefer": _text("`respond-async` (RFC 7240) is acknowledged: every answer is asynchronous."),
    "If-None-Match": _text("An `ETag` that the client holds: 304 when nothing has changed."),
}

RESPONSE_HEADERS: dict[str, Header] = {
    "X-Request-Id": _text("The id of this request: the client's own if it sent one, else a fresh one."),
    "Location": _text("Absolute URL."),
    "Operation-Location": _text(
        "Absolute URL of the job: the same as `Location`, for clients that look for this name."
    ),
    "Retry-After": {"description": "Seconds after which asking again makes sense.", "schema": {"type": "integer"}},
    "Preference-Applied": _text("`respond-async`, when the request preferred it."),
    "Idempotency-Replayed": _text(
        "`true` when the job was made by an earlier request with the same key.", enum=["true"]
    ),
    "ETag": _text("Changes whenever the representation does."),
    "Cache-Control": _text("`no-store` until the job is done."),
    "Link": _text('The next page, with `rel="next"` (RFC 8288); absent on the last one.'),
}

WEBHOOK_HEADERS: dict[str, Header] = {
    "webhook-id": {"required": True, **_text("The event's id: the same on every try. Forget what comes twice.")},
    "webhook-timestamp": {"required": True, **_text("Unix seconds of this try.", pattern="^[0-9]+$")},
    "webhook-signature": {
        "required": True,
        **_text("One `v1,<base64>` for each live secret, separated by spaces, over `id.timestamp.body`."),
    },
}
