"""What a task raises to say how its attempt shall end. Anything else that it raises is an error, and is retried."""

from ringback_schemas.errors import RingbackError


class Retry(RingbackError):
    """Try again later. This attempt counts: with none left, the job fails."""

    def __init__(self, reason: str | None = None, *, in_s: float | None = None) -> None:
        """``reason`` is kept with the attempt; without ``in_s`` the task's backoff says when."""
        super().__init__(reason or "the task asked to be tried again")
        self.in_s = in_s


class Fail(RingbackError):
    """Fail the job now, however many attempts are left: trying again would not help."""

    def __init__(self, reason: str) -> None:
        """``reason`` becomes the message of the job's error."""
        super().__init__(reason)
