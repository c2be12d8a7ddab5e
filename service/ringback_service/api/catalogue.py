"""The task types that this front end knows, made ready for checking payloads. It never runs one.

The front end loads the same task modules as the workers, for their types only; a payload that a worker could not read
is refused before it is accepted.
"""

import difflib
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from ringback.task import Task
from ringback_schemas.http import JobRequest, TaskTypeBody
from ringback_schemas.problems import Problems
from ringback_service.api import strict_json
from ringback_service.api.bodies import invalid
from ringback_service.api.refusals import FieldError, Refused, field_errors, presentable

_CLOSE_NAMES = 3


class Catalogue:
    """Finds task types and checks payloads against them."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        """``tasks`` by name."""
        self._tasks = tasks
        self._absent = {name: _absent_payload(task.payload_adapter) for name, task in tasks.items()}
        self._document = _describe(tasks)

    @property
    def document(self) -> bytes:
        """The answer to ``GET /v1/task-types``."""
        return self._document

    def find(self, name: str) -> Task:
        """The task of that name.

        Raises:
            Refused: there is none; the detail names those that are spelt alike.
        """
        task = self._tasks.get(name)
        if task is not None:
            return task
        alike = difflib.get_close_matches(name, self._tasks, _CLOSE_NAMES)
        advice = f"did you mean {' or '.join(alike)}?" if alike else "GET /v1/task-types lists those that exist"
        detail = presentable(f"there is no task type {name!r}; {advice}")
        error = FieldError(code=Problems.UNKNOWN_KIND.code, detail=detail, pointer="/type")
        raise Refused(Problems.UNKNOWN_KIND, detail, errors=[error])

    def payload(self, task: Task, request: JobRequest) -> bytes:
        """The request's payload in the bytes that are stored, valid for that task.

        Raises:
            Refused: it is not; pointers begin with ``/payload``.
        """
        is_given = "payload" in request.model_fields_set
        raw = strict_json.write(request.payload, "/payload") if is_given else self._absent[task.name]
        try:
            task.payload_adapter.validate_json(raw)
        except ValidationError as error:
            raise _refusal(error, request.payload if is_given else orjson.loads(raw)) from error
        return raw


def _refusal(error: ValidationError, payload: Any) -> Refused:
    # These bytes are ours, so the parser has but one complaint: over 200 levels, which no worker could read either.
    if any(found["type"] == "json_invalid" for found in error.errors(include_input=False, include_context=False)):
        return strict_json.nested_too_deeply()
    return invalid(field_errors(error, payload, prefix=("payload",)))


def _absent_payload(adapter: TypeAdapter[Any]) -> bytes:
    """What a job without a payload is given: null where the task takes it, else an object without members."""
    try:
        adapter.validate_json(b"null")
    except ValidationError:
        return b"{}"
    return b"null"


def _describe(tasks: Mapping[str, Task]) -> bytes:
    bodies = [
        TaskTypeBody(
            name=task.name,
            description=(task.function.__doc__ or "").strip().partition("\n\n")[0],
            queue=task.queue,
            timeout_s=task.timeout_s,
            max_attempts=task.max_attempts,
            payload_schema=task.payload_schema(),
            result_schema=task.result_schema(),
        )
        for task in sorted(tasks.values(), key=lambda task: task.name)
    ]
    return orjson.dumps({"items": [body.model_dump(mode="json") for body in bodies]})
