"""Tasks: the functions that jobs run, and the decorator that makes them.

There is no global registry: ``ringback.registry`` finds tasks in the modules that it is told to look in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RunsIn = Literal["loop", "thread", "process"]
"""Where a task runs: on the worker's event loop, in a thread of its own, or in a process that can be killed."""


@dataclass(frozen=True, slots=True)
class Task:
    """A function with a name, the types of its payload and result, and how it wants to be run. Still callable."""

    name: str
    function: Callable[..., Any]
    """Takes a ``Job`` and a payload."""
    payload_adapter: "TypeAdapter[Any]"
    result_adapter: "TypeAdapter[Any]"
    timeout_s: float
    """Seconds that one attempt may take, unless the job says otherwise."""
    max_attempts: int
    queue: str
    runs_in: RunsIn
    backoff_s: float
    """Greatest wait after the first failed attempt; doubles with each one."""
    backoff_cap_s: float

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as if it had not been decorated."""
        return self.function(*args, **kwargs)

    def payload_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of what a job of this type may be given."""
        return self.payload_adapter.json_schema(mode="validation")

    def result_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of what it gives back."""
        return self.result_adapter.json_schema(mode="serialization")


def task(
    name: str,
    *,
    timeout_s: float = 60.0,
    max_attempts: int = 3,
    queue: str = "default",
    runs_in: RunsIn | None = None,
    backoff_s: float = 1.0,
    backoff_cap_s: float = 3_600.0,
) -> Callable[[Callable[..., Any]], Task]:
    """Make a task of a function ``(job: Job, payload: T) -> R``.

    ``T`` and ``R`` are read from the annotations: pydantic models, dataclasses, TypedDicts, plain types; ``Any`` where
    there is none. A payload is validated before its job is accepted, a result before it is stored.

    Args:
        name: What goes into a job's ``type``; letters, digits, ``_``, ``-`` and ``.``.
        timeout_s: Seconds that one attempt may take.
        max_attempts: Attempts until the job fails.
        queue: Where its jobs wait unless they say otherwise.
        runs_in: ``loop`` unless given for async functions, ``thread`` for others.
        backoff_s: Greatest wait after the first failed attempt, in seconds; doubles with each one (full jitter).
        backoff_cap_s: Greatest wait at all.

    Raises:
        TaskDefinitionError: the function or an argument will not do; says which and why.
    """

    def decorate(function: Callable[..., Any]) -> Task:
        # pydantic is for programs that define tasks; `import ringback` imports this module and must stay light
        from ringback.definition import define  # noqa: PLC0415

        return define(
            function,
            name,
            timeout_s=timeout_s,
            max_attempts=max_attempts,
            queue=queue,
            runs_in=runs_in,
            backoff_s=backoff_s,
            backoff_cap_s=backoff_cap_s,
        )

    return decorate
