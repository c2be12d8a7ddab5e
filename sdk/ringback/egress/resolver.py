"""Resolves names and vets every address they have, at the very moment of connecting.

What a name resolved to when it was checked says nothing about what it resolves to later (DNS rebinding). So the
resolver that a connection uses is the one that vets, and the connection goes to the address that was vetted.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.egress.errors import NameUnresolved
from ringback.egress.journey import current_journey
from ringback.egress.policy import EgressPolicy, VettedUrl, is_localhost

LOOKUP_WITHIN_S = 5.0
CACHE_S = 30.0
"""How long an answer of the DNS is kept; its addresses are vetted at each use."""

_CACHED_NAMES = 10_000
_THREADS = 32
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""All addresses of a name, as text; raises ``OSError`` when it has none."""


class SystemLookup:
    """Asks the operating system, in threads of its own: a name server that hangs must not hold up anything else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ringback-dns")

    async def __call__(self, host: str) -> Sequence[str]:
        """All addresses, in the system's order of preference, without duplicates."""
        infos = await asyncio.get_running_loop().run_in_executor(self._threads, _getaddrinfo, host)
        return list(dict.fromkeys(str(info[4][0]) for info in infos))

    def close(self) -> None:
        """Let threads end by themselves. Safe to call twice."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str) -> Sequence[tuple[object, object, object, object, tuple[object, ...]]]:
    # No AI_ADDRCONFIG: what is refused must not depend on which address families this machine happens to have.
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)


class GuardedResolver(AbstractResolver):
    """Gives aiohttp only addresses that passed the policy; one bad address refuses the name.

    Its errors are ``UrlRefused`` and ``NameUnresolved``, and come out of the request as they are.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        lookup: Lookup | None = None,
        within_s: float = LOOKUP_WITHIN_S,
        cache_s: float = CACHE_S,
    ) -> None:
        """``lookup`` is the operating system's unless another is given; zero ``cache_s`` asks it every time."""
        self._policy = policy
        # no thread starts before the first question
        self._system = SystemLookup()
        self._lookup = lookup or self._system
        self._within_s = within_s
        self._cache_s = cache_s
        self._cache: OrderedDict[str, tuple[float, Sequence[str]]] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The vetted addresses of a name in aiohttp's form.

        Raises:
            UrlRefused: an address, or the port, may not be connected to.
            NameUnresolved: there are none, or not soon enough.
        """
        started = time.perf_counter()
        wanted = (socket.AF_INET, socket.AF_INET6) if family == socket.AF_UNSPEC else (family,)
        results = [_result(host, port, address) for address in await self.addresses(host, port)]
        journey = current_journey.get()
        if journey is not None:
            journey.dns_s = time.perf_counter() - started
        return [result for result in results if result["family"] in wanted]

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The vetted addresses of a name, as text. Raises as ``resolve`` does."""
        if is_localhost(host):
            return [str(address) for address in self._policy.localhost(port)]
        found = await self._ask(host)
        for address in found:
            self._policy.check_address(address, port, name=host)
        return found

    async def vet(self, url: str) -> VettedUrl:
        """The URL in parts, when a request may go there now: rules of spelling, and every address of its name.

        Raises:
            UrlRefused: it may not.
            NameUnresolved: its name has no address now.
        """
        vetted = self._policy.check_url(url)
        if vetted.parts.address is None:
            await self.addresses(vetted.parts.host, vetted.parts.port)
        return vetted

    async def close(self) -> None:
        """Let go of the threads. Safe to call twice."""
        self._system.close()

    async def _ask(self, host: str) -> Sequence[str]:
        now = time.monotonic()
        cached = self._cache.get(host)
        if cached is not None and cached[0] > now:
            return cached[1]
        found = await self._ask_now(host)
        if self._cache_s:
            self._cache[host] = (now + self._cache_s, found)
            self._cache.move_to_end(host)
            if len(self._cache) > _CACHED_NAMES:
                self._cache.popitem(last=False)
        return found

    async def _ask_now(self, host: str) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._within_s):
                found = await self._lookup(host)
        except TimeoutError as error:
            raise NameUnresolved(host, f"no answer within {self._within_s:g} s") from error
        except (OSError, UnicodeError) as error:
            raise NameUnresolved(host, getattr(error, "strerror", None) or "not a name the DNS can hold") from error
        if not found:
            raise NameUnresolved(host, "it has no address")
        return found


async def vet(url: str, policy: EgressPolicy, *, lookup: Lookup | None = None) -> VettedUrl:
    """As ``GuardedResolver.vet``, for a single question; keep a resolver where there are many."""
    resolver = GuardedResolver(policy, lookup=lookup, cache_s=0)
    try:
        return await resolver.vet(url)
    finally:
        await resolver.close()


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=_NUMERIC)
