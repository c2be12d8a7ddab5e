"""Query parameters: models that check them, and describe them in OpenAPI."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ringback_schemas.http.base import Moment, Name
from ringback_schemas.http.jobs import QueueName, Tag
from ringback_schemas.jobs import JobFilter
from ringback_schemas.problems import Problems
from ringback_schemas.states import DeliveryState, JobState
from ringback_service.api.refusals import Refused, parameter_errors

MAX_PAGE = 200
_PAGE = 50


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
        values[name] = given if name == "state" or len(given) > 1 else given[0]
    return values
