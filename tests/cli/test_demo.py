"""``ringback demo``: it shows what is true, and fails when something is missing."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from ringback.cli.show.receiver import Arrival, verifier
from ringback.cli.show.scenes import Scene, missing, scenes
from ringback.webhooks import new_secret, sign
from tests.cli.conftest import Run


def test_demo_shows_the_whole_road(run: Run) -> None:
    """202s, verified webhooks, a failure that rings back, a third try with the same id and bytes; nothing lost."""
    started = time.monotonic()

    outcome = run("demo")

    assert outcome.code == 0, outcome.out + outcome.err
    assert "4 jobs, 4 webhooks, 0 lost." in outcome.out
    assert outcome.out.count("→ 202") == 4
    assert "verified by the standardwebhooks library" in outcome.out
    assert "webhook job.failed    ← 200  verified" in outcome.out
    assert "try 3, same webhook-id and bytes" in outcome.out
    assert "NOT VERIFIED" not in outcome.out
    assert time.monotonic() - started < 60


def test_demo_is_not_disturbed_by_settings_of_another_service(run: Run) -> None:
    """A terminal where production's settings are exported does not demonstrate on production."""
    outcome = run("demo", RINGBACK_DATABASE_URL="postgresql://127.0.0.1:1/x", RINGBACK_BROKER_URL="amqp://127.0.0.1:1/")

    assert outcome.code == 0, outcome.out + outcome.err


ECHO = scenes("http://127.0.0.1:1")[-1]
GOOD: dict[str, Any] = {"type": "job.succeeded", "data": {"result": ECHO.payload}}


def arrivals(*answered: int, event: dict[str, Any] | None = None) -> list[Arrival]:
    """Tries of one webhook, answered so."""
    body = orjson.dumps(event or GOOD)
    return [Arrival("evt_1", "1", body, status, None, 0.0) for status in answered]


def test_demo_finds_nothing_missing_when_all_is_well() -> None:
    """Two refusals, then accepted."""
    assert missing(ECHO, arrivals(503, 503, 200)) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "did not arrive"),
        (arrivals(503, 503), "did not arrive"),
        (arrivals(503, 200), "2 tries instead of 3"),
        (arrivals(503, 503, 200, event={"type": "job.failed", "data": {}}), "job.failed instead of job.succeeded"),
        (arrivals(503, 503, 200, event={"type": "job.succeeded", "data": {"result": 1}}), "not as it must be"),
        (
            [dataclasses.replace(arrivals(503)[0], webhook_id="evt_2"), *arrivals(503, 200)],
            "differ in webhook-id or bytes",
        ),
        ([dataclasses.replace(arrivals(503)[0], problem="bad"), *arrivals(503, 200)], "was not verified"),
    ],
)
def test_demo_tells_what_is_missing(found: Sequence[Arrival], told: str) -> None:
    """Nothing passes unseen: not a lost webhook, not another id, not a bad signature."""
    scene: Scene = ECHO

    assert told in " ".join(missing(scene, found))


def test_demo_verifies_with_the_public_library() -> None:
    """A good signature passes and a changed body does not."""
    secret, now = new_secret(), int(time.time())
    who, verify = verifier([secret])
    headers = {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(now),
        "Webhook-Signature": sign([secret], "evt_1", now, b'{"a":1}'),
    }

    assert who == "the standardwebhooks library"
    assert verify(b'{"a":1}', headers) is None
    assert verify(b'{"a":2}', headers) is not None
