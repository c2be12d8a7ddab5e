"""What is over is forgotten, and nothing sooner (BB-82)."""

from ipaddress import ip_network
from pathlib import Path

from ringback_schemas.states import JobState
from tests.answers import Answer
from tests.blackbox.conftest import service_in
from tests.blackbox.world import World
from tests.conformance.store.ageing import tables_with
from tests.waiting import eventually

NEEDLE = "a-word-that-is-nowhere-else"
LOOPBACK = [ip_network("127.0.0.0/8")]


async def status(world: World, path: str) -> tuple[int, str | None]:
    """Status, and the code of a problem."""
    reply = await world.call("GET", path)
    return reply.status, reply.body.get("code") if isinstance(reply.body, dict) else None


async def test_payload_is_gone_once_retention_is_over(tmp_path: Path) -> None:
    """BB-82: from the API and from every table; what is left says that it was purged."""
    async with service_in(tmp_path, callback_allow=LOOPBACK, retention_s=0.2) as world:
        job_id = await world.ring({"text": NEEDLE})
        await world.arrivals(1)
        await eventually(lambda: _is_purged(world, job_id), within_s=30, what="the job to be purged")

        for path in ("", "/result", "/deliveries"):
            assert await status(world, f"/v1/jobs/{job_id}{path}") == (410, "job-purged")
        assert (await world.call("GET", "/v1/deliveries")).body["items"] == []
        assert await tables_with(f"sqlite:///{tmp_path}/data/ringback.db", NEEDLE) == set()


async def test_job_whose_webhook_waits_outlives_its_retention(tmp_path: Path) -> None:
    """F60: it is kept until the webhook has ended, and goes then."""
    settings = {"callback_allow": LOOPBACK, "retention_s": 0.2, "retry_schedule": [1, 1, 1]}
    async with service_in(tmp_path, **settings) as world:
        world.receiver.script(Answer(500), Answer(500))
        kept, purged = await world.ring({"text": NEEDLE}), (await world.client.submit("demo.echo")).id
        await eventually(lambda: _is_purged(world, purged), within_s=30, what="the job without a webhook to be purged")

        assert (await world.client.get(kept)).state is JobState.SUCCEEDED
        await world.arrivals(3)
        await eventually(lambda: _is_purged(world, kept), within_s=30, what="the other to follow its webhook")


async def test_deleted_job_is_gone_at_once(world: World) -> None:
    """Asked for again it is 410, and one that is not done is a 409."""
    job_id = (await world.client.submit("demo.echo", {"text": NEEDLE})).id
    waiting = (await world.client.submit("demo.echo", delay_s=3600)).id
    await world.client.wait(job_id)

    await world.client.purge(job_id)
    again = await world.call("DELETE", f"/v1/jobs/{job_id}")
    refused = await world.call("DELETE", f"/v1/jobs/{waiting}")

    assert (again.status, again.code) == (410, "job-purged")
    assert (refused.status, refused.code) == (409, "job-not-terminal")


async def _is_purged(world: World, job_id: str) -> bool:
    return (await world.call("GET", f"/v1/jobs/{job_id}")).status == 410
