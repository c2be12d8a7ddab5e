"""When to try again."""

import math

from hypothesis import given
from hypothesis import strategies as st

from ringback_service.worker.retrying import LONGEST_RETRY_S, asked_s, backoff_ceiling_s, backoff_s


def test_backoff_ceiling_doubles_up_to_the_cap() -> None:
    """The first values are those of the docstring."""
    assert [backoff_ceiling_s(attempt) for attempt in (1, 2, 3, 4, 5, 12, 13, 1_000_000)] == [
        1,
        2,
        4,
        8,
        16,
        2048,
        3600,
        3600,
    ]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1e4), st.floats(0, 1e6))
def test_backoff_is_between_nothing_and_its_ceiling(
    attempt: int, randomness: float, base_s: float, cap_s: float
) -> None:
    """Full jitter: anything from 0 to the ceiling, never more than the cap."""
    seconds = backoff_s(attempt, randomness, base_s, cap_s)

    assert 0 <= seconds <= backoff_ceiling_s(attempt, base_s, cap_s) <= cap_s


def test_asked_seconds_are_kept_within_reason() -> None:
    """A task's wish is honoured between now and a month; what is no number counts as now."""
    assert [asked_s(seconds) for seconds in (5.5, -1, math.nan, math.inf)] == [5.5, 0, 0, LONGEST_RETRY_S]
