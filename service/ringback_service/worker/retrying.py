"""When to try again. A retry is a row with a time, never a loop in memory."""

DEFAULT_BACKOFF_S = 1.0
DEFAULT_CAP_S = 3_600.0
LONGEST_RETRY_S = 30 * 86_400.0
"""Nothing that a task asks for goes beyond a month: a slip of units would bury the job."""


def backoff_ceiling_s(attempt: int, base_s: float = DEFAULT_BACKOFF_S, cap_s: float = DEFAULT_CAP_S) -> float:
    """Greatest wait after so many charged attempts: ``min(cap_s, base_s * 2**(attempt - 1))``.

    With the defaults 1, 2, 4, 8, 16, … up to 3600 s, reached with attempt 13.
    """
    return min(cap_s, base_s * 2.0 ** min(attempt - 1, 64))


def backoff_s(
    attempt: int, randomness: float, base_s: float = DEFAULT_BACKOFF_S, cap_s: float = DEFAULT_CAP_S
) -> float:
    """Seconds to wait before the next attempt: ``randomness * backoff_ceiling_s(attempt)``, full jitter.

    With the defaults anything in [0, 1), [0, 2), [0, 4), [0, 8), … After AWS, "Exponential Backoff and Jitter" (2015):
    of its variants this one spreads competing clients best for the least work.

    Args:
        attempt: Charged attempts so far, from 1.
        randomness: Drawn from [0, 1).
        base_s: Greatest wait after the first attempt.
        cap_s: Greatest wait at all.
    """
    return randomness * backoff_ceiling_s(attempt, base_s, cap_s)


def asked_s(seconds: float) -> float:
    """What a task asked for, between 0 and ``LONGEST_RETRY_S``; not a number counts as 0."""
    return min(max(0.0, seconds), LONGEST_RETRY_S) if seconds == seconds else 0.0  # noqa: PLR0124 - only NaN differs
