"""What all bodies have in common."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from ringback_schemas.http.forms import ONE_LINE

_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")


class RequestBody(BaseModel):
    """A body that clients send: exact types, and no unknown names, so that a typing error is told and not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class AnswerBody(BaseModel):
    """A body that the API sends. The client ignores names that it does not know: answers may grow."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


def _only_rfc3339(value: Any) -> Any:
    """Refuse numbers and texts of digits, which pydantic would take for Unix times."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        return value
    raise PydanticCustomError("datetime_rfc3339", "must be a date and time such as 2026-11-21T07:00:00Z (RFC 3339)")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("datetime_range", "must lie between the years 1 and 9999 in UTC") from error


Moment = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_only_rfc3339, json_schema_input_type=str),
    AfterValidator(_in_utc),
]
"""A time given with its offset, in UTC."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE)]
"""What people call something: a line of text."""

_Item = TypeVar("_Item")


def distinct(items: Sequence[_Item]) -> Sequence[_Item]:
    """The items, if no two are the same; for ``AfterValidator``."""
    if len(set(items)) != len(items):
        raise PydanticCustomError("duplicates", "must not name anything twice")
    return items
