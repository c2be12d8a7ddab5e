"""Reads a URL so strictly that no two parsers can disagree about where it leads. No policy, no DNS.

A guard that reads a URL differently from the client that connects is no guard. So whatever is ambiguous is refused
(userinfo, backslashes, control characters, percent signs in hosts, numbers that only some resolvers take for
addresses), and the client gets the very parts that were checked, not the text.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote

import idna

from ringback.egress.errors import Refusal, UrlRefused
from ringback.egress.ports import HIGHEST_PORT
from ringback.egress.ranges import IPAddress

MAX_URL_CHARACTERS = 2_048
DEFAULT_PORTS = {"http": 80, "https": 443}

_MAX_HOST = 253
_SPLIT = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]|[^\S ]")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_QUOTED_AS_IT_IS = "!$%&'()*+,-./:;=?@_~[]"


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """A URL in parts that mean one thing only."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """Lower case, IDNA-encoded; an address in its canonical form, without brackets."""
    address: IPAddress | None
    """The host when it is an address; absent for a name."""
    port: int
    target: str
    """Path and query, beginning with ``/``; what is not allowed in a URL is percent-encoded."""

    @property
    def destination(self) -> str:
        """``scheme://host:port``, the port always there."""
        return f"{self.scheme}://{self._bracketed}:{self.port}"

    @property
    def text(self) -> str:
        """The URL in canonical form."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: what ``Host`` says."""
        return self._bracketed if self.port == DEFAULT_PORTS[self.scheme] else f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_url(text: str) -> ParsedUrl:
    """The parts of an absolute http or https URL.

    Raises:
        UrlRefused: it is not one, or can be read in more than one way.
    """
    if len(text) > MAX_URL_CHARACTERS:
        raise UrlRefused(Refusal.TOO_LONG, f"the URL is longer than {MAX_URL_CHARACTERS} characters")
    if _FORBIDDEN.search(text):
        raise UrlRefused(
            Refusal.MALFORMED, "the URL holds a space, a control character, a backslash or an invisible character"
        )
    match = _SPLIT.fullmatch(text)
    if match is None:
        raise UrlRefused(Refusal.MALFORMED, "the URL is not of the form https://host/path")
    scheme, authority, rest = match[1].lower(), match[2], match[3]
    if scheme not in DEFAULT_PORTS:
        raise UrlRefused(Refusal.SCHEME, "the URL begins with neither https:// nor http://")
    if "#" in text:
        raise UrlRefused(Refusal.FRAGMENT, "the URL holds a fragment (#), which is never sent")
    if "@" in authority:
        raise UrlRefused(Refusal.USERINFO, "the URL holds a user or password before the host")
    raw_host, port = _split_authority(authority, DEFAULT_PORTS[scheme])
    host, address = _read_host(raw_host)
    return ParsedUrl(scheme, host, address, port, _target(rest))


def _split_authority(authority: str, default_port: int) -> tuple[str, int]:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise UrlRefused(Refusal.HOST, "the URL's host is not readable; an IPv6 address belongs in brackets")
    port = match[2]
    if port is None:
        return match[1], default_port
    if not (port.isascii() and port.isdigit() and len(port) <= len(str(HIGHEST_PORT)) and int(port) <= HIGHEST_PORT):
        raise UrlRefused(Refusal.PORT, "the URL's port is not a number from 1 to 65535")
    return match[1], int(port)


def _read_host(raw: str) -> tuple[str, IPAddress | None]:
    if raw.startswith("["):
        return _ipv6(raw[1:-1])
    if "%" in raw:
        raise UrlRefused(Refusal.HOST, "the URL's host holds a percent sign")
    host = raw.lower() if raw.isascii() else _to_ascii(raw)
    if _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return _ipv4(raw, host)
    if host.endswith("."):
        raise UrlRefused(Refusal.HOST, "the URL's host ends with a dot")
    if len(host) > _MAX_HOST or _NAME.fullmatch(host) is None:
        raise UrlRefused(Refusal.HOST, "the URL's host is neither a domain name nor an address")
    return host, None


def _to_ascii(raw: str) -> str:
    """The IDNA 2008 form of a name, mapped as browsers do (UTS 46): this turns full-width digits into plain ones."""
    try:
        return idna.encode(raw, uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise UrlRefused(Refusal.HOST, "the URL's host is not a valid international domain name") from error


def _ipv4(raw: str, host: str) -> tuple[str, IPv4Address]:
    """An address that ends in a number, which is never a domain name: only four plain decimals are accepted."""
    try:
        address = IPv4Address(raw)
    except AddressValueError as error:
        raise UrlRefused(Refusal.ADDRESS_SPELLING, _odd_spelling(host.rstrip("."))) from error
    return str(address), address


def _odd_spelling(host: str) -> str:
    try:
        meant = str(IPv4Address(socket.inet_aton(host)))
    except OSError:
        return "the URL's host ends in a number, but is not an IPv4 address"
    return f"the URL's host is an unusual spelling of {meant}; write addresses as four decimal numbers"


def _ipv6(raw: str) -> tuple[str, IPv6Address]:
    try:
        address = IPv6Address(raw)
    except AddressValueError as error:
        raise UrlRefused(Refusal.HOST, "the URL's host is not an IPv6 address in brackets") from error
    if address.scope_id is not None:
        raise UrlRefused(Refusal.HOST, "the URL's IPv6 address names a zone")
    return str(address), address


def _target(rest: str) -> str:
    quoted = quote(rest, safe=_QUOTED_AS_IT_IS)
    return quoted if quoted.startswith("/") else f"/{quoted}"
