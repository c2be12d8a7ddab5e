"""The purger: what is over goes by itself."""

import pytest

from ringback_backends.contracts.retention import RetentionStore
from ringback_backends.lease.purger import Purger, pause_between_walks_s
from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.retention import Chore, Purge, PurgedJob, Retention, Swept


class Walks(RetentionStore):
    """A store with so many jobs to purge, and one of each of the rest."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.asked: list[tuple[Chore, str]] = []

    async def sweep(self, chore: Chore, retention: Retention, place: str, limit: int) -> Swept:  # noqa: ARG002 - a contract's form
        """Count down."""
        self.asked.append((chore, place))
        if chore is not Chore.JOBS:
            return Swept(1, "", is_more=False)
        count = min(limit, self.jobs)
        self.jobs -= count
        return Swept(count, f"{self.jobs} left" if self.jobs else "", is_more=self.jobs > 0)

    async def purge_job(self, tenant_id: TenantId, job_id: JobId) -> Purge:
        """Nobody asks."""
        raise NotImplementedError

    async def find_purged(self, tenant_id: TenantId, job_id: JobId) -> PurgedJob | None:
        """Nobody asks."""
        raise NotImplementedError


async def test_walk_goes_on_where_it_was() -> None:
    """Each step from the place that the last one gave, and only the walks that are not at their end."""
    store = Walks(jobs=5)
    purger = Purger(store, Retention(), limit=2)

    goes_on = [await purger.round() for _ in range(3)]

    assert goes_on == [True, True, False]
    assert [asked for asked in store.asked if asked[0] is Chore.JOBS] == [
        (Chore.JOBS, ""),
        (Chore.JOBS, "3 left"),
        (Chore.JOBS, "1 left"),
    ]
    assert len(store.asked) == len(Chore) + 2


async def test_every_walk_begins_anew() -> None:
    """With all chores."""
    store = Walks(jobs=0)
    purger = Purger(store, Retention())

    assert [await purger.round(), await purger.round()] == [False, False]
    assert [chore for chore, _ in store.asked] == [*Chore, *Chore]


@pytest.mark.parametrize(
    ("retention", "pause_s"),
    [
        (Retention(), 300),
        (Retention(0, 0, 0, 0), 300),
        (Retention(5, 0), 1),
        (Retention(0, 1_000), 10),
        (Retention(0, 0, 2_000, 0), 20),
        (Retention(0, 0, 0, 3_000), 30),
    ],
)
def test_walks_come_as_often_as_it_matters(retention: Retention, pause_s: float) -> None:
    """What is kept for minutes is looked at every second, what is kept for days every five minutes."""
    assert pause_s == pause_between_walks_s(retention)
