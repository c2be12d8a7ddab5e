"""Bodies of jobs: the request for one, and the resource."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ringback_schemas.http.base import AnswerBody, Moment, RequestBody, distinct
from ringback_schemas.http.forms import ONE_LINE, QUEUE_NAME
from ringback_schemas.job_errors import JobErrorCode
from ringback_schemas.states import JobState

MAX_TAGS = 16
MAX_ATTEMPTS = 100
MAX_TIMEOUT_S = 86_400.0
"""A day: whoever needs longer is better off with several jobs."""
MAX_DELAY_S = 366 * 86_400.0

EventType = Literal["job.succeeded", "job.failed", "job.cancelled", "job.expired"]
QueueName = Annotated[str, StringConstraints(pattern=QUEUE_NAME)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=ONE_LINE)]


class JobRequest(RequestBody):
    """A request to run a task once."""

    type: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        Field(description="Name of the task, as GET /v1/task-types lists it.", examples=["report.csv"]),
    ]
    payload: Annotated[
        Any,
        Field(
            description="What the task gets: validated against the task type's `payload_schema` before the job is "
            "accepted. Absent: null where the task takes it, else an empty object."
        ),
    ] = None
    callback_url: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=2_048),
        Field(
            description="Where the signed webhook goes when the job ends. An http(s) URL in the public internet, or in "
            "a network that the operator opened.",
            examples=["https://app.example/hooks/ringback"],
        ),
    ] = None
    callback_events: Annotated[
        list[EventType] | None,
        Field(min_length=1, description="Which ends to be told of; absent: all."),
        AfterValidator(lambda items: items and distinct(items)),
    ] = None
    queue: Annotated[QueueName | None, Field(description="Absent: the task type's own queue.")] = None
    run_at: Annotated[Moment | None, Field(description="Not before then; a time in the past means at once.")] = None
    delay_s: Annotated[
        float | None,
        Field(ge=0, le=MAX_DELAY_S, description="Not before that many seconds from now; instead of `run_at`."),
    ] = None
    expires_at: Annotated[
        Moment | None, Field(description="A job that still waits then ends as `expired`. After `run_at`.")
    ] = None
    timeout_s: Annotated[
        float | None,
        Field(gt=0, le=MAX_TIMEOUT_S, description="Seconds that one attempt may take; absent: the task type's."),
    ] = None
    max_attempts: Annotated[
        int | None, Field(ge=1, le=MAX_ATTEMPTS, description="Attempts until it fails; absent: the task type's.")
    ] = None
    tags: Annotated[
        list[Tag],
        Field(default_factory=list, max_length=MAX_TAGS, description="To find it by."),
        AfterValidator(distinct),
    ]

    @field_validator("callback_events")
    @classmethod
    def _events_need_a_url(cls, value: list[EventType] | None, info: ValidationInfo) -> list[EventType] | None:
        if value is not None and info.data.get("callback_url", "") is None:
            raise PydanticCustomError("without_url", "needs a callback_url to send the events to")
        return value

    @field_validator("delay_s")
    @classmethod
    def _one_start(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("run_at") is not None:
            raise PydanticCustomError("two_starts", "must not be given together with run_at")
        return value


class ProgressBody(AnswerBody):
    """What a running task last told of itself."""

    fraction: float | None
    """0 to 1."""
    message: str | None
    updated_at: datetime


class JobErrorBody(AnswerBody):
    """Why a job did not succeed."""

    code: JobErrorCode
    message: str
    exception: str | None
    """Class name of what the task raised."""


class JobLinks(AnswerBody):
    """Absolute URLs of a job."""

    self: str
    result: str
    deliveries: str
    cancel: str


class JobBody(AnswerBody):
    """A job: the answer to most requests, and the `data` of webhooks."""

    id: str
    type: str
    """The task that it runs."""
    state: JobState
    done: bool
    """Whether the state is final."""
    queue: str
    attempt: int
    """Attempts begun so far."""
    max_attempts: int
    timeout_s: float
    """Seconds that one attempt may take."""
    created_at: datetime
    run_at: datetime
    """When it may start; of a retry, when that is due."""
    expires_at: datetime | None
    started_at: datetime | None
    """Start of the newest attempt."""
    finished_at: datetime | None
    cancelling: bool
    """It runs, and its worker was asked to stop it."""
    waiting_reason: str | None
    """Why it does not start, when nothing that runs now could start it; null otherwise."""
    callback_url: str | None
    callback_events: list[EventType]
    """Which ends the callback is told of; empty: all."""
    tags: list[str]
    progress: ProgressBody | None
    result: JsonValue
    """The result, when it is small; else null, and behind `links.result`."""
    result_inline: bool
    """Whether `result` is the result."""
    error: JobErrorBody | None
    """Why it ended without a result; while it is `retrying`, why its last attempt failed. Null in lists."""
    links: JobLinks


class JobPage(AnswerBody):
    """Some jobs, newest first."""

    items: list[JobBody]
    next: str | None
    """URL of the next page; null on the last one."""
