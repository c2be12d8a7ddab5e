"""Cursors: where a list goes on, as an opaque text that holds for one list with one set of filters."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable

from ringback_schemas.ids import InvalidId, check_id
from ringback_schemas.problems import Problems
from ringback_service.api.refusals import FieldError, Refused

_BINDING_BYTES = 8
_PLACE_BYTES = 8
_LAST_PLACE = 2**63 - 1
"""As great as numbers in the database can be."""


def binding_of(tenant_id: str, path: str, filters: Iterable[tuple[str, str]]) -> bytes:
    """What ties a cursor to its list: a digest of whose it is, which, and how it is filtered."""
    text = "\n".join([tenant_id, path, *(f"{name}={value}" for name, value in sorted(filters))])
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:_BINDING_BYTES]


def write_cursor(last_id: str, binding: bytes) -> str:
    """The cursor of what comes after that id."""
    return urlsafe_b64encode(binding + last_id.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, kind: str, binding: bytes) -> str:
    """The id that the list goes on after.

    Raises:
        Refused: it is no cursor, or belongs to another list.
    """
    try:
        found, rest = _taken_apart(cursor)
        last_id = check_id(kind, rest.decode())
    except (ValueError, InvalidId) as error:
        raise _bad("cursor", "cursor_invalid", "is not a cursor that this API gave") from error
    if found != binding:
        raise _bad("cursor", "cursor_of_other_list", "belongs to a list with other filters; begin that list anew")
    return last_id


def write_place(place: int, binding: bytes) -> str:
    """The cursor of what comes behind that place of the feed."""
    return urlsafe_b64encode(binding + place.to_bytes(_PLACE_BYTES, "big")).rstrip(b"=").decode()


def read_place(cursor: str, binding: bytes) -> int:
    """The place that the feed goes on behind.

    Raises:
        Refused: it is no cursor of the feed, or belongs to somebody else's.
    """
    try:
        found, rest = _taken_apart(cursor)
    except ValueError as error:
        raise _bad("after", "cursor_invalid", "is not a cursor that this API gave") from error
    place = int.from_bytes(rest, "big")
    if found != binding or len(rest) != _PLACE_BYTES or place > _LAST_PLACE:
        raise _bad("after", "cursor_invalid", "is not a cursor of this feed")
    return place


def _taken_apart(cursor: str) -> tuple[bytes, bytes]:
    """The binding, and what it is tied to."""
    raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    return raw[:_BINDING_BYTES], raw[_BINDING_BYTES:]


def _bad(parameter: str, code: str, detail: str) -> Refused:
    error = FieldError(code=code, detail=detail, parameter=parameter)
    return Refused(Problems.INVALID_INPUT, f"the cursor {detail}", errors=[error])
