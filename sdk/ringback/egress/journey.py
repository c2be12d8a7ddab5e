"""Where the time before a request goes: noted by the guard's own parts, while they do their work.

aiohttp's tracing tells the same, and costs 13 µs a request (of 63) even when a connection is used again; this costs
a few.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Journey:
    """How the connection of one request came about; what was not needed or not reached is absent."""

    dns_s: float | None = None
    is_connected: bool = False
    remote_address: str | None = None
    connecting_since: float | None = None
    """When the first socket was made, by ``time.perf_counter``; absent when a connection was used again."""
    tls_since: float | None = None
    """When the TLS handshake began."""
    connected_at: float | None = None

    def connected(self, remote_address: str | None) -> None:
        """Note that there is a connection now."""
        self.is_connected = True
        self.remote_address = self.remote_address or remote_address
        if self.connecting_since is not None:
            self.connected_at = time.perf_counter()

    @property
    def phase(self) -> str:
        """What was going on when it came to no connection, in a few words."""
        if self.tls_since is not None:
            return "TLS handshake"
        return "looking up the name" if self.connecting_since is None else "connecting"

    @property
    def connect_s(self) -> float | None:
        """TCP, and through a proxy its tunnel."""
        until = self.tls_since or self.connected_at
        return None if self.connecting_since is None or until is None else until - self.connecting_since

    @property
    def tls_s(self) -> float | None:
        """The handshake, once it is done."""
        return None if self.tls_since is None or self.connected_at is None else self.connected_at - self.tls_since


current_journey: ContextVar[Journey | None] = ContextVar("current_journey", default=None)
"""Set it before a request to have it noted; tasks that aiohttp starts for the request inherit it."""
