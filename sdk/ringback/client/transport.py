"""Requests to the API: deadlines, repetition, and problems turned into errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import aiohttp
import tenacity
from pydantic import ValidationError
from yarl import URL

from ringback.client.errors import ApiUnreachable, ClientError, ProblemError
from ringback_schemas.http import ProblemBody

REQUEST_WITHIN_S = 30.0
CONNECT_WITHIN_S = 5.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0

TRANSIENT = frozenset({429, 502, 503, 504})
"""Answers that say "not now"."""

_Query = Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _NotNow(ClientError):
    """A try that failed in a way that may pass; never leaves this module."""

    def __init__(self, cause: ClientError, retry_after_s: float = 0.0) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.retry_after_s = retry_after_s


class Transport:
    """Sends requests to one API; entered in the loop that it is used in."""

    def __init__(self, url: str, key: str, *, give_up_after_s: float) -> None:
        """A request is repeated for ``give_up_after_s`` at most, while connections fail or the API says "not now"."""
        self.url = url.rstrip("/")
        self._key = key
        self._give_up_after_s = give_up_after_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open a session; connects when first used."""
        headers = {
            "Authorization": f"Bearer {self._key}",
            "User-Agent": f"ringback-python/{version('ringback')}",
            "Accept": "application/json",
        }
        timeout = aiohttp.ClientTimeout(total=REQUEST_WITHIN_S, connect=CONNECT_WITHIN_S)
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: _Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = True,
    ) -> Answer:
        """The answer, when it is a success (2xx).

        A request that may be made twice without harm is, with growing jittered pauses and never before what
        ``Retry-After`` says. One that may not is repeated only when nobody can have seen it.

        Raises:
            ProblemError: the API refused.
            ApiUnreachable: there was no answer, to the end.
        """
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            async for attempt in tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception_type(_NotNow),
                wait=_pause_s,
                stop=tenacity.stop_before_delay(self._give_up_after_s),
                reraise=True,
            ):
                with attempt:
                    return await self._try(method, path, query, body, sent, is_repeatable=is_repeatable)
        except _NotNow as error:
            raise error.cause from error.cause.__cause__
        raise AssertionError("unreachable: the loop returns or raises")

    async def _try(
        self,
        method: str,
        path: str,
        query: _Query | None,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        is_repeatable: bool,
    ) -> Answer:
        try:
            return await self._once(method, path, query, body, headers)
        except _NotNow as error:
            if is_repeatable or isinstance(error.cause.__cause__, aiohttp.ClientConnectorError):
                raise
            raise error.cause from error.cause.__cause__

    async def _once(
        self, method: str, path: str, query: _Query | None, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        if self._session is None:
            raise ClientError("use the client as `async with Client(…) as client`")
        try:
            async with self._session.request(
                method, URL(f"{self.url}{path}"), params=query, data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = Answer(response.status, response.headers, await response.read())
        except (TimeoutError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            unreachable = ApiUnreachable(self.url, str(error) or "it took too long")
            unreachable.__cause__ = error
            raise _NotNow(unreachable) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ApiUnreachable(self.url, str(error) or type(error).__name__) from error
        if 200 <= answer.status < 300:  # noqa: PLR2004 - what success is
            return answer
        problem = _problem(answer, self.url)
        if answer.status in TRANSIENT:
            raise _NotNow(problem, _retry_after_s(answer.headers))
        raise problem


def _problem(answer: Answer, url: str) -> ClientError:
    try:
        return ProblemError(ProblemBody.model_validate_json(answer.body))
    except ValidationError:
        if answer.status in TRANSIENT:
            return ApiUnreachable(url, f"status {answer.status}, and no problem document: a proxy before the API?")
        detail = f"status {answer.status}, and no problem document: is this the address of a Ringback API?"
        return ProblemError(
            ProblemBody(type="about:blank", code="", title="", status=answer.status, detail=detail, request_id="")
        )


def _retry_after_s(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return min(LONGEST_WAIT_S, float(text)) if text.isascii() and text.isdigit() else 0.0


_backoff_s: Any = tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=FIRST_WAIT_S)


def _pause_s(state: tenacity.RetryCallState) -> float:
    """0.2, 0.4, 0.8, … up to 10 s, each up to 0.2 s more; at least what the API asked for."""
    error = state.outcome.exception() if state.outcome else None
    hint_s = error.retry_after_s if isinstance(error, _NotNow) else 0.0
    return max(hint_s, float(_backoff_s(state)))
