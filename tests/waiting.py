"""Waiting for what shall come, with a deadline and a word for it: tests never sleep as synchronisation."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

T = TypeVar("T")

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1


@overload
async def eventually(condition: Callable[[], Awaitable[T]], *, within_s: float = 10.0, what: str = "") -> T: ...


@overload
async def eventually(condition: Callable[[], T], *, within_s: float = 10.0, what: str = "") -> T: ...


async def eventually(
    condition: Callable[[], T] | Callable[[], Awaitable[T]], *, within_s: float = 10.0, what: str = ""
) -> T:
    """The first truthy value of ``condition()``, asked for again and again; an async condition is awaited.

    ``what`` completes the sentence "waited in vain for …"; without it the condition's own source name stands in.
    What the condition raises goes up at once: only a falsy value is waited on.

    Raises:
        AssertionError: none came within ``within_s`` seconds; tells what was waited for and the last value.
    """
    last: object = "no answer at all"
    pause_s = FIRST_PAUSE_S
    try:
        async with asyncio.timeout(within_s) as deadline:
            while True:
                answer = condition()
                last = await answer if inspect.isawaitable(answer) else answer
                if last:
                    return cast("T", last)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
    except TimeoutError as error:
        # a time-out of the condition's own is not ours to rename
        if not deadline.expired():
            raise
        raise AssertionError(_complaint(condition, within_s, what, last)) from error


def eventually_blocking(condition: Callable[[], T], *, within_s: float = 10.0, what: str = "") -> T:
    """As ``eventually``, for synchronous code: fixtures that start servers, and threads.

    Raises:
        AssertionError: as there; a condition that itself blocks is not interrupted.
    """
    pause_s = FIRST_PAUSE_S
    ends_at = time.monotonic() + within_s
    while not (last := condition()):
        if time.monotonic() > ends_at:
            raise AssertionError(_complaint(condition, within_s, what, last))
        time.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
    return last


def _complaint(condition: Callable[[], object], within_s: float, what: str, last: object) -> str:
    subject = what or getattr(condition, "__qualname__", repr(condition))
    return f"waited {within_s:g} s in vain for {subject}; the last answer was {last!r}"
