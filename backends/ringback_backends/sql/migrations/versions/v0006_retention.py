"""What is no longer kept, and what is told of endpoints.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from ringback_backends.sql.columns import Moment, Name

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    op.add_column("endpoints", sa.Column("enabled_at", Moment))
    op.add_column("job_results", sa.Column("event_id", Name))
    op.create_table(
        "purged_jobs",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("job_id", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("finished_at", Moment, nullable=False),
        sa.Column("purged_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "job_id"),
    )
    op.create_index("purged_jobs_age", "purged_jobs", ["purged_at"])
    op.create_index("idempotency_keys_age", "idempotency_keys", ["created_at"])
    _partial("signing_secrets_ending", "signing_secrets", "expires_at", "expires_at IS NOT NULL")
    _partial("delivery_targets_event", "delivery_targets", "event_id", "job_id = ''")


def _partial(name: str, table: str, column: str, condition: str) -> None:
    """A partial index, in both dialects."""
    op.create_index(name, table, [column], postgresql_where=sa.text(condition), sqlite_where=sa.text(condition))
