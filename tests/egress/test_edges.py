"""The edges of every special-purpose range (BB-42, BB-43): written from the registries, not from our own table."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest

from ringback.egress import EgressPolicy, Refusal, UrlRefused

NETWORKS = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4", "255.255.255.255/32",
    "::/128", "::1/128", "::/96", "::ffff:0:0/96", "::/8", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48",
    "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
    "fec0::/10", "ff00::/8",
    "64:ff9b::10.0.0.0/104", "64:ff9b::127.0.0.0/104", "64:ff9b::169.254.0.0/112", "64:ff9b::192.168.0.0/112",
)  # fmt: skip
NEIGHBOURS = (
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
    "203.0.114.0", "223.255.255.255",
    "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "2000::1", "3ffe:ffff::1", "64:ff9b::8.8.8.8",
)  # fmt: skip


def url_of(address: object) -> str:
    """A callback to that address."""
    return f"https://[{address}]/hook" if ":" in str(address) else f"https://{address}/hook"


@pytest.mark.parametrize("network", [ip_network(text) for text in NETWORKS], ids=str)
@pytest.mark.parametrize("index", [0, -1], ids=["first", "last"])
def test_edge_of_a_special_range_is_refused(network: IPv4Network | IPv6Network, index: int) -> None:
    """First and last address, all with the same reason code."""
    with pytest.raises(UrlRefused) as caught:
        EgressPolicy().check_url(url_of(network[index]))

    assert caught.value.reason_code == Refusal.ADDRESS


@pytest.mark.parametrize("address", [ip_address(text) for text in NEIGHBOURS], ids=str)
def test_neighbour_of_a_special_range_is_let_through(address: object) -> None:
    """The guard takes no more of the internet than it must."""
    assert EgressPolicy().check_url(url_of(address))


@pytest.mark.parametrize("network", [ip_network(text) for text in NETWORKS], ids=str)
def test_special_range_is_let_through_when_it_is_on_the_allow_list(network: IPv4Network | IPv6Network) -> None:
    """An operator may open any range, and then it is open to its edges."""
    policy = EgressPolicy([network])

    assert [policy.check_url(url_of(network[index])).parts.address for index in (0, -1)] == [network[0], network[-1]]
