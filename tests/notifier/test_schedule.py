"""When a delivery is tried again (BB-08, BB-10, BB-11)."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback_notifier.schedule import DEFAULT_SCHEDULE_S, LONGEST_HINT_S, delay_s, own_delay_s, retry_after_s

NOW = 1_800_000_000.0


def test_default_schedule_makes_twelve_attempts_in_70_hours() -> None:
    """The schedule is the documented one."""
    assert (len(DEFAULT_SCHEDULE_S) + 1, sum(DEFAULT_SCHEDULE_S)) == (12, 254_555)


@pytest.mark.parametrize(("tries", "expected"), [(1, 5), (2, 30), (3, None), (4, None)])
def test_own_delay_is_that_of_the_schedule_until_it_ends(tries: int, expected: float | None) -> None:
    """After attempt n comes the n-th entry; after the last attempt nothing."""
    assert own_delay_s((5, 30), tries) == expected


@given(st.floats(0, 1e6), st.none() | st.floats(0, 86_400), st.floats(0, 1))
def test_delay_is_never_early_and_at_most_a_fifth_late(own_s: float, hint_s: float | None, dice: float) -> None:
    """Jitter only adds to the greater of schedule and hint."""
    nominal = max(own_s, hint_s or 0)

    assert nominal <= delay_s(own_s, hint_s, dice) <= nominal * 1.2 + 1e-6


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("86400", 86_400),
        ("2592000", LONGEST_HINT_S),
        ("9999999999", LONGEST_HINT_S),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW + 30 * 86_400, usegmt=True), LONGEST_HINT_S),
        ("Fri, 15 Jan 2027 08:01:30 -0000", 90),
    ],
)
def test_retry_after_is_understood_and_capped_at_a_day(value: str, expected: float) -> None:
    """Seconds and dates of RFC 9110 are both understood."""
    assert retry_after_s(value, NOW) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-1",
        "+5",
        "abc",
        "1e400",
        "7.5",
        "9" * 30,
        "٧",  # noqa: RUF001 - a digit that int() takes and HTTP does not
        "inf",
        "nan",
        "7, 8",
        "0x10",
        formatdate(NOW - 1, usegmt=True),
        "Fri, 99 Foo 2027 08:01:30 GMT",
        "Fri, 15 Jan 99999 08:01:30 GMT",
        "x" * 10_000,
        "\udce9",
    ],
)
def test_retry_after_is_ignored_when_it_is_past_or_nonsense(value: str | None) -> None:
    """A bad hint is no hint."""
    assert retry_after_s(value, NOW) is None


@given(st.text())
def test_no_retry_after_brings_about_an_error(value: str) -> None:
    """Whatever a receiver writes, the answer is absent or within a day."""
    assert 0 <= (retry_after_s(value, NOW) or 0) <= LONGEST_HINT_S
