"""HTTP requests to URLs from payloads: through the egress guard, with a deadline and a cap, nothing followed.

What goes wrong becomes the outcome of the attempt: what may pass (time-outs, refused connections, 5xx, 429) a
``Retry``, what will not (a refused address, another 4xx) a ``Fail``.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import IO

import aiohttp
from yarl import URL

from ringback.egress import EgressPolicy, NameUnresolved, UrlRefused, guarded_session
from ringback.outcomes import Fail, Retry

CHUNK_BYTES = 65_536
TOO_MANY = 429
SERVER_ERRORS = 500
LONGEST_HINT_S = 86_400.0


@asynccontextmanager
async def requested(
    policy: EgressPolicy,
    method: str,
    url: str,
    *,
    within_s: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer, while inside; reading it also has to end within ``within_s``.

    Bodies come as they are: compression is not asked for, so no small answer unpacks into a large one.

    Raises:
        Fail: the URL may not be requested.
        Retry: the request failed, or took too long.
    """
    sent = {"user-agent": f"Ringback/{version('ringback')}", "accept-encoding": "identity", **(headers or {})}
    try:
        target = URL(policy.check_url(url).url, encoded=True)
        async with (
            asyncio.timeout(within_s),
            guarded_session(policy, auto_decompress=False) as session,
            session.request(method, target, headers=sent, data=body, allow_redirects=False) as response,
        ):
            yield response
    except NameUnresolved as error:
        raise Retry(str(error)) from error
    except UrlRefused as error:
        raise Fail(f"the URL was refused: {error}") from error
    except TimeoutError as error:
        raise Retry(f"no whole answer within {within_s:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Retry(f"the request failed: {error or type(error).__name__}") from error


def check_status(response: aiohttp.ClientResponse, *, accepts: range = range(200, 300)) -> None:
    """Do nothing when the status is accepted.

    Raises:
        Retry: 5xx or 429, after what ``Retry-After`` says in seconds.
        Fail: any other.
    """
    if response.status >= SERVER_ERRORS or response.status == TOO_MANY:
        raise Retry(f"the server answered {response.status}", in_s=_hint_s(response.headers.get("Retry-After")))
    if response.status not in accepts:
        raise Fail(f"the server answered {response.status}")


def _hint_s(text: str | None) -> float | None:
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(LONGEST_HINT_S, float(text))


async def read_capped(response: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """The first bytes of the body, and whether there was more; what is beyond is not read."""
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        parts.append(chunk[: max_bytes - size])
        size += len(chunk)
        if size > max_bytes:
            return b"".join(parts), True
    return b"".join(parts), False


async def download(policy: EgressPolicy, url: str, out: IO[bytes], *, within_s: float, max_bytes: int) -> int:
    """Write the body of a GET to ``out``; how many bytes it has.

    Raises:
        Fail: refused, too large, compressed, or answered with a status that will not pass.
        Retry: it may work later.
    """
    size = 0
    async with requested(policy, "GET", url, within_s=within_s) as response:
        check_status(response)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Fail("the server sent compressed data though it was asked not to")
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise Fail(f"the file is larger than {max_bytes} bytes")
            await asyncio.to_thread(out.write, chunk)
    return size
