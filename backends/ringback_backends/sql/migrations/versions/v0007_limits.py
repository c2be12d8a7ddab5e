"""Limits of endpoints: lanes of their own, lines of those that take one at a time; how long TLS took.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_LIMITED = """
SELECT e.destination || '#' || e.id FROM endpoints e
WHERE e.id = deliveries.endpoint_id
  AND (e.rate_limit_per_s IS NOT NULL OR e.max_in_flight IS NOT NULL OR e.is_fifo OR e.consent <> 'not_required')
"""

_IN_LINE = "EXISTS (SELECT 1 FROM endpoints e WHERE e.id = deliveries.endpoint_id AND e.is_fifo)"
_READY = "endpoint_id IS NOT NULL AND state IN ('pending', 'retrying')"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    op.add_column("delivery_attempts", sa.Column("tls_s", sa.Double()))
    op.execute(f"UPDATE deliveries SET destination = coalesce(({_LIMITED}), destination) WHERE {_READY}")  # noqa: S608 - own words
    lined = f"{_READY} AND next_attempt_at IS NOT NULL AND {_IN_LINE}"
    op.execute(f"UPDATE deliveries SET waits_for = 'fifo' WHERE {lined}")  # noqa: S608 - own words
