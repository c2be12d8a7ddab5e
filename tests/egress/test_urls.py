"""What is refused before any DNS: the corpus, and what is let through beside it (BB-42 to BB-45, BB-48)."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from ringback.egress import EgressPolicy, Refusal, UrlRefused, destination_of
from ringback.egress.ports import SERVICES
from ringback.egress.ranges import embedded_ipv4, special_purpose
from tests.egress.corpus import corpus

CLOSED = EgressPolicy()
OPEN_LOOPBACK = EgressPolicy([ip_network("127.0.0.0/8"), ip_network("::1/128")])


def refusal_of(url: str, policy: EgressPolicy = CLOSED) -> UrlRefused:
    """The refusal that the URL meets."""
    with pytest.raises(UrlRefused) as caught:
        policy.check_url(url)
    return caught.value


@pytest.mark.parametrize(("url", "reason_code"), corpus())
def test_url_of_the_corpus_is_refused_with_its_reason(url: str, reason_code: Refusal) -> None:
    """Each known trick is refused, for the reason that fits."""
    assert refusal_of(url).reason_code == reason_code


def test_corpus_holds_at_least_150_urls() -> None:
    """The table only grows."""
    assert len({url for url, _ in corpus()}) >= 200


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/Hook", "https://example.com/Hook"),
        ("http://example.com:8080?x=1", "http://example.com:8080/?x=1"),
        ("https://example.com/a/../b//c?d=%2F&e=/%20", "https://example.com/a/../b//c?d=%2F&e=/%20"),
        ("https://bücher.example/zażółć", "https://xn--bcher-kva.example/za%C5%BC%C3%B3%C5%82%C4%87"),
        ('https://example.com/{"a"}', "https://example.com/%7B%22a%22%7D"),
        ("https://example.com/a@b", "https://example.com/a@b"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2A00:1450:4001:0::1]:8080/", "http://[2a00:1450:4001::1]:8080/"),
        ("http://[64:ff9b::8.8.8.8]/", "http://[64:ff9b::808:808]/"),
        ("http://x1.example.com:65535/", "http://x1.example.com:65535/"),
    ],
)
def test_url_is_let_through_in_canonical_form(url: str, canonical: str) -> None:
    """Ordinary URLs pass; the query stays as it was written, for it may be signed."""
    assert CLOSED.check_url(url).url == canonical


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://Example.com/a", "https://example.com:443"),
        ("http://example.com:8080/b", "http://example.com:8080"),
        ("http://[2A00::1]/", "http://[2a00::1]:80"),
    ],
)
def test_destination_is_scheme_host_and_port(url: str, destination: str) -> None:
    """What isolation goes by does not depend on how the URL was written."""
    assert destination_of(url) == destination


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hook",
        "http://127.0.0.1:22/",
        "http://[::1]:9000/hook",
        "http://localhost:9000/hook",
        "http://receiver.localhost:9000/",
        "http://LOCALHOST/",
    ],
)
def test_loopback_is_let_through_when_it_is_on_the_allow_list(url: str) -> None:
    """An operator who opens loopback gets it by number and by name, on any port."""
    assert OPEN_LOOPBACK.check_url(url)


@pytest.mark.parametrize(
    "url",
    ["http://2130706433/", "http://127.1/", "http://u@127.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://127.0.0.1:0/"],
)
def test_odd_forms_stay_refused_when_loopback_is_on_the_allow_list(url: str) -> None:
    """Opening a network does not open other spellings of it."""
    assert refusal_of(url, OPEN_LOOPBACK)


@pytest.mark.parametrize("host", ["10.1.3.1", "10.1.1.255", "169.254.169.254", "127.0.0.1", "localhost", "[::1]"])
def test_neighbours_of_an_opened_network_stay_refused(host: str) -> None:
    """Opening one network opens no other (BB-48)."""
    policy = EgressPolicy([ip_network("10.1.2.0/24")])

    assert refusal_of(f"http://{host}/", policy).reason_code == Refusal.ADDRESS


def test_opened_network_is_let_through() -> None:
    """The network itself works (BB-48)."""
    assert EgressPolicy([ip_network("10.1.2.0/24")]).check_url("http://10.1.2.3:5000/").parts.port == 5000


@pytest.mark.parametrize("port", sorted(SERVICES))
def test_well_known_service_is_refused_by_name(port: int) -> None:
    """A refusal of a port says what lives there."""
    assert SERVICES[port] in refusal_of(f"http://example.com:{port}/").sentence


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "loopback"),
        ("169.254.169.254", "cloud metadata"),
        ("[::ffff:10.0.0.1]", "IPv4-mapped form of 10.0.0.1, private"),
        ("[64:ff9b::7f00:1]", "NAT64 form of 127.0.0.1, loopback"),
        ("[2002:7f00:1::]", "6to4 form of 127.0.0.1, loopback"),
        ("[2001:0:53aa:64c:0:fbff:80ff:fffe]", "Teredo form of 127.0.0.1, loopback"),
        ("[::127.0.0.1]", "IPv4-compatible form of 127.0.0.1, loopback"),
        ("[2a00:1450:4001::5efe:127.0.0.1]", "ISATAP form of 127.0.0.1, loopback"),
        ("2130706433", "unusual spelling of 127.0.0.1"),
    ],
)
def test_refusal_names_what_the_address_is(address: str, words: str) -> None:
    """Whoever is refused learns why."""
    assert words in refusal_of(f"http://{address}/").sentence


@given(st.ip_addresses())
def test_address_that_python_calls_private_is_never_let_through(address: IPv4Address | IPv6Address) -> None:
    """Python's own table of the registries refuses nothing that ours lets through."""
    if (
        address.is_private
        or address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
    ):
        assert special_purpose(address) or _is_public_nat64(address)


def _is_public_nat64(address: IPv4Address | IPv6Address) -> bool:
    inner = embedded_ipv4(address) if isinstance(address, IPv6Address) else None
    return inner is not None and special_purpose(inner) is None


@given(st.ip_addresses(v=4))
def test_no_embedded_form_of_an_address_is_laxer_than_the_address(address: IPv4Address) -> None:
    """What is refused in IPv4 is refused in every IPv6 clothing."""
    number = int(address)
    clothes = [
        IPv6Address(number),
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x64FF9B0001 << 80 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x20010000 << 96 | ~number & 0xFFFFFFFF),
        IPv6Address(0x2A00 << 112 | 0x5EFE << 32 | number),
    ]

    if special_purpose(address):
        assert [clothing for clothing in clothes if special_purpose(clothing) is None] == []


@given(st.ip_addresses(v=4), st.sampled_from(["{0}", "0x{0:x}", "0{0:o}", "{1}.{2}", "0x{3:x}.{4}.{5}"]))
def test_no_other_spelling_of_an_address_is_let_through(address: IPv4Address, form: str) -> None:
    """Whatever the C library would take for an address, other than four decimals, is refused."""
    number = int(address)
    host = form.format(number, number >> 24, number & 0xFFFFFF, number >> 24, number >> 16 & 0xFF, number & 0xFFFF)

    assert socket.inet_aton(host) == address.packed
    assert refusal_of(f"http://{host}/").reason_code == Refusal.ADDRESS_SPELLING


@given(st.text(min_size=1, max_size=40))
def test_host_that_passes_is_the_host_that_the_client_sees(text: str) -> None:
    """Whatever passes, the client's parser reads the same host, port and scheme from it."""
    try:
        vetted = OPEN_LOOPBACK.check_url(f"http://{text}")
    except UrlRefused:
        return
    url = URL(vetted.url, encoded=True)

    assert (url.scheme, url.raw_host, url.port) == (vetted.parts.scheme, vetted.parts.host, vetted.parts.port)


@given(st.text(max_size=60))
def test_any_text_is_either_refused_or_let_through(text: str) -> None:
    """Nothing that anybody can write brings about another error."""
    try:
        vetted = CLOSED.check_url(text)
    except UrlRefused:
        return
    assert vetted.url.startswith("http")


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "100.63.255.255"]
)
def test_public_address_is_let_through(host: str) -> None:
    """The guard leaves the internet open."""
    assert special_purpose(ipaddress.ip_address(host)) is None
