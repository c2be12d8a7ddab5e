"""Receivers are down, and come back."""

from tests.faults.fleet import settle
from tests.faults.stage import Case, NotPlayed, Stage
from tests.waiting import eventually


async def down_for_a_while(stage: Stage) -> None:
    """The receiver refuses everything for 15 s; afterwards all arrives, under the same ids and bytes."""
    stage.inbox.is_down = True
    stage.faults += 1
    await stage.load(40)
    await settle(15)
    stage.inbox.is_down = False


async def flaky(stage: Stage) -> None:
    """The receiver refuses a third of what comes."""
    stage.faults += 1
    await stage.load(100, 600)


async def turned_inward(stage: Stage) -> None:
    """A callback leads where notifiers may not go: refused and told so, its job unhurt, the others' webhooks too."""
    port = stage.inbox.url.rpartition(":")[2]
    body = {"type": "faults.work", "payload": {}, "callback_url": f"http://127.0.0.2:{port}/hook"}
    _, job = await stage.api("POST", "/v1/jobs", json=body)
    stage.faults += 1
    await stage.load(30, 100)

    async def verdicts() -> set[str]:
        _, listed = await stage.api("GET", f"/v1/jobs/{job['id']}/deliveries")
        return {attempt["verdict"] for delivery in listed["items"] for attempt in delivery["attempts"]}

    seen = await eventually(verdicts, within_s=20, what="an attempt")
    if seen != {"refused_address"} or stage.inbox.has_taken(job["id"]):
        raise AssertionError(f"the attempts say {seen}")
    _, ended = await stage.api("GET", f"/v1/jobs/{job['id']}")
    if ended["state"] != "succeeded":
        raise AssertionError(f"its job is {ended['state']}")


async def metadata_address(stage: Stage) -> None:
    """Callbacks to private, link-local and metadata addresses, in any spelling, are refused when they are submitted."""
    for host in ("10.0.0.1", "169.254.169.254", "[::ffff:169.254.169.254]", "0x0a000001", "2852039166", "[fd00::1]"):
        body = {"type": "faults.work", "payload": {}, "callback_url": f"http://{host}/hook"}
        status, document = await stage.api("POST", "/v1/jobs", json=body)
        stage.faults += 1
        if status != 422:
            raise AssertionError(f"{host} got {status}: {document}")


async def secret_rotated(stage: Stage) -> None:
    """The signing secret is rotated while deliveries wait: both secrets' receivers can verify all of them."""
    stage.inbox.is_down = True
    await stage.load(50, 200)
    await stage.loaded()
    status, document = await stage.api("POST", "/v1/signing-secret/rotate", json={"overlap_s": 3600})
    if status in {404, 405}:
        raise NotPlayed("rotation over the API is not built yet")
    if status >= 300:
        raise AssertionError(f"rotation got {status}: {document}")
    stage.faults += 1
    stage.inbox.is_down = False
    await stage.load(50, 100)


RECEIVER_CASES = (
    Case("F51", "receiver down for 15 s", down_for_a_while, settle_s=60, may_receive_twice=False),
    Case("BB-06+BB-64", "receiver refuses a third", flaky, refuse_share=0.33, settle_s=60, may_receive_twice=False),
    Case("F53", "callback leads where notifiers may not go", turned_inward,
         role_settings={"notifier": {"CALLBACK_ALLOW": '["127.0.0.1/32"]'}}, may_perform_twice=False),
    Case("F53m", "callbacks to private and metadata addresses", metadata_address, may_perform_twice=False,
         apis=1, workers=1, notifiers=1),
    Case("F55", "secret rotated while deliveries wait", secret_rotated, settle_s=60),
)  # fmt: skip
