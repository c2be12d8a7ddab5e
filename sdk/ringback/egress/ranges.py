"""The addresses that no callback may reach, each with the name that a refusal gives.

Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), the multicast and
reserved blocks beside them, and one metadata service that sits on a public address. Longer prefixes stand before the
blocks that hold them, so that a refusal names the nearest thing. Rows that the registry calls globally reachable but
that no web server lives in (AS112, AMT, anycast relays) are refused too.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

IPV4_RANGES: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), name)
    for network, name in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.100.100.200/32", "cloud metadata"),
        ("100.64.0.0/10", "shared address space of providers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.169.254/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.192/32", "cloud metadata"),
        ("192.0.0.0/24", "IETF protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112 service"),
        ("192.52.193.0/24", "automatic multicast tunnelling"),
        ("192.88.99.0/24", "6to4 relay anycast"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112 service"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
    )
)

IPV6_RANGES: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), name)
    for network, name in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b:1::/48", "local-use NAT64"),
        ("::/8", "reserved"),
        ("100::/64", "discard-only"),
        ("100:0:0:1::/64", "dummy prefix"),
        ("2001::/32", "Teredo"),
        ("2001:2::/48", "benchmarking"),
        ("2001:10::/28", "ORCHID"),
        ("2001:20::/28", "ORCHIDv2"),
        ("2001::/23", "IETF protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112 service"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fd00:ec2::254/128", "cloud metadata"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only IPv6 space that IANA hands out; whatever lies outside is nobody's web server."""

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: where there is IPv6 only, DNS64 answers with these. Each is as good as the IPv4 address inside it."""

_LOW_32_BITS = tuple(
    IPv6Network(network) for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/96")
)
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = 0x5EFE
_ISATAP_MASK = 0xFDFF_FFFF


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address carries and that something on the way may unpack; absent if none.

    Mapped (RFC 4291), compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), the
    client of Teredo (RFC 4380) and ISATAP (RFC 5214).
    """
    number = int(address)
    if number <= 1:
        return None
    if any(address in network for network in _LOW_32_BITS):
        return IPv4Address(number & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if address in _TEREDO:
        return IPv4Address(~number & 0xFFFF_FFFF)
    if number >> 32 & _ISATAP_MASK == _ISATAP:
        return IPv4Address(number & 0xFFFF_FFFF)
    return None


def special_purpose(address: IPAddress) -> str | None:
    """What stands against a callback to that address, in a few words such as ``private``; absent if nothing does."""
    if isinstance(address, IPv4Address):
        return next((name for network, name in IPV4_RANGES if address in network), None)
    inner = embedded_ipv4(address)
    inner_name = special_purpose(inner) if inner is not None else None
    name = _ipv6_name(address, has_bad_inside=inner_name is not None)
    if name is None or inner is None:
        return name
    return f"{name} form of {inner}" + (f", {inner_name}" if inner_name else "")


def _ipv6_name(address: IPv6Address, *, has_bad_inside: bool) -> str | None:
    if address in NAT64:
        return "NAT64" if has_bad_inside else None
    name = next((name for network, name in IPV6_RANGES if address in network), None)
    if name is None and address not in GLOBAL_UNICAST:
        return "not global unicast"
    # Any address of the public internet may carry such bits, and only some tunnel end unpacks them.
    return "ISATAP" if name is None and has_bad_inside else name
