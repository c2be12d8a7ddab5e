"""CPU-bound tasks, in a pool of processes that can be killed: at a time-out, at a cancel, and by the kernel.

A child that dies takes only its own job with it. The pool starts with the first such job, so a worker without any pays
nothing for it.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

import structlog
from pebble import ProcessExpired, ProcessPool

from ringback_schemas.job_errors import JobError, JobErrorCode
from ringback_service.worker.child import Assignment, Note, begin, perform, read_note
from ringback_service.worker.performed import Performed, Raised, timed_out

CLOSE_WITHIN_S = 10.0
"""Pebble gives each child 3 s after SIGTERM before it sends SIGKILL."""

log = structlog.get_logger(__name__)


class Processes:
    """Runs tasks in at most ``size`` processes; further ones wait their turn, and their time-out does not run yet."""

    def __init__(self, specs: str, size: int, on_note: Callable[[Note], None]) -> None:
        """``specs`` names the tasks for ``load_tasks``; ``on_note`` gets progress, on the loop."""
        self._specs = specs
        self._size = size
        self._on_note = on_note
        self._free = asyncio.Semaphore(size)
        self._opening = asyncio.Lock()
        self._pool: ProcessPool | None = None
        self._pipe: tuple[Connection, Connection] | None = None

    async def call(self, assignment: Assignment, timeout_s: float, on_start: Callable[[], None]) -> Performed:
        """Run a task; its process is killed when that takes longer than ``timeout_s``, or when this is cancelled."""
        async with self._free:
            pool = await self._open()
            on_start()
            try:
                future = pool.schedule(perform, args=(self._specs, assignment), timeout=timeout_s)
                performed: Performed = await asyncio.wrap_future(future)
            except TimeoutError:
                return timed_out(timeout_s)
            except ProcessExpired as error:
                return _lost(_death(error.exitcode))
            except (BrokenProcessPool, RuntimeError) as error:
                await self._discard(pool)
                return _lost(f"the pool of processes broke: {error}")
            return performed

    async def close(self) -> None:
        """Kill what still runs and end the pool. Safe to call twice, and when it never started."""
        if self._pool is not None:
            await self._discard(self._pool)
        if self._pipe is not None:
            reader, writer = self._pipe
            self._pipe = None
            asyncio.get_running_loop().remove_reader(reader.fileno())
            reader.close()
            writer.close()

    async def _open(self) -> ProcessPool:
        async with self._opening:
            if self._pool is None:
                if self._pipe is None:
                    self._pipe = self._open_pipe()
                spawning = multiprocessing.get_context("spawn")
                pool = ProcessPool(self._size, 0, begin, (self._pipe[1], self._specs), spawning)
                await asyncio.to_thread(lambda: pool.active)  # asking starts it, which takes some milliseconds a child
                self._pool = pool
            return self._pool

    def _open_pipe(self) -> tuple[Connection, Connection]:
        reader, writer = multiprocessing.Pipe(duplex=False)
        asyncio.get_running_loop().add_reader(reader.fileno(), self._read_notes, reader)
        return reader, writer

    def _read_notes(self, reader: Connection) -> None:
        while reader.poll():
            self._on_note(read_note(reader.recv_bytes()))

    async def _discard(self, pool: ProcessPool) -> None:
        if self._pool is pool:
            self._pool = None
        pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it unannotated
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await asyncio.to_thread(pool.join)
        except TimeoutError:
            log.warning("processes_linger", within_s=CLOSE_WITHIN_S)


def _lost(reason: str) -> Raised:
    return Raised(JobError(JobErrorCode.WORKER_LOST, reason))


def _death(exit_code: int) -> str:
    """A sentence on how a process ended: by a signal if its exit code is negative."""
    if exit_code < 0:
        return f"the process that ran it was killed by signal {-exit_code} ({signal.strsignal(-exit_code)})"
    return f"the process that ran it left with exit code {exit_code}"
