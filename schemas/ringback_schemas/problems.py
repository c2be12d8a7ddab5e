"""Problem types: every way in which the API says no (RFC 9457), each with one status and one stable name.

``type`` is a reference with a full path, so it is the same text on every installation and still leads to a page that
explains it (RFC 9457, 3.1.1). Programs may go by ``type`` or by ``code``: both are stable.
"""

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of refusal."""

    code: str
    status: int
    title: str
    meaning: str
    """What happened and what to do, for the page behind ``type``."""

    @property
    def uri(self) -> str:
        """The problem's ``type``."""
        return f"/problems/{self.code}"


class Problems(Enum):
    """All problem types."""

    MALFORMED_REQUEST = ProblemType(
        "malformed-request",
        HTTPStatus.BAD_REQUEST,
        "The request cannot be read",
        "The body is not JSON as RFC 8259 has it (NaN, a name given twice and too deep nesting are not), or a "
        "header is not of the form it should have. Nothing was stored. Mend the request; the detail says where.",
    )
    UNAUTHENTICATED = ProblemType(
        "unauthenticated",
        HTTPStatus.UNAUTHORIZED,
        "No valid API key",
        "Send `Authorization: Bearer rbk_…` with a key that exists and was not revoked.",
    )
    FORBIDDEN = ProblemType(
        "forbidden",
        HTTPStatus.FORBIDDEN,
        "The API key may not do this",
        "The key is valid, but lacks the scope that the detail names. Use another key, or have one made.",
    )
    NOT_FOUND = ProblemType(
        "not-found",
        HTTPStatus.NOT_FOUND,
        "There is no such path",
        "No route has this path. /openapi.json lists those that exist.",
    )
    JOB_NOT_FOUND = ProblemType(
        "job-not-found",
        HTTPStatus.NOT_FOUND,
        "There is no such job",
        "No job of your tenant has this id. Another tenant's job looks just the same.",
    )
    DELIVERY_NOT_FOUND = ProblemType(
        "delivery-not-found",
        HTTPStatus.NOT_FOUND,
        "There is no such delivery",
        "No delivery of your tenant has this id. A delivery comes into being when its job ends.",
    )
    ENDPOINT_NOT_FOUND = ProblemType(
        "endpoint-not-found",
        HTTPStatus.NOT_FOUND,
        "There is no such endpoint",
        "No endpoint of your tenant has this id. Another tenant's endpoint looks just the same.",
    )
    REPLAY_NOT_FOUND = ProblemType(
        "replay-not-found",
        HTTPStatus.NOT_FOUND,
        "There is no such replay",
        "No replay of your tenant has this id. Another tenant's replay looks just the same.",
    )
    TENANT_NOT_FOUND = ProblemType(
        "tenant-not-found", HTTPStatus.NOT_FOUND, "There is no such tenant", "No tenant has this id."
    )
    KEY_NOT_FOUND = ProblemType(
        "key-not-found", HTTPStatus.NOT_FOUND, "There is no such API key", "The tenant has no API key with this id."
    )
    RESULT_NOT_READY = ProblemType(
        "result-not-ready",
        HTTPStatus.NOT_FOUND,
        "The job has no result yet",
        "The job is known and not done. Ask again after `Retry-After` seconds, or wait for the webhook.",
    )
    METHOD_NOT_ALLOWED = ProblemType(
        "method-not-allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path does not take this method",
        "The `Allow` header lists those that it takes.",
    )
    NOT_ACCEPTABLE = ProblemType(
        "not-acceptable",
        HTTPStatus.NOT_ACCEPTABLE,
        "There is no such representation",
        "The `Accept` header excludes everything that this path can give; the API gives `application/json`.",
    )
    REQUEST_TIMEOUT = ProblemType(
        "request-timeout",
        HTTPStatus.REQUEST_TIMEOUT,
        "The body did not come in time",
        "The request was begun and not finished. Nothing was stored; send it again.",
    )
    RESULT_OF_FAILED_JOB = ProblemType(
        "result-of-failed-job",
        HTTPStatus.CONFLICT,
        "The job ended without a result",
        "The job failed, was cancelled or expired, so there will never be a result. Its `error` says why.",
    )
    JOB_NOT_TERMINAL = ProblemType(
        "job-not-terminal",
        HTTPStatus.CONFLICT,
        "The job is not done",
        "Only a job that is done can be purged. Cancel it, or wait until it ends; then ask again.",
    )
    ENDPOINT_DISABLED = ProblemType(
        "endpoint-disabled",
        HTTPStatus.CONFLICT,
        "The endpoint is disabled",
        "Nothing is sent to it until it is enabled; its `disabled_reason` says why that is. Nothing was changed.",
    )
    ENDPOINT_GONE = ProblemType(
        "endpoint-gone",
        HTTPStatus.CONFLICT,
        "The endpoint was deleted",
        "The delivery is kept, but the endpoint that it was for is not: there is nobody to send it to.",
    )
    TOO_MANY_ENDPOINTS = ProblemType(
        "too-many-endpoints",
        HTTPStatus.CONFLICT,
        "The tenant has as many endpoints as it may have",
        "Delete one that is not needed, give jobs callback URLs, or use several tenants.",
    )
    TOO_MANY_REPLAYS = ProblemType(
        "too-many-replays",
        HTTPStatus.CONFLICT,
        "The tenant has as many open replays as it may have",
        "Wait until one is done, or cancel one: several at once only send the same webhooks more often.",
    )
    EDIT_CONFLICT = ProblemType(
        "edit-conflict",
        HTTPStatus.CONFLICT,
        "Somebody else changed it at the same time",
        "Nothing was changed by this request. Read it again, and repeat the request.",
    )
    JOB_PURGED = ProblemType(
        "job-purged",
        HTTPStatus.GONE,
        "The job was purged",
        "It ended, was kept for as long as the operator keeps jobs or until somebody deleted it, and is gone with its "
        "payload, result and deliveries. The detail has all that is left. A request repeated under its idempotency key "
        "makes no second job.",
    )
    TOO_LARGE = ProblemType(
        "too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is too large",
        "Put what is large where the task can fetch it, and its address into the payload.",
    )
    UNSUPPORTED_MEDIA_TYPE = ProblemType(
        "unsupported-media-type",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body is not declared as JSON",
        "Send `Content-Type: application/json`, in UTF-8 and without a content encoding.",
    )
    EXPECTATION_FAILED = ProblemType(
        "expectation-failed",
        HTTPStatus.EXPECTATION_FAILED,
        "The expectation is unknown",
        "The only `Expect` that is understood is `100-continue`.",
    )
    INVALID_INPUT = ProblemType(
        "invalid-input",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "A value is not as it should be",
        "`errors` names each value, by a JSON Pointer into the body or by the name of the parameter, and says what is "
        "wrong with it. Nothing was stored.",
    )
    UNKNOWN_KIND = ProblemType(
        "unknown-kind",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "There is no such task type",
        "The front end was not started with a task of this name. GET /v1/task-types lists those it knows; "
        "RINGBACK_TASKS names the modules that they come from.",
    )
    IDEMPOTENCY_MISMATCH = ProblemType(
        "idempotency-mismatch",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another request",
        "A key stands for one request. Use a new key for a new request; to repeat one, send the same body.",
    )
    INTERNAL_ERROR = ProblemType(
        "internal-error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Ringback made a mistake",
        "This is a bug. The log has the traceback under the `request_id`.",
    )
    OVERLOADED = ProblemType(
        "overloaded",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too much is in hand",
        "The front end has as many submissions in hand as it takes at once. Nothing was stored. Repeat the request "
        "after `Retry-After` seconds.",
    )
    STORAGE_UNAVAILABLE = ProblemType(
        "storage-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The store does not answer",
        "The request may or may not have been carried out. Repeat it after `Retry-After` seconds; with an "
        "`Idempotency-Key` that can never make a second job.",
    )

    @property
    def code(self) -> str:
        """The short stable name."""
        return self.value.code
