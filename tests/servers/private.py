"""What private servers have in common: they run while inside, and leave nothing behind."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class PrivateServer(ABC):
    """Every method blocks until done: from a test's event loop call it with ``asyncio.to_thread``."""

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it serves. Harmless when it runs.

        Raises:
            AssertionError: it does not come up.
        """

    @abstractmethod
    def close(self) -> None:
        """End it at once and delete its folder. Safe to call twice."""

    def __enter__(self) -> Self:
        """Start it; one that does not come up is ended again."""
        try:
            self.start()
        except AssertionError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it for good."""
        self.close()
