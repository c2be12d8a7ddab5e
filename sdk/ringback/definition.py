"""From a function to a task: reads its signature, and refuses what could not run."""

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from ringback.job import Job
from ringback.task import RunsIn, Task
from ringback_schemas.errors import RingbackError
from ringback_schemas.http.forms import IN_WORDS, QUEUE_NAME
from ringback_schemas.http.jobs import MAX_ATTEMPTS, MAX_TIMEOUT_S

TASK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")

_WANTED = "a task is a function (job: Job, payload: T) -> R"


class TaskDefinitionError(RingbackError):
    """A function, or an argument of ``@task``, that cannot make a task."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"task {name!r}: {why}")


def define(  # noqa: PLR0913 - a keyword for each thing that @task takes
    function: Callable[..., Any],
    name: str,
    *,
    timeout_s: float,
    max_attempts: int,
    queue: str,
    runs_in: RunsIn | None,
    backoff_s: float,
    backoff_cap_s: float,
) -> Task:
    """The task; arguments as in ``ringback.task.task``.

    Raises:
        TaskDefinitionError: something about it will not do.
    """
    _check_arguments(name, timeout_s, max_attempts, queue, backoff_s, backoff_cap_s)
    payload_type, result_type = _read_signature(name, function)
    return Task(
        name=name,
        function=function,
        payload_adapter=_adapter(name, payload_type, "payload", "validation"),
        result_adapter=_adapter(name, result_type, "result", "serialization"),
        timeout_s=float(timeout_s),
        max_attempts=max_attempts,
        queue=queue,
        runs_in=_where(name, function, runs_in),
        backoff_s=float(backoff_s),
        backoff_cap_s=float(backoff_cap_s),
    )


def _check_arguments(
    name: str, timeout_s: float, max_attempts: int, queue: str, backoff_s: float, backoff_cap_s: float
) -> None:
    if not isinstance(name, str):
        raise TaskDefinitionError(getattr(name, "__name__", repr(name)), 'write @task("name"), with a name')
    rules = (
        (TASK_NAME.fullmatch(name), "the name may hold letters, digits, '_', '-' and '.', at most 200"),
        (0 < timeout_s <= MAX_TIMEOUT_S, f"timeout_s must be above 0 and at most {MAX_TIMEOUT_S:g}"),
        (1 <= max_attempts <= MAX_ATTEMPTS, f"max_attempts must be from 1 to {MAX_ATTEMPTS}"),
        (re.fullmatch(QUEUE_NAME, queue), f"the queue's name {IN_WORDS[QUEUE_NAME]}"),
        (0 <= backoff_s <= backoff_cap_s, "backoff_s must be from 0 to backoff_cap_s"),
    )
    for is_kept, rule in rules:
        if not is_kept:
            raise TaskDefinitionError(name, rule)


def _read_signature(name: str, function: Callable[..., Any]) -> tuple[Any, Any]:
    """The types of payload and result; ``Any`` where nothing is annotated."""
    if not inspect.isroutine(function):
        raise TaskDefinitionError(name, f"{_WANTED}, not {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TaskDefinitionError(name, f"{_WANTED}; it must return its result, not yield it")
    parameters = list(inspect.signature(function).parameters.values())
    _check_parameters(name, parameters)
    hints = _type_hints(name, function)
    job_type = hints.get(parameters[0].name, Job)
    if job_type not in (Job, Any):
        raise TaskDefinitionError(name, f"{_WANTED}; its first parameter is {job_type!r}, not Job")
    return hints.get(parameters[1].name, Any), hints.get("return", Any)


def _check_parameters(name: str, parameters: list[inspect.Parameter]) -> None:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    shown = ", ".join(parameter.name for parameter in parameters) or "nothing"
    if len(parameters) < 2 or any(parameter.kind not in positional for parameter in parameters[:2]):  # noqa: PLR2004 - job and payload
        raise TaskDefinitionError(name, f"{_WANTED}; this one takes {shown}")
    for parameter in parameters[2:]:
        is_optional = parameter.default is not parameter.empty or parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        if not is_optional:
            raise TaskDefinitionError(name, f"{_WANTED}; nobody would give it {parameter.name!r}")


def _type_hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        why = f"an annotation cannot be read: {error} (types must be defined at the top of a module)"
        raise TaskDefinitionError(name, why) from error


def _adapter(
    name: str, wanted: Any, what: str, mode: typing.Literal["validation", "serialization"]
) -> TypeAdapter[Any]:
    """What reads or writes that type; it must also have a JSON Schema, for that is published."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(wanted)
        adapter.json_schema(mode=mode)
    except (PydanticUserError, PydanticSchemaGenerationError) as error:
        reason = str(error).partition("\n")[0]
        raise TaskDefinitionError(name, f"its {what} type {wanted!r} cannot be JSON: {reason}") from error
    return adapter


def _where(name: str, function: Callable[..., Any], runs_in: RunsIn | None) -> RunsIn:
    is_async = inspect.iscoroutinefunction(function)
    if runs_in is None:
        return "loop" if is_async else "thread"
    if runs_in not in typing.get_args(RunsIn):
        raise TaskDefinitionError(name, f"runs_in must be 'loop', 'thread' or 'process', not {runs_in!r}")
    if runs_in == "loop" and not is_async:
        raise TaskDefinitionError(name, "only an async function runs on the loop: any other would block it")
    return runs_in
