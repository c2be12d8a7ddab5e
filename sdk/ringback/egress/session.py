"""An aiohttp session that cannot be led astray: every connection it opens was vetted."""

import socket
import ssl
import time

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from ringback.egress.journey import current_journey
from ringback.egress.policy import EgressPolicy
from ringback.egress.resolver import CACHE_S, GuardedResolver

CONNECT_WITHIN_S = 5.0
_NO_ROUNDING_S = 86_400.0
"""aiohttp rounds deadlines above this up to whole seconds of the loop's clock, which may be a second late."""


def guarded_session(
    policy: EgressPolicy,
    *,
    resolver: GuardedResolver | None = None,
    connect_s: float = CONNECT_WITHIN_S,
    keepalive_s: float = 15.0,
    auto_decompress: bool = True,
    tls: ssl.SSLContext | None = None,
) -> aiohttp.ClientSession:
    """A session whose every connection passed the policy; to be made in a running loop, and closed by its maker.

    Give it what ``check_url`` returned, as ``yarl.URL(vetted.url, encoded=True)``, and ``allow_redirects=False``. It
    reads no proxies from the environment and keeps no cookies. ``connect_s`` covers name, TCP and TLS; set a total
    with ``asyncio.timeout``, and bound the requests at once. ``tls`` says whom to trust: the system's store by default.
    A refusal comes out of a request as ``UrlRefused``.
    """
    connector = NotingConnector(
        resolver=resolver or GuardedResolver(policy, cache_s=0),
        # What aiohttp keeps are addresses that were vetted, and its cache asks once for all who wait for a name.
        ttl_dns_cache=int(CACHE_S),
        socket_factory=_GuardedSockets(policy),
        limit=0,
        keepalive_timeout=keepalive_s,
        ssl=tls or True,
    )
    return bare_session(connector, connect_s=connect_s, auto_decompress=auto_decompress)


def bare_session(
    connector: aiohttp.TCPConnector,
    *,
    connect_s: float,
    auto_decompress: bool,
    proxy: str | None = None,
) -> aiohttp.ClientSession:
    """A session that remembers nothing, and takes nothing from the environment."""
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=auto_decompress,
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_s, ceil_threshold=_NO_ROUNDING_S),
        proxy=proxy,
    )


class NotingConnector(aiohttp.TCPConnector):
    """Notes in the current ``Journey`` when there is a connection, and to where."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> Connection:
        """A connection for the request, new or used again."""
        connection = await super().connect(req, traces, timeout)
        journey = current_journey.get()
        if journey is not None:
            journey.connected(_peer(connection))
        return connection


def _peer(connection: Connection) -> str | None:
    transport = connection.transport
    name = transport.get_extra_info("peername") if transport else None
    return str(name[0]) if name else None


class _GuardedSockets:
    """Makes the sockets: the last place before a connection, and the only one that literal addresses pass.

    aiohttp asks no resolver about an address, so a redirect or a caller that forgot ``check_url`` is caught here.
    """

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy

    def __call__(self, info: AddrInfoType) -> socket.socket:
        address = info[4]
        self._policy.check_address(str(address[0]), int(address[1]))
        return noted_socket(info)


def noted_socket(info: AddrInfoType) -> socket.socket:
    """A socket for that address; the current ``Journey`` is told when the first was made."""
    family, kind, protocol, _, _ = info
    journey = current_journey.get()
    if journey is not None and journey.connecting_since is None:
        journey.connecting_since = time.perf_counter()
    return socket.socket(family=family, type=kind, proto=protocol)
