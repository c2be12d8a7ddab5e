"""Synchronous tasks, a thread each.

Not a ThreadPoolExecutor: its threads are joined when the interpreter exits, so one task that never ends would keep the
whole process from ending. A fresh daemon thread costs about 50 µs, little beside what is worth a thread.
"""

import asyncio
import threading

from ringback.job import Job
from ringback.task import Task
from ringback_service.worker.calling import call_here
from ringback_service.worker.performed import Performed


async def call_in_thread(task: Task, job: Job, payload: bytes) -> Performed:
    """Run a task in a thread of its own. A thread cannot be killed: whoever gives up on it leaves it behind."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Performed] = loop.create_future()

    def settle(performed: Performed) -> None:
        if not future.done():
            future.set_result(performed)

    def main() -> None:
        performed = call_here(task, job, payload)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, performed)

    threading.Thread(target=main, name=f"{task.name} {job.id}", daemon=True).start()
    return await future
