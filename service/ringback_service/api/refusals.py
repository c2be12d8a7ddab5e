"""How a handler says no: an exception that becomes a problem document (RFC 9457)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ringback_schemas.errors import RingbackError
from ringback_schemas.http.forms import IN_WORDS as FORMS_IN_WORDS
from ringback_schemas.problems import MEDIA_TYPE, Problems

MAX_FIELD_ERRORS = 50
"""Wrong values that are listed; a body of 1 MiB can hold half a million."""

MAX_TEXT = 1_000
"""Characters of a pointer or a sentence; a name in a body of 1 MiB can be as long as the body."""

_AN_OBJECT = "must be a JSON object"
_IN_OUR_WORDS = dict.fromkeys(("model_type", "model_attributes_type", "dataclass_type", "dict_type"), _AN_OBJECT)
"""Types of pydantic's errors whose message speaks of Python to somebody who may never have heard of it."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one value: in the body (``pointer``) or beside it (``parameter``)."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Refused(RingbackError):
    """The request is refused, for a reason that the client can read."""

    def __init__(
        self,
        problem: Problems,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}

    def response(self, request_id: str) -> web.Response:
        """The problem document as an answer."""
        kind = self.problem.value
        body = orjson.dumps(
            {
                "type": kind.uri,
                "code": kind.code,
                "title": kind.title,
                "status": kind.status,
                "detail": self.detail,
                "errors": self.errors,
                "request_id": request_id,
            }
        )
        headers = CIMultiDict({"Cache-Control": "no-store", "Content-Type": MEDIA_TYPE, **self.headers})
        return web.Response(body=body, status=kind.status, headers=headers)


def pointer_of(parts: Iterable[str | int]) -> str:
    """A JSON Pointer (RFC 6901): ``/payload/rows/0``; empty for the whole document."""
    return presentable("".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts))


def presentable(text: str) -> str:
    """A text that came from a client, fit to be sent back: not endless, and no half surrogate pairs."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def field_errors(error: ValidationError, body: Any, prefix: Sequence[str] = ()) -> list[FieldError]:
    """What pydantic found wrong, each with a pointer to a place in ``body`` that the client can find.

    Args:
        error: From the validation of ``body``.
        body: What was validated, as parsed from JSON.
        prefix: Where in the request's body that is.
    """
    return [
        FieldError(
            code=found["type"],
            detail=_detail(found),
            pointer=pointer_of([*prefix, *_path(found["loc"], body, is_missing=found["type"] == "missing")]),
        )
        for found in error.errors(include_url=False, include_input=False)[:MAX_FIELD_ERRORS]
    ]


def parameter_errors(error: ValidationError) -> list[FieldError]:
    """What pydantic found wrong with query parameters."""
    return [
        FieldError(code=found["type"], detail=_detail(found), parameter=str(found["loc"][0]))
        for found in error.errors(include_url=False, include_input=False)
        if found["loc"]
    ]


def _path(location: Sequence[str | int], body: Any, *, is_missing: bool) -> list[str | int]:
    """The parts of a pydantic location that name something in the body: not its branches of unions or validators."""
    path: list[str | int] = []
    here: Any = body
    for index, part in enumerate(location):
        if _holds(here, part):
            here = here[part]
        elif not (is_missing and index == len(location) - 1):
            continue
        path.append(part)
    return path


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)


def _detail(found: ErrorDetails) -> str:
    """What is wrong, in our words where pydantic's are for programmers."""
    form = FORMS_IN_WORDS.get(str(found.get("ctx", {}).get("pattern")))
    return _IN_OUR_WORDS.get(found["type"]) or form or _sentence(found["msg"])


def _sentence(message: str) -> str:
    """Pydantic's message without the prefix that it gives to errors of validators."""
    return presentable(message.removeprefix("Value error, ").removeprefix("Assertion failed, "))
