"""Registered endpoints: their settings, state and health; whose a delivery is; public keys; the audit log.

Revision ID: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from ringback_backends.sql.columns import Moment, Name

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    for column in _of_endpoints():
        op.add_column("endpoints", column)
    op.add_column("signing_secrets", sa.Column("public_key", sa.Text()))
    op.add_column("deliveries", sa.Column("endpoint_id", Name))
    op.create_index(
        "deliveries_of_endpoint",
        "deliveries",
        ["endpoint_id", "id"],
        **_where("endpoint_id IS NOT NULL AND state IN ('pending', 'retrying')"),
    )
    op.create_table(
        "audit_log",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("id", Name, nullable=False),
        sa.Column("actor", Name, nullable=False),
        sa.Column("action", Name, nullable=False),
        sa.Column("target", Name, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )


def _of_endpoints() -> list[sa.Column[Any]]:
    return [
        sa.Column("destination", Name, nullable=False, server_default=""),
        sa.Column("sealed_headers", sa.LargeBinary()),
        sa.Column("rate_limit_per_s", sa.Double()),
        sa.Column("max_in_flight", sa.Integer()),
        sa.Column("timeout_s", sa.Double()),
        sa.Column("signing", Name, nullable=False, server_default="v1"),
        sa.Column("body_format", Name, nullable=False, server_default="standard"),
        sa.Column("is_fifo", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("consent", Name, nullable=False, server_default="not_required"),
        sa.Column("consent_rate_per_minute", sa.Integer()),
        sa.Column("disabled_reason", Name),
        sa.Column("disabled_at", Moment),
        sa.Column("failures_in_row", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("first_failure_at", Moment),
        sa.Column("last_success_at", Moment),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("updated_at", Moment),
    ]


def _where(condition: str) -> dict[str, Any]:
    """A partial index, in both dialects."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
