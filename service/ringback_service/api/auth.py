"""Who asks, and may they? API keys as bearer tokens (RFC 6750), kept as SHA-256."""

import asyncio
import time
from collections import OrderedDict

from ringback_backends.contracts.tenants import TenantStore
from ringback_schemas.problems import Problems
from ringback_schemas.tenants import ApiKeyRecord, Scope
from ringback_service.api.refusals import Refused
from ringback_service.api_keys import hash_key

REMEMBER_S = 3.0
"""How long a key is believed without asking the store: also how long a revoked one may still work elsewhere."""

MISSES_REMEMBERED_S = 0.5
"""As above, for a key that does not exist: long enough to bear a flood of them, short enough for one just made."""

_REMEMBERED_KEYS = 10_000
_LONGEST_KEY = 512


class Authenticator:
    """Finds the API key behind an ``Authorization`` header, asking the store once in a few seconds for each."""

    def __init__(self, tenants: TenantStore, *, remember_s: float = REMEMBER_S) -> None:
        """Zero ``remember_s`` asks the store every time."""
        self._tenants = tenants
        self._remember_s = remember_s
        self._known: OrderedDict[bytes, tuple[float, ApiKeyRecord | None]] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[ApiKeyRecord | None]] = {}

    async def authorise(self, header: str | None, scope: Scope) -> ApiKeyRecord:
        """The key in that header, if it has that scope.

        Raises:
            Refused: no key, no such key, a revoked one, or one without the scope.
            StoreUnavailable: the store does not answer.
        """
        key_hash = _key_hash(header)
        known = self._known.get(key_hash)
        key = known[1] if known is not None and known[0] > time.monotonic() else await self._look_up(key_hash)
        if key is None or key.revoked_at is not None:
            raise _unauthenticated("the API key is unknown or was revoked", error="invalid_token")
        if scope not in key.scopes:
            raise Refused(
                Problems.FORBIDDEN,
                f"this needs an API key with the scope {scope.value}",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope.value}"'},
            )
        return key

    def forget(self) -> None:
        """Ask the store again for every key: one was revoked."""
        self._known.clear()

    async def _look_up(self, key_hash: bytes) -> ApiKeyRecord | None:
        """Ask the store; requests with the same key that come meanwhile share the answer."""
        lookup = self._lookups.get(key_hash)
        if lookup is None:
            lookup = asyncio.create_task(self._find(key_hash), name="key lookup")
            self._lookups[key_hash] = lookup
        return await asyncio.shield(lookup)

    async def _find(self, key_hash: bytes) -> ApiKeyRecord | None:
        try:
            key = await self._tenants.find_key(key_hash)
        finally:
            del self._lookups[key_hash]
        remember_s = min(MISSES_REMEMBERED_S, self._remember_s) if key is None else self._remember_s
        self._known[key_hash] = (time.monotonic() + remember_s, key)
        self._known.move_to_end(key_hash)
        if len(self._known) > _REMEMBERED_KEYS:
            self._known.popitem(last=False)
        return key


def _key_hash(header: str | None) -> bytes:
    if header is None:
        raise _unauthenticated("there is no Authorization header")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key or len(key) > _LONGEST_KEY:
        raise _unauthenticated("the Authorization header is not of the form `Bearer rbk_…`")
    return hash_key(key.strip())


def _unauthenticated(detail: str, *, error: str | None = None) -> Refused:
    challenge = 'Bearer realm="ringback"' + (f', error="{error}"' if error else "")
    return Refused(Problems.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
