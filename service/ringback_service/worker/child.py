"""What runs in the processes of the pool.

They are spawned, not forked: a fork of a process with threads and a running loop inherits locks that nobody will ever
release.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

import orjson

from ringback.job import Job
from ringback.registry import Registry, load_tasks
from ringback_schemas.ids import JobId
from ringback_service.worker.calling import call_here
from ringback_service.worker.performed import Performed

MESSAGE_BYTES = 3_500
"""Under PIPE_BUF (4,096 on Linux): several processes write to one pipe, and only such writes are atomic. A lock instead
would stay locked when its holder is killed."""

LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job on its way into a process."""

    job_id: JobId
    type: str
    attempt: int
    max_attempts: int
    tags: tuple[str, ...]
    created_at: datetime
    payload: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """Progress on its way out of a process."""

    job_id: str
    attempt: int
    fraction: float | None
    message: str | None


@dataclass(slots=True)
class _Line:
    """The pipe to the parent; one per process, set before its first job."""

    notes: Connection | None = None


@cache
def _line() -> _Line:
    return _Line()


@cache
def _registry(specs: str) -> Registry:
    return load_tasks(specs)


def begin(notes: Connection, specs: str) -> None:
    """Make this process ready: import the tasks, and die with the parent.

    A parent that was killed cannot stop its children, and what they do after that would be done twice.
    """
    threading.Thread(target=_die_with_parent, name="orphan watch", daemon=True).start()
    _line().notes = notes
    _registry(specs)


def perform(specs: str, assignment: Assignment) -> Performed:
    """Run a task of that registry in this process."""
    task = _registry(specs)[assignment.type]
    job = Job(
        id=assignment.job_id,
        type=assignment.type,
        attempt=assignment.attempt,
        max_attempts=assignment.max_attempts,
        tags=assignment.tags,
        created_at=assignment.created_at,
        reporter=_reporter(assignment),
    )
    return call_here(task, job, assignment.payload)


def _reporter(assignment: Assignment) -> Callable[[float | None, str | None], None]:
    def report(fraction: float | None, message: str | None) -> None:
        notes = _line().notes
        if notes is not None:
            text = message and message[:LONGEST_MESSAGE]
            raw = orjson.dumps([assignment.job_id, assignment.attempt, fraction, text])
            if len(raw) <= MESSAGE_BYTES:
                notes.send_bytes(raw)

    return report


def read_note(raw: bytes) -> Note:
    """A note as ``report`` wrote it."""
    return Note(*orjson.loads(raw))


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
