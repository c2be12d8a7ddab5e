"""Bodies of task types."""

from typing import Any

from ringback_schemas.http.base import AnswerBody


class TaskTypeBody(AnswerBody):
    """A task that jobs can ask for."""

    name: str
    """What goes into a job's `type`."""
    description: str
    """First paragraph of the task's documentation; may be empty."""
    queue: str
    """Where its jobs wait unless they say otherwise."""
    timeout_s: float
    max_attempts: int
    payload_schema: dict[str, Any]
    """JSON Schema (2020-12) of `payload`."""
    result_schema: dict[str, Any]
    """JSON Schema (2020-12) of the result."""


class TaskTypesBody(AnswerBody):
    """All task types that the front end knows, by name."""

    items: list[TaskTypeBody]
