"""Looks for deliveries that this instance holds without knowing of it: see ``ringback_backends.suspects``."""

from collections.abc import Callable

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.deliveries import DeliveryStore
from ringback_backends.lease.rounds import Rounds
from ringback_backends.suspects import Suspects
from ringback_schemas.deliveries import DeliveryRef
from ringback_schemas.ids import InstanceId

log = structlog.get_logger(__name__)


class Strays(Rounds):
    """Gives back what two rounds found held and unknown."""

    name = "strays"

    def __init__(
        self,
        store: DeliveryStore,
        announcer: Announcer,
        owner: InstanceId,
        is_known: Callable[[DeliveryRef], bool],
        claim_under_way: Callable[[], int | None],
        *,
        every_s: float,
    ) -> None:
        """``is_known`` says whether an attempt is under way in this process, ``claim_under_way`` which claim is."""
        super().__init__(every_s)
        self._store = store
        self._announcer = announcer
        self._owner = owner
        self._is_known = is_known
        self._suspects: Suspects[DeliveryRef] = Suspects(claim_under_way)

    async def round(self) -> bool:
        """Compare once."""
        held = await self._store.held_deliveries(self._owner)
        unknown = frozenset(ref for ref in held if not self._is_known(ref))
        strays = sorted(self._suspects.strays(unknown), key=lambda ref: ref.delivery_id)
        if strays:
            await self._store.release_deliveries(self._owner, strays)
            ids = [ref.delivery_id for ref in strays]
            log.warning("strays_released", deliveries=ids)
            self._announcer.announce(DELIVERIES, ids)
        return False
