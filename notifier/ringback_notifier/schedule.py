"""When a delivery is tried again. Pure: the clock and the dice are passed in."""

from collections.abc import Sequence

from ringback_notifier.clocks import http_date

DEFAULT_SCHEDULE_S: tuple[float, ...] = (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400)
"""Seconds after attempt 1, 2, …: 12 attempts in 70.7 hours. Dense in the first quarter of an hour, for whoever waits
for a completion; then as long as OpenAI and Stripe try."""

JITTER = 0.2
LONGEST_HINT_S = 86_400.0
"""A receiver may ask for a day of quiet, not for a month."""

FIRST_PROXY_PAUSE_S = 5.0
LONGEST_PROXY_PAUSE_S = 300.0
MOST_PROXY_FAILURES = 900
"""Three days of the longest pause: about as long as the default schedule tries a receiver."""

_MOST_DIGITS = 10


def own_delay_s(schedule: Sequence[float], tries: int) -> float | None:
    """Seconds that the schedule waits after ``tries`` attempts; absent when that was the last one."""
    return schedule[tries - 1] if tries <= len(schedule) else None


def delay_s(own_s: float, hint_s: float | None, dice: float) -> float:
    """Seconds to wait: ``max(own_s, hint_s) * (1 + 0.2 * dice)``, where ``dice`` is from 0 to 1.

    Jitter only adds, so that nothing is sent before its nominal time, or before the time that the receiver asked for.
    With the default schedule and no hint 5 to 6, 30 to 36, 120 to 144, … seconds.
    """
    return max(own_s, hint_s or 0.0) * (1 + JITTER * dice)


def proxy_pause_s(count: int, dice: float) -> float:
    """Seconds to wait after our own proxy failed ``count`` times: ``min(300, 5 * 2**(count - 1)) * (1 + 0.2 * dice)``.

    5, 10, 20, … 300, and up to a fifth more: soon, for the receiver has nothing to do with it.
    """
    # beyond 2**16 it is the longest pause whatever the first was
    return min(LONGEST_PROXY_PAUSE_S, FIRST_PROXY_PAUSE_S * 2.0 ** min(count - 1, 16)) * (1 + JITTER * dice)


def retry_after_s(value: str | None, now: float) -> float | None:
    """Seconds from ``now`` (Unix time) that a ``Retry-After`` asks for (RFC 9110, 10.2.3), at most a day.

    Absent when it is missing, in the past, or nonsense.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_HINT_S) if len(text) <= _MOST_DIGITS else None
    at = http_date(text)
    if at is None or at <= now:
        return None
    return min(at - now, LONGEST_HINT_S)
