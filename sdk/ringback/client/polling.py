"""Asking about something until it is done."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ringback.client.errors import ClientError

LONGEST_POLL_S = 2.0
GROWTH = 1.5


class Ends(Protocol):
    """Something that is done one day."""

    @property
    def done(self) -> bool:
        """Whether it is."""


Ending = TypeVar("Ending", bound=Ends)
OnUpdate = Callable[[Ending], None]


async def poll_until_done(
    ask: Callable[[], Awaitable[Ending]],
    *,
    first_poll_s: float,
    timeout_s: float | None,
    on_update: OnUpdate[Ending] | None,
    too_late: Callable[[Ending, float], ClientError],
) -> Ending:
    """The first answer that is done.

    Args:
        ask: Gets it as it is now.
        first_poll_s: The pause before it is asked about again; each further one is 1.5 times as long, up to 2 s.
        timeout_s: How long to wait; for ever unless given. It is asked about once at least.
        on_update: Told each answer.
        too_late: Makes the error for something that was not done in time, from the last answer and ``timeout_s``.

    Raises:
        ClientError: what ``too_late`` made.
    """
    started, pause_s = time.monotonic(), first_poll_s
    while True:
        answer = await ask()
        if on_update is not None:
            on_update(answer)
        if answer.done:
            return answer
        left_s = float("inf") if timeout_s is None else started + timeout_s - time.monotonic()
        if left_s <= 0:
            raise too_late(answer, timeout_s or 0.0)
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(LONGEST_POLL_S, pause_s * GROWTH)
