"""What a load that goes on for minutes must keep to."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from benchmarks.limits import complaints, growth, near


def found(
    flaw: Mapping[str, Any] = MappingProxyType({}),
    resident: Sequence[float] = (100, 110, 110),
    backlogs: Sequence[int] = (3, 3, 3, 3, 3),
    rates: Sequence[float] = (10, 10, 10, 10, 10),
    fifth_s: float = 20.0,
) -> dict[str, Any]:
    """A load of 10 jobs a second for 100 s, with samples before it, after 20 s and at the end."""
    samples = zip((0.0, 20.1, 105.0), resident, strict=True)
    figures = {
        "jobs": 1_000,
        "arrived": 1_000,
        "submitted": 1_000,
        "submitted_per_s": 10.0,
        "drained_s": 0.1,
        "begun_late_ms": {"p99": 250.0},
    }
    flaws = dict.fromkeys(("refused", "bad_signatures", "duplicates", "recorded_twice", "other_types"), 0)
    return {
        "rate": 10.0,
        "seconds": 100.0,
        "drain_s": 60.0,
        "own": ["api"],
        "warm_up": [{"figures": {"jobs": 200, "arrived": 200, **flaws}, "refusals": {}} for _ in range(2)],
        "figures": {**figures, **flaws, **flaw},
        "refusals": {"503 overloaded": flaw.get("refused", 0)},
        "fifths": [
            {"until_s": number * fifth_s, "submitted_per_s": rate, "backlog": backlog}
            for number, (rate, backlog) in enumerate(zip(rates, backlogs, strict=False), 1)
        ],
        "memory": [{"at_s": at, "resident_mib": {"api": mib, "postgresql": mib}} for at, mib in samples],
    }


def test_load_without_a_flaw_is_not_complained_of() -> None:
    """Nothing lost, nothing grown."""
    assert complaints(found()) == []


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ({"arrived": 999}, "1 of 1,000 accepted jobs had no webhook"),
        (
            {"jobs": 997, "arrived": 997, "refused": 3},
            "3 of 1,000 jobs were refused or got no answer: 503 overloaded (3)",
        ),
        ({"bad_signatures": 1}, "1 webhooks had a bad signature"),
        ({"other_types": 2}, "2 webhooks told of something else than a job that succeeded"),
        ({"recorded_twice": 4}, "4 webhooks were recorded twice"),
        ({"drained_s": 5.1}, "the last webhook came 5.1 s after the last submission"),
        ({"begun_late_ms": {"p99": 251.0}}, "1 request in 100 was begun more than 251 ms late"),
        ({"submitted_per_s": 9.8}, "the load generator fell behind"),
    ],
)
def test_each_flaw_is_complained_of_in_words(flaw: dict[str, Any], words: str) -> None:
    """One complaint, that says what and how many."""
    (told,) = complaints(found(flaw))

    assert words in told


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ({"arrived": 199}, "in the warm-up, 1 of 200 accepted jobs had no webhook 60 s after the load"),
        ({"bad_signatures": 1}, "in the warm-up, 1 webhooks had a bad signature"),
    ],
)
def test_flaw_of_the_warm_up_is_complained_of(flaw: dict[str, float], words: str) -> None:
    """Of any of its loads."""
    load = found()
    load["warm_up"][1]["figures"] |= flaw

    assert complaints(load) == [words]


def test_duplicates_are_no_flaw() -> None:
    """At least one webhook of each is what is promised."""
    assert complaints(found({"duplicates": 1})) == []


def test_backlog_that_grows_is_complained_of() -> None:
    """By more than two seconds of the load since the second fifth; what waits in the first does not count."""
    words = "the backlog grew from 3 to 24 jobs between the second fifth and the last"

    assert complaints(found(backlogs=(0, 3, 9, 16, 24))) == [words]
    assert complaints(found(backlogs=(0, 30, 9, 16, 24))) == []
    assert complaints(found(backlogs=(0, 3, 90, 16, 23))) == []


def test_fifth_with_too_few_submissions_is_complained_of() -> None:
    """Though those that were due were all submitted by the end; which it was, is told."""
    words = "the load generator fell behind: 9 of 10 jobs/s from 40 to 60 s"

    assert complaints(found(rates=(10, 10, 9, 11, 10))) == [words]


def test_fifth_may_lack_what_may_be_late_at_its_end() -> None:
    """A quarter of a second's, which is 5 jobs in 100 of a fifth of 5 s, and less than 1 in 100 of one of 50 s."""
    assert complaints(found(rates=(9.6, 10, 10, 10, 10), fifth_s=5.0)) == []
    assert len(complaints(found(rates=(9.4, 10, 10, 10, 10), fifth_s=5.0))) == 1
    assert complaints(found(rates=(9.91, 10, 10, 10, 10), fifth_s=50.0)) == []
    assert len(complaints(found(rates=(9.89, 10, 10, 10, 10), fifth_s=50.0))) == 1


def test_load_too_short_for_fifths_has_no_backlog_that_grows() -> None:
    """There is nothing to compare."""
    assert complaints(found(backlogs=(500,))) == []


def test_process_that_grows_is_complained_of() -> None:
    """By what it held after the first fifth; what it took to warm up does not count."""
    assert complaints(found(resident=(50, 100, 119))) == []
    assert complaints(found(resident=(100, 100, 121))) == ["api grew to 1.21 times what it held after 20 s"]


def test_growth_is_told_of_servers_too() -> None:
    """They are no process of Ringback's: PostgreSQL's shared buffers fill."""
    assert growth(found(resident=(100, 100, 150))) == {"api": 1.5, "postgresql": 1.5}


def test_near_picks_the_nearest_sample() -> None:
    """Before or after."""
    assert near([{"at_s": 10.0}, {"at_s": 20.0}, {"at_s": 30.0}], 24.9) == {"at_s": 20.0}
