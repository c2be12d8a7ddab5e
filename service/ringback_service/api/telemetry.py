"""What the front end counts."""

from typing import Protocol


class ApiObserver(Protocol):
    """Told what happens in the front end; telemetry implements it. Called for each request: must be cheap."""

    def on_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is the template of its path, so that there are few."""

    def on_accepted(self, task: str, queue: str) -> None:
        """A job was committed."""

    def on_rejected(self, reason: str) -> None:
        """A request for a job was refused, with that problem code."""

    def on_replayed(self, result: str) -> None:
        """An idempotency key came again: ``same`` request, or ``conflict``."""


class Unobserved:
    """Counts nothing."""

    def on_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Nothing."""

    def on_accepted(self, task: str, queue: str) -> None:
        """Nothing."""

    def on_rejected(self, reason: str) -> None:
        """Nothing."""

    def on_replayed(self, result: str) -> None:
        """Nothing."""
