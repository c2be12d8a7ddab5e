"""Why a job waits: whether anything that runs now could start it."""

import time
from collections.abc import Sequence

from ringback_backends.contracts.instances import InstanceStore
from ringback_schemas.jobs import JobRecord
from ringback_schemas.states import JOB_READY

REMEMBER_S = 2.0


class ServedTypes:
    """Knows, from the store, which task types live workers take from which queues; a few seconds old at most."""

    def __init__(self, instances: InstanceStore, *, silent_s: float, remember_s: float = REMEMBER_S) -> None:
        """A worker counts as dead after ``silent_s`` without a heartbeat."""
        self._instances = instances
        self._silent_s = silent_s
        self._remember_s = remember_s
        self._pairs: frozenset[tuple[str, str]] = frozenset()
        self._believed_until = 0.0

    async def reasons(self, jobs: Sequence[JobRecord]) -> list[str | None]:
        """For each job a sentence that says why nothing starts it; absent for one that runs, is done, or is served.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        if not any(job.state in JOB_READY for job in jobs):
            return [None] * len(jobs)
        await self._refresh()
        return [waiting_reason(job, self._pairs) for job in jobs]

    async def _refresh(self) -> None:
        now = time.monotonic()
        if now >= self._believed_until:
            self._pairs = frozenset(await self._instances.served_types(self._silent_s))
            self._believed_until = now + self._remember_s


def waiting_reason(job: JobRecord, served: frozenset[tuple[str, str]]) -> str | None:
    """Why no live worker can start that job; absent when one can, or none has to.

    Args:
        job: The job.
        served: Pairs of queue and task type.
    """
    if job.state not in JOB_READY or (job.queue, job.type) in served:
        return None
    queues = sorted(queue for queue, task_type in served if task_type == job.type)
    if queues:
        return f"no running worker takes jobs from queue {job.queue}; {job.type} is served in {', '.join(queues)}"
    if any(queue == job.queue for queue, _ in served):
        return f"no running worker of queue {job.queue} knows the task type {job.type}"
    return f"no worker is running that serves queue {job.queue}"
