"""Hands events to a receiver on this machine, as a notifier would: a signed POST of the same bytes.

No egress guard: to reach what only this machine can reach is what it is for.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Self

import aiohttp

from ringback.client import Event
from ringback.webhooks import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Signer


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What the receiver made of an event."""

    event: Event
    status: int | None
    """Absent when there was no answer."""
    reason: str
    """In a few words."""
    took_s: float

    @property
    def is_taken(self) -> bool:
        """Whether Ringback would have taken it for delivered."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - what success is


class Forwarder:
    """POSTs events to one URL, once each; entered in the loop that it is used in."""

    def __init__(self, url: str, secrets: Sequence[str], *, timeout_s: float) -> None:
        """Signs with every secret, and waits so long for an answer.

        Raises:
            InvalidSecret: one cannot be read.
        """
        self._url = url
        self._signer = Signer(secrets)
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        """Open a session; connects when first used."""
        self._session = aiohttp.ClientSession(
            headers={"user-agent": f"Ringback/{version('ringback')}", "content-type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self._session.close()

    async def forward(self, event: Event) -> Forwarded:
        """Send it once; whatever goes wrong is in the answer."""
        started = time.perf_counter()
        status, reason = await self._post(event)
        return Forwarded(event, status, reason, time.perf_counter() - started)

    async def _post(self, event: Event) -> tuple[int | None, str]:
        now = int(time.time())
        headers = {
            ID_HEADER: event.id,
            TIMESTAMP_HEADER: str(now),
            SIGNATURE_HEADER: self._signer.sign(event.id, now, event.body),
        }
        try:
            # an answer's body is nothing to us: leaving closes the connection of who sends much of it
            async with self._session.post(
                self._url, data=event.body, headers=headers, allow_redirects=False
            ) as response:
                return response.status, response.reason or ""
        except TimeoutError:
            return None, f"no answer within {self._timeout_s:g} s"
        except aiohttp.ClientSSLError as error:
            return None, f"TLS: {error}"
        except aiohttp.ClientConnectorError as error:
            return None, f"cannot connect: {error.os_error.strerror or error}"
        except (aiohttp.ClientError, ValueError) as error:
            return None, str(error) or type(error).__name__
