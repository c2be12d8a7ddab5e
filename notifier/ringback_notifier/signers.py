"""Keeps each tenant's signer for a few seconds: a rotation shows at once to people, and the store is seldom asked."""

import asyncio
import time
from collections.abc import Callable

from ringback.webhooks import Signer
from ringback_backends.contracts.tenants import TenantStore
from ringback_schemas.ids import TenantId

KEEP_S = 3.0
_MOST = 10_000


class Signers:
    """Signers by tenant, asked from the store when they are older than ``KEEP_S``."""

    def __init__(
        self, store: TenantStore, *, keep_s: float = KEEP_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``clock`` gives seconds from any beginning."""
        self._store = store
        self._keep_s = keep_s
        self._clock = clock
        self._kept: dict[TenantId, tuple[float, Signer]] = {}
        self._asking: dict[TenantId, asyncio.Task[Signer]] = {}

    def kept(self, tenant_id: TenantId) -> Signer | None:
        """A tenant's signer, when it is at hand and fresh."""
        kept = self._kept.get(tenant_id)
        return kept[1] if kept is not None and kept[0] > self._clock() else None

    async def ask(self, tenant_id: TenantId) -> Signer:
        """A tenant's signer, fresh from the store; all who ask at once share one question.

        Raises:
            StoreUnavailable: it cannot be had now.
        """
        asking = self._asking.get(tenant_id)
        if asking is None:
            asking = asyncio.create_task(self._ask(tenant_id), name=f"signer {tenant_id}")
            self._asking[tenant_id] = asking
        # shielded: who gives up must not take the answer from the others
        return await asyncio.shield(asking)

    async def _ask(self, tenant_id: TenantId) -> Signer:
        try:
            secrets = await self._store.signing_secrets(tenant_id)
            signer = Signer([secret.secret for secret in secrets])
        finally:
            del self._asking[tenant_id]
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[tenant_id] = (self._clock() + self._keep_s, signer)
        return signer
