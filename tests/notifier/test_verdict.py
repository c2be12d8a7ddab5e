"""What an attempt comes to, and what follows (BB-01, 02, 04, 05, 07, 08, 11)."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback_notifier.replies import Answered, Failed
from ringback_notifier.schedule import MOST_PROXY_FAILURES
from ringback_notifier.verdict import Decision, decide, printable
from ringback_schemas.deliveries import Verdict
from ringback_schemas.states import DeliveryState

SCHEDULE = (5.0, 30.0)
NOW = 1_800_000_000.0


def decided(reply: Answered | Failed, tries: int = 1, dice: float = 0.0) -> Decision:
    """The decision about a reply on a short schedule."""
    return decide(reply, tries, SCHEDULE, NOW, dice)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    """Success is a 2xx."""
    decision = decided(Answered(status))

    assert (decision.state, decision.verdict) == (DeliveryState.DELIVERED, Verdict.DELIVERED)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (100, Verdict.BAD_RESPONSE),
        (101, Verdict.BAD_RESPONSE),
        (300, Verdict.REDIRECT),
        (301, Verdict.REDIRECT),
        (304, Verdict.REDIRECT),
        (308, Verdict.REDIRECT),
        (400, Verdict.CLIENT_ERROR),
        (404, Verdict.CLIENT_ERROR),
        (429, Verdict.RATE_LIMITED),
        (499, Verdict.CLIENT_ERROR),
        (500, Verdict.SERVER_ERROR),
        (599, Verdict.SERVER_ERROR),
        (600, Verdict.BAD_RESPONSE),
        (999, Verdict.BAD_RESPONSE),
    ],
)
def test_any_other_status_is_tried_again(status: int, verdict: Verdict) -> None:
    """Everything but a 2xx and 410 is a failure that may pass."""
    decision = decided(Answered(status))

    assert (decision.state, decision.verdict, decision.retry_in_s) == (DeliveryState.RETRYING, verdict, 5.0)


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_410_ends_the_delivery_at_once(tries: int) -> None:
    """Gone is the receiver's last word."""
    decision = decided(Answered(410, retry_after="7"), tries)

    assert (decision.state, decision.verdict) == (DeliveryState.EXHAUSTED, Verdict.GONE)


@pytest.mark.parametrize(("tries", "delay_s"), [(1, 5.0), (2, 30.0)])
def test_failure_is_tried_again_by_the_schedule(tries: int, delay_s: float) -> None:
    """After attempt n comes the n-th delay."""
    assert decided(Failed(Verdict.RESET, "reset"), tries).retry_in_s == delay_s


@pytest.mark.parametrize("tries", [3, 4, 100])
def test_delivery_is_exhausted_after_one_attempt_more_than_the_schedule_has_entries(tries: int) -> None:
    """The schedule has an end, and counts beyond it change nothing."""
    decision = decided(Answered(500), tries)

    assert (decision.state, decision.verdict, decision.retry_in_s) == (
        DeliveryState.EXHAUSTED,
        Verdict.SERVER_ERROR,
        0.0,
    )


@pytest.mark.parametrize("status", [301, 404, 429, 500, 503])
def test_retry_after_lengthens_the_delay_on_any_failure(status: int) -> None:
    """A hint counts whatever the status."""
    assert decided(Answered(status, retry_after="7")).retry_in_s == 7.0


def test_retry_after_never_shortens_the_delay() -> None:
    """A receiver cannot make itself be called more often than the schedule says."""
    assert decided(Answered(503, retry_after="1")).retry_in_s == 5.0


def test_jitter_comes_on_top_of_retry_after() -> None:
    """Not before the hint, not after it and a fifth (BB-08)."""
    assert decided(Answered(429, retry_after="7"), dice=1.0).retry_in_s == pytest.approx(8.4)


@pytest.mark.parametrize(
    ("reply", "tries", "reason"),
    [
        (Answered(200), 1, "200 OK"),
        (Answered(503), 1, "503 Service Unavailable; again in 5.0 s"),
        (
            Answered(503, retry_after="7"),
            1,
            "503 Service Unavailable; again in 7.0 s because it asked so (Retry-After: 7)",
        ),
        (
            Answered(429, retry_after="2592000"),
            1,
            "429 Too Many Requests; again in 86400.0 s because it asked so (Retry-After: 2592000, capped at 24 h)",
        ),
        (Answered(500), 3, "500 Internal Server Error; that was the last of 3 attempts"),
        (Answered(410), 1, "410 Gone: the receiver wants no more, so it is not tried again"),
        (
            Answered(302, location="http://other/"),
            1,
            "302 Found to http://other/, which is not followed; again in 5.0 s",
        ),
        (Answered(304), 1, "304 Not Modified, which is not followed; again in 5.0 s"),
        (Answered(777), 1, "777, a status that HTTP does not know; again in 5.0 s"),
        (Failed(Verdict.CONNECT_REFUSED, "connection refused"), 2, "connection refused; again in 30.0 s"),
    ],
)
def test_reason_says_what_happened_and_what_follows(reply: Answered | Failed, tries: int, reason: str) -> None:
    """Each attempt explains itself."""
    assert decided(reply, tries).reason == reason


@given(st.integers(100, 999), st.none() | st.text(), st.none() | st.text(), st.integers(1, 20), st.floats(0, 1))
def test_any_answer_leads_to_a_decision_that_can_be_stored(
    status: int, retry_after: str | None, location: str | None, tries: int, dice: float
) -> None:
    """Whatever a receiver writes, the reason is short, printable UTF-8."""
    decision = decide(Answered(status, retry_after, location), tries, SCHEDULE, NOW, dice)

    assert decision.reason.isprintable()
    assert len(decision.reason.encode()) < 2_000


def test_printable_replaces_control_characters_and_lone_surrogates() -> None:
    """PostgreSQL takes no NUL, UTF-8 no surrogate, a terminal no escape."""
    assert printable("a\x00b\x1b[2J\udce9") == "a�b�[2J�"


def answered_at(off_s: float, status: int = 401) -> Answered:
    """An answer from a receiver whose clock is so far off."""
    return Answered(status, headers={"Date": formatdate(NOW + off_s, usegmt=True)})


@pytest.mark.parametrize(
    ("off_s", "words"),
    [(-600, "10 min behind ours"), (4_000, "1 h ahead of ours"), (-200_000, "2 d behind ours")],
)
def test_refusal_by_a_receiver_whose_clock_is_off_says_so(off_s: float, words: str) -> None:
    """Its library takes our timestamps for too old, or for the future (BB-25)."""
    assert f"401 Unauthorized, and its clock is {words}" in decided(answered_at(off_s)).reason


@pytest.mark.parametrize(
    "reply",
    [answered_at(-290), answered_at(-600, 503), Answered(400, headers={"Date": "yesterday"}), Answered(400)],
    ids=["close enough", "no refusal", "no date", "none at all"],
)
def test_other_answers_get_no_hint_about_clocks(reply: Answered) -> None:
    """A hint that does not fit leads astray."""
    assert "clock" not in decided(reply).reason


def test_failure_of_our_proxy_is_tried_again_soon_and_not_counted() -> None:
    """Even when the receiver's schedule is over: 5, 10, 20, … 300 s."""
    failed = Failed(Verdict.PROXY_FAILED, "the egress proxy failed: no connection to it")

    decisions = [decide(failed, len(SCHEDULE) + 1, SCHEDULE, NOW, 0.0, uncharged) for uncharged in (1, 2, 3, 20)]

    assert {decision.state for decision in decisions} == {DeliveryState.RETRYING}
    assert [decision.retry_in_s for decision in decisions] == [5, 10, 20, 300]
    assert decisions[0].reason.endswith("not counted as a try, again in 5.0 s")


def test_proxy_that_never_lets_a_receiver_through_ends_the_delivery() -> None:
    """After three days, when everything else would have been given up, too."""
    failed = Failed(Verdict.PROXY_FAILED, "the egress proxy failed: it answered 403")

    decision = decide(failed, 1, SCHEDULE, NOW, 0.0, MOST_PROXY_FAILURES)

    assert (decision.state, decision.verdict) == (DeliveryState.EXHAUSTED, Verdict.PROXY_FAILED)
