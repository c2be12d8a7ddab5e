"""Endpoints to work with over the API."""

from typing import Any

from tests.service.api.conftest import Api

URL = "https://192.0.2.1/hook"
ALL_SET = {
    "url": URL,
    "events": ["job.failed", "endpoint.*"],
    "description": "the shop",
    "headers": {"Authorization": "Bearer t0p", "X-Team": "a b"},
    "rate_limit_per_s": 2.5,
    "max_in_flight": 3,
    "timeout_s": 7.0,
    "body_format": "cloudevents",
    "is_fifo": True,
    "needs_consent": True,
}
"""Every setting, none as it would be by itself."""


async def made_endpoint(api: Api, **request: Any) -> dict[str, Any]:
    """An endpoint that must be accepted, as the API shows it."""
    reply = await api.call("POST", "/v1/endpoints", json={"url": URL, **request})
    assert reply.status == 201, reply.body
    body: dict[str, Any] = reply.body
    return body
