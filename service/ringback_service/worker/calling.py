"""The one step in which user code runs: on the loop, or wherever a synchronous caller stands (thread, process)."""

import asyncio
import inspect

from ringback.job import Job
from ringback.task import Task
from ringback_service.worker.performed import Performed, Returned, caught, read_payload, write_result


async def call_on_loop(task: Task, job: Job, payload: bytes) -> Performed:
    """Run an async task here, from payload to result.

    Being cancelled is also data: who cancelled, and why, is for the caller to know.
    """
    try:
        return Returned(write_result(task, await task.function(job, read_payload(task, payload))))
    except BaseException as error:  # noqa: BLE001 - the one place: what a task raises is data, SystemExit too
        return caught(error)


def call_here(task: Task, job: Job, payload: bytes) -> Performed:
    """Run a task in this thread, from payload to result; an async one in a loop of its own."""
    try:
        value = task.function(job, read_payload(task, payload))
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
        return Returned(write_result(task, value))
    except BaseException as error:  # noqa: BLE001 - as above
        return caught(error)
