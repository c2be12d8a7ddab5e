"""Bodies of the probes."""

from enum import StrEnum

from ringback_schemas.http.base import AnswerBody


class CheckStatus(StrEnum):
    """How one thing is that readiness looks at."""

    OK = "ok"
    DEGRADED = "degraded"
    """Not as it should be, yet everything still works."""
    FAILED = "failed"


class CheckBody(AnswerBody):
    """One thing that readiness looks at."""

    name: str
    status: CheckStatus
    detail: str
    """What was found, and what still works."""


class ReadinessBody(AnswerBody):
    """Whether this process can take requests, and on what that rests."""

    ready: bool
    checks: list[CheckBody]


class HealthBody(AnswerBody):
    """This process lives."""

    status: str
    version: str
