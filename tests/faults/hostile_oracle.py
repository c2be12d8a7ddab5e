"""Looks at what hostile receivers were sent, and at what is told of it, and says what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ringback.client import Client
from ringback_schemas.deliveries import Verdict
from ringback_schemas.http import AttemptBody, DeliveryBody
from ringback_schemas.states import DeliveryState
from tests.answers import Behaviour
from tests.receiver import Receiver

DEADLINE_S = 4.0
LATE_S = 4.0
"""How late the worst deadline may be noticed by a machine that has other things to do."""
USUALLY_LATE_S = 0.5
"""The same of half of them: by itself it is milliseconds."""
RETRY_AFTER_S = 3
SCHEDULE = "[0.5, 1, 1.5]"
ATTEMPTS = SCHEDULE.count(",") + 2


@dataclass(frozen=True, slots=True)
class Hostility:
    """What a receiver does, and how that has to be told."""

    name: str
    answer: Behaviour
    verdict: Verdict
    words: str = ""
    """Part of the reason."""
    is_tls: bool = False
    is_final: bool = False
    """Whether one attempt ends the delivery."""


def judge_hostility(hostility: Hostility, receiver: Receiver, deliveries: Sequence[DeliveryBody]) -> None:
    """What the API shows of its deliveries is what the receiver did and saw, as often as the schedule says."""
    for delivery in deliveries:
        _judge_attempts(hostility, delivery)
    shown, seen = sum(len(one.attempts or []) for one in deliveries), len(receiver.requests)
    # no request comes out of a handshake that failed
    if seen != (0 if hostility.is_tls else shown):
        raise AssertionError(f"a receiver that {hostility.name!r} got {seen} requests, of which {shown} attempts tell")


def _judge_attempts(hostility: Hostility, delivery: DeliveryBody) -> None:
    attempts = delivery.attempts or []
    is_delivered = hostility.verdict is Verdict.DELIVERED
    state = DeliveryState.DELIVERED if is_delivered else DeliveryState.EXHAUSTED
    count = 1 if hostility.is_final else ATTEMPTS
    if (delivery.state, len(attempts)) != (state, count) or not all(_fits(hostility, one) for one in attempts):
        told = [(one.verdict, one.reason, one.duration.total_s) for one in attempts]
        raise AssertionError(f"a receiver that {hostility.name!r} left a delivery {delivery.state} after {told}")
    if hostility.verdict is Verdict.RATE_LIMITED:
        begins = [attempt.started_at for attempt in attempts]
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(begins)]
        if not gaps or min(gaps) < RETRY_AFTER_S:
            raise AssertionError(f"asked for {RETRY_AFTER_S} s, it was tried again after {gaps}")


def _fits(hostility: Hostility, attempt: AttemptBody) -> bool:
    is_told = attempt.verdict is hostility.verdict and hostility.words in attempt.reason
    return is_told and attempt.duration.total_s < DEADLINE_S + LATE_S


async def judge_crowd(client: Client, receiver: Receiver, jobs: Sequence[str]) -> Sequence[DeliveryBody]:
    """None of them is forgotten or given up early, and whatever was tried ran into its deadline; the deliveries."""
    before = len(receiver.requests)
    deliveries = [await _delivery(client, job_id) for job_id in jobs]
    after = len(receiver.requests)
    for delivery in deliveries:
        told = [attempt.verdict for attempt in delivery.attempts or []]
        is_given_up = delivery.state is DeliveryState.EXHAUSTED and len(told) == ATTEMPTS
        if (delivery.done and not is_given_up) or not set(told) <= {Verdict.TIMEOUT}:
            raise AssertionError(f"a receiver that hangs on a crowd left a delivery {delivery.state} after {told}")
    shown, open_ = sum(len(one.attempts or []) for one in deliveries), sum(not one.done for one in deliveries)
    # of each that is not at its end one more attempt may be under way; others came while we asked
    if not shown or not before - open_ <= shown <= after:
        raise AssertionError(f"a receiver that hangs on a crowd got {before} to {after} requests, {shown} are told")
    return deliveries


async def _delivery(client: Client, job_id: str) -> DeliveryBody:
    deliveries = await client.deliveries(job_id)
    if len(deliveries) != 1:
        raise AssertionError(f"{job_id} has {len(deliveries)} deliveries")
    return deliveries[0]


def judge_deadlines(deliveries: Sequence[DeliveryBody]) -> Mapping[str, float]:
    """No deadline comes early, most come punctually, and none far too late; figures for the table."""
    attempts = [attempt for one in deliveries for attempt in one.attempts or []]
    late = sorted(one.duration.total_s - DEADLINE_S for one in attempts if one.verdict is Verdict.TIMEOUT)
    if not late:
        raise AssertionError("no attempt ran into its deadline")
    median = late[len(late) // 2]
    if late[0] < -USUALLY_LATE_S or median > USUALLY_LATE_S or late[-1] > LATE_S:
        raise AssertionError(f"a deadline of {DEADLINE_S:g} s was missed by {[round(seconds, 2) for seconds in late]}")
    return {"deadline_late_median_s": median, "deadline_late_worst_s": late[-1]}
