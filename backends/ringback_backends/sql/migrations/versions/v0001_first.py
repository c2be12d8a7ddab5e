"""The first schema. What each table is for stands in ``ringback_backends.sql.tables``.

Revision ID: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from ringback_backends.sql.columns import Moment, Name

revision = "0001"
down_revision = None

WAITS = sa.text("state IN ('queued', 'scheduled', 'retrying')")

QUEUE_LIKE = """
ALTER TABLE {table} SET (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000)
"""
"""For tables whose rows are rewritten at every step: room for the new version on the page of the old one, and a vacuum
that does not wait until a fifth of ten million rows has changed."""


def upgrade() -> None:
    """Make all tables."""
    _tenants()
    _api_keys()
    _endpoints()
    _signing_secrets()
    _instances()
    _jobs()
    _job_requests()
    _job_tags()
    _idempotency_keys()
    _job_results()
    _job_progress()
    _job_attempts()
    _events()
    _deliveries()
    _delivery_targets()
    _delivery_attempts()
    if op.get_bind().dialect.name == "postgresql":
        for table in ("jobs", "deliveries"):
            op.execute(QUEUE_LIKE.format(table=table))


def _where(condition: sa.TextClause) -> dict[str, Any]:
    """A partial index, in both dialects."""
    return {"postgresql_where": condition, "sqlite_where": condition}


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", Name, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", Name, nullable=False),
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("api_keys_hash", "api_keys", ["key_hash"], unique=True)
    op.create_index("api_keys_tenant", "api_keys", ["tenant_id", "id"])


def _endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", Name, nullable=False),
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_filter", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("endpoints_tenant", "endpoints", ["tenant_id", "id"])


def _signing_secrets() -> None:
    op.create_table(
        "signing_secrets",
        sa.Column("id", Name, nullable=False),
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("endpoint_id", Name, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("signing_secrets_owner", "signing_secrets", ["tenant_id", "endpoint_id"])


def _instances() -> None:
    op.create_table(
        "instances",
        sa.Column("id", Name, nullable=False),
        sa.Column("role", Name, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("task_types", sa.Text(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("heartbeat_at", Moment(), nullable=False),
        sa.Column("is_draining", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Name, nullable=False),
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("queue", Name, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("uncharged", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("timeout_s", sa.Double(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("run_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("owner", Name, nullable=True),
        sa.Column("is_cancel_requested", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "jobs_waiting", "jobs", ["queue", "type", sa.text("priority DESC"), "run_at", "id"], **_where(WAITS)
    )
    op.create_index(
        "jobs_cancelling", "jobs", ["owner"], **_where(sa.text("is_cancel_requested AND state = 'running'"))
    )
    op.create_index(
        "jobs_ended_badly",
        "jobs",
        ["tenant_id", "state", "id"],
        **_where(sa.text("state IN ('failed', 'cancelled', 'expired')")),
    )
    op.create_index(
        "jobs_expiring",
        "jobs",
        ["expires_at"],
        **_where(sa.text("expires_at IS NOT NULL AND state IN ('queued', 'scheduled', 'retrying')")),
    )
    op.create_index("jobs_running", "jobs", ["owner", "id"], **_where(sa.text("state = 'running'")))


def _job_requests() -> None:
    op.create_table(
        "job_requests",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("job_id", Name, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("callback_events", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "job_id"),
    )


def _job_tags() -> None:
    op.create_table(
        "job_tags",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("tag", Name, nullable=False),
        sa.Column("job_id", Name, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "tag", "job_id"),
        sqlite_with_rowid=False,
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", Name, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
        sqlite_with_rowid=False,
    )


def _job_results() -> None:
    op.create_table(
        "job_results",
        sa.Column("job_id", Name, nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("job_id"),
    )


def _job_progress() -> None:
    op.create_table(
        "job_progress",
        sa.Column("job_id", Name, nullable=False),
        sa.Column("fraction", sa.Double(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
    )


def _job_attempts() -> None:
    op.create_table(
        "job_attempts",
        sa.Column("job_id", Name, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", Name, nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("instance_id", Name, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "attempt"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=True), nullable=False
        ),
        sa.Column("id", Name, nullable=False),
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("job_id", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("job_created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_id", "events", ["id"], unique=True)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Name, nullable=False),
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("destination", Name, nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Moment(), nullable=True),
        sa.Column("claimed_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("owner", Name, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "deliveries_due", "deliveries", ["next_attempt_at", "id"], **_where(sa.text("state IN ('pending', 'retrying')"))
    )
    op.create_index(
        "deliveries_ended_badly",
        "deliveries",
        ["tenant_id", "state", "id"],
        **_where(sa.text("state IN ('exhausted', 'cancelled')")),
    )
    op.create_index("deliveries_sending", "deliveries", ["owner", "id"], **_where(sa.text("state = 'sending'")))


def _delivery_targets() -> None:
    op.create_table(
        "delivery_targets",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("delivery_id", Name, nullable=False),
        sa.Column("event_id", Name, nullable=False),
        sa.Column("event_type", Name, nullable=False),
        sa.Column("job_id", Name, nullable=False),
        sa.Column("kind", Name, nullable=False),
        sa.Column("endpoint_id", Name, nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id"),
    )
    op.create_index("delivery_targets_job", "delivery_targets", ["job_id"])


def _delivery_attempts() -> None:
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", Name, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("total_s", sa.Double(), nullable=False),
        sa.Column("dns_s", sa.Double(), nullable=True),
        sa.Column("connect_s", sa.Double(), nullable=True),
        sa.Column("first_byte_s", sa.Double(), nullable=True),
        sa.Column("verdict", Name, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("remote_address", sa.Text(), nullable=True),
        sa.Column("response_prefix", sa.LargeBinary(), nullable=False),
        sa.Column("next_attempt_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "attempt"),
    )
