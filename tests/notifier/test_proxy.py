"""Webhooks through a forward proxy: what it is asked for, and whose failures are whose."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ringback.egress import EgressPolicy, GuardedResolver, client_context
from ringback.proxy_url import ProxyUrl, parse_proxy_url
from ringback.webhooks import Signer, new_secret
from ringback_notifier.replies import Answered, Failed, Sent
from ringback_notifier.sender import Deadlines, Sender
from ringback_schemas.deliveries import Verdict, WaitReason
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Hang, Reset
from tests.certificates import self_signed, server_context
from tests.forward_proxy import ForwardProxy
from tests.notifier.conftest import Rig
from tests.receiver import Receiver
from tests.waiting import eventually

PUBLIC = "93.184.215.14"
NAME = "hooks.example"
SECRET = new_secret()
SIGNER = Signer([SECRET])
QUICK = Deadlines(total_s=1, connect_s=0.3)


async def lookup(host: str) -> Sequence[str]:
    """The test's own DNS."""
    known = {NAME: ["2606:2800:21f::1", PUBLIC], "inner.example": [PUBLIC, "10.0.0.1"]}
    if host not in known:
        raise OSError(-2, "Name or service not known")
    return known[host]


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    """A receiver that speaks TLS as ``hooks.example``."""
    async with Receiver(tls=server_context(self_signed(tmp_path, host=NAME))) as receiver:
        yield receiver


@pytest.fixture
async def proxy(receiver: Receiver) -> AsyncIterator[ForwardProxy]:
    """A proxy in front of it."""
    async with ForwardProxy(receiver.port) as proxy:
        yield proxy


@pytest.fixture
async def sender(proxy: ForwardProxy, tmp_path: Path) -> AsyncIterator[Sender]:
    """A sender behind that proxy; it may reach the public internet and nothing else."""
    async with through(proxy, tmp_path) as sender:
        yield sender


def through(proxy: ForwardProxy, folder: Path, *, user: str = "", password: str = "") -> Sender:
    """A sender behind a proxy."""
    policy = EgressPolicy()
    return Sender(
        policy,
        QUICK,
        resolver=GuardedResolver(policy, lookup=lookup),
        tls=client_context(ca_file=folder / f"{NAME}.pem"),
        proxy=ProxyUrl("127.0.0.1", proxy.port, user, password),
    )


async def post(sender: Sender, url: str = f"https://{NAME}/hook") -> Sent:
    """What comes of sending the example there."""
    return await sender.send(url, "evt_01kb3v4r6de0qv8t3kq1x1m9za", b"{}", SIGNER)


async def failure(sender: Sender, url: str = f"https://{NAME}/hook") -> Failed:
    """The failure that comes of it."""
    reply = (await post(sender, url)).reply
    assert isinstance(reply, Failed), reply
    return reply


async def test_tunnel_leads_to_the_vetted_address(sender: Sender, proxy: ForwardProxy, receiver: Receiver) -> None:
    """The proxy is never told the name, so it cannot resolve it to anything else (BB-46); TLS inside verifies it."""
    sent = await post(sender)

    assert isinstance(sent.reply, Answered)
    assert sent.reply.status == 200
    (wanted,) = proxy.wanted
    assert wanted.line == f"CONNECT {PUBLIC}:443 HTTP/1.1"
    assert wanted.headers["host"] == f"{PUBLIC}:443"
    assert "proxy-authorization" not in wanted.headers
    (request,) = receiver.requests
    assert (request.target, request.header("host")) == ("/hook", NAME)
    assert request.verify(SECRET).body == b"{}"


async def test_attempt_tells_where_it_went(sender: Sender) -> None:
    """The receiver's address, not the proxy's; and each phase."""
    sent = await post(sender)

    assert sent.remote_address == PUBLIC
    assert None not in (sent.timing.dns_s, sent.timing.connect_s, sent.timing.tls_s, sent.timing.first_byte_s)


async def test_tunnel_is_used_again(sender: Sender, proxy: ForwardProxy) -> None:
    """One for several webhooks, as without a proxy."""
    for _ in range(3):
        await post(sender)

    assert len(proxy.wanted) == 1


async def test_plain_http_is_asked_for_by_its_name(tmp_path: Path) -> None:
    """In absolute form; the name was vetted before."""
    self_signed(tmp_path, host=NAME)
    async with (
        Receiver() as plain,
        ForwardProxy(plain.port) as proxy,
        through(proxy, tmp_path, user="u", password="p:w") as sender,
    ):
        sent = await post(sender, f"http://{NAME}:8080/hook?a=b")

        assert isinstance(sent.reply, Answered)
        assert proxy.wanted[0].line == f"POST http://{NAME}:8080/hook?a=b HTTP/1.1"
        assert proxy.wanted[0].headers["host"] == f"{NAME}:8080"
        assert proxy.wanted[0].headers["proxy-authorization"] == f"Basic {base64.b64encode(b'u:p:w').decode()}"


async def test_proxy_learns_who_we_are(proxy: ForwardProxy, receiver: Receiver, tmp_path: Path) -> None:
    """User and password go to the proxy, never through the tunnel."""
    async with through(proxy, tmp_path, user="ringback", password="s3cret") as sender:
        await post(sender)

    assert proxy.wanted[0].headers["proxy-authorization"].startswith("Basic ")
    assert "proxy-authorization" not in {name.lower() for name, _ in receiver.requests[0].headers}


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("https://10.0.0.1/", Verdict.REFUSED_ADDRESS),
        ("http://169.254.169.254/", Verdict.REFUSED_ADDRESS),
        ("https://localhost/", Verdict.REFUSED_ADDRESS),
        ("https://inner.example/", Verdict.REFUSED_ADDRESS),
        ("http://inner.example/", Verdict.REFUSED_ADDRESS),
        ("https://nowhere.example/", Verdict.DNS_ERROR),
    ],
)
async def test_guard_stands_before_the_proxy(sender: Sender, proxy: ForwardProxy, url: str, verdict: Verdict) -> None:
    """What may not be reached is not asked for, though the proxy could."""
    assert (await failure(sender, url)).verdict == verdict
    assert proxy.wanted == []


@pytest.mark.parametrize("status", [403, 407, 500, 502, 503, 504])
async def test_refused_tunnel_is_the_proxys_failure(sender: Sender, proxy: ForwardProxy, status: int) -> None:
    """The receiver said nothing; only a 407 speaks against the proxy as a whole."""
    proxy.refuses_with = status

    reply = await failure(sender)

    assert (reply.verdict, reply.is_proxy_down) == (Verdict.PROXY_FAILED, status == 407)
    assert str(status) in reply.words
    assert "egress proxy" in reply.words


async def test_proxy_that_refuses_connections_is_down(sender: Sender, proxy: ForwardProxy) -> None:
    """For everybody."""
    await proxy.refuse()

    reply = await failure(sender)

    assert (reply.verdict, reply.is_proxy_down) == (Verdict.PROXY_FAILED, True)


async def test_silent_proxy_is_the_proxys_failure(sender: Sender, proxy: ForwardProxy) -> None:
    """Neither a tunnel nor a refusal within the time to connect."""
    proxy.is_silent = True

    assert await failure(sender) == Failed(
        Verdict.PROXY_FAILED, "the egress proxy failed: no connection through it within 0.3 s"
    )


async def test_proxy_that_closes_is_the_proxys_failure(sender: Sender, proxy: ForwardProxy) -> None:
    """Before the tunnel stands nothing is the receiver's doing."""
    proxy.closes = True

    assert (await failure(sender)).verdict is Verdict.PROXY_FAILED


async def test_unknown_proxy_is_down(tmp_path: Path) -> None:
    """Its name cannot be resolved."""
    self_signed(tmp_path, host=NAME)
    policy = EgressPolicy()
    resolver = GuardedResolver(policy, lookup=lookup)
    async with Sender(policy, QUICK, resolver=resolver, proxy=ProxyUrl("proxy.invalid", 3128)) as sender:
        reply = await failure(sender)

    assert (reply.verdict, reply.is_proxy_down) == (Verdict.PROXY_FAILED, True)


async def test_password_wanted_for_plain_http_stops_nothing_else(sender: Sender, proxy: ForwardProxy) -> None:
    """A 407 should be a proxy's, but a receiver may write one too."""
    proxy.refuses_with = 407

    reply = await failure(sender, f"http://{NAME}/")

    assert (reply.verdict, reply.is_proxy_down) == (Verdict.PROXY_FAILED, False)


async def test_password_wanted_inside_the_tunnel_is_the_receivers_answer(sender: Sender, receiver: Receiver) -> None:
    """Or three receivers that say so would stop the webhooks of all."""
    receiver.script(Answer(407))

    reply = (await post(sender)).reply

    assert isinstance(reply, Answered), reply
    assert reply.status == 407


@pytest.mark.parametrize(
    ("answer", "verdict"), [(Reset(), Verdict.RESET), (Hang(), Verdict.TIMEOUT)], ids=["reset", "hang"]
)
async def test_what_fails_inside_the_tunnel_is_the_receivers(
    sender: Sender, receiver: Receiver, answer: Reset | Hang, verdict: Verdict
) -> None:
    """As without a proxy."""
    receiver.script(answer)

    assert (await failure(sender)).verdict in {verdict, Verdict.PREMATURE_EOF}


async def test_wrong_certificate_inside_the_tunnel_is_the_receivers(proxy: ForwardProxy) -> None:
    """Nobody vouches for it: a proxy that opens TLS is found out like anybody else."""
    policy = EgressPolicy()
    resolver = GuardedResolver(policy, lookup=lookup)
    async with Sender(policy, QUICK, resolver=resolver, proxy=ProxyUrl("127.0.0.1", proxy.port)) as sender:
        reply = await failure(sender)

    assert (reply.verdict, reply.words) == (Verdict.TLS_ERROR, "TLS: self-signed certificate")


async def test_error_of_the_receiver_is_no_error_of_the_proxy(sender: Sender, receiver: Receiver) -> None:
    """A 503 through the tunnel comes from its end."""
    receiver.script(Answer(503))

    assert (await post(sender)).reply == Answered(503)


async def test_proxies_in_the_environment_stay_ignored(
    sender: Sender, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the setting counts (BB-51)."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")

    assert isinstance((await post(sender)).reply, Answered)
    assert len(proxy.wanted) == 1


async def test_delivery_survives_a_proxy_that_is_down(rig: Rig) -> None:
    """No try is burnt, the destination's circuit stays as it was, and it goes out when the proxy is back."""
    async with Receiver() as plain, ForwardProxy(plain.port) as proxy:
        await proxy.refuse()
        url = plain.url(host="localhost")
        async with rig.notifier(proxy=ProxyUrl("127.0.0.1", proxy.port), schedule_s=()) as notifier:
            ids = [(await rig.deliver(url))[0] for _ in range(6)]
            await eventually(lambda: len(rig.counts.outcomes) >= 3, what="the proxy to be found down")
            first = await rig.when(rig.counts.outcomes[0].delivery_id, "retrying", "sending")
            assert (first.delivery.tries, first.attempts[0].verdict) == (0, Verdict.PROXY_FAILED)
            assert "not counted as a try" in first.attempts[0].reason

            await proxy.listen()
            details = [await rig.ended(delivery_id, within_s=30) for delivery_id in ids]

            assert notifier.in_flight == 0
    assert {detail.delivery.state for detail in details} == {DeliveryState.DELIVERED}
    assert {detail.delivery.tries for detail in details} == {1}
    assert all(detail.delivery.waits_for is not WaitReason.CIRCUIT for detail in details)


async def test_proxy_that_is_down_stops_all_claims(rig: Rig) -> None:
    """What waits is left due in the store: no attempt is spent on each."""
    async with Receiver() as plain, ForwardProxy(plain.port) as proxy:
        await proxy.refuse()
        url = plain.url(host="localhost")
        async with rig.notifier(proxy=ProxyUrl("127.0.0.1", proxy.port), concurrency=4) as _:
            for _ in range(40):
                await rig.deliver(url)
            await eventually(lambda: len(rig.counts.outcomes) >= 4, what="the proxy to be found down")
            await asyncio.sleep(0)

            assert len(rig.counts.outcomes) < 20


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy:3128", ProxyUrl("proxy", 3128)),
        ("http://proxy", ProxyUrl("proxy", 80)),
        ("http://user:p%40ss@[::1]:3128/", ProxyUrl("::1", 3128, "user", "p@ss")),
    ],
)
def test_proxy_url_is_read(text: str, proxy: ProxyUrl) -> None:
    """Host, port and who we are."""
    assert parse_proxy_url(text) == proxy


@pytest.mark.parametrize(
    "text",
    ["proxy:3128", "https://proxy:3128", "socks5://proxy", "http://", "http://u:secret@proxy/path", "http://p:0"],
)
def test_other_proxy_urls_are_refused_without_showing_them(text: str) -> None:
    """The message holds no password."""
    with pytest.raises(ValueError, match="must look like") as refusal:
        parse_proxy_url(text)

    assert "secret" not in str(refusal.value)


def test_proxy_shows_no_credentials() -> None:
    """Neither printed nor in logs."""
    proxy = parse_proxy_url("http://user:secret@proxy:3128")

    assert proxy.shown == "http://proxy:3128"
    assert "secret" not in repr(proxy)
