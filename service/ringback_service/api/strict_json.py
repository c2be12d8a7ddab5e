"""Reads and writes JSON without changing it in silence.

Faster parsers do: they round integers beyond 64 bits, take NaN, write it as null, and keep one of two members of the
same name. What a client sends is either stored with its exact meaning or refused.
"""

import json
from typing import Any

from ringback_schemas.problems import Problems
from ringback_service.api.refusals import FieldError, Refused


class _NotJson(ValueError):
    """The standard library would take it, RFC 8259 or we would not."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _NotJson(f"the name {twice[:64]!r} is given twice in one object")
    return members


def _constant(name: str) -> Any:
    raise _NotJson(f"{name} is not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant).decode
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_encode_sorted = json.JSONEncoder(allow_nan=True, check_circular=False, sort_keys=True, separators=(",", ":")).encode


def parse(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises:
        Refused: it is not one; the detail says where and why.
    """
    try:
        return _decode(raw.decode())
    except UnicodeDecodeError as error:
        raise _malformed(f"the body is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise nested_too_deeply() from error
    except _NotJson as error:
        raise _malformed(str(error)) from error
    except ValueError as error:
        # int() of the standard library refuses more than 4,300 digits: reading them takes quadratic time
        raise _malformed("the body holds a number of more than 4,300 digits") from error


def write(value: Any, pointer: str) -> bytes:
    """A parsed value as compact JSON in UTF-8: the bytes that are stored.

    Raises:
        Refused: it holds a number beyond the range of doubles or half a surrogate pair; ``pointer`` says where.
    """
    try:
        return _encode(value).encode()
    except UnicodeEncodeError as error:
        raise _unstorable("lone_surrogate", "holds half a surrogate pair, which is no character", pointer) from error
    except RecursionError as error:
        raise nested_too_deeply() from error
    except ValueError as error:
        raise _unstorable("number_range", "holds a number beyond the range of doubles", pointer) from error


def canonical(value: Any) -> bytes:
    """The same bytes for the same parsed value, however it was spaced and ordered. Only for comparing.

    Raises:
        Refused: it is nested too deeply.
    """
    try:
        return _encode_sorted(value).encode()
    except RecursionError as error:
        raise nested_too_deeply() from error


def nested_too_deeply() -> Refused:
    """The refusal of a text that no parser follows to its depth."""
    return _malformed("the body is nested too deeply")


def _malformed(detail: str) -> Refused:
    return Refused(Problems.MALFORMED_REQUEST, detail)


def _unstorable(code: str, detail: str, pointer: str) -> Refused:
    return Refused(
        Problems.INVALID_INPUT, f"{pointer} {detail}", errors=[FieldError(code=code, detail=detail, pointer=pointer)]
    )
