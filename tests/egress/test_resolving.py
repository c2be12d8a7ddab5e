"""What is refused when names are resolved and connections made (BB-46, BB-50, BB-51)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import aiohttp
import pytest
from yarl import URL

from ringback.egress import EgressPolicy, GuardedResolver, NameUnresolved, Refusal, UrlRefused, guarded_session, vet
from ringback.egress.journey import Journey, current_journey
from tests.answers import Redirect
from tests.receiver import Receiver

CLOSED = EgressPolicy()
OPEN = EgressPolicy([ip_network("127.0.0.0/8")])


class Names:
    """A DNS of the test's own: each name has a list of answers, the last of which stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name: list(several) for name, several in answers.items()}

    async def __call__(self, host: str) -> Sequence[str]:
        """The next answer."""
        self.asked.append(host)
        several = self._answers[host.partition(".")[0]]
        return several.pop(0) if len(several) > 1 else several[0]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with Receiver() as receiver:
        yield receiver


async def refusal_of(resolver: GuardedResolver, url: str) -> UrlRefused:
    """The refusal that the URL meets when its name is resolved."""
    with pytest.raises(UrlRefused) as caught:
        await resolver.vet(url)
    return caught.value


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "::1", "fe80::1%2", "::ffff:127.0.0.1", "64:ff9b::a00:1"]
)
async def test_name_is_refused_when_it_resolves_to_a_private_address(address: str) -> None:
    """A name is as good as its address."""
    resolver = GuardedResolver(CLOSED, lookup=Names(evil=[[address]]))

    refusal = await refusal_of(resolver, "https://evil.example/")

    assert (refusal.reason_code, "evil.example resolves to" in refusal.sentence) == (Refusal.ADDRESS, True)


@pytest.mark.parametrize("addresses", [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["2606:4700::1", "::1"]])
async def test_name_is_refused_when_one_of_its_addresses_is_bad(addresses: list[str]) -> None:
    """A mixed answer is a trap: which address is taken would be chance."""
    resolver = GuardedResolver(CLOSED, lookup=Names(mixed=[addresses]))

    assert (await refusal_of(resolver, "https://mixed.example/")).reason_code == Refusal.ADDRESS


async def test_name_is_let_through_when_all_its_addresses_are_public() -> None:
    """The ordinary case."""
    resolver = GuardedResolver(CLOSED, lookup=Names(good=[["8.8.8.8", "2606:4700::1"]]))

    assert await resolver.addresses("good.example", 443) == ["8.8.8.8", "2606:4700::1"]


async def test_port_of_a_name_is_refused_unless_its_addresses_are_on_the_allow_list() -> None:
    """With an allow-list, the port of a name can only be judged when its addresses are known."""
    names = Names(inside=[["127.0.0.1"]], outside=[["8.8.8.8"]])
    resolver = GuardedResolver(OPEN, lookup=names)

    assert await resolver.vet("http://inside.example:5432/")
    assert (await refusal_of(resolver, "http://outside.example:5432/")).reason_code == Refusal.PORT


async def test_localhost_is_never_asked_of_the_dns() -> None:
    """RFC 6761: a resolver that says otherwise is not believed."""
    names = Names(localhost=[["8.8.8.8"]])

    assert await GuardedResolver(OPEN, lookup=names).addresses("localhost", 80) == ["127.0.0.1"]
    assert names.asked == []


@pytest.mark.parametrize("error", [OSError(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_name_without_an_address_is_unresolved(error: Exception) -> None:
    """No address is another thing than a bad address: trying again may help."""

    async def lookup(_host: str) -> Sequence[str]:
        raise error

    with pytest.raises(NameUnresolved):
        await vet("https://nowhere.example/", CLOSED, lookup=lookup)


async def test_name_is_unresolved_when_the_dns_hangs() -> None:
    """A name server that never answers costs a bounded time."""

    async def lookup(_host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(NameUnresolved, match=r"within 0\.05 s"):
        await GuardedResolver(CLOSED, lookup=lookup, within_s=0.05).vet("https://slow.example/")


async def test_connection_goes_nowhere_when_a_name_is_bound_anew(receiver: Receiver) -> None:
    """Public when checked, private when connected to (rebinding): the connection is refused."""
    resolver = GuardedResolver(CLOSED, lookup=Names(rebound=[["8.8.8.8"], ["127.0.0.1"]]), cache_s=0)
    await resolver.vet(url := f"http://rebound.example:{receiver.port}/")

    async with guarded_session(CLOSED, resolver=resolver) as session:
        with pytest.raises(UrlRefused):
            await session.get(url)

    assert receiver.connections == 0


async def test_cached_answer_is_vetted_again_at_each_use() -> None:
    """The cache keeps what the DNS said, not what the guard said."""
    names = Names(good=[["127.0.0.1"]])
    resolver = GuardedResolver(OPEN, lookup=names)
    await resolver.addresses("good.example", 80)

    with pytest.raises(UrlRefused):
        await resolver.addresses("good.example", 0)
    assert names.asked == ["good.example"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433"])
async def test_session_connects_to_no_address_that_the_policy_refuses(receiver: Receiver, host: str) -> None:
    """Even a caller that forgot to check the URL gets no connection: aiohttp asks no resolver about literals."""
    async with guarded_session(CLOSED) as session:
        with pytest.raises((UrlRefused, aiohttp.InvalidURL)):
            await session.get(f"http://{host}:{receiver.port}/")

    assert receiver.connections == 0


async def test_session_does_not_follow_a_redirect_to_a_refused_address(receiver: Receiver) -> None:
    """Even a caller that follows redirects stays within the policy (BB-50)."""
    policy = EgressPolicy([ip_network("127.0.0.1/32")])
    receiver.script(Redirect(location=f"http://127.0.0.2:{receiver.port}/secret"))

    async with guarded_session(policy) as session:
        with pytest.raises(UrlRefused):
            await session.get(receiver.url())

    assert [request.target for request in receiver.requests] == ["/hook"]


async def test_session_uses_no_proxy_from_the_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """``HTTP_PROXY`` would send our requests where no guard looks (BB-51)."""
    async with Receiver() as proxy, guarded_session(OPEN) as session:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        monkeypatch.setenv("http_proxy", proxy.url(""))

        async with session.get(receiver.url()) as response:
            assert response.status == 200

        assert (len(receiver.requests), proxy.requests) == (1, [])


async def test_session_connects_to_an_allowed_name(receiver: Receiver) -> None:
    """The name reaches the receiver as ``Host``, the connection goes to the vetted address."""
    resolver = GuardedResolver(OPEN, lookup=Names(hooks=[["127.0.0.1"]]))

    async with guarded_session(OPEN, resolver=resolver) as session:
        vetted = OPEN.check_url(receiver.url(host="hooks.example"))
        async with session.get(URL(vetted.url, encoded=True)) as response:
            assert response.status == 200

    assert receiver.requests[0].header("host") == f"hooks.example:{receiver.port}"


async def test_journey_tells_of_a_new_connection_and_of_one_used_again(receiver: Receiver) -> None:
    """Name and connect times are there for a new connection, and absent when it is used again."""
    resolver = GuardedResolver(OPEN, lookup=Names(hooks=[["127.0.0.1"]]))
    journeys = [Journey(), Journey()]

    async with guarded_session(OPEN, resolver=resolver) as session:
        for journey in journeys:
            current_journey.set(journey)
            async with session.get(receiver.url(host="hooks.example")) as response:
                await response.read()

    first, second = journeys
    assert (first.dns_s is None, first.connect_s is None, first.remote_address) == (False, False, "127.0.0.1")
    assert (second.dns_s, second.connect_s, second.remote_address) == (None, None, "127.0.0.1")
