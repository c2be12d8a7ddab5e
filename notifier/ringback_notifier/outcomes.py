"""Turns what was sent into what the store shall record. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from ringback_notifier.replies import Answered, Sent
from ringback_notifier.verdict import decide
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryAttempt, DeliveryOutcome
from ringback_schemas.ids import InstanceId
from ringback_schemas.operational import OPERATIONAL


def conclude(
    claimed: ClaimedDelivery, owner: InstanceId, sent: Sent, schedule: Sequence[float], dice: float
) -> DeliveryOutcome:
    """The outcome of one attempt; ``dice`` is from 0 to 1, for the jitter."""
    delivery, reply = claimed.delivery, sent.reply
    now = sent.started_at.timestamp() + sent.timing.total_s
    decision = decide(reply, delivery.tries + 1, schedule, now, dice, delivery.attempt - delivery.tries)
    attempt = DeliveryAttempt(
        attempt=delivery.attempt,
        started_at=sent.started_at,
        timing=sent.timing,
        verdict=decision.verdict,
        reason=decision.reason,
        status=reply.status,
        remote_address=sent.remote_address,
        response_prefix=reply.prefix if isinstance(reply, Answered) else b"",
    )
    return DeliveryOutcome(
        *(delivery.id, owner, attempt, decision.state, decision.retry_in_s, delivery.endpoint_id),
        is_operational=delivery.event_type in OPERATIONAL,
    )


def without_foreign_text(outcome: DeliveryOutcome) -> DeliveryOutcome:
    """The same outcome with nothing in it that a receiver wrote: for a store that refused the whole one."""
    attempt = replace(
        outcome.attempt,
        reason=f"{outcome.attempt.verdict.value} (the store would not keep the answer)",
        response_prefix=b"",
        remote_address=None,
    )
    return replace(outcome, attempt=attempt)
