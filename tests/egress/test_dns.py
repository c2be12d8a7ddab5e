"""What a hostile DNS may answer, over the wire from a server of the test's own (BB-42, BB-43, BB-46, BB-48, BB-50)."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from yarl import URL

from ringback.egress import EgressPolicy, GuardedResolver, NameUnresolved, Refusal, UrlRefused, guarded_session
from tests.answers import Redirect
from tests.egress.corpus import IPV4_LITERALS, IPV6_LITERALS
from tests.egress.nameserver import NameServer
from tests.receiver import Receiver

CLOSED = EgressPolicy()
PUBLIC, PUBLIC_6 = "8.8.8.8", "2606:4700:4700::1111"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
ONLY_FIRST = EgressPolicy([ip_network(f"{FIRST}/32")])


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    """A DNS server."""
    async with NameServer() as names:
        yield names


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on ``FIRST``."""
    async with Receiver(host=FIRST) as receiver:
        yield receiver


@pytest.fixture
async def inside(receiver: Receiver) -> AsyncIterator[Receiver]:
    """A server on ``SECOND``, same port: what nobody outside may reach."""
    async with Receiver(host=SECOND, port=receiver.port) as inside:
        yield inside


def guard(names: NameServer, policy: EgressPolicy = CLOSED, *, cache_s: float = 0) -> GuardedResolver:
    """A resolver that asks that server, every time unless told otherwise."""
    return GuardedResolver(policy, lookup=names.lookup, cache_s=cache_s)


async def refusal_of(resolver: GuardedResolver, url: str = "https://evil.example/") -> Refusal:
    """Why the URL is refused once its name is resolved."""
    with pytest.raises(UrlRefused) as caught:
        await resolver.vet(url)
    return caught.value.reason_code


@pytest.mark.parametrize("address", [*IPV4_LITERALS, *IPV6_LITERALS])
async def test_name_is_refused_when_it_leads_to_an_address_of_the_corpus(names: NameServer, address: str) -> None:
    """Whatever is refused as a literal is refused behind a name, for the same reason."""
    names.host("evil.example", [address])

    assert await refusal_of(guard(names)) == Refusal.ADDRESS


@pytest.mark.parametrize("address", [*IPV4_LITERALS[::4], *IPV6_LITERALS[::4]])
@pytest.mark.parametrize("good", [[PUBLIC], [PUBLIC_6], [PUBLIC, "1.1.1.1", PUBLIC_6]])
async def test_name_is_refused_when_one_of_its_addresses_is_of_the_corpus(
    names: NameServer, address: str, good: list[str]
) -> None:
    """Good addresses beside it, of the same family or the other, do not help."""
    names.host("evil.example", [*good, address])

    assert await refusal_of(guard(names)) == Refusal.ADDRESS


async def test_name_is_refused_when_its_alias_leads_inside(names: NameServer) -> None:
    """A chain of aliases is as good as its end."""
    names.alias("evil.example", "step.example")
    names.alias("step.example", "metadata.internal")
    names.host("metadata.internal", ["169.254.169.254"])

    assert await refusal_of(guard(names)) == Refusal.ADDRESS


async def test_name_is_let_through_when_its_alias_is_public(names: NameServer) -> None:
    """Aliases themselves are ordinary."""
    names.alias("hooks.example", "cdn.example")
    names.host("cdn.example", [PUBLIC, PUBLIC_6])

    assert await guard(names).addresses("hooks.example", 443) == [PUBLIC, PUBLIC_6]


async def test_name_is_unresolved_when_the_server_does_not_know_it(names: NameServer) -> None:
    """No such name is not a refusal: it may exist later."""
    with pytest.raises(NameUnresolved):
        await guard(names).vet("https://nowhere.example/")


@pytest.mark.parametrize("url", ["http://2130706433/", "http://127.1/", "http://localhost/", "http://a.localhost/"])
async def test_odd_spelling_is_never_asked_of_the_dns(names: NameServer, url: str) -> None:
    """What is refused by its spelling costs no question, so no DNS can make it good."""
    with pytest.raises(UrlRefused):
        await guard(names).vet(url)

    assert names.asked == []


@pytest.mark.parametrize("address", [*IPV4_LITERALS[::4], *IPV6_LITERALS[::4]])
async def test_name_is_refused_at_delivery_when_it_was_public_at_create(names: NameServer, address: str) -> None:
    """Rebinding: what was true when the callback was accepted is asked again when it is used."""
    names.host("rebound.example", [PUBLIC], [address])
    resolver = guard(names)

    assert await resolver.vet("https://rebound.example/")
    assert await refusal_of(resolver, "https://rebound.example/") == Refusal.ADDRESS


async def test_connection_goes_to_the_address_that_was_vetted(
    names: NameServer, receiver: Receiver, inside: Receiver
) -> None:
    """A name that changes its address with every answer, for 0 s each: what connects asks once and uses that answer."""
    names.host("flipping.example", [FIRST], [SECOND])

    async with guarded_session(ONLY_FIRST, resolver=guard(names, ONLY_FIRST)) as session:
        url = URL(ONLY_FIRST.check_url(receiver.url(host="flipping.example")).url, encoded=True)
        async with session.post(url, allow_redirects=False) as response:
            assert response.status == 200

    assert (len(receiver.requests), inside.connections) == (1, 0)


async def test_connection_is_refused_when_the_name_was_bound_anew(
    names: NameServer, receiver: Receiver, inside: Receiver
) -> None:
    """Vetted with one answer, connected with the next: the second is vetted too, and nothing is sent."""
    names.host("rebound.example", [FIRST], [SECOND])
    resolver = guard(names, ONLY_FIRST)
    url = receiver.url(host="rebound.example")
    await resolver.vet(url)

    async with guarded_session(ONLY_FIRST, resolver=resolver) as session:
        with pytest.raises(UrlRefused):
            await session.post(url, allow_redirects=False)

    assert (receiver.connections, inside.connections) == (0, 0)


async def test_connection_is_refused_when_only_some_addresses_are_on_the_allow_list(
    names: NameServer, receiver: Receiver, inside: Receiver
) -> None:
    """An allow-list opens what it names and nothing that stands beside it in an answer."""
    names.host("mixed.example", [FIRST, SECOND])

    async with guarded_session(ONLY_FIRST, resolver=guard(names, ONLY_FIRST)) as session:
        with pytest.raises(UrlRefused):
            await session.post(receiver.url(host="mixed.example"), allow_redirects=False)

    assert (receiver.connections, inside.connections) == (0, 0)


async def test_answers_are_asked_again_after_their_time_in_the_cache(names: NameServer) -> None:
    """Without a cache each use asks: both families, for one of them may be bad."""
    names.host("hooks.example", [PUBLIC])
    resolver = guard(names)

    await resolver.addresses("hooks.example", 443)
    await resolver.addresses("hooks.example", 443)

    assert names.asked == ["hooks.example A", "hooks.example AAAA"] * 2


async def test_cached_answer_is_used_when_the_name_is_bound_anew(names: NameServer) -> None:
    """The cache pins what was vetted, whatever the DNS says meanwhile."""
    names.host("rebound.example", [PUBLIC], ["10.0.0.1"])
    resolver = guard(names, cache_s=60)

    assert [await resolver.addresses("rebound.example", 443) for _ in range(2)] == [[PUBLIC]] * 2


@pytest.mark.parametrize("host", [*IPV4_LITERALS[::3], *(f"[{host}]" for host in IPV6_LITERALS[::3]), "evil.example"])
async def test_redirect_into_the_corpus_goes_nowhere(
    names: NameServer, receiver: Receiver, inside: Receiver, host: str
) -> None:
    """Even a client that follows redirects is held back, by literal address as by name."""
    names.host("evil.example", [SECOND])
    if host == FIRST:
        host = SECOND
    receiver.script(Redirect(location=f"http://{host}:{receiver.port}/secret"))

    async with guarded_session(ONLY_FIRST, resolver=guard(names, ONLY_FIRST)) as session:
        with pytest.raises(UrlRefused):
            await session.get(receiver.url())

    assert (len(receiver.requests), inside.connections) == (1, 0)
