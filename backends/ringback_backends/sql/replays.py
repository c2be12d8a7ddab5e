"""Replays: the same queries for both databases."""

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.listing import newest_first
from ringback_backends.sql.replay_rows import filter_text, replay_record
from ringback_backends.sql.replay_steps import IS_OPEN, take_step
from ringback_backends.sql.tables import replays, tenants
from ringback_schemas.ids import ReplayId, TenantId
from ringback_schemas.replays import MAX_OPEN_REPLAYS, NewReplay, ReplayPace, ReplayRecord, ReplayStep
from ringback_schemas.states import ReplayState


class ReplayQueries:
    """Everything about replays."""

    _database: Database

    async def create_replay(self, replay: NewReplay) -> ReplayRecord | None:
        """See ``ReplayStore.create_replay``."""
        return await self._database.write("create_replay", lambda connection: _create(connection, replay))

    async def get_replay(self, tenant_id: TenantId, replay_id: ReplayId) -> ReplayRecord | None:
        """See ``ReplayStore.get_replay``."""
        mine = _mine(tenant_id, replay_id)
        return await self._database.read("get_replay", lambda connection: _replay(connection, mine))

    async def list_replays(self, tenant_id: TenantId, before: ReplayId | None, limit: int) -> list[ReplayRecord]:
        """See ``ReplayStore.list_replays``."""
        mine = select(replays).where(replays.c.tenant_id == tenant_id)
        query = newest_first(mine, replays.c.id, before, limit)
        return await self._database.read(
            "list_replays", lambda connection: [replay_record(row) for row in connection.execute(query)]
        )

    async def cancel_replay(self, tenant_id: TenantId, replay_id: ReplayId) -> ReplayRecord | None:
        """See ``ReplayStore.cancel_replay``."""
        mine = _mine(tenant_id, replay_id)
        cancelled = {"state": ReplayState.CANCELLED.value, "finished_at": now()}

        def cancel(connection: Connection) -> ReplayRecord | None:
            # waits for a step under way, and finds the replay as that step left it
            connection.execute(update(replays).where(mine, IS_OPEN).values(cancelled))
            return _replay(connection, mine)

        return await self._database.write("cancel_replay", cancel)

    async def advance_replay(self, pace: ReplayPace) -> ReplayStep | None:
        """See ``ReplayStore.advance_replay``."""
        return await self._database.write("advance_replay", lambda connection: take_step(connection, pace))


def _create(connection: Connection, replay: NewReplay) -> ReplayRecord | None:
    # one at a time for each tenant, or several would see room for the last one
    connection.execute(select(tenants.c.id).where(tenants.c.id == replay.tenant_id).with_for_update())
    count = select(func.count()).select_from(replays).where(replays.c.tenant_id == replay.tenant_id, IS_OPEN)
    if connection.execute(count).scalar_one() >= MAX_OPEN_REPLAYS:
        return None
    row = {
        "tenant_id": replay.tenant_id,
        "id": replay.id,
        "filter": filter_text(replay.filter),
        "is_dry_run": replay.is_dry_run,
        "state": ReplayState.PENDING.value,
        "is_counted": False,
        "place": "",
        "matched": 0,
        "redelivered": 0,
        "skipped_changed": 0,
        "skipped_disabled": 0,
        "skipped_gone": 0,
        "created_at": now(),
        "turn_at": now(),
    }
    connection.execute(insert(replays).values(row))
    return _replay(connection, _mine(replay.tenant_id, replay.id))


def _replay(connection: Connection, condition: ColumnElement[bool]) -> ReplayRecord | None:
    row = connection.execute(select(replays).where(condition)).one_or_none()
    return None if row is None else replay_record(row)


def _mine(tenant_id: TenantId, replay_id: ReplayId) -> ColumnElement[bool]:
    return and_(replays.c.tenant_id == tenant_id, replays.c.id == replay_id)
