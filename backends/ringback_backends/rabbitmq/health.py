"""How the broker is: the sum of what its parts report."""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from ringback_backends.contracts.broker import BrokerStatus

log = structlog.get_logger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Health:
    """Troubles (they make it disconnected), blocks, and notes (things lived with), each by the part that has it."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._troubles: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._blocked: set[str] = set()
        self._state = (True, False)
        self._since = now()

    def trouble(self, part: str, reason: str) -> None:
        """That part does not work."""
        self._troubles[part] = reason
        self._settle()

    def well(self, part: str) -> None:
        """That part works, or is gone for good."""
        self._troubles.pop(part, None)
        self._settle()

    def blocked(self, part: str, *, is_blocked: bool) -> None:
        """The server takes nothing from that connection, or does again."""
        (self._blocked.add if is_blocked else self._blocked.discard)(part)
        self._settle()

    def note(self, part: str, text: str | None) -> None:
        """Something to know about that part; None takes it back. Logged when it is news."""
        if text is None:
            self._notes.pop(part, None)
        elif self._notes.get(part) != text:
            self._notes[part] = text
            log.warning("broker_differs", part=part, difference=text)

    def reason(self, part: str) -> str:
        """Why that part does not work."""
        return self._troubles.get(part, "not connected")

    @property
    def status(self) -> BrokerStatus:
        """The sum."""
        is_connected, is_blocked = self._state
        return BrokerStatus(is_connected=is_connected, is_blocked=is_blocked, since=self._since, detail=self._detail())

    def _settle(self) -> None:
        state = (not self._troubles, bool(self._blocked))
        if state != self._state:
            self._state, self._since = state, self._now()

    def _detail(self) -> str:
        if self._troubles:
            # both connections usually have the same trouble: say it once
            return "; ".join(dict.fromkeys(self._troubles.values()))
        words = ["blocked by the server (out of memory or disk)" if self._blocked else "connected"]
        return "; ".join([*words, *self._notes.values()])
