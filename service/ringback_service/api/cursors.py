"""Cursors: where a list goes on, as an opaque text that holds for one list with one set of filters."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable

from ringback_schemas.ids import InvalidId, check_id
from ringback_schemas.problems import Problems
from ringback_service.api.refusals import FieldError, Refused

_BINDING_BYTES = 8


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
        raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        last_id = check_id(kind, raw[_BINDING_BYTES:].decode())
    except (ValueError, InvalidId) as error:
        raise _bad("cursor_invalid", "is not a cursor that this API gave") from error
    if raw[:_BINDING_BYTES] != binding:
        raise _bad("cursor_of_other_list", "belongs to a list with other filters; begin that list anew")
    return last_id


def _bad(code: str, detail: str) -> Refused:
    error = FieldError(code=code, detail=detail, parameter="cursor")
    return Refused(Problems.INVALID_INPUT, f"the cursor {detail}", errors=[error])
