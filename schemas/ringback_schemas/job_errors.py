"""Why a job failed, as data: what an attempt's error looks like in the store, the API and the webhook."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

MAX_TEXT = 8_192
"""Characters of a message or traceback that are kept; the end of a traceback matters most."""


class JobErrorCode(StrEnum):
    """Stable names of what can go wrong with an attempt."""

    HANDLER_ERROR = "handler-error"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker-lost"
    POISON = "poison"
    PAYLOAD_INVALID = "payload-invalid"
    RESULT_INVALID = "result-invalid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class JobError:
    """What went wrong with an attempt."""

    code: JobErrorCode
    message: str
    exception: str | None = None
    """Class name of what the task raised."""
    traceback: str | None = None

    def to_bytes(self) -> bytes:
        """JSON ``{"code", "message", "exception", "traceback"}``; texts cut to ``MAX_TEXT``, surrogates replaced."""
        return orjson.dumps(
            {
                "code": self.code.value,
                "message": _clean(self.message[:MAX_TEXT]),
                "exception": self.exception and _clean(self.exception[:MAX_TEXT]),
                "traceback": self.traceback and _clean(self.traceback[-MAX_TEXT:]),
            }
        )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def public_error(error: bytes) -> dict[str, Any]:
    """A stored error as clients and receivers see it: everything but the traceback."""
    document: dict[str, Any] = orjson.loads(error)
    document.pop("traceback", None)
    return document
