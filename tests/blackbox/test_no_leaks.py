"""Nothing that is secret is in logs or answers (BB-29)."""

import re
from dataclasses import dataclass

import pytest_asyncio

from ringback_schemas.endpoints import SigningScheme
from tests.answers import Answer
from tests.blackbox.conftest import Join
from tests.blackbox.world import World
from tests.faults.fleet import API_KEY, Fleet

AUTHORIZATION = "Bearer only-the-receiver-may-see-this"
READABLE = ("/v1/jobs", "/v1/deliveries", "/v1/endpoints", "/openapi.json")
ADMIN_READABLE = ("/v1/audit", "/v1/keys", "/v1/tenants", "/metrics")


@dataclass(frozen=True, slots=True)
class Run:
    """What was said while webhooks went out, and what must not be in it."""

    world: World
    log: str
    answers: str
    hidden: tuple[str, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(fleet: Fleet, package_join: Join) -> Run:
    """Callbacks and endpoints of both schemes, some failing, a rotation, and then every answer that can be read."""
    world = await package_join()
    world.receiver.script(Answer(500, body=b"no"), Answer(503))
    hmac = await world.register(headers={"Authorization": AUTHORIZATION})
    await world.register(signing=SigningScheme.V1A)
    await world.client.secrets.rotate(hmac.id)
    job = (await world.client.submit("demo.echo", 1, callback_url=world.receiver.url())).id
    await world.arrivals(5)
    (process,) = fleet.processes
    secrets = [one.secret for owner in (None, hmac.id) for one in await world.client.secrets.show(owner)]

    for path in (*READABLE, f"/v1/jobs/{job}", f"/v1/jobs/{job}/deliveries", f"/v1/endpoints/{hmac.id}"):
        assert (await world.call("GET", path)).status == 200
    await world.call("GET", "/v1/jobs/nonsense")
    await world.call("GET", "/v1/jobs", key="rbk_nobody_has_this_key_0123456789")
    for path in ADMIN_READABLE:
        assert (await world.call("GET", path, key=API_KEY)).status == 200
    hidden = (world.key, API_KEY, AUTHORIZATION, *[secret for secret in secrets if secret])
    return Run(world, process.log_text(), "".join(world.answers), hidden)


async def test_log_holds_no_secret(run: Run) -> None:
    """BB-29: not even at the level of debugging; of all the tests that came before, too."""
    assert run.world.tenant_id
    assert "delivery_attempt" in run.log
    assert [secret for secret in run.hidden if secret in run.log] == []
    assert re.findall(r"whs(?:ec|k)_[A-Za-z0-9+/]{8,}|rbk_[\w-]{20,}|v1a?,[A-Za-z0-9+/]{40,}", run.log) == []


async def test_answers_hold_no_secret(run: Run) -> None:
    """BB-29: only the two routes that are for it show what signs."""
    assert [secret for secret in run.hidden if secret in run.answers] == []
    assert re.findall(r"whs(?:ec|k)_[A-Za-z0-9+/]{8,}", run.answers) == []


async def test_receiver_got_the_header_all_the_same(run: Run) -> None:
    """BB-29: what is hidden from readers is sent to whom it is for."""
    sent = [dict(request.headers).get("authorization") for request in run.world.receiver.requests]

    assert AUTHORIZATION in sent
