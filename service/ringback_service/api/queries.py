"""Query parameters: models that check them, and describe them in OpenAPI."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from ringback_schemas.http.base import Moment, Name
from ringback_schemas.http.endpoints import MAX_EVENT_FILTERS, Pattern
from ringback_schemas.http.jobs import QueueName, Tag
from ringback_schemas.jobs import JobFilter
from ringback_schemas.problems import Problems
from ringback_schemas.states import DeliveryState, JobState
from ringback_service.api.refusals import Refused, parameter_errors

MAX_PAGE = 200
MAX_WAIT_S = 30
_PAGE = 50
_LISTS = frozenset({"state", "types"})
"""Parameters that may be given more than once."""


class Query(BaseModel):
    """Parameters of a request; unknown ones are refused, so that a misspelt filter does not list everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _split(values: Any) -> Any:
    """``state=a&state=b`` and ``state=a,b`` mean the same."""
    return [name for value in values for name in value.split(",")] if isinstance(values, list) else values


Limit = Annotated[int, Field(ge=1, le=MAX_PAGE, description="Most items on a page.")]
Cursor = Annotated[
    Annotated[str, StringConstraints(max_length=200)] | None,
    Field(description="Where to go on: from `next` of the page before; holds for the same filters only."),
]


class JobQuery(Query):
    """Which jobs to list."""

    state: Annotated[
        list[JobState],
        BeforeValidator(_split),
        Field(default_factory=list, description="Any of these; repeated or separated by commas."),
    ]
    type: Annotated[Name | None, Field(description="Jobs of this task type.")] = None
    tag: Annotated[Tag | None, Field(description="Jobs with this tag.")] = None
    queue: Annotated[QueueName | None, Field(description="Jobs in this queue.")] = None
    created_after: Annotated[Moment | None, Field(description="Jobs accepted after that time.")] = None
    cursor: Cursor = None
    limit: Limit = _PAGE

    def to_filter(self) -> JobFilter:
        """What the store understands."""
        return JobFilter(
            states=tuple(self.state),
            type=self.type,
            tag=self.tag,
            queue=self.queue,
            created_after=self.created_after,
        )


class DeliveryQuery(Query):
    """Which deliveries to list."""

    state: Annotated[
        list[DeliveryState],
        BeforeValidator(_split),
        Field(default_factory=list, description="Any of these; repeated or separated by commas."),
    ]
    cursor: Cursor = None
    limit: Limit = _PAGE


class EventQuery(Query):
    """Which events to show, and whether to wait for them."""

    after: Annotated[
        Annotated[str, StringConstraints(max_length=200)] | None,
        Field(
            description="Where to go on: `next` of the answer before, or an item's `cursor`; `now` skips what is there "
            "already. Absent: from the oldest that is kept."
        ),
    ] = None
    since: Annotated[
        Moment | None, Field(description="Instead of `after`: from what was stored at about that time, or later.")
    ] = None
    types: Annotated[
        list[Pattern],
        BeforeValidator(_split),
        Field(
            default_factory=list,
            max_length=MAX_EVENT_FILTERS,
            description="Only these types, `*` at the end matching any rest; repeated or separated by commas.",
        ),
    ]
    limit: Limit = _PAGE
    wait: Annotated[
        float, Field(ge=0, le=MAX_WAIT_S, description="Seconds to wait for an event when there is none.")
    ] = 0.0
    body: Annotated[
        Literal["json", "text"],
        Field(description="With `text`, `body` is a string: the very bytes of the webhook's body, in UTF-8."),
    ] = "json"

    @field_validator("since")
    @classmethod
    def _one_beginning(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is not None and info.data.get("after") is not None:
            raise PydanticCustomError("two_beginnings", "cannot stand beside `after`")
        return value


class PageQuery(Query):
    """Which page of a list."""

    cursor: Cursor = None
    limit: Limit = _PAGE


class JobViewQuery(Query):
    """How to show a job."""

    redirect: Annotated[
        Literal["0", "1"], Field(description="With 1, a job that succeeded answers 303 to its result.")
    ] = "0"


class TenantQuery(Query):
    """Whose keys; only for administrators."""

    tenant_id: Annotated[str | None, Field(description="Absent: the tenant of the key that asks.")] = None


QueryModel = TypeVar("QueryModel", bound=Query)


def read_query(request: web.Request, model: type[QueryModel]) -> QueryModel:
    """The request's parameters.

    Raises:
        Refused: unknown, repeated or wrong ones.
    """
    try:
        return model.model_validate(_values(request))
    except ValidationError as error:
        errors = parameter_errors(error)
        detail = "; ".join(f"{found.parameter}: {found.detail}" for found in errors)
        raise Refused(Problems.INVALID_INPUT, detail, errors=errors) from error


def _values(request: web.Request) -> Mapping[str, Any]:
    """A value for each name, or the list of them where it was given more than once or may be."""
    values: dict[str, Any] = {}
    for name in dict.fromkeys(request.query):
        given = request.query.getall(name)
        values[name] = given if name in _LISTS or len(given) > 1 else given[0]
    return values
