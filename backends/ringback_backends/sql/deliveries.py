"""What is asked of deliveries beside claiming and recording: the same queries for both databases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, exists, literal, or_, select, text, update

from ringback_backends.sql.arranging import hold_lines
from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.lane_columns import BY_ITS_ENDPOINT, IN_LINE
from ringback_backends.sql.listing import newest_first
from ringback_backends.sql.rows import stored_delivery
from ringback_backends.sql.tables import deliveries, delivery_attempts, delivery_targets, endpoints
from ringback_schemas.deliveries import (
    DeliveryAttempt,
    DeliveryDetail,
    DeliveryRecord,
    DeliveryRef,
    Timing,
    Verdict,
    WaitReason,
)
from ringback_schemas.ids import DeliveryId, InstanceId, JobId, TenantId
from ringback_schemas.states import DELIVERY_REDELIVERABLE, DeliveryState

RECORDS = select(
    deliveries.c.id,
    deliveries.c.tenant_id,
    delivery_targets.c.event_id,
    delivery_targets.c.event_type,
    delivery_targets.c.job_id,
    delivery_targets.c.kind,
    delivery_targets.c.endpoint_id,
    delivery_targets.c.url,
    deliveries.c.destination,
    deliveries.c.state,
    deliveries.c.attempt,
    deliveries.c.tries,
    delivery_targets.c.created_at,
    deliveries.c.next_attempt_at,
    deliveries.c.finished_at,
    deliveries.c.owner,
    deliveries.c.waits_for,
).join_from(
    delivery_targets,
    deliveries,
    deliveries.c.id == delivery_targets.c.delivery_id,
)
"""Deliveries as records: what ``stored_delivery`` reads."""

SENDING = deliveries.c.state == literal("sending", literal_execute=True)

# A loose scan of the index ``deliveries_waiting``: one probe for each lane, however much waits there.
WAITING_LANES = text("""
WITH RECURSIVE waiting (destination) AS (
    SELECT * FROM (
        SELECT d.destination FROM deliveries d WHERE d.waits_for IS NOT NULL AND d.destination > :after
        ORDER BY d.destination LIMIT 1) AS first
  UNION ALL
    SELECT (
        SELECT d.destination FROM deliveries d WHERE d.waits_for IS NOT NULL AND d.destination > w.destination
        ORDER BY d.destination LIMIT 1)
    FROM waiting w WHERE w.destination IS NOT NULL
)
SELECT destination FROM waiting WHERE destination IS NOT NULL LIMIT :most
""")

_WAS_TRIED = exists().where(delivery_attempts.c.delivery_id == deliveries.c.id).correlate(deliveries)
"""Not by the number of its attempt: what is given back unsent has used one up."""

_READY_AGAIN = case((_WAS_TRIED, DeliveryState.RETRYING.value), else_=DeliveryState.PENDING.value)
"""What is given back is a fresh one, or a retry: behind what is fresh, or still the head of its line.

A replay's is a retry too, and so is one that was redelivered by its id: here nothing tells them apart.
"""

RELEASED = {"state": _READY_AGAIN, "owner": None}

AFRESH: dict[str, Any] = {
    "state": DeliveryState.PENDING.value,
    "tries": 0,
    "next_attempt_at": now(),
    "finished_at": None,
    **BY_ITS_ENDPOINT,
}
"""A delivery that is sent again: due at once, at the beginning of its schedule, and at the end of its line."""


class DeliveryQueries:
    """Everything about deliveries that is not set-based."""

    _database: Database

    async def release_deliveries(self, owner: InstanceId, deliveries: Sequence[DeliveryRef]) -> list[bool]:
        """See ``DeliveryStore.release_deliveries``."""
        return await self._database.write(
            "release_deliveries", lambda connection: _give_back(connection, owner, deliveries, RELEASED)
        )

    async def held_deliveries(self, owner: InstanceId) -> list[DeliveryRef]:
        """See ``DeliveryStore.held_deliveries``."""
        held = select(deliveries.c.id, deliveries.c.attempt).where(deliveries.c.owner == owner, SENDING)
        query = held.order_by(deliveries.c.id)
        return await self._database.read(
            "held_deliveries", lambda connection: [DeliveryRef(*row) for row in connection.execute(query)]
        )

    async def set_aside(self, owner: InstanceId, deliveries: Sequence[DeliveryRef], reason: WaitReason) -> list[bool]:
        """See ``LaneStore.set_aside``."""
        return await self._database.write(
            "set_aside", lambda connection: _give_back(connection, owner, deliveries, _waiting_for(reason))
        )

    async def waiting_lanes(self, after: str, limit: int) -> list[str]:
        """See ``LaneStore.waiting_lanes``."""
        query = WAITING_LANES.bindparams(after=after, most=limit)
        return await self._database.read("waiting_lanes", lambda connection: list(connection.execute(query).scalars()))

    async def redeliver(self, tenant_id: TenantId, delivery_id: DeliveryId) -> DeliveryRecord | None:
        """See ``DeliveryStore.redeliver``."""
        its_endpoint = and_(endpoints.c.id == deliveries.c.endpoint_id, endpoints.c.is_enabled)
        is_open = exists(select(endpoints.c.id).where(its_endpoint).correlate(deliveries))
        mine = and_(
            deliveries.c.tenant_id == tenant_id,
            deliveries.c.id == delivery_id,
            or_(deliveries.c.endpoint_id.is_(None), is_open),
        )
        afresh = (
            update(deliveries)
            .where(mine, deliveries.c.state.in_([state.value for state in DELIVERY_REDELIVERABLE]))
            .values(AFRESH)
        )

        def redeliver(connection: Connection) -> DeliveryRecord | None:
            endpoint = select(deliveries.c.endpoint_id).where(deliveries.c.id == delivery_id)
            hold_lines(connection, connection.execute(endpoint).scalars().all())
            connection.execute(afresh)
            row = connection.execute(RECORDS.where(*_named(tenant_id, delivery_id))).one_or_none()
            return None if row is None else stored_delivery(row)

        return await self._database.write("redeliver", redeliver)

    async def get_delivery(self, tenant_id: TenantId, delivery_id: DeliveryId) -> DeliveryDetail | None:
        """See ``DeliveryStore.get_delivery``."""
        found = await self._details("get_delivery", RECORDS.where(*_named(tenant_id, delivery_id)))
        return found[0] if found else None

    async def deliveries_of_job(self, tenant_id: TenantId, job_id: JobId) -> list[DeliveryDetail]:
        """See ``DeliveryStore.deliveries_of_job``."""
        of_job = and_(delivery_targets.c.job_id == job_id, delivery_targets.c.tenant_id == tenant_id)
        query = RECORDS.where(of_job).order_by(delivery_targets.c.delivery_id)
        return await self._details("deliveries_of_job", query)

    async def list_deliveries(
        self, tenant_id: TenantId, states: Sequence[DeliveryState], before: DeliveryId | None, limit: int
    ) -> list[DeliveryRecord]:
        """See ``DeliveryStore.list_deliveries``."""
        query = RECORDS.where(delivery_targets.c.tenant_id == tenant_id)
        if states:
            query = query.where(
                deliveries.c.state.in_([literal(state.value, literal_execute=True) for state in states])
            )
        query = newest_first(query, delivery_targets.c.delivery_id, before, limit)
        return await self._database.read(
            "list_deliveries", lambda connection: [stored_delivery(row) for row in connection.execute(query)]
        )

    async def _details(self, operation: str, query: Select[Any]) -> list[DeliveryDetail]:
        return await self._database.read(operation, lambda connection: _details(connection, query))


def _named(tenant_id: TenantId, delivery_id: DeliveryId) -> tuple[Any, Any]:
    return delivery_targets.c.tenant_id == tenant_id, delivery_targets.c.delivery_id == delivery_id


def _details(connection: Connection, query: Select[Any]) -> list[DeliveryDetail]:
    records = [stored_delivery(row) for row in connection.execute(query)]
    attempts: dict[str, list[DeliveryAttempt]] = {record.id: [] for record in records}
    rows = connection.execute(
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery_id.in_(list(attempts)))
        .order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.attempt)
    )
    for row in rows:
        attempts[row.delivery_id].append(_attempt(row))
    return [DeliveryDetail(record, tuple(attempts[record.id])) for record in records]


def _attempt(row: Row[Any]) -> DeliveryAttempt:
    return DeliveryAttempt(
        attempt=row.attempt,
        started_at=row.started_at,
        timing=Timing(row.total_s, row.dns_s, row.connect_s, row.first_byte_s, row.tls_s),
        verdict=Verdict(row.verdict),
        reason=row.reason,
        status=row.status,
        remote_address=row.remote_address,
        response_prefix=row.response_prefix,
        next_attempt_at=row.next_attempt_at,
    )


def _waiting_for(reason: WaitReason) -> dict[str, Any]:
    """Nobody has seen the attempt, so its number is given again."""
    waits_for = case((IN_LINE, WaitReason.FIFO.value), else_=reason.value)
    return {"state": _READY_AGAIN, "owner": None, "attempt": deliveries.c.attempt - 1, "waits_for": waits_for}


def is_held(owner: InstanceId, ref: DeliveryRef) -> ColumnElement[bool]:
    """The fence: the owner is sending the delivery, at that very attempt."""
    fence = deliveries.c.id == ref.delivery_id, deliveries.c.owner == owner, deliveries.c.attempt == ref.attempt
    return and_(*fence, SENDING)


def _give_back(
    connection: Connection, owner: InstanceId, released: Sequence[DeliveryRef], values: dict[str, Any]
) -> list[bool]:
    """In id order, for the reason that ``contracts.jobs`` gives; answers in the order given."""
    answers = {}
    for ref in sorted(set(released), key=lambda ref: ref.delivery_id):
        back = update(deliveries).where(is_held(owner, ref)).values(values)
        answers[ref] = connection.execute(back).rowcount > 0
    return [answers[ref] for ref in released]
