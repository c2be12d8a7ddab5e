"""What may come out of the client.

RingbackError
└── ClientError
    ├── ApiUnreachable    no answer, or none that is an answer, until the client gave up: trying again may help
    ├── ProblemError      the API said no; ``code`` and ``errors`` tell programs why
    ├── StillRunning      the job did not end while the client was told to wait for it
    └── StillReplaying    nor did the replay
"""

from collections.abc import Sequence

from ringback_schemas.errors import RingbackError
from ringback_schemas.http import FieldErrorBody, JobBody, ProblemBody, ReplayBody


class ClientError(RingbackError):
    """Whatever the client raises."""


class ApiUnreachable(ClientError):
    """The API cannot be reached."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.url = url


class ProblemError(ClientError):
    """The API refused a request."""

    def __init__(self, problem: ProblemBody) -> None:
        places = [f"{error.pointer or error.parameter or '/'}: {error.detail}" for error in problem.errors]
        super().__init__("; ".join(places) if places else problem.detail or problem.title)
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The problem's stable name, such as ``invalid-input``; empty when something else than the API answered."""
        return self.problem.code

    @property
    def pointer(self) -> str | None:
        """JSON Pointer to the first value that is wrong; absent when the problem is no value's."""
        return next((error.pointer for error in self.problem.errors if error.pointer), None)

    @property
    def errors(self) -> Sequence[FieldErrorBody]:
        """What is wrong with which value."""
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """To find the request in the API's log by."""
        return self.problem.request_id


class StillRunning(ClientError):
    """The job was not done when the time to wait was over; it goes on all the same."""

    def __init__(self, job: JobBody, waited_s: float) -> None:
        super().__init__(f"{job.id} is {job.state} after {waited_s:g} s")
        self.job = job


class StillReplaying(ClientError):
    """The replay was not done when the time to wait was over; it goes on all the same."""

    def __init__(self, replay: ReplayBody, waited_s: float) -> None:
        super().__init__(f"{replay.id} is {replay.state} after {waited_s:g} s")
        self.replay = replay
