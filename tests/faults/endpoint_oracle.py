"""Looks at what came to registered endpoints, and by which attempts, and says what is wrong with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, pairwise

from ringback.client import Event
from ringback_schemas.deliveries import Verdict
from ringback_schemas.http import DeliveryBody
from ringback_schemas.operational import ENDPOINT_DISABLED, ENDPOINT_ENABLED
from tests.faults.inbox import Inbox

BEGAN_BEFORE_S = 1.0
"""An event stored so soon after an endpoint was enabled may be of a transaction that still saw it disabled."""


def judge_copies(inbox: Inbox, callbacks: Inbox) -> None:
    """What came to an endpoint is what came to the jobs' own callbacks: the same ids, and the same bytes."""
    strange = [
        webhook_id
        for webhook_id, arrival in inbox.arrivals.items()
        if webhook_id not in callbacks.arrivals or arrival.bodies != callbacks.arrivals[webhook_id].bodies
    ]
    if strange or inbox.wrong_signatures:
        raise AssertionError(f"not as the callbacks had it: {strange[:5]}; signatures {inbox.wrong_signatures[:5]}")


def judge_line(taken: Sequence[str], feed: Sequence[str]) -> None:
    """Events were taken in the order of the feed; one came again, if at all, before the next one did."""
    places = {event: place for place, event in enumerate(feed)}
    if unknown := set(taken) - places.keys():
        raise AssertionError(f"taken, and not in the feed: {sorted(unknown)[:5]}")
    in_line = [places[event] for event, _ in groupby(taken)]
    swaps = [pair for pair in pairwise(in_line) if pair[0] >= pair[1]]
    if swaps:
        raise AssertionError(f"out of line, by their places in the feed: {swaps[:5]}")


def judge_missing(feed: Sequence[Event], meant: set[str]) -> None:
    """Only what happened to jobs while the one endpoint was disabled has no delivery to it; the feed says when."""
    is_enabled, since = True, datetime.min.replace(tzinfo=UTC)
    forgotten: list[str] = []
    for event in feed:
        if event.type in {ENDPOINT_DISABLED, ENDPOINT_ENABLED}:
            is_enabled, since = event.type == ENDPOINT_ENABLED, event.created_at
            continue
        is_late = is_enabled and (event.created_at - since).total_seconds() > BEGAN_BEFORE_S
        if is_late and event.type.startswith("job.") and event.id not in meant:
            forgotten.append(event.id)
    if forgotten:
        raise AssertionError(f"{len(forgotten)} events are not meant for an endpoint that was there: {forgotten[:5]}")


def judge_refused(given: Mapping[str, int], deliveries: Sequence[DeliveryBody]) -> None:
    """Each 410 that was given to an event is told by an attempt, or died with a notifier; none is made up."""
    verdicts = {one.event_id: Counter(attempt.verdict for attempt in one.attempts or []) for one in deliveries}
    wrong: list[str] = []
    for event_id in given.keys() | verdicts.keys():
        times, told = given.get(event_id, 0), verdicts.get(event_id, Counter())
        if not told[Verdict.GONE] <= times <= told[Verdict.GONE] + told[Verdict.NOTIFIER_LOST]:
            wrong.append(f"{event_id} got {times}, its attempts say {dict(told)}")
    if wrong:
        raise AssertionError(f"410s are told that were not given, or the other way round: {wrong[:5]}")


def judge_replayed(attempts: Mapping[str, Sequence[str]], inbox: Inbox) -> None:
    """After its 410 each event was sent once more, and again only as often as a notifier was lost over it.

    ``attempts``: the verdicts by event, in order.
    """
    wrong: list[str] = []
    for event_id, verdicts in attempts.items():
        lost, arrival = verdicts.count(Verdict.NOTIFIER_LOST), inbox.arrivals.get(event_id)
        taken = arrival.taken if arrival else 0
        wanted = [Verdict.GONE, *[Verdict.NOTIFIER_LOST] * lost, Verdict.DELIVERED]
        if list(verdicts) != wanted or not 1 <= taken <= 1 + lost:
            wrong.append(f"{event_id} was taken {taken} times, by {list(verdicts)}")
    if wrong:
        raise AssertionError(f"{len(wrong)} were not replayed once: {wrong[:5]}")
