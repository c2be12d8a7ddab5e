"""How much a front end takes in hand at once: what is beyond that is refused, instead of waited for with memory.

A store that is slow, or asked for more than it can do, would otherwise be paid for by every request: each would wait
longer than the one before, until clients give up on jobs that are accepted a moment later.

Counted is what waits to be stored, not what is still being sent: else a few clients with slow bodies would shut
everybody out.
"""

from types import TracebackType

from ringback_schemas.problems import Problems
from ringback_service.api.refusals import Refused

MOST_REQUESTS = 2_000
"""About a second's work of a front end."""
MOST_BYTES = 64 * 1_048_576

RETRY_AFTER_S = 1


class Admission:
    """Counts submissions that wait to be stored, and the bytes of their bodies. Belongs to one event loop."""

    def __init__(self, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES) -> None:
        """A single body may be larger than ``most_bytes``: whoever comes first is always let in."""
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._bytes = 0
        self.requests = 0
        """Submissions in hand."""

    def check(self, size: int) -> None:
        """Do nothing when there is room for a body of that size.

        Raises:
            Refused: there is none.
        """
        if self.requests >= self._most_requests or (self.requests and self._bytes + size > self._most_bytes):
            detail = f"{self.requests} submissions are in hand already; nothing was stored"
            raise Refused(Problems.OVERLOADED, detail, headers={"Retry-After": str(RETRY_AFTER_S)})

    def admit(self, size: int) -> "Admitted":
        """Let in a body of that size, which ``check`` has found room for, for as long as the answer is a context."""
        self.requests += 1
        self._bytes += size
        return Admitted(self, size)

    def leave(self, size: int) -> None:
        """A body of that size is dealt with."""
        self.requests -= 1
        self._bytes -= size


class Admitted:
    """A submission in hand."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission, size: int) -> None:
        self._admission = admission
        self._size = size

    def __enter__(self) -> None:
        """In hand since it was admitted."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Make room."""
        self._admission.leave(self._size)
