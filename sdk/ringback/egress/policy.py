"""Decides which URLs and addresses requests of ours may go to. Pure: no DNS, no connections."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ringback.egress.errors import Refusal, UrlRefused
from ringback.egress.ports import port_refusal
from ringback.egress.ranges import IPAddress, IPNetwork, special_purpose
from ringback.egress.urls import ParsedUrl, parse_url

LOOPBACK: tuple[IPAddress, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


@dataclass(frozen=True, slots=True)
class VettedUrl:
    """A URL that passed; its name, if it is one, is yet to be resolved."""

    url: str
    """Canonical, and safe to hand to a client that takes it as it is."""
    parts: ParsedUrl

    @property
    def destination(self) -> str:
        """``scheme://host:port``."""
        return self.parts.destination


class EgressPolicy:
    """The public internet, and beside it the networks that an operator opened."""

    def __init__(self, allow: Iterable[IPNetwork] = ()) -> None:
        """``allow`` holds what ``RINGBACK_CALLBACK_ALLOW`` names; there every address and every port is open."""
        self._allow: Sequence[IPNetwork] = tuple(allow)

    def check_url(self, text: str) -> VettedUrl:
        """The URL in parts, when nothing that can be known without DNS stands against it.

        Raises:
            UrlRefused: something does.
        """
        parts = parse_url(text)
        if parts.address is not None:
            self.check_address(parts.address, parts.port)
        elif is_localhost(parts.host):
            self.localhost(parts.port)
        elif not self._allow or not parts.port:
            self._check_port(parts.port)
        return VettedUrl(parts.text, parts)

    def check_address(self, address: IPAddress | str, port: int, *, name: str | None = None) -> None:
        """Do nothing when a connection may go to that address and port; ``name`` is what was resolved to it.

        Raises:
            UrlRefused: it may not.
        """
        if isinstance(address, str):
            address = ip_address(address)
        if self._is_allowed(address) and port:
            return
        why = special_purpose(address)
        if why is not None:
            subject = f"{name} resolves to {address}, which" if name else str(address)
            raise UrlRefused(Refusal.ADDRESS, f"{subject} is not a public address ({why})")
        self._check_port(port)

    def localhost(self, port: int) -> tuple[IPAddress, ...]:
        """The loopback addresses that are open: what ``localhost`` means (RFC 6761), whatever a resolver says.

        Raises:
            UrlRefused: none is.
        """
        addresses = tuple(address for address in LOOPBACK if self._is_allowed(address))
        if not addresses:
            raise UrlRefused(Refusal.ADDRESS, "localhost is not a public address (loopback)")
        if not port:
            self._check_port(port)
        return addresses

    def _is_allowed(self, address: IPAddress) -> bool:
        return any(address.version == network.version and address in network for network in self._allow)

    def _check_port(self, port: int) -> None:
        why = port_refusal(port)
        if why is not None:
            raise UrlRefused(Refusal.PORT, f"port {port} {why}")


def is_localhost(host: str) -> bool:
    """Whether RFC 6761 reserves that name for loopback."""
    return host == "localhost" or host.endswith(".localhost")


def destination_of(url: str) -> str:
    """``scheme://host:port`` of a URL, the port always there: what isolation goes by.

    Raises:
        UrlRefused: it cannot be read.
    """
    return parse_url(url).destination
