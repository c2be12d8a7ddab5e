"""Sends one signed POST and tells what came of it. Knows nothing of schedules, stores or states."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import version
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from ringback.egress import EgressPolicy, GuardedResolver, client_context, guarded_session
from ringback.egress.journey import Journey, current_journey
from ringback.egress.proxied import proxied_session, vetted_request
from ringback.proxy_url import ProxyUrl
from ringback.webhooks import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Signer
from ringback_notifier.failures import describe
from ringback_notifier.proxy_failures import describe_proxy, proxy_too_late, refused_plainly
from ringback_notifier.replies import Answered, Failed, Sent
from ringback_schemas.deliveries import Timing, Verdict

READ_BYTES = 65_536
"""How much of an answer is read off the wire. Then the connection is closed, for the status is known."""

KEPT_BYTES = 2_048
"""How much of an answer is kept with the attempt."""

KEEPALIVE_S = 1.5
"""Idle connections are closed by us before servers close theirs (2 s in gunicorn, 5 s in Node and uvicorn): a POST that
crosses a server's close on the wire would count as a failed attempt."""

_KNOWN_URLS = 10_000


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a receiver may take."""

    total_s: float = 15.0
    """From the name to the last byte of the answer that is read."""
    connect_s: float = 5.0
    """Name, TCP and TLS together."""


class Sender:
    """POSTs webhooks. Entered in the loop that it is used in."""

    def __init__(
        self,
        policy: EgressPolicy,
        deadlines: Deadlines | None = None,
        *,
        resolver: GuardedResolver | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: ProxyUrl | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """All goes through ``proxy`` if there is one.

        ``tls`` says whom to trust, the system's store unless given; ``clock`` gives Unix time, for the signature.
        """
        self._policy = policy
        self._deadlines = deadlines or Deadlines()
        self._resolver = resolver
        self._tls = tls
        self._proxy = proxy
        self._clock = clock
        self._fixed_headers = {
            "content-type": "application/json",
            "user-agent": f"Ringback/{version('ringback')}",
            "accept": "*/*",
            # Bodies are kept as they come; a compressed one would tell nobody anything.
            "accept-encoding": "identity",
        }
        self._headers_of_a_question = {name: self._fixed_headers[name] for name in ("user-agent", "accept-encoding")}
        # Refusals are not kept, so that a URL is judged anew when it failed.
        self._url = lru_cache(_KNOWN_URLS)(self._vetted)

    async def __aenter__(self) -> Self:
        """Open the session."""
        tls = self._tls or client_context()
        self._names = self._resolver or GuardedResolver(self._policy)
        if self._proxy is None:
            self._session = guarded_session(
                self._policy,
                resolver=self._resolver,
                connect_s=self._deadlines.connect_s,
                keepalive_s=KEEPALIVE_S,
                auto_decompress=False,
                tls=tls,
            )
        else:
            self._session = proxied_session(
                self._proxy,
                connect_s=self._deadlines.connect_s,
                keepalive_s=KEEPALIVE_S,
                auto_decompress=False,
                tls=tls,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close what is open."""
        await self._session.close()
        await self._names.close()

    async def send(
        self,
        url: str,
        webhook_id: str,
        body: bytes,
        signer: Signer,
        *,
        headers: dict[str, str] | None = None,
        total_s: float | None = None,
    ) -> Sent:
        """What came of one POST; never raises but when cancelled. The task's context is used for notes.

        ``headers`` come beside and instead of the usual ones, ``total_s`` instead of the usual deadline.
        """
        now = self._clock()
        timestamp = int(now)
        signed = self._fixed_headers | (headers or {})
        signed[ID_HEADER] = webhook_id
        signed[TIMESTAMP_HEADER] = str(timestamp)
        signed[SIGNATURE_HEADER] = signer.sign(webhook_id, timestamp, body)
        request = _Request("POST", url, signed, body, total_s or self._deadlines.total_s)
        return await self._sent(request, now)

    async def ask(self, url: str, headers: Mapping[str, str]) -> Sent:
        """As ``send``, with OPTIONS and nothing but these headers."""
        request = _Request("OPTIONS", url, {**self._headers_of_a_question, **headers}, None, self._deadlines.total_s)
        return await self._sent(request, self._clock())

    async def _sent(self, request: "_Request", now: float) -> Sent:
        journey = Journey()
        current_journey.set(journey)
        exchange = _Exchange()
        started = time.perf_counter()
        reply = await self._exchange(request, exchange, journey)
        return Sent(
            reply=reply,
            started_at=datetime.fromtimestamp(now, UTC),
            timing=_timing(started, journey, exchange),
            remote_address=journey.remote_address,
        )

    async def _exchange(self, request: "_Request", exchange: "_Exchange", journey: Journey) -> Answered | Failed:
        url, headers, server_hostname = request.url, request.headers, None
        try:
            async with asyncio.timeout(request.total_s):
                target = self._url(url)
                if self._proxy is not None:
                    asked = await vetted_request(self._proxy, self._names, self._policy.check_url(url))
                    target, headers, server_hostname = asked.url, headers | asked.headers, asked.server_hostname
                    exchange.is_asked = True
                async with self._session.request(
                    request.method,
                    target,
                    data=request.body,
                    headers=headers,
                    allow_redirects=False,
                    server_hostname=server_hostname,
                ) as response:
                    exchange.status = response.status
                    exchange.answered_at = time.perf_counter()
                    prefix = await _read(response)
        except TimeoutError as error:
            return self._too_late(error, request, exchange, journey)
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer brings about is that receiver's failure
            if exchange.is_at_proxy(journey):
                return describe_proxy(error)
            return describe(error, exchange.status, is_tls=url[:5].lower() == "https")
        is_plain = exchange.is_asked and target.scheme == "http"
        if is_plain and response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return refused_plainly()
        received = response.headers
        return Answered(response.status, received.get("Retry-After"), received.get("Location"), prefix, received)

    def _vetted(self, url: str) -> URL:
        return URL(self._policy.check_url(url).url, encoded=True)

    def _too_late(self, error: TimeoutError, request: "_Request", exchange: "_Exchange", journey: Journey) -> Failed:
        total_s = request.total_s
        within_s = self._deadlines.connect_s if isinstance(error, aiohttp.ServerTimeoutError) else total_s
        if exchange.is_at_proxy(journey):
            return proxy_too_late(within_s)
        if exchange.status is not None:
            words = f"the answer began ({exchange.status}) but did not end within {total_s:g} s"
        elif journey.is_connected:
            words = f"no answer within {total_s:g} s"
        else:
            words = f"no connection within {within_s:g} s ({journey.phase})"
        return Failed(Verdict.TIMEOUT, words, exchange.status)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request to be made."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    total_s: float


@dataclass(slots=True)
class _Exchange:
    """How far an exchange got."""

    status: int | None = None
    answered_at: float | None = None
    is_asked: bool = False
    """Whether it went to our proxy."""

    def is_at_proxy(self, journey: Journey) -> bool:
        """Whether the proxy has not let it through yet: what fails then is not the receiver's."""
        return self.is_asked and not journey.is_connected and journey.tls_since is None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of a body; reads on until its end or the cap, and closes the connection at the cap."""
    content, connection, kept, read_bytes = response.content, response.connection, b"", 0
    try:
        while chunk := await content.readany():
            if len(kept) < KEPT_BYTES:
                kept += chunk[: KEPT_BYTES - len(kept)]
            read_bytes += len(chunk)
            if read_bytes >= READ_BYTES:
                response.close()
                break
    except aiohttp.ClientPayloadError as error:
        # It says only that the body is short; what befell the connection tells a reset from an early end.
        protocol = connection.protocol if connection is not None else None
        broken = protocol.exception() if protocol is not None else None
        if isinstance(broken, OSError):
            raise broken from error
        raise
    return kept


def _timing(started: float, journey: Journey, exchange: _Exchange) -> Timing:
    first_byte_s = None if exchange.answered_at is None else exchange.answered_at - started
    return Timing(time.perf_counter() - started, journey.dns_s, journey.connect_s, first_byte_s, journey.tls_s)
