"""Operational events: what the store writes is what the models describe."""

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import DisabledReason, EndpointHealth
from ringback_schemas.http import DeliveryExhaustedBody, EndpointEventBody, EndpointEventData, ExhaustedData
from ringback_schemas.ids import new_delivery_id, new_endpoint_id, new_event_id
from ringback_schemas.operational import (
    DELIVERY_EXHAUSTED,
    ENDPOINT_DISABLED,
    OF_ENDPOINTS,
    OPERATIONAL,
    EndpointNews,
    ExhaustedDelivery,
    endpoint_event,
    exhausted_event,
    subscribes,
)
from ringback_service.api.openapi import openapi_document
from ringback_service.api.routes import ROUTES

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
NEWS = EndpointNews(
    new_endpoint_id(), "https://app.example/hook", DisabledReason.FAILING, EndpointHealth(20, NOW, None)
)
GIVEN_UP = ExhaustedDelivery(
    *(new_delivery_id(), new_event_id(), "job.succeeded", None, None, "https://app.example/hook", 12),
    *(Verdict.TIMEOUT, "no answer within 15 s; that was the last of 12 attempts", None),
)


@pytest.mark.parametrize(
    ("body", "model", "data"),
    [
        (endpoint_event(ENDPOINT_DISABLED, NOW, NEWS), EndpointEventBody, EndpointEventData),
        (exhausted_event(NOW, GIVEN_UP), DeliveryExhaustedBody, ExhaustedData),
    ],
    ids=["endpoint", "delivery"],
)
def test_body_is_what_its_model_describes(body: bytes, model: type[BaseModel], data: type[BaseModel]) -> None:
    """Field by field, and back: nothing is missing and nothing is left over."""
    parsed = model.model_validate_json(body)

    assert parsed.model_dump_json().encode().replace(b" ", b"") == _at_second(body).replace(b" ", b"")
    assert set(data.model_fields) == set(parsed.model_dump()["data"])


def _at_second(body: bytes) -> bytes:
    return body.replace(b"07:00:00.000000Z", b"07:00:00Z")


def test_document_describes_every_operational_event() -> None:
    """And for endpoints the types that there are."""
    document = openapi_document(ROUTES, "https://ringback.test", "1.2.3")

    assert set(document["webhooks"]) >= OPERATIONAL
    described = document["components"]["schemas"]["EndpointEventBody"]["properties"]["type"]["enum"]
    assert set(described) == set(OF_ENDPOINTS)


@pytest.mark.parametrize(
    ("event_filter", "is_wanted"),
    [
        ([], False),
        (["*"], False),
        (["job.*"], False),
        (["delivery.*"], True),
        (["*", "delivery.exhausted"], True),
        (["endpoint.*"], False),
    ],
)
def test_filter_has_to_name_them(event_filter: list[str], *, is_wanted: bool) -> None:
    """Everything is everything that happens to jobs."""
    assert subscribes(event_filter, DELIVERY_EXHAUSTED) is is_wanted
