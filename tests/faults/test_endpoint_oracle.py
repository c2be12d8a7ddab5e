"""What judges endpoints after a fault sees what is wrong: each promise broken by hand, once."""

from datetime import UTC, datetime, timedelta

import pytest

from ringback.client import Event
from ringback_schemas.deliveries import DeliveryKind, Verdict
from ringback_schemas.http import AttemptBody, DeliveryBody
from ringback_schemas.http.deliveries import DeliveryLinks, TimingBody
from ringback_schemas.states import DeliveryState
from tests.faults.endpoint_oracle import judge_line, judge_missing, judge_refused, judge_replayed
from tests.faults.inbox import Arrival, Inbox

BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
GONE, LOST, DELIVERED = Verdict.GONE, Verdict.NOTIFIER_LOST, Verdict.DELIVERED


def feed(*types: str) -> list[Event]:
    """Events ten seconds apart, called by their places."""
    moments = [BEGAN_AT + timedelta(seconds=10 * place) for place in range(len(types))]
    return [Event(str(n), kind, None, moments[n], "", b"") for n, kind in enumerate(types)]


def delivery(*verdicts: Verdict) -> DeliveryBody:
    """Of the event ``e``, with these attempts."""
    timing = TimingBody(total_s=0, dns_s=None, connect_s=None, tls_s=None, first_byte_s=None)
    attempts = [
        AttemptBody(attempt=number, started_at=BEGAN_AT, duration=timing, verdict=verdict, reason="", status=None,
                    remote_address=None, response_prefix="", next_attempt_at=None)
        for number, verdict in enumerate(verdicts, 1)
    ]  # fmt: skip
    return DeliveryBody(
        id="d", event_id="e", event_type="job.succeeded", job_id=None, kind=DeliveryKind.ENDPOINT, endpoint_id=None,
        url="", destination="", state=DeliveryState.EXHAUSTED, done=True, tries=1, created_at=BEGAN_AT,
        next_attempt_at=None, waits_for=None, finished_at=None, attempts=attempts,
        links=DeliveryLinks(self="", job=None, redeliver=""),
    )  # fmt: skip


def inbox_that_took(times: int) -> Inbox:
    """An inbox that took the event ``e`` so often."""
    inbox = Inbox()
    inbox.arrivals["e"] = Arrival("j", "job.succeeded", taken=times)
    return inbox


def test_event_may_be_missing_while_the_endpoint_is_disabled() -> None:
    """What happens between its end and its return is not meant for it; events of no job never are."""
    judge_missing(feed("job.succeeded", "endpoint.disabled", "job.succeeded", "endpoint.enabled"), {"0"})


@pytest.mark.parametrize("meant", [{"4"}, {"0"}], ids=["before", "after"])
def test_event_is_missed_when_the_endpoint_was_enabled(meant: set[str]) -> None:
    """An event without a delivery, before the endpoint was disabled or when it was back, is found."""
    seen = feed("job.succeeded", "endpoint.disabled", "job.succeeded", "endpoint.enabled", "job.succeeded")

    with pytest.raises(AssertionError, match="1 events are not meant"):
        judge_missing(seen, meant)


@pytest.mark.parametrize("verdicts", [(GONE,), (LOST,)], ids=["told", "lost with a notifier"])
def test_refusal_is_told_or_lost_with_a_notifier(verdicts: tuple[Verdict, ...]) -> None:
    """One 410 stands behind either."""
    judge_refused({"e": 1}, [delivery(*verdicts)])


@pytest.mark.parametrize(("times", "verdicts"), [(0, (GONE,)), (1, ()), (2, (GONE,))], ids=["made up", "hid", "twice"])
def test_refusal_that_is_not_told_as_it_was_is_found(times: int, verdicts: tuple[Verdict, ...]) -> None:
    """A 410 more or less than the attempts tell is found."""
    with pytest.raises(AssertionError, match="410s are told"):
        judge_refused({"e": times}, [delivery(*verdicts)])


@pytest.mark.parametrize(
    ("times", "verdicts"),
    [
        (2, [GONE, DELIVERED]),
        (2, [GONE, DELIVERED, DELIVERED]),
        (1, [GONE, GONE, DELIVERED]),
        (3, [GONE, LOST, DELIVERED]),
        (0, [GONE, DELIVERED]),
        (0, [GONE]),
    ],
)
def test_replay_that_is_not_once_is_found(times: int, verdicts: list[str]) -> None:
    """Sent again without a lost notifier, taken more often than is told, or not at all."""
    with pytest.raises(AssertionError, match="not replayed once"):
        judge_replayed({"e": verdicts}, inbox_that_took(times))


def test_replay_may_be_twice_when_a_notifier_was_lost() -> None:
    """The lost one may have got through or not."""
    for times in (1, 2):
        judge_replayed({"e": [GONE, LOST, DELIVERED]}, inbox_that_took(times))


@pytest.mark.parametrize("taken", [["b", "a"], ["a", "b", "a"], ["x"]], ids=["swapped", "late again", "unknown"])
def test_line_that_is_none_is_found(taken: list[str]) -> None:
    """Out of order, again after the next one, and what the feed does not know."""
    with pytest.raises(AssertionError, match=r"out of line|not in the feed"):
        judge_line(taken, ["a", "b"])
