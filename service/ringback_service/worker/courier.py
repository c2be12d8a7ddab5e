"""What goes between running jobs and the store, about once a second: cancel requests in, progress out.

And now and then the search for jobs that this instance holds without knowing of it.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import Queue
from ringback_backends.contracts.errors import RowRefused, StoreUnavailable
from ringback_backends.contracts.jobs import JobStore
from ringback_backends.suspects import Suspects
from ringback_schemas.ids import InstanceId, JobId
from ringback_schemas.jobs import JobRef
from ringback_service.worker.child import Note
from ringback_service.worker.running import Key, Stop
from ringback_service.worker.slots import Slots

EVERY_S = 1.0
SEARCH_EVERY = 5
"""Rounds between two searches."""

log = structlog.get_logger(__name__)


class Courier:
    """Goes between running jobs and the store."""

    def __init__(
        self,
        store: JobStore,
        announcer: Announcer,
        owner: InstanceId,
        slots: Slots,
        claim_under_way: Callable[[], int | None],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        """``every_s`` is also the least time between two writes of one job's progress."""
        self._store = store
        self._announcer = announcer
        self._owner = owner
        self._slots = slots
        self._every_s = every_s
        self._notes: dict[Key, Note] = {}
        self._suspects: Suspects[JobRef] = Suspects(claim_under_way)

    def reporter(self, job_id: JobId, attempt: int) -> Callable[[float | None, str | None], None]:
        """What a job reports its progress with; safe to call from any thread."""

        def report(fraction: float | None, message: str | None) -> None:
            self.note(Note(job_id, attempt, fraction, message))

        return report

    def note(self, note: Note) -> None:
        """Take progress along in the next round; of several only the last."""
        self._notes[note.job_id, note.attempt] = note  # one bytecode: threads need no lock for it

    async def run(self) -> None:
        """Go round until cancelled. A store that is away is tried again in the next round."""
        rounds = 0
        while True:
            await asyncio.sleep(self._every_s * random.uniform(0.9, 1.1))  # noqa: S311 - jitter
            rounds += 1
            try:
                await self.go_round(is_search=rounds % SEARCH_EVERY == 0)
            except StoreUnavailable as error:
                log.info("courier_delayed", reason=str(error))

    async def go_round(self, *, is_search: bool) -> None:
        """One round: cancels, progress, and perhaps a search for strays."""
        if len(self._slots):
            await self._fetch_cancels()
        await self._save_progress()
        if is_search:
            await self._search_strays()

    async def _fetch_cancels(self) -> None:
        for ref in await self._store.cancel_requests(self._owner):
            running = self._slots.get((ref.job_id, ref.attempt))
            if running is not None:
                running.interrupt(Stop.CANCEL, asyncio.get_running_loop().time())

    async def _save_progress(self) -> None:
        while self._notes:
            key, note = self._notes.popitem()
            if self._slots.get(key) is not None:
                await self._save(note)

    async def _save(self, note: Note) -> None:
        try:
            await self._store.save_progress(self._owner, JobId(note.job_id), note.attempt, note.fraction, note.message)
        except RowRefused as error:
            # only worth having: no reason to end the worker, and all that runs in it
            log.warning("progress_refused", job_id=note.job_id, attempt=note.attempt, reason=str(error))
        except StoreUnavailable:
            self._notes.setdefault((note.job_id, note.attempt), note)
            raise

    async def _search_strays(self) -> None:
        """Release what this instance holds in the store and not in hand."""
        held = await self._store.held_jobs(self._owner)
        unknown = frozenset(ref for ref in held if self._slots.get((ref.job_id, ref.attempt)) is None)
        strays = sorted(self._suspects.strays(unknown), key=lambda ref: ref.job_id)
        if strays:
            log.warning("strays_released", jobs=[ref.job_id for ref in strays])
            await release(self._store, self._announcer, self._owner, strays)


async def release(store: JobStore, announcer: Announcer, owner: InstanceId, refs: Sequence[JobRef]) -> int:
    """Give jobs back, uncharged, and announce them; how many really were the owner's."""
    released = await store.release_jobs(owner, refs)
    queues: dict[str, list[str]] = {}
    for ref, is_released in zip(refs, released, strict=True):
        if is_released:
            queues.setdefault(ref.queue, []).append(ref.job_id)
    for queue, ids in queues.items():
        announcer.announce(Queue.work(queue), ids)
    return sum(map(len, queues.values()))
