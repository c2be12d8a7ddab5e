"""Endpoints to deliver to."""

from datetime import UTC, datetime
from typing import Any

from ringback.egress import destination_of
from ringback.webhooks import new_secret
from ringback_schemas.deliveries import DeliveryDetail, DeliveryRecord
from ringback_schemas.documents import event_body
from ringback_schemas.endpoints import EndpointRecord, EndpointSettings, NewSecret, SigningScheme
from ringback_schemas.ids import DEFAULT_TENANT, new_endpoint_id, new_secret_id
from tests.answers import Answer
from tests.notifier.conftest import Rig

SECRET = new_secret()
AT = datetime(2026, 11, 21, 7, tzinfo=UTC)
BODY = event_body("job.succeeded", AT, {"text": "żółć", "n": 2})
GRANT = Answer(200, {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "120"})


async def register(rig: Rig, url: str, *, secret: str = SECRET, **settings: Any) -> EndpointRecord:
    """An endpoint at that URL."""
    scheme = SigningScheme.V1A if secret.startswith("whsk_") else SigningScheme.V1
    made = await rig.store.create_endpoint(
        DEFAULT_TENANT,
        new_endpoint_id(),
        EndpointSettings(url, destination_of(url), **settings),
        NewSecret(new_secret_id(), secret, scheme),
    )
    assert made is not None
    return made


async def end_job(rig: Rig) -> DeliveryRecord:
    """A job without a callback ends; the delivery to the only endpoint."""
    known = await all_deliveries(rig)
    await rig.deliver(body=BODY)
    (fresh,) = [one for one in await all_deliveries(rig) if one.id not in {other.id for other in known}]
    return fresh


async def all_deliveries(rig: Rig) -> list[DeliveryRecord]:
    """Newest first."""
    return await rig.store.list_deliveries(DEFAULT_TENANT, [], None, 100)


async def now_of(rig: Rig, endpoint: EndpointRecord) -> EndpointRecord:
    """The endpoint as it is now."""
    record = await rig.store.get_endpoint(DEFAULT_TENANT, endpoint.id)
    assert record is not None
    return record


async def delivered(rig: Rig) -> DeliveryDetail:
    """The delivery of a job that just ended, once it is done."""
    return await rig.ended((await end_job(rig)).id)
