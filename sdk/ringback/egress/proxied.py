"""Requests through a forward proxy of the operator's: the same guard before, and the vetted address handed on.

The proxy is trusted, wherever it is; what is asked of it is not. So a name is resolved and vetted here as for a direct
connection. For https the proxy is told the vetted address (``CONNECT 192.0.2.1:443``), and the name is verified in the
TLS handshake inside: a name that resolves otherwise a moment later leads nowhere. For http the name is in the request
itself, so the proxy resolves it once more; only what is vetted here is ever asked for.
"""

import socket
import ssl
import time
from dataclasses import dataclass, replace

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ringback.egress.errors import Refusal, UrlRefused
from ringback.egress.journey import current_journey
from ringback.egress.policy import VettedUrl
from ringback.egress.resolver import GuardedResolver
from ringback.egress.session import CONNECT_WITHIN_S, NotingConnector, bare_session, noted_socket
from ringback.egress.urls import ParsedUrl
from ringback.proxy_url import ProxyUrl

_PROXY_KNOWN_S = 30
"""How long the proxy's own addresses are kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the proxy is asked for."""

    url: URL
    headers: dict[str, str]
    """Beside the request's own."""
    server_hostname: str | None = None
    """Whom the certificate inside the tunnel must name, when the URL does not."""


async def vetted_request(proxy: ProxyUrl, resolver: GuardedResolver, vetted: VettedUrl) -> Asked:
    """What to ask the proxy for; the current ``Journey`` is told how long the look-up took.

    Raises:
        UrlRefused: an address of the name may not be connected to.
        NameUnresolved: it has no address now.
    """
    parts = vetted.parts
    address = str(parts.address) if parts.address is not None else await _address(resolver, parts)
    if parts.scheme == "http":
        known_as: dict[str, str] = {hdrs.PROXY_AUTHORIZATION: proxy.authorization} if proxy.authorization else {}
        return Asked(URL(vetted.url, encoded=True), known_as)
    journey = current_journey.get()
    if journey is not None:
        journey.remote_address = address
    there = replace(parts, host=address)
    name = None if parts.address is not None else parts.host
    return Asked(URL(there.text, encoded=True), {hdrs.HOST: parts.authority}, name)


async def _address(resolver: GuardedResolver, parts: ParsedUrl) -> str:
    started = time.perf_counter()
    addresses = await resolver.addresses(parts.host, parts.port)
    journey = current_journey.get()
    if journey is not None:
        journey.dns_s = time.perf_counter() - started
    # the proxy may not have IPv6, and there is no second try
    return next((address for address in addresses if ":" not in address), addresses[0])


def proxied_session(
    proxy: ProxyUrl,
    *,
    connect_s: float = CONNECT_WITHIN_S,
    keepalive_s: float = 15.0,
    auto_decompress: bool = True,
    tls: ssl.SSLContext | None = None,
) -> aiohttp.ClientSession:
    """A session that connects to that proxy and to nothing else; as ``guarded_session``, but give it ``Asked``."""
    connector = _TunnelConnector(proxy.authorization, resolver=_ProxyResolver(proxy), keepalive_s=keepalive_s, tls=tls)
    return bare_session(connector, connect_s=connect_s, auto_decompress=auto_decompress, proxy=proxy.shown)


class _TunnelConnector(NotingConnector):
    """Tells the proxy in ``Host`` what it asks for in ``CONNECT``; aiohttp would tell the name inside the tunnel."""

    def __init__(
        self,
        authorization: str | None,
        *,
        resolver: "_ProxyResolver",
        keepalive_s: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        """``authorization`` is for the proxy only; it never goes through the tunnel."""
        super().__init__(
            resolver=resolver,
            ttl_dns_cache=_PROXY_KNOWN_S,
            socket_factory=resolver.socket,
            limit=0,
            keepalive_timeout=keepalive_s,
            ssl=tls or True,
        )
        self._authorization = authorization

    def _update_proxy_auth_header_and_build_proxy_req(self, req: aiohttp.ClientRequest) -> aiohttp.ClientRequest:
        asked = super()._update_proxy_auth_header_and_build_proxy_req(req)
        if req.is_ssl():
            asked.headers[hdrs.HOST] = f"{req.url.host_subcomponent}:{req.url.port}"
            if self._authorization is not None:
                asked.headers[hdrs.PROXY_AUTHORIZATION] = self._authorization
        return asked


class _ProxyResolver(AbstractResolver):
    """Resolves the proxy's name and no other: whatever does not go through the proxy goes nowhere."""

    def __init__(self, proxy: ProxyUrl) -> None:
        self._proxy = proxy
        self._system = aiohttp.ThreadedResolver()
        self._known = {proxy.host}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The proxy's addresses.

        Raises:
            OSError: it has none.
            UrlRefused: somebody else's were asked for.
        """
        if (host, port) != (self._proxy.host, self._proxy.port):
            raise UrlRefused(Refusal.HOST, "only the egress proxy is connected to")
        found = await self._system.resolve(host, port, family)
        self._known.update(result["host"] for result in found)
        return found

    def socket(self, info: AddrInfoType) -> socket.socket:
        """A socket to the proxy."""
        address, port = str(info[4][0]), int(info[4][1])
        if port != self._proxy.port or address not in self._known:
            raise UrlRefused(Refusal.ADDRESS, "only the egress proxy is connected to")
        return noted_socket(info)

    async def close(self) -> None:
        """Let go of what is held."""
        await self._system.close()
