"""What a task sees of the job that it runs for."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.egress import EgressPolicy

LONGEST_MESSAGE = 500
"""Characters of a progress message that are kept."""

Reporter = Callable[[float | None, str | None], None]
"""Takes a fraction and a message; never blocks, and may be called from any thread."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What the worker lends to tasks."""

    egress: "EgressPolicy"
    """Where requests to URLs from payloads may go: what ``RINGBACK_CALLBACK_ALLOW`` says."""


class Job:
    """One attempt of a job, as its task sees it. Made by the worker; in tests, by you.

    ``await job.progress(0.5, "half way")`` in async tasks, ``job.progress_nowait(…)`` in all others. Progress is
    throttled on its way to the store, so it may be told as often as you like.
    """

    __slots__ = (
        "_is_cancelled",
        "_reporter",
        "_resources",
        "attempt",
        "created_at",
        "id",
        "max_attempts",
        "tags",
        "type",
    )

    def __init__(  # noqa: PLR0913 - all that a task may want to know
        self,
        *,
        id: str,  # noqa: A002 - the name it has everywhere else
        type: str,  # noqa: A002 - as above
        attempt: int,
        max_attempts: int,
        created_at: datetime,
        tags: tuple[str, ...] = (),
        reporter: Reporter | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Without ``reporter`` progress goes nowhere; without ``resources`` only the public internet is open."""
        self.id = id
        self.type = type
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.created_at = created_at
        self.tags = tags
        self._reporter = reporter
        self._resources = resources
        self._is_cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the task shall stop: cancelled, out of time, or the worker stops.

        An async task gets ``CancelledError`` besides; one in a thread must look here now and then.
        """
        return self._is_cancelled

    @property
    def resources(self) -> Resources:
        """What the worker lends; the strictest there is when it lends nothing (process pool, tests)."""
        if self._resources is None:
            from ringback.egress import EgressPolicy  # noqa: PLC0415 - aiohttp is only for tasks that need it

            self._resources = Resources(EgressPolicy())
        return self._resources

    async def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Tell how far it is (0 to 1) and what it does; lets others on the loop run, so it is a place to be cancelled.

        What is out of range is brought into it: a slip in progress is no reason to fail.
        """
        self.progress_nowait(fraction, message)
        await asyncio.sleep(0)

    def progress_nowait(self, fraction: float | None = None, message: str | None = None) -> None:
        """As ``progress``, from threads and processes too; returns at once."""
        if self._reporter is not None:
            self._reporter(_in_range(fraction), None if message is None else _storable(message))

    def cancel(self) -> None:
        """Raise the flag ``is_cancelled``: for the worker. Safe from any thread, and to call twice."""
        self._is_cancelled = True

    def __repr__(self) -> str:
        return f"Job(id={self.id!r}, type={self.type!r}, attempt={self.attempt} of {self.max_attempts})"


def _storable(message: str) -> str:
    """A message that every database holds: short, and without zero bytes and halves of surrogate pairs."""
    return str(message)[:LONGEST_MESSAGE].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _in_range(fraction: float | None) -> float | None:
    if fraction is None or math.isnan(fraction):
        return None
    return min(1.0, max(0.0, float(fraction)))
