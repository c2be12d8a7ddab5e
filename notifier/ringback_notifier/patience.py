"""Calls to the store that must come to their end, however long it is away."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from ringback_backends.contracts.errors import StoreUnavailable

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives, tried again while the store is away: what was sent must be told, however late."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await call()
        except StoreUnavailable as error:
            # the intake warns of it: here it would be a line for each delivery in flight
            log.debug("store_unavailable", reason=str(error), pause_s=round(pause_s, 3))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
