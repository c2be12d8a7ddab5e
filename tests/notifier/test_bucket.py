"""The token bucket keeps its rate in any window of a second (BB-76)."""

from bisect import bisect_right
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback_notifier.bucket import LONGEST_WAIT_S, Bucket, Pace, Rate, size_of


def sends(rate: float, seconds: float, step_s: float) -> list[float]:
    """When a sender with much to send would send, asking every so often."""
    bucket, now, sent = Bucket(rate, 0.0), 0.0, []
    while now < seconds:
        for _ in range(bucket.available(now)):
            bucket.take(now)
            sent.append(now)
        now += step_s
    return sent


def most_in_a_second(sent: list[float]) -> int:
    """The fullest window of a second."""
    return max(bisect_right(sent, at + 1 - 1e-6) - place for place, at in enumerate(sent))


@given(st.floats(0.2, 2_000), st.floats(0.001, 0.3))
def test_no_second_holds_more_than_the_rate(rate: float, step_s: float) -> None:
    """Whenever it is asked, and however full it was; three in two seconds are two in one of them."""
    assert most_in_a_second(sends(rate, 5, step_s)) <= ceil(rate - 1e-9)


@pytest.mark.parametrize("rate", [10.0, 100.0, 1_000.0])
def test_nearly_all_of_the_rate_is_used(rate: float) -> None:
    """At least 95 % over time."""
    assert len(sends(rate, 20, 0.005)) >= 0.95 * rate * 20


def test_two_hundred_at_ten_a_second_take_about_twenty_seconds() -> None:
    """BB-76: finished in 20 ± 2 s."""
    sent = sends(10, 30, 0.01)

    assert 18 <= sent[199] <= 22


def test_ready_at_is_when_some_may_be_sent() -> None:
    """Not earlier, and not much later."""
    bucket = Bucket(10, 0.0)
    bucket.take(0.0)

    at = bucket.ready_at(0.0)

    assert [bucket.available(at - 0.001), bucket.available(at)] == [0, 1]


def test_sends_beyond_the_rate_are_waited_for() -> None:
    """Three at once at one a second: the next is three seconds away."""
    bucket = Bucket(1, 0.0)
    for _ in range(3):
        bucket.take(0.0)

    assert 3 < bucket.ready_at(0.0) < 3.1


def test_rate_may_change_under_way() -> None:
    """Another notifier came: half the rate from now on, and no more at once than that allows."""
    bucket = Bucket(200, 0.0)

    bucket.set_rate(50, 0.0)

    assert (bucket.available(0.0), size_of(200), size_of(50)) == (1, 4, 1)


def paced(rate: float, ready: list[float]) -> list[float]:
    """When sends are made that are ready at these times."""
    pace, now, sent = Pace(rate), 0.0, []
    for at in sorted(ready):
        now = max(now, at)
        while (pause_s := pace.pause_s(now)) > 0:
            now += pause_s
        pace.sent(now)
        sent.append(now)
    return sent


@given(st.floats(0.2, 2_000), st.lists(st.floats(0, 3), max_size=300))
def test_no_second_holds_more_than_the_rate_whenever_sends_are_ready(rate: float, ready: list[float]) -> None:
    """Also when something held many of them up, and let them go together."""
    sent = paced(rate, ready)

    assert not sent or most_in_a_second(sent) <= ceil(rate - 1e-9)


def test_pace_makes_up_for_what_was_held_up() -> None:
    """It is quicker than the bucket, so a jam dissolves."""
    granted = sends(10, 60, 0.01)
    held_up = [max(at, 2.0) for at in granted]

    assert paced(10, held_up)[-1] - granted[-1] < 1.5


def test_pace_lets_single_sends_go_at_once() -> None:
    """Those that are far enough apart wait for nothing."""
    assert paced(10, [1.0, 1.2, 1.5]) == [1.0, 1.2, 1.5]


def test_pace_takes_another_rate() -> None:
    """From the next one on."""
    pace = Pace(1)
    pace.set_rate(100, 0.0)

    pace.sent(5.0)

    assert pace.pause_s(5.0) == pytest.approx(1 / 99)


def test_pace_forgets_the_wait_of_a_slower_rate() -> None:
    """One an hour becomes one a second: the next goes in a second, not in an hour."""
    pace = Pace(1 / 3600)
    pace.sent(5.0)

    pace.set_rate(1, 5.0)

    assert pace.pause_s(5.0) == pytest.approx(1 / 0.99)


def test_rate_grants_nothing_while_a_turn_is_far_away() -> None:
    """What is put back may be taken again, but not before it would go."""
    rate = Rate(1 / 60, 0.0)
    rate.take(0.0)
    rate.sent(0.0)
    rate.take(0.0)
    rate.put_back(0.0)
    waits = rate.pause_s(0.0)
    assert waits > LONGEST_WAIT_S

    at = rate.ready_at(0.0)

    assert (rate.available(at - 30), rate.available(at)) == (0, 1)
    assert at >= waits


def test_what_is_put_back_is_as_if_it_had_not_been_taken() -> None:
    """Those that were granted too many cost the ones after them nothing."""
    rate, plain = Rate(10, 0.0), Rate(10, 0.0)
    for one in (rate, plain):
        one.take(0.0)
    for _ in range(5):
        rate.take(0.0)

    for _ in range(5):
        rate.put_back(0.0)

    assert rate.ready_at(0.0) == pytest.approx(plain.ready_at(0.0))


def test_rate_that_was_lowered_grants_nothing_that_must_wait_long() -> None:
    """A hundred a second become one in a hundred seconds while some wait for their turn: one goes."""
    rate = Rate(100, 0.0)
    for _ in range(5):
        rate.take(0.0)
    rate.change(0.01, 0.0)
    rate.sent(0.0)
    for _ in range(4):
        rate.put_back(0.0)

    assert rate.available(0.0) == 0
    assert rate.ready_at(0.0) > 90
