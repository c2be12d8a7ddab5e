"""One POST and what comes of it, over real sockets (BB-01, 04, 14, 30, 31, 33, 34, 37, 51)."""

import asyncio
import socket
import time
import tracemalloc
from collections.abc import Sequence

import pytest

from ringback.egress import GuardedResolver
from ringback_notifier.replies import Answered, Failed
from ringback_notifier.sender import KEPT_BYTES, Deadlines, Sender
from ringback_schemas.deliveries import Verdict
from tests.answers import (
    BAD_CHUNK,
    HALF_CHUNK,
    HALF_HEAD,
    NO_ANSWER,
    NOT_HTTP,
    SHORT_BODY,
    Answer,
    Behaviour,
    Drip,
    Flood,
    GzipBomb,
    Hang,
    Raw,
    Redirect,
    Reset,
    head,
    many_headers,
)
from tests.notifier.conftest import LOOPBACK
from tests.notifier.sending import BODY, ID, SECRET, SIGNER, reply_of
from tests.receiver import Receiver

QUICK = Deadlines(total_s=0.4, connect_s=0.2)


async def failure_of(sender: Sender, receiver: Receiver, answer: Behaviour) -> Failed:
    """The failure that an answer brings about."""
    receiver.script(answer)
    reply = await reply_of(sender, receiver.url())
    assert isinstance(reply, Failed), reply
    return reply


async def test_request_carries_the_headers_of_standard_webhooks(sender: Sender, receiver: Receiver) -> None:
    """Each header is there once, with what the specification says."""
    await reply_of(sender, receiver.url("/hook?a=%2F"))

    (request,) = receiver.requests
    assert (request.method, request.target, request.webhook_id) == ("POST", "/hook?a=%2F", ID)
    assert request.header("content-type") == "application/json"
    assert request.header("user-agent").startswith("Ringback/")
    assert int(request.header("content-length")) == len(BODY)


async def test_body_arrives_byte_for_byte_and_signed(sender: Sender, receiver: Receiver) -> None:
    """Unicode, duplicate keys, odd numbers and the last newline stay as they are (BB-14)."""
    await reply_of(sender, receiver.url())

    (request,) = receiver.requests
    assert request.verify(SECRET).body == BODY


@pytest.mark.parametrize("status", [200, 204, 301, 304, 404, 410, 500])
async def test_answer_comes_back_with_its_status(sender: Sender, receiver: Receiver, status: int) -> None:
    """Whatever the status, it is an answer."""
    receiver.script(Answer(status))

    assert await reply_of(sender, receiver.url()) == Answered(status)


async def test_answer_comes_back_with_its_hints_and_first_bytes(sender: Sender, receiver: Receiver) -> None:
    """What the verdict and a curious owner need."""
    receiver.script(Answer(503, {"Retry-After": "7", "Location": "/x"}, b"\x00\xffbusy"))

    assert await reply_of(sender, receiver.url()) == Answered(503, "7", "/x", b"\x00\xffbusy")


async def test_long_answer_is_kept_cut(sender: Sender, receiver: Receiver) -> None:
    """The first bytes are enough to see what the receiver said."""
    receiver.script(Answer(200, body=b"a" * 10_000))

    assert await reply_of(sender, receiver.url()) == Answered(200, prefix=b"a" * KEPT_BYTES)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(sender: Sender, receiver: Receiver, status: int) -> None:
    """The second receiver gets nothing, the first one's Location comes back (BB-04)."""
    async with Receiver() as other:
        receiver.script(Redirect(status, location=other.url()))

        assert await reply_of(sender, receiver.url()) == Answered(status, location=other.url())
        assert other.connections == 0


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reset(), Verdict.RESET),
        (Reset(head(200, {"Content-Length": "100"}) + b"some"), Verdict.RESET),
        (NO_ANSWER, Verdict.PREMATURE_EOF),
        (HALF_HEAD, Verdict.PREMATURE_EOF),
        (SHORT_BODY, Verdict.PREMATURE_EOF),
        (HALF_CHUNK, Verdict.PREMATURE_EOF),
        (NOT_HTTP, Verdict.BAD_RESPONSE),
        (BAD_CHUNK, Verdict.BAD_RESPONSE),
        (Raw(head(200, {"Content-Length": "12x"})), Verdict.BAD_RESPONSE),
        (Raw(head(200, {"Content-Length": "-5"})), Verdict.BAD_RESPONSE),
        (Raw(b"HTTP/1.1 twohundred OK\r\n\r\n"), Verdict.BAD_RESPONSE),
        (Raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n"), Verdict.BAD_RESPONSE),
    ],
)
async def test_broken_answers_are_told_apart(
    sender: Sender, receiver: Receiver, answer: Behaviour, verdict: Verdict
) -> None:
    """Reset, end before the answer or amid it, and nonsense are distinct failures (BB-37)."""
    assert (await failure_of(sender, receiver, answer)).verdict == verdict


async def test_ten_thousand_headers_do_no_harm(sender: Sender, receiver: Receiver) -> None:
    """A flood of headers is an answer like another, or a bad one; never an error of ours."""
    receiver.script(many_headers(10_000))

    assert await reply_of(sender, receiver.url())


async def test_closed_port_is_a_refused_connection(sender: Sender, receiver: Receiver) -> None:
    """Nobody listens."""
    await receiver.refuse()

    assert await reply_of(sender, receiver.url()) == Failed(Verdict.CONNECT_REFUSED, "connection refused")


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://2130706433/", "http://u@127.0.0.1/", "ftp://x/", "nonsense"]
)
async def test_refused_url_is_not_sent(sender: Sender, url: str) -> None:
    """The guard has the last word at delivery too."""
    reply = await reply_of(sender, url)

    assert isinstance(reply, Failed)
    assert reply.verdict == Verdict.REFUSED_ADDRESS


async def test_name_without_an_address_is_a_dns_error() -> None:
    """The name does not resolve."""

    async def lookup(_host: str) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    async with Sender(LOOPBACK, resolver=GuardedResolver(LOOPBACK, lookup=lookup)) as sender:
        assert await reply_of(sender, "https://nowhere.example/") == Failed(
            Verdict.DNS_ERROR, "nowhere.example could not be resolved: Name or service not known"
        )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Hang(), "no answer within 0.4 s"),
        (Drip(every_s=0.02), "the answer began (200) but did not end within 0.4 s"),
    ],
)
async def test_deadline_covers_the_whole_exchange(receiver: Receiver, answer: Behaviour, words: str) -> None:
    """Silence and a body without end both stop at the deadline, and say in which phase (BB-30, BB-31)."""
    started = time.monotonic()

    async with Sender(LOOPBACK, QUICK) as sender:
        failure = await failure_of(sender, receiver, answer)

    assert (failure.verdict, failure.words) == (Verdict.TIMEOUT, words)
    assert 0.4 <= time.monotonic() - started < 0.9


async def test_hanging_dns_stops_at_the_connect_deadline() -> None:
    """The name's time counts as connecting."""

    async def lookup(_host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with Sender(LOOPBACK, QUICK, resolver=GuardedResolver(LOOPBACK, lookup=lookup)) as sender:
        reply = await reply_of(sender, "http://slow.example/")

    assert reply == Failed(Verdict.TIMEOUT, "no connection within 0.2 s (looking up the name)")


async def test_handshake_that_nobody_answers_stops_at_the_connect_deadline() -> None:
    """TLS counts as connecting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with Sender(LOOPBACK, QUICK) as sender:
            reply = await reply_of(sender, f"https://127.0.0.1:{port}/")

    assert reply == Failed(Verdict.TIMEOUT, "no connection within 0.2 s (TLS handshake)")


@pytest.mark.parametrize("answer", [Flood(), GzipBomb(200_000_000)])
async def test_endless_body_is_cut_and_its_status_counts(sender: Sender, receiver: Receiver, answer: Behaviour) -> None:
    """5 GB and a gzip bomb cost a few buffers; the 200 was said, so it is delivered (BB-33, BB-34)."""
    receiver.script(answer)
    tracemalloc.start()

    reply = await reply_of(sender, receiver.url())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(reply, Answered)
    assert reply.status == 200
    if isinstance(answer, Flood):
        assert peak < 10_000_000


async def test_connection_is_used_again(sender: Sender, receiver: Receiver) -> None:
    """Three deliveries to one receiver need one connection."""
    for _ in range(3):
        await reply_of(sender, receiver.url())

    assert receiver.connections == 1


async def test_timing_is_split(sender: Sender, receiver: Receiver) -> None:
    """Name, connection, first byte and all of it, with the address that was reached."""
    sent = await sender.send(receiver.url(host="localhost"), ID, BODY, SIGNER)

    timing = sent.timing
    assert sent.remote_address == "127.0.0.1"
    assert timing.dns_s is not None
    assert timing.connect_s is not None
    assert timing.first_byte_s is not None
    assert timing.connect_s < timing.first_byte_s <= timing.total_s


async def test_timestamp_and_signature_are_fresh_on_each_try(receiver: Receiver) -> None:
    """Id and bytes stay, time and signature do not (BB-06)."""
    clock = iter([1_800_000_000.0, 1_800_000_300.0])

    async with Sender(LOOPBACK, clock=lambda: next(clock)) as sender:
        await reply_of(sender, receiver.url())
        await reply_of(sender, receiver.url())

    first, second = receiver.requests
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    assert [request.header("webhook-timestamp") for request in receiver.requests] == ["1800000000", "1800000300"]
    assert first.header("webhook-signature") != second.header("webhook-signature")
