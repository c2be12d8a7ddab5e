"""An endpoint's own headers: which are allowed, and how they are shown. Pure."""

import re
from collections.abc import Iterable, Mapping

from ringback_schemas.endpoints import Headers, UnreadableHeaders
from ringback_service.api.bodies import invalid
from ringback_service.api.refusals import FieldError, pointer_of

HIDDEN = "***"
MAX_HEADERS = 20
MAX_VALUE = 2_000
MAX_TOTAL = 8_000

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_RESERVED = frozenset(
    {
        *("host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect", "date"),
        *("accept-encoding", "http2-settings", "via"),
    }
)
_RESERVED_BEGINNINGS = ("webhook-", "content-", "proxy-", "ce-", ":")
_TELLTALES = re.compile("auth|token|secret|key|pass|pwd|cookie|signature|credential|session|bearer|jwt|hmac|otp")


def checked_headers(given: Mapping[str, str], stored: Headers = ()) -> Headers:
    """The headers as they are kept, names in lower case; a value of ``***`` stands for the one that is stored.

    Raises:
        Refused: a name that is reserved or none at all, a value that a header cannot hold, or too much of it.
    """
    known = dict(stored)
    errors: list[FieldError] = []
    kept: dict[str, str] = {}
    for name, value in given.items():
        lower = name.lower()
        text = known.get(lower, value) if value == HIDDEN else value
        problem = "must not be given twice" if lower in kept else _problem_of(lower, text, is_known=lower in known)
        if problem is not None:
            errors.append(FieldError(code="header", detail=problem, pointer=pointer_of(["headers", name])))
        kept[lower] = text
    if len(kept) > MAX_HEADERS or sum(len(name) + len(value) for name, value in kept.items()) > MAX_TOTAL:
        detail = f"must be at most {MAX_HEADERS} headers of {MAX_TOTAL} characters together"
        errors.append(FieldError(code="too_long", detail=detail, pointer="/headers"))
    if errors:
        raise invalid(errors)
    return tuple(kept.items())


def readable(headers: Headers | UnreadableHeaders) -> Headers:
    """The headers; none when nobody can read them."""
    return () if isinstance(headers, UnreadableHeaders) else headers


def shown_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers with what looks like a credential hidden."""
    return {name: HIDDEN if _TELLTALES.search(name) else value for name, value in headers}


def strangers_may_have(headers: Headers) -> Headers:
    """The headers without those that look like credentials."""
    return tuple((name, value) for name, value in headers if not _TELLTALES.search(name))


def _problem_of(name: str, value: str, *, is_known: bool) -> str | None:
    # CGI and WSGI know no difference between a hyphen and an underscore
    known_as = name.replace("_", "-")
    if known_as in _RESERVED or known_as.startswith(_RESERVED_BEGINNINGS):
        return "is a header that Ringback or HTTP itself sets"
    if _NAME.fullmatch(name) is None:
        return "is not the name of a header"
    if value == HIDDEN and not is_known:
        return f"stands for a value that is stored ({HIDDEN}), and there is none that can be read"
    if len(value) > MAX_VALUE or _VALUE.fullmatch(value) is None:
        return f"must be 1 to {MAX_VALUE} printable ASCII characters, without a space at either end"
    return None
