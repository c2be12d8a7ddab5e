"""Checks callback URLs when a job is submitted, with the very guard that stands at each delivery.

That guard decides again when it counts. Here it spares clients a job whose webhook could never arrive, so what cannot
be known yet (a name without an address, a name server that is slow) does not stand against a job.
"""

import time
from collections import OrderedDict
from functools import lru_cache

from ringback.egress import EgressPolicy, GuardedResolver, NameUnresolved, UrlRefused
from ringback_service.api.bodies import invalid
from ringback_service.api.refusals import FieldError

WITHIN_S = 1.0
"""How long an answer to a request may wait for the DNS."""

FORGIVE_S = 30.0
"""How long a name without an address is not asked for again: or each request for it would wait."""

_FORGIVEN_NAMES = 10_000
_KNOWN_URLS = 4_096
_POINTER = "/callback_url"


class CallbackGuard:
    """Says where a job's webhook may go."""

    def __init__(self, policy: EgressPolicy, resolver: GuardedResolver) -> None:
        """``resolver`` has the same policy, a short deadline (``WITHIN_S``), and is closed by whoever made it."""
        self._resolver = resolver
        self._forgiven: OrderedDict[str, float] = OrderedDict()
        # many jobs have one receiver, and to read its URL so strictly costs as much as to read its job
        self._check_url = lru_cache(maxsize=_KNOWN_URLS)(policy.check_url)

    async def vet(self, url: str, pointer: str = _POINTER) -> str:
        """The URL in canonical form, when nothing that is known now stands against it.

        ``pointer`` says where in the request's body it stands.

        Raises:
            Refused: something does.
        """
        try:
            vetted = self._check_url(url)
            if vetted.parts.address is None:
                await self._check_name(vetted.parts.host, vetted.parts.port)
        except UrlRefused as error:
            refusal = FieldError(code=f"url_{error.reason_code.value}", detail=error.sentence, pointer=pointer)
            raise invalid([refusal]) from error
        return vetted.url

    async def _check_name(self, host: str, port: int) -> None:
        if self._forgiven.get(host, 0.0) > time.monotonic():
            return
        try:
            await self._resolver.addresses(host, port)
        except NameUnresolved:
            self._forgiven[host] = time.monotonic() + FORGIVE_S
            self._forgiven.move_to_end(host)
            if len(self._forgiven) > _FORGIVEN_NAMES:
                self._forgiven.popitem(last=False)
