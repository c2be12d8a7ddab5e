"""How long to wait before something is tried again."""

import random

FIRST_S = 0.2
LONGEST_S = 2.0
MISFIT_S = 30.0
"""A queue that does not fit waits for a person: looking again often would only fill the logs."""


def pause_before_retry(failures: int, chance: float) -> float:
    """Seconds after that many failures in a row: ``min(2, 0.2 * 2**(failures - 1))``, less up to half by ``chance``.

    0.2, 0.4, 0.8, 1.6, 2, 2, … at most. ``chance`` is from 0 to 1: a fleet must not come back all at once.
    """
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 10))
    return longest * (1 - chance / 2)


def jittered_pause(failures: int) -> float:
    """The same with chance drawn."""
    return pause_before_retry(failures, random.random())  # noqa: S311 - jitter
