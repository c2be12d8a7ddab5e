"""What a broker tells about itself while it works; telemetry implements it."""

from typing import Protocol


class BrokerObserver(Protocol):
    """Counts what a broker does. Called on the event loop, so each method is quick and raises nothing."""

    def on_publish(self, result: str, seconds: float) -> None:
        """A publish ended after so long.

        ``result`` is ``confirmed``, ``returned``, ``refused``, ``timeout``, ``blocked`` or ``away``.
        """

    def on_parked(self) -> None:
        """A message that nobody can read was put aside; or dropped, when not even its properties can be decoded."""

    def on_reconnect(self, role: str) -> None:
        """The connection for ``publishing`` or ``consuming`` is there again after it was lost."""


class Unobserved:
    """Counts nothing."""

    def on_publish(self, result: str, seconds: float) -> None:
        """Nothing."""

    def on_parked(self) -> None:
        """Nothing."""

    def on_reconnect(self, role: str) -> None:
        """Nothing."""
