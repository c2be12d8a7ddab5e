"""What no webhook reaches: at create, at test and at delivery alike (BB-42 to BB-53)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ringback.client import Client
from ringback_schemas.http import AttemptBody
from tests.answers import Redirect
from tests.blackbox.conftest import service_in
from tests.blackbox.world import WITHIN_S, World, attempts_of
from tests.egress.corpus import IPV4_LITERALS, IPV6_LITERALS, corpus
from tests.receiver import Receiver
from tests.waiting import eventually

EVERYTHING = ["0.0.0.0/0", "::/0"]
LITERALS = [*IPV4_LITERALS, *(f"[{address}]" for address in IPV6_LITERALS)]

CORPUS = corpus()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A tenant of a service that opens nothing beside the public internet."""
    async with service_in(tmp_path_factory.mktemp("closed")) as world:
        yield world


@asynccontextmanager
async def reopened(world: World, folder: Path, **settings: Any) -> AsyncIterator[World]:
    """The same tenant after its service was started again with other settings."""
    async with service_in(folder, **settings) as other, Client(other.url, world.key) as client:
        yield replace(other, key=world.key, tenant_id=world.tenant_id, client=client)


@pytest.mark.parametrize(("url", "reason"), CORPUS, ids=[ascii(url)[:60] for url, _ in CORPUS])
async def test_url_of_the_corpus_is_refused_at_create(closed: World, url: str, reason: str) -> None:
    """BB-42 to BB-45: every literal, spelling and trick, as an endpoint and as a callback, with one reason code."""
    endpoint = await closed.call("POST", "/v1/endpoints", json={"url": url})
    job = await closed.call("POST", "/v1/jobs", json={"type": "demo.echo", "callback_url": url})

    codes = [reply.body["errors"][0]["code"] for reply in (endpoint, job)]
    assert (endpoint.status, job.status) == (422, 422)
    assert codes[0] == codes[1]
    assert codes[0] in {f"url_{reason}", "string_too_short", "string_too_long", "too_short", "too_long"}


async def test_literals_are_refused_at_delivery_for_the_same_reason(tmp_path: Path) -> None:
    """BB-42, BB-43: whatever was registered while an operator had it open is refused once it is closed."""
    async with service_in(tmp_path, callback_allow=EVERYTHING) as world:
        urls = [await _registered(world, f"http://{literal}/hook") for literal in LITERALS]
    taken = {url for url in urls if url}

    async with reopened(world, tmp_path) as later:
        job = await later.event()
        attempts = await _first_attempts(later, job, len(taken))
        refusals = [await later.call("POST", "/v1/endpoints", json={"url": url}) for url in attempts]

    assert len(attempts) >= len(IPV4_LITERALS) + 30
    assert {attempt.verdict for attempt in attempts.values()} == {"refused_address"}
    sentences = [refusal.body["errors"][0]["detail"] for refusal in refusals]
    assert [attempt.reason.removeprefix("not sent: ").partition("; ")[0] for attempt in attempts.values()] == sentences


async def test_test_send_is_refused_as_a_delivery_is(tmp_path: Path) -> None:
    """BB-49: the button reaches nothing that deliveries do not."""
    async with service_in(tmp_path, callback_allow=["10.0.0.0/8"]) as world:
        endpoint = await world.register(url="http://10.0.0.1/hook")

    async with reopened(world, tmp_path) as later:
        reply = await later.call("POST", f"/v1/endpoints/{endpoint.id}/test")

    assert (reply.status, reply.body["errors"][0]["code"]) == (422, "url_address")


@pytest.mark.parametrize(
    ("host", "status"),
    [("10.1.2.0", 201), ("10.1.2.255", 201), ("10.1.3.1", 422), ("10.1.1.255", 422), ("169.254.169.254", 422)],
)
async def test_allow_list_opens_its_network_and_no_other(tmp_path: Path, host: str, status: int) -> None:
    """BB-48: neighbours and the metadata address stay closed."""
    async with service_in(tmp_path, callback_allow=["10.1.2.0/24"]) as world:
        reply = await world.call("POST", "/v1/endpoints", json={"url": f"http://{host}/hook"})

    assert reply.status == status


async def test_redirect_to_a_private_address_is_not_followed(world: World) -> None:
    """BB-50: no redirect is."""
    world.receiver.script(Redirect(307, location="http://169.254.169.254/latest/meta-data/"))

    attempt = await world.first_attempt(await world.ring())

    assert (attempt.verdict, attempt.status, attempt.remote_address) == ("redirect", 307, "127.0.0.1")


async def test_proxy_of_the_environment_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BB-51: it would send our requests where no guard looks."""
    async with Receiver() as proxy, Receiver() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.destination)
        async with service_in(tmp_path, callback_allow=["127.0.0.0/8"]) as world:
            await world.ring(url=receiver.url())
            await receiver.wait_for(1, within_s=WITHIN_S)

    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Evil", "a\r\nHost: evil"),
        ("X-Evil", "a\nb"),
        ("X-Evil\r\nX", "a"),
        ("Host", "evil.example"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("webhook-id", "msg_1"),
        ("Webhook-Signature", "v1,x"),
    ],
)
async def test_header_that_would_lie_is_refused(closed: World, name: str, value: str) -> None:
    """BB-53: control characters, and what HTTP and Standard Webhooks set themselves."""
    wanted = {"url": "https://93.184.215.14/hook", "headers": {name: value}}

    reply = await closed.call("POST", "/v1/endpoints", json=wanted)

    assert (reply.status, reply.code) == (422, "invalid-input")
    assert reply.body["errors"][0]["pointer"].startswith("/headers/")


async def _registered(world: World, url: str) -> str | None:
    """The URL, if the service takes it; odd spellings stay refused even where everything is open."""
    reply = await world.call("POST", "/v1/endpoints", json={"url": url})
    return reply.body["url"] if reply.status == 201 else None


async def _first_attempts(world: World, job_id: str, count: int) -> dict[str, AttemptBody]:
    """The first attempt at each endpoint, by its URL, once there are so many."""

    async def all_tried() -> dict[str, AttemptBody] | None:
        tried = {one.url: attempts_of(one)[0] for one in await world.client.deliveries(job_id) if attempts_of(one)}
        return tried if len(tried) == count else None

    found = await eventually(all_tried, within_s=WITHIN_S, what=f"{count} deliveries to be tried")
    assert found is not None
    return found
