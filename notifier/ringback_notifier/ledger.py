"""Writes down what came of each attempt, and does what follows: announces a retry, parts from an endpoint, tells."""

from typing import Protocol

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.batcher import Batcher
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.errors import RowRefused
from ringback_backends.contracts.store import Store
from ringback_notifier.letters import Letters
from ringback_notifier.outcomes import without_foreign_text
from ringback_notifier.patience import patiently
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryOutcome, Verdict
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import EndpointId, TenantId
from ringback_schemas.states import DeliveryState

Recorder = Batcher[DeliveryOutcome, bool]
"""Batches the store's ``record_attempts``."""

log = structlog.get_logger(__name__)


class Attempts(Protocol):
    """What is counted of attempts; telemetry implements it."""

    def on_attempts_recorded(self, rows: int, seconds: float) -> None:
        """So many attempts went into one commit, which took so long."""

    def on_attempt(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, *, is_recorded: bool) -> None:
        """An attempt was made; not recorded means fenced: somebody else has the delivery now."""


class Ledger:
    """The attempts of a notifier."""

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        recorder: Recorder,
        letters: Letters,
        *,
        observer: Attempts | None = None,
    ) -> None:
        """Everything passed in is opened and closed by the caller."""
        self._store = store
        self._announcer = announcer
        self._recorder = recorder
        self._letters = letters
        self._observer = observer
        # bound once, after logging was configured: to find the logger anew costs as much as the line itself
        self._log = log.bind()

    async def enter(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, sent_to: str | None) -> None:
        """An attempt ended so; ``sent_to`` is the URL that it went to, if anything was sent."""
        delivery = claimed.delivery
        # A crash here sends it again, with the same id and bytes: the receiver tells by the id.
        is_recorded = await self._record(outcome)
        if is_recorded and outcome.state is DeliveryState.RETRYING:
            self._announcer.announce_later(DELIVERIES, [delivery.id], outcome.retry_in_s)
        is_gone = is_recorded and outcome.attempt.verdict is Verdict.GONE
        if is_gone and delivery.endpoint_id is not None and sent_to is not None:
            await self._part_from(delivery.tenant_id, delivery.endpoint_id, sent_to)
        self._tell(claimed, outcome, is_recorded=is_recorded)

    async def _record(self, outcome: DeliveryOutcome) -> bool:
        try:
            return await patiently(lambda: self._recorder.submit(outcome))
        except RowRefused as error:
            log.warning("attempt_refused_by_store", delivery_id=outcome.delivery_id, reason=str(error))
            return await patiently(lambda: self._recorder.submit(without_foreign_text(outcome)))

    async def _part_from(self, tenant_id: TenantId, endpoint_id: EndpointId, url: str) -> None:
        """The endpoint said 410. A crash before this is mended by the next delivery, which gets the same answer."""
        gone = DisabledReason.GONE
        await patiently(lambda: self._store.disable_endpoint(tenant_id, endpoint_id, gone, only_at=url))
        self._letters.forget(endpoint_id)
        log.warning("endpoint_gone", endpoint_id=endpoint_id, tenant_id=tenant_id)

    def _tell(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, *, is_recorded: bool) -> None:
        delivery, attempt = claimed.delivery, outcome.attempt
        self._log.info(
            "delivery_attempt" if is_recorded else "delivery_attempt_fenced",
            delivery_id=delivery.id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            job_id=delivery.job_id,
            tenant_id=delivery.tenant_id,
            destination=delivery.destination,
            attempt=attempt.attempt,
            verdict=attempt.verdict.value,
            status=attempt.status,
            duration_s=round(attempt.timing.total_s, 6),
            retry_in_s=outcome.retry_in_s or None,
        )
        if self._observer is not None:
            self._observer.on_attempt(claimed, outcome, is_recorded=is_recorded)
