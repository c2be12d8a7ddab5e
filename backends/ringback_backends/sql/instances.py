"""Running processes: their heartbeats, and who serves what."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from ringback_backends.sql.columns import now, now_minus
from ringback_backends.sql.database import Database
from ringback_backends.sql.inserting import insert_into
from ringback_backends.sql.rescue import take_back
from ringback_backends.sql.rows import from_json, to_json
from ringback_backends.sql.tables import instances
from ringback_backends.sql.tally import tally
from ringback_schemas.ids import InstanceId
from ringback_schemas.instances import InstanceRecord, NewInstance, Rescue, Role
from ringback_schemas.tallies import Tallies


class InstanceQueries:
    """Everything about running processes."""

    _database: Database

    async def beat(self, instance: NewInstance, *, is_draining: bool = False) -> None:
        """See ``InstanceStore.beat``."""
        row = {
            "id": instance.id,
            "role": instance.role.value,
            "host": instance.host,
            "pid": instance.pid,
            "version": instance.version,
            "queues": to_json(instance.queues),
            "task_types": to_json(instance.task_types),
            "started_at": now(),
            "heartbeat_at": now(),
            "is_draining": is_draining,
        }

        def beat(connection: Connection) -> None:
            statement = insert_into(connection, instances).values(row)
            changed = {name: statement.excluded[name] for name in row if name not in ("id", "started_at")}
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))

        # a beat that a crash of the database undoes is followed by the next one
        await self._database.write("beat", beat, is_relaxed=True)

    async def leave(self, instance_id: InstanceId) -> None:
        """See ``InstanceStore.leave``."""
        statement = delete(instances).where(instances.c.id == instance_id)
        await self._database.write("leave", lambda connection: connection.execute(statement).close())

    async def list_instances(self) -> list[InstanceRecord]:
        """See ``InstanceStore.list_instances``."""
        return await self._database.read("list_instances", _list)

    async def rescue(self, silent_s: float, poison_after: int, limit: int) -> Rescue:
        """See ``InstanceStore.rescue``."""
        return await self._database.write(
            "rescue", lambda connection: take_back(connection, silent_s, poison_after, limit)
        )

    async def tally(self) -> Tallies:
        """See ``InstanceStore.tally``."""
        return await self._database.read("tally", tally)

    async def served_types(self, silent_s: float) -> Sequence[tuple[str, str]]:
        """See ``InstanceStore.served_types``."""
        alive = select(instances.c.queues, instances.c.task_types).where(instances.c.heartbeat_at > now_minus(silent_s))

        def served(connection: Connection) -> Sequence[tuple[str, str]]:
            rows = [(from_json(queues), from_json(types)) for queues, types in connection.execute(alive)]
            return sorted({(queue, name) for queues, types in rows for queue in queues for name in types})

        return await self._database.read("served_types", served)


def _list(connection: Connection) -> list[InstanceRecord]:
    rows = connection.execute(select(instances).order_by(instances.c.started_at, instances.c.id))
    return [
        InstanceRecord(
            id=row.id,
            role=Role(row.role),
            host=row.host,
            pid=row.pid,
            version=row.version,
            queues=from_json(row.queues),
            task_types=from_json(row.task_types),
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            is_draining=row.is_draining,
        )
        for row in rows
    ]
