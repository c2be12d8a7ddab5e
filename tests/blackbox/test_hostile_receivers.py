"""Receivers that hang, drip, flood, break off and lie (BB-30 to BB-41)."""

import asyncio
import math
import socket
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ringback_schemas.http import DeliveryBody
from tests.answers import (
    BAD_CHUNK,
    HALF_CHUNK,
    NO_ANSWER,
    NOT_HTTP,
    SHORT_BODY,
    Behaviour,
    DeepGzip,
    Drip,
    Flood,
    Hang,
    Raw,
    Reset,
    head,
    many_headers,
)
from tests.blackbox.conftest import SETTINGS
from tests.blackbox.world import World, attempts_of
from tests.certificates import self_signed, server_context
from tests.faults.fleet import Fleet
from tests.memory import forget_peak_bytes, peak_bytes
from tests.receiver import Receiver

DEADLINE_S = float(SETTINGS["DELIVERY_TIMEOUT_S"])
LATE_S = 2.5
"""How late the deadline may be noticed by a machine that has other things to do; by itself it is milliseconds."""
MAY_GROW_BYTES = 10 * 1024**2


@pytest.mark.parametrize(
    ("answer", "words"),
    [(Hang(), "no answer within"), (Drip(every_s=0.05), "but did not end within")],
    ids=["BB-30", "BB-31"],
)
async def test_deadline_holds(world: World, answer: Behaviour, words: str) -> None:
    """BB-30, BB-31: silence, and a body that never ends, both stop at the same total deadline."""
    world.receiver.script(answer)

    attempt = await world.first_attempt(await world.ring())

    assert attempt.verdict == "timeout"
    assert words in attempt.reason
    # clocks tick in steps: a timer may end a hair before its time
    assert DEADLINE_S - 0.05 <= attempt.duration.total_s <= DEADLINE_S + LATE_S


@pytest.mark.parametrize(
    "answer", [Flood(), DeepGzip(), many_headers(10_000)], ids=["BB-33", "BB-34", "10,000 headers"]
)
async def test_flood_costs_no_memory(world: World, fleet: Fleet, answer: Behaviour) -> None:
    """BB-33, BB-34: reading stops at the cap, before and after unpacking; the process stays as small as it was."""
    (process,) = fleet.processes
    await world.ended(await world.ring())
    world.receiver.script(answer)
    before = forget_peak_bytes(process.pid)

    delivery = await world.ended(await world.ring())

    assert delivery.state == "delivered"
    assert peak_bytes(process.pid) - before < MAY_GROW_BYTES


@pytest.mark.parametrize("answer", [Flood(), DeepGzip()], ids=["BB-33", "BB-34"])
async def test_status_of_a_flood_counts(world: World, answer: Behaviour) -> None:
    """BB-33, BB-34: the 200 was said, so one attempt is enough."""
    world.receiver.script(answer)

    delivery = await world.ended(await world.ring())

    assert [(one.verdict, one.status) for one in attempts_of(delivery)] == [("delivered", 200)]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reset(), "reset"),
        (NO_ANSWER, "premature_eof"),
        (HALF_CHUNK, "premature_eof"),
        (SHORT_BODY, "premature_eof"),
        (BAD_CHUNK, "bad_response"),
        (NOT_HTTP, "bad_response"),
        (Raw(head(200, {"Content-Length": "-5"})), "bad_response"),
    ],
    ids=["RST", "FIN", "half a chunk", "short body", "bad chunk", "no HTTP", "wrong length"],
)
async def test_broken_answers_are_told_apart(world: World, answer: Behaviour, verdict: str) -> None:
    """BB-37: each failure has its own class, and is tried again."""
    world.receiver.script(answer)

    delivery = await world.ended(await world.ring())

    assert [one.verdict for one in attempts_of(delivery)] == [verdict, "delivered"]


async def test_refused_connection_has_its_own_verdict(world: World) -> None:
    """BB-37: nobody listens."""
    await world.receiver.refuse()

    assert (await world.first_attempt(await world.ring())).verdict == "connect_refused"


async def test_certificate_that_nobody_vouches_for_is_told_in_words(world: World, tmp_path: Path) -> None:
    """BB-38: and tried again."""
    async with Receiver(tls=server_context(self_signed(tmp_path))) as receiver:
        delivery = await world.ended(await world.ring(url=receiver.url()))

    first, *others = attempts_of(delivery)
    assert (first.verdict, len(others)) == ("tls_error", 2)
    assert "self-signed certificate" in first.reason


async def test_old_tls_is_told_in_words(world: World, tmp_path: Path) -> None:
    """BB-38: a receiver that speaks nothing newer than TLS 1.1."""
    old = server_context(self_signed(tmp_path))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

    async with Receiver(tls=old) as receiver:
        attempt = await world.first_attempt(await world.ring(url=receiver.url()))

    assert attempt.verdict == "tls_error"
    assert attempt.reason.startswith("TLS: ")


async def test_handshake_that_nobody_answers_ends(world: World) -> None:
    """BB-30: connecting, TLS included, has a deadline of its own."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        attempt = await world.first_attempt(await world.ring(url=f"https://127.0.0.1:{silent.getsockname()[1]}/"))

    assert (attempt.verdict, attempt.duration.total_s < DEADLINE_S) == ("timeout", True)


async def test_hanging_receiver_does_not_delay_fifty_healthy_ones(world: World) -> None:
    """BB-41: they get theirs within a second, 95 of 100, while it hangs on all it gets."""
    world.receiver.always(Hang())
    async with AsyncExitStack() as stack:
        healthy = [await stack.enter_async_context(Receiver()) for _ in range(50)]
        await asyncio.gather(*[world.ring() for _ in range(100)])
        jobs = await asyncio.gather(*[world.ring(url=healthy[number % 50].url()) for number in range(200)])
        took = sorted([_took_s(await world.ended(job)) for job in jobs])

    assert took[math.ceil(len(took) * 0.95) - 1] < 1


def _took_s(delivery: DeliveryBody) -> float:
    assert delivery.state == "delivered"
    assert delivery.finished_at is not None
    return (delivery.finished_at - delivery.created_at).total_seconds()
