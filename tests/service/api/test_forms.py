"""What is said of a text that has not the form it must have."""

from collections.abc import Iterator
from typing import Any

import pytest

from ringback_schemas.http.forms import IN_WORDS
from ringback_service.api.routes import ROUTES
from tests.service.api.conftest import Api

QUEUES = "must be 1 to 64 characters of a-z, 0-9, '_', '-' and '.'"
EVENTS = (
    "must be an event type such as job.failed, the beginning of some such as job.*, or *; "
    "names between the dots are of a-z, 0-9 and '_'"
)
LINES = "must be one line of text, without control characters"


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/jobs", {"type": "test.echo", "queue": "Up/per"}, QUEUES),
        ("/v1/jobs", {"type": "test.echo", "queue": ""}, QUEUES),
        ("/v1/jobs", {"type": "test.echo", "tags": ["a\nb"]}, LINES),
        ("/v1/endpoints", {"url": "http://192.0.2.1/", "events": ["Job.*"]}, EVENTS),
        ("/v1/endpoints", {"url": "http://192.0.2.1/", "events": ["job*"]}, EVENTS),
        ("/v1/endpoints", {"url": "http://192.0.2.1/", "description": "a\x00"}, LINES),
        ("/v1/replays", {"filter": {"events": ["job."]}}, EVENTS),
    ],
)
async def test_body_of_another_form_is_told_in_words(api: Api, path: str, body: dict[str, Any], told: str) -> None:
    """What is allowed, not the regular expression that checks it; the code is pydantic's."""
    reply = await api.call("POST", path, json=body)

    assert reply.problem == (422, "invalid-input")
    assert [(error["code"], error["detail"]) for error in reply.body["errors"]] == [("string_pattern_mismatch", told)]


@pytest.mark.parametrize(
    ("target", "told"),
    [("/v1/jobs?queue=A", QUEUES), ("/v1/jobs?type=a%00", LINES), ("/v1/events?types=job.*,*x", EVENTS)],
)
async def test_parameter_of_another_form_is_told_in_words(api: Api, target: str, told: str) -> None:
    """As in bodies."""
    reply = await api.call("GET", target)

    assert reply.problem == (422, "invalid-input")
    assert [(error["code"], error["detail"]) for error in reply.body["errors"]] == [("string_pattern_mismatch", told)]


def test_every_form_that_requests_know_has_words() -> None:
    """A form that is new is given some."""
    models = [model for route in ROUTES for model in (route.body, route.query) if model is not None]

    assert {form for model in models for form in _patterns(model.model_json_schema())} == set(IN_WORDS)


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for inner in schema.values():
            yield from _patterns(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _patterns(inner)
