"""The decorator: what it reads from a signature, and what it refuses."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from ringback import Job, task
from ringback.definition import TaskDefinitionError


class Order(BaseModel):
    """A payload."""

    number: int


class Receipt(TypedDict):
    """A result."""

    total: float


@dataclasses.dataclass
class Note:
    """A payload that is a dataclass."""

    text: str


def test_task_reads_payload_and_result_types_from_annotations() -> None:
    """The second parameter and the return annotation make the schemas."""

    @task("shop.order")
    async def order(job: Job, payload: Order) -> Receipt:
        return {"total": float(payload.number)}

    assert order.payload_schema()["properties"]["number"]["type"] == "integer"
    assert order.result_schema()["properties"]["total"]["type"] == "number"


@pytest.mark.parametrize(
    ("annotation", "valid"), [(Note, b'{"text": "a"}'), (dict[str, int], b'{"a": 1}'), (Any, b"7")]
)
def test_task_takes_payloads_of_many_kinds(annotation: Any, valid: bytes) -> None:
    """Dataclasses, plain types and Any are payloads like models."""

    def run(job: Job, payload: Any) -> None: ...

    run.__annotations__["payload"] = annotation

    assert task("many.kinds")(run).payload_adapter.validate_json(valid)


def test_task_takes_anything_where_nothing_is_annotated() -> None:
    """Untyped code is welcome."""

    @task("no.types")
    def run(job, payload):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - that is the point
        return payload

    assert run.payload_adapter.validate_json(b'["x"]') == ["x"]


def test_task_runs_async_functions_on_the_loop_and_others_in_threads() -> None:
    """Where a task runs follows from its kind unless said otherwise."""

    async def waits(job: Job, payload: Any) -> None: ...

    def computes(job: Job, payload: Any) -> None: ...

    assert task("a")(waits).runs_in == "loop"
    assert task("b")(computes).runs_in == "thread"
    assert task("c", runs_in="process")(computes).runs_in == "process"


async def test_task_is_still_callable() -> None:
    """A task can be tested by calling it."""

    @task("call.me")
    async def run(job: Job, payload: int) -> int:
        return payload + 1

    assert await run(None, 1) == 2


def _one(job: Job) -> None: ...


def _three(job: Job, payload: int, extra: str) -> None: ...


def _swapped(payload: Order, job: Job) -> None: ...


def _keyword(job: Job, *, payload: int) -> None: ...


def _unreadable(job: Job, payload: Callable[[int], int]) -> None: ...


def _generator(job: Job, payload: int) -> Any:
    yield payload


def _astray(job: Job, payload: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is the point


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (_one, "this one takes job"),
        (_three, "nobody would give it 'extra'"),
        (_swapped, "its first parameter is"),
        (_keyword, "takes job, payload"),
        (_unreadable, "its payload type"),
        (_generator, "not yield"),
        (_astray, "Nowhere"),
        (Order, "not ModelMetaclass"),
    ],
)
def test_task_refuses_a_function_that_could_not_run(function: Callable[..., Any], told: str) -> None:
    """A wrong signature is told at import, with the task's name and what is wrong."""
    with pytest.raises(TaskDefinitionError, match=r"task 'wrong\.one'") as refusal:
        task("wrong.one")(function)

    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"timeout_s": 0}, "timeout_s"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"queue": "Not OK"}, "queue"),
        ({"backoff_s": 5, "backoff_cap_s": 1}, "backoff_s"),
        ({"runs_in": "loop"}, "only an async function"),
        ({"runs_in": "moon"}, "runs_in must be"),
    ],
)
def test_task_refuses_arguments_out_of_range(arguments: dict[str, Any], told: str) -> None:
    """Each argument has its bounds, and the refusal names it."""

    def run(job: Job, payload: Any) -> None: ...

    with pytest.raises(TaskDefinitionError, match=told):
        task("some.task", **arguments)(run)


def test_task_refuses_a_missing_name() -> None:
    """A bare @task is the first mistake that everybody makes."""

    def run(job: Job, payload: Any) -> None: ...

    with pytest.raises(TaskDefinitionError, match="write @task"):
        task(run)(run)  # type: ignore[arg-type]


def test_task_name_is_the_decorator_even_after_its_module_was_imported() -> None:
    """``from ringback import task`` gives the function in every order of imports."""
    code = "import ringback.task, ringback.registry; from ringback import task; task('a')"

    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stderr
