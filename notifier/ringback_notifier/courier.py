"""Brings one delivery to its receiver: prepare, wait for its turn at a rate, send. What comes of it is for others."""

import asyncio
import time

import structlog

from ringback_backends.contracts.store import Store
from ringback_notifier.bucket import LONGEST_WAIT_S
from ringback_notifier.flight import Flight
from ringback_notifier.letters import Letter, Letters, Unwanted
from ringback_notifier.patience import patiently
from ringback_notifier.replies import Sent
from ringback_notifier.roster import AnyLane
from ringback_notifier.sender import Sender
from ringback_schemas.deliveries import ClaimedDelivery, WaitReason
from ringback_schemas.ids import InstanceId

log = structlog.get_logger(__name__)


class Courier:
    """Sends what ``owner`` claimed."""

    def __init__(self, store: Store, owner: InstanceId, letters: Letters, sender: Sender) -> None:
        """Everything passed in is opened and closed by the caller."""
        self._store = store
        self._owner = owner
        self._letters = letters
        self._sender = sender

    async def bring(self, flight: Flight) -> Sent | None:
        """What the receiver said, or why nothing was sent; absent when the delivery is not ours any more."""
        claimed = flight.claimed
        letter = self._letters.at_hand(claimed) or await self._prepare(claimed)
        if isinstance(letter, Sent):
            return letter
        if isinstance(letter, Unwanted):
            await self._withhold(flight)
            return None
        if flight.lane.is_paced and not await _keep_pace(flight.lane):
            await self._put_back(flight)
            return None
        flight.sent_to = letter.url
        return await self._sender.send(
            *(letter.url, claimed.delivery.event_id, letter.body, letter.signer),
            headers=letter.headers,
            total_s=letter.total_s,
        )

    async def _prepare(self, claimed: ClaimedDelivery) -> Letter | Sent | Unwanted:
        return await patiently(lambda: self._letters.prepare(claimed))

    async def _withhold(self, flight: Flight) -> None:
        """Its endpoint was disabled or deleted just now: the store knows what becomes of it."""
        await patiently(lambda: self._store.withhold_deliveries(self._owner, [flight.ref]))
        log.info("delivery_withheld", delivery_id=flight.ref.delivery_id)

    async def _put_back(self, flight: Flight) -> None:
        """It waits in the store, like what its lane had no room for: no slot is held, no attempt is spent on it.

        Should somebody name it just now, so that this process claims the same attempt again while the flight still
        ends, then nobody brings it: such are for ``strays``.
        """
        await patiently(lambda: self._store.set_aside(self._owner, [flight.ref], WaitReason.RATE))
        flight.is_put_back = True
        log.info("delivery_put_back", delivery_id=flight.ref.delivery_id)


async def _keep_pace(lane: AnyLane) -> bool:
    """Wait for one's turn at a rate that was granted, and may have bunched up since; False when it is too far away."""
    now = time.monotonic()
    until = now + LONGEST_WAIT_S
    while (pause_s := lane.pause_s(now)) > 0:
        if now + pause_s > until:
            return False
        await asyncio.sleep(pause_s)
        now = time.monotonic()
    lane.sent(now)
    return True
