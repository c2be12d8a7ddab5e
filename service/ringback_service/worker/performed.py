"""What came of running a task, as data; and the two edges where user data becomes Python and Python becomes JSON.

Everything that a task raises is caught by ``caught`` and by nobody else. All of it is picklable: it also comes out of
the processes of the pool.
"""

import traceback
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from ringback.outcomes import Fail, Retry
from ringback.task import Task
from ringback_schemas.errors import RingbackError
from ringback_schemas.job_errors import JobError, JobErrorCode

RESULT_LIMIT_BYTES = 8 * 1024 * 1024
"""Greatest result that is stored: larger ones belong in a file store, not in a row that webhooks and replicas carry."""

SHOWN_FAULTS = 20


class PayloadInvalid(RingbackError):
    """The stored payload does not fit the task's model: the model has changed since the job was accepted."""


class ResultInvalid(RingbackError):
    """The task returned something that cannot be its result."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The task returned, and its result is JSON."""

    result: bytes


@dataclass(frozen=True, slots=True)
class Raised:
    """The task did not return a result."""

    error: JobError
    may_retry: bool = True
    retry_in_s: float | None = None
    """What the task asked for; absent: by the backoff."""


Performed = Returned | Raised


def read_payload(task: Task, payload: bytes) -> Any:
    """The payload as the task's function takes it.

    Raises:
        PayloadInvalid: with a JSON Pointer and a sentence for each fault.
    """
    try:
        return task.payload_adapter.validate_json(payload)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:SHOWN_FAULTS]
        text = "; ".join(f"{_pointer(fault['loc'])}: {fault['msg']}" for fault in faults)
        raise PayloadInvalid(f"the payload does not fit {task.name}: {text}") from error


def write_result(task: Task, value: Any) -> bytes:
    """The result as JSON, in the shape that the task declares.

    A value of another type that means the same (a dict for a model, a tuple for a list) is converted, so that what is
    published always fits the published schema.

    Raises:
        ResultInvalid: not that shape, not JSON, or too large.
    """
    try:
        try:
            result = task.result_adapter.dump_json(value, warnings="error")
        except PydanticSerializationError:
            result = task.result_adapter.dump_json(task.result_adapter.validate_python(value), warnings="error")
        if b"NaN" in result or b"Infinity" in result:
            orjson.loads(result)  # a model may be set to write these as constants, which no JSON parser takes
    except Exception as error:
        raise ResultInvalid(f"the result of {task.name} is not valid: {_said(error)}") from error
    if len(result) > RESULT_LIMIT_BYTES:
        raise ResultInvalid(f"the result of {task.name} has {len(result)} bytes, more than {RESULT_LIMIT_BYTES}")
    return result


def caught(error: BaseException) -> Raised:
    """What a task raised, as data: ``Retry``, ``Fail``, or anything else down to ``SystemExit``."""
    match error:
        case PayloadInvalid():
            return Raised(JobError(JobErrorCode.PAYLOAD_INVALID, str(error)), may_retry=False)
        case ResultInvalid():
            return Raised(JobError(JobErrorCode.RESULT_INVALID, str(error)), may_retry=False)
        case Fail():
            return Raised(_handler_error(error), may_retry=False)
        case Retry():
            return Raised(_handler_error(error), retry_in_s=error.in_s)
        case _:
            return Raised(_handler_error(error))


def timed_out(timeout_s: float) -> Raised:
    """An attempt that took longer than it may."""
    return Raised(JobError(JobErrorCode.TIMEOUT, f"the attempt took longer than its {timeout_s:g} s"))


def _handler_error(error: BaseException) -> JobError:
    return JobError(JobErrorCode.HANDLER_ERROR, _said(error), type(error).__name__, _traceback(error))


def _said(error: BaseException) -> str:
    """The error's own text; its class when that has none, or fails to tell."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - a task's exception may fail at anything, even at this
        return type(error).__name__


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - as above
        return "(the traceback could not be rendered)"


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location) or "/"
