"""Decides what one attempt came to and what follows. Pure: no I/O, the clock and the dice are passed in.

Success is a 2xx and nothing else (Standard Webhooks). A redirect is not followed, for it would lead past the guard and
past what the owner of the URL signed up for. 410 ends the delivery. Whatever else goes wrong is tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from ringback_notifier.clocks import clock_hint
from ringback_notifier.replies import Answered, Failed
from ringback_notifier.schedule import (
    LONGEST_HINT_S,
    MOST_PROXY_FAILURES,
    delay_s,
    own_delay_s,
    proxy_pause_s,
    retry_after_s,
)
from ringback_schemas.deliveries import Verdict
from ringback_schemas.states import DeliveryState

_MAX_QUOTE = 200
_CLASSES = {3: Verdict.REDIRECT, 4: Verdict.CLIENT_ERROR, 5: Verdict.SERVER_ERROR}


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an attempt."""

    state: DeliveryState
    verdict: Verdict
    reason: str
    """A sentence for people: what happened, and what follows."""
    retry_in_s: float = 0.0
    """Only when it is tried again."""


def decide(
    reply: Answered | Failed, tries: int, schedule: Sequence[float], now: float, dice: float, uncharged: int = 1
) -> Decision:
    """What follows from the ``tries``-th attempt since the schedule began.

    Args:
        reply: what came of the POST.
        tries: counts this attempt; 1 for the first.
        uncharged: how often it was attempted without being a try, this time counted: for our proxy's failures.
        schedule: seconds after attempt 1, 2, …; there is one attempt more than it has entries.
        now: Unix time, for a ``Retry-After`` that is a date.
        dice: from 0 to 1, for the jitter.
    """
    verdict, words = _judge(reply, now)
    if verdict is Verdict.PROXY_FAILED:
        return _after_proxy_failure(words, uncharged, dice)
    if verdict is Verdict.DELIVERED:
        return Decision(DeliveryState.DELIVERED, verdict, words)
    if verdict is Verdict.GONE:
        return Decision(
            DeliveryState.EXHAUSTED, verdict, f"{words}: the receiver wants no more, so it is not tried again"
        )
    own_s = own_delay_s(schedule, tries)
    if own_s is None:
        return Decision(DeliveryState.EXHAUSTED, verdict, f"{words}; that was the last of {tries} attempts")
    hint_s = retry_after_s(reply.retry_after, now) if isinstance(reply, Answered) else None
    retry_in_s = delay_s(own_s, hint_s, dice)
    why = _why(own_s, hint_s, reply)
    return Decision(DeliveryState.RETRYING, verdict, f"{words}; again in {retry_in_s:.1f} s{why}", retry_in_s)


def printable(text: str) -> str:
    """A receiver's text made safe for a log and a database: short, and without control characters."""
    cut = text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]}…"
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)


def _after_proxy_failure(words: str, uncharged: int, dice: float) -> Decision:
    """No try of the receiver's, so its schedule stands still. Not for ever: a proxy may refuse just this receiver."""
    if uncharged >= MOST_PROXY_FAILURES:
        given_up = f"{words}; that was the last of {uncharged} attempts that did not get through"
        return Decision(DeliveryState.EXHAUSTED, Verdict.PROXY_FAILED, given_up)
    retry_in_s = proxy_pause_s(uncharged, dice)
    reason = f"{words}; not counted as a try, again in {retry_in_s:.1f} s"
    return Decision(DeliveryState.RETRYING, Verdict.PROXY_FAILED, reason, retry_in_s)


def _judge(reply: Answered | Failed, now: float) -> tuple[Verdict, str]:
    if isinstance(reply, Failed):
        return reply.verdict, printable(reply.words)
    verdict = _verdict_of(reply.status)
    hint = clock_hint(reply.headers.get("Date"), now) if verdict is Verdict.CLIENT_ERROR else ""
    return verdict, f"{_phrase(reply)}{hint}"


def _verdict_of(status: int) -> Verdict:
    match status:
        case HTTPStatus.GONE:
            return Verdict.GONE
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Verdict.RATE_LIMITED
        case _ if status // 100 == 2:  # noqa: PLR2004 - the class of success
            return Verdict.DELIVERED
        case _:
            return _CLASSES.get(status // 100, Verdict.BAD_RESPONSE)


def _phrase(reply: Answered) -> str:
    try:
        phrase = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    except ValueError:
        phrase = f"{reply.status}, a status that HTTP does not know"
    if reply.status // 100 == 3:  # noqa: PLR2004 - the class of redirects
        where = f" to {printable(reply.location)}" if reply.location else ""
        return f"{phrase}{where}, which is not followed"
    return phrase


def _why(own_s: float, hint_s: float | None, reply: Answered | Failed) -> str:
    if hint_s is None or hint_s <= own_s or not isinstance(reply, Answered):
        return ""
    asked = printable(reply.retry_after or "")
    cap = f", capped at {LONGEST_HINT_S / 3600:.0f} h" if hint_s >= LONGEST_HINT_S else ""
    return f" because it asked so (Retry-After: {asked}{cap})"
