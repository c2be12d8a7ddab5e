"""Bodies of replays."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ringback_schemas.http.base import AnswerBody, Moment, RequestBody
from ringback_schemas.http.endpoints import Events
from ringback_schemas.http.forms import ONE_LINE
from ringback_schemas.states import ReplayState


class Replayable(StrEnum):
    """States of deliveries that can be sent again; what is `pending` or `sending` arrives anyway."""

    RETRYING = "retrying"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"


States = Annotated[
    list[Annotated[Replayable, Field(strict=False)]],
    Field(
        default_factory=lambda: [Replayable.EXHAUSTED],
        min_length=1,
        max_length=len(Replayable),
        description="In any of these states. A retry that waits is replaced.",
    ),
]
EndpointIdText = Annotated[
    Annotated[str, StringConstraints(max_length=100)] | None,
    Field(description="To this registered endpoint.", examples=["end_01kb3v4r6de0qv8t3kq1x1m9za"]),
]
UrlText = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=2_048, pattern=ONE_LINE)] | None,
    Field(description="To this very URL, of a callback or an endpoint, as it was when the delivery was made."),
]
DestinationText = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=2_048)] | None,
    Field(description="To this scheme, host and port, whatever the path.", examples=["https://app.example"]),
]


class ReplayFilterRequest(RequestBody):
    """Which deliveries to send again: those that meet all of it. Nothing given: all that are exhausted."""

    states: States
    events: Annotated[Events, Field(description="Of these event types, or of those that begin so: `job.*`.")]
    endpoint_id: EndpointIdText = None
    url: UrlText = None
    destination: DestinationText = None
    created_after: Annotated[Moment | None, Field(description="Made after that time.")] = None
    created_before: Annotated[Moment | None, Field(description="Made before that time.")] = None

    @field_validator("created_before")
    @classmethod
    def _after_its_beginning(cls, before: datetime | None, info: ValidationInfo) -> datetime | None:
        after: datetime | None = info.data.get("created_after")
        if after is not None and before is not None and after >= before:
            raise PydanticCustomError("empty_span", "must be later than created_after")
        return before


class ReplayRequest(RequestBody):
    """A replay to be made."""

    filter: Annotated[ReplayFilterRequest, Field(default_factory=lambda: ReplayFilterRequest.model_validate({}))]
    dry_run: Annotated[bool, Field(description="Only count: nothing is sent.")] = False


class ReplayFilterBody(AnswerBody):
    """Which deliveries it means."""

    states: list[Replayable]
    events: list[str]
    endpoint_id: str | None
    url: str | None
    destination: str | None
    """Scheme, host and port."""
    created_after: datetime | None
    created_before: datetime | None


class ReplaySkipsBody(AnswerBody):
    """How many matched deliveries are not sent again, by reason."""

    changed: int
    """They left the filter's states after they were counted: being sent, or sent again by somebody else."""
    endpoint_disabled: int
    endpoint_gone: int


class ReplayLinks(AnswerBody):
    """Absolute URLs of a replay."""

    self: str
    cancel: str


class ReplayBody(AnswerBody):
    """Many deliveries, sent again in the background."""

    id: str
    filter: ReplayFilterBody
    dry_run: bool
    state: ReplayState
    done: bool
    """Whether it is `done` or `cancelled`."""
    counted: bool
    """Whether `matched` is final; before that nothing is sent."""
    matched: int
    """Deliveries that the filter means, as of `created_at`."""
    redelivered: int
    """Made due again so far; 0 in a dry run."""
    skipped: ReplaySkipsBody
    """In a dry run: those that a real one would skip."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: ReplayLinks


class ReplayPage(AnswerBody):
    """Some replays, newest first."""

    items: list[ReplayBody]
    next: str | None
    """URL of the next page; null on the last one."""
