"""The chores of retention that need no walk: what goes by a time in its own row, which an index gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, select, tuple_

from ringback_backends.sql.columns import now, now_minus
from ringback_backends.sql.tables import audit_log, idempotency_keys, purged_jobs, replays, signing_secrets
from ringback_schemas.retention import Chore, Retention, Swept


@dataclass(frozen=True, slots=True)
class Expiry:
    """When rows of a table go."""

    table: Table
    at: Column[Any]
    """Absent for as long as nothing may go: a replay that is open, a secret without an end."""
    kept_s: Callable[[Retention], float] | None = None
    """For so long after that, for ever when it is 0; absent: not a moment."""

    def condition(self, retention: Retention) -> ColumnElement[bool] | None:
        """Which rows may go; None when none ever may."""
        if self.kept_s is None:
            is_over = self.at <= now()
        elif (kept_s := self.kept_s(retention)) == 0:
            return None
        else:
            is_over = self.at <= now_minus(kept_s)
        # spelt as in the partial index
        return and_(self.at.is_not(None), is_over) if self.at.nullable else is_over


EXPIRIES = {
    Chore.KEYS: Expiry(idempotency_keys, idempotency_keys.c.created_at, lambda retention: retention.keys_s),
    Chore.SECRETS: Expiry(signing_secrets, signing_secrets.c.expires_at),
    Chore.TOMBSTONES: Expiry(purged_jobs, purged_jobs.c.purged_at, lambda retention: retention.keep_s),
    Chore.AUDIT: Expiry(audit_log, audit_log.c.at, lambda retention: retention.audit_s),
    Chore.REPLAYS: Expiry(replays, replays.c.finished_at, lambda retention: retention.replays_s),
}


def expire(connection: Connection, expiry: Expiry, retention: Retention, limit: int) -> Swept:
    """Delete the oldest of what may go."""
    condition = expiry.condition(retention)
    if condition is None:
        return Swept(0, "", is_more=False)
    keys = tuple(expiry.table.primary_key.columns)
    oldest = select(*keys).where(condition).order_by(expiry.at).limit(limit).with_for_update(skip_locked=True)
    found = [tuple(row) for row in connection.execute(oldest)]
    if found:
        named = keys[0].in_([key for (key,) in found]) if len(keys) == 1 else tuple_(*keys).in_(found)
        connection.execute(delete(expiry.table).where(named))
    return Swept(len(found), "", is_more=len(found) == limit)
