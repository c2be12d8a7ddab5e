"""Reads the bodies of requests: refuses what is too large before reading it, and what is not JSON before parsing it."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from ringback_schemas.problems import Problems
from ringback_service.api import strict_json
from ringback_service.api.refusals import FieldError, Refused, field_errors

Body = TypeVar("Body", bound=BaseModel)

BODY_WITHIN_S = 30.0
"""How long a body may take to come: aiohttp would wait for ever."""

_JSON = "application/json"


def check_size(request: web.Request, max_bytes: int) -> None:
    """Do nothing unless the body says that it is too large.

    Raises:
        Refused: it does.
    """
    length = request.content_length
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)


async def read_json(request: web.Request, max_bytes: int) -> Any:
    """The request's body as a parsed value.

    Raises:
        Refused: too large, not declared as JSON, or not JSON.
    """
    check_size(request, max_bytes)
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    # the comparison first: parsing a media type costs more than everything else here
    if content_type != _JSON and not _is_json(request):
        raise _unsupported(f"the body is declared as {content_type[:100] or 'nothing'}")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise _unsupported("the body is declared as compressed")
    try:
        raw = await request.read() if request.content.is_eof() else await _read_slowly(request)
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(max_bytes) from error
    return strict_json.parse(raw)


async def read_model(request: web.Request, model: type[Body], max_bytes: int) -> Body:
    """The request's body as a model. Raises as ``read_json`` and ``to_model``."""
    return to_model(await read_json(request, max_bytes), model)


def to_model(body: Any, model: type[Body]) -> Body:
    """A parsed body as a model.

    Raises:
        Refused: it does not fit; ``errors`` says where.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise invalid(field_errors(error, body)) from error


def invalid(errors: Sequence[FieldError]) -> Refused:
    """The refusal of a body for these errors."""
    first = errors[0]
    where = first.pointer or "the body"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Refused(Problems.INVALID_INPUT, f"{where}: {first.detail}{more}", errors=errors)


async def _read_slowly(request: web.Request) -> bytes:
    """A body that is not here yet; its sender may have stopped, or have sent what is no HTTP."""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await request.read()
    except TimeoutError as error:
        raise Refused(Problems.REQUEST_TIMEOUT, f"the body did not come within {BODY_WITHIN_S:g} s") from error


def _is_json(request: web.Request) -> bool:
    is_json = request.content_type == _JSON or request.content_type.endswith("+json")
    return is_json and (request.charset or "utf-8").lower() in {"utf-8", "utf8"}


def _unsupported(detail: str) -> Refused:
    return Refused(Problems.UNSUPPORTED_MEDIA_TYPE, f"{detail}; send {_JSON} as it is", headers={"Accept-Post": _JSON})


def _too_large(max_bytes: int) -> Refused:
    return Refused(Problems.TOO_LARGE, f"the body is larger than {max_bytes} bytes")
